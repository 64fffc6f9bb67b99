//! An echo over TLS: rustls, by `futures-rustls`, on callsoon's sockets.

use std::io::{Write, stderr};
use std::sync::Arc;

use callsoon::io::{TcpListener, TcpStream};
use callsoon::{Error, Result, TaskGroup, create_task};
use futures_rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
use futures_rustls::{TlsAcceptor, TlsConnector, client};
use futures_util::{AsyncReadExt, AsyncWriteExt};

/// The host name in the certificate.
pub const NAME: &str = "localhost";

/// Makes a certificate, and returns an acceptor that serves it and a connector that trusts it.
///
/// # Errors
///
/// The errors of rcgen and rustls.
pub fn fresh_certificate() -> Result<(TlsAcceptor, TlsConnector)> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key.into())?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    Ok((TlsAcceptor::from(Arc::new(server)), connector(roots)?))
}

/// Returns a connector that trusts `roots`.
///
/// # Errors
///
/// The errors of rustls.
pub fn connector(roots: RootCertStore) -> Result<TlsConnector> {
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(client)))
}

/// Begins to talk TLS on `stream`, to a server that proves to be [`NAME`].
///
/// # Errors
///
/// The cancellation; what rustls says of the peer.
pub async fn connect(
    connector: &TlsConnector,
    stream: TcpStream,
) -> Result<client::TlsStream<TcpStream>> {
    Ok(connector.connect(ServerName::try_from(NAME)?, stream).await?)
}

/// Sends back whatever comes, until the client ends its side. Cancelled, it sends "goodbye" and
/// closes the connection: one without TLS's own end could have been cut by an attacker.
///
/// # Errors
///
/// The cancellation; the errors of the system and of rustls.
pub async fn echo(acceptor: TlsAcceptor, stream: TcpStream) -> Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let mut buffer = [0; 4096];
    let outcome = loop {
        match stream.read(&mut buffer).await {
            Ok(0) => break Ok(()),
            Ok(count) => {
                stream.write_all(&buffer[..count]).await?;
                stream.flush().await?;
            }
            Err(error) => break Err(Error::from(error)),
        }
    };
    if outcome.as_ref().is_err_and(|error| error.is_cancelled()) {
        stream.write_all(b"goodbye").await?;
    }
    stream.close().await?;
    outcome
}

/// Echoes to each client, until it is cancelled. A client that breaks off is reported, and disturbs
/// no other; so is a panic while it is served.
///
/// # Errors
///
/// The cancellation; what is wrong with the listener itself.
pub async fn serve(listener: TcpListener, acceptor: TlsAcceptor) -> Result<()> {
    TaskGroup::scope(async |group| {
        loop {
            let (stream, peer) = listener.accept().await?;
            let acceptor = acceptor.clone();
            group.create_task(async move {
                match create_task(echo(acceptor, stream)).await {
                    Err(error) if !error.is_cancelled() => {
                        // A standard error that is closed is no reason to stop.
                        let _ = writeln!(stderr(), "{peer}: {error}");
                        Ok(())
                    }
                    outcome => outcome,
                }
            })?;
        }
    })
    .await
}
