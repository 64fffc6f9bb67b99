//! Both sides of a certificate for `localhost`, and protocols that note their calls.
//!
//! `certificate.der` and `key.der` were made by `openssl req -x509 -newkey ec -days 36500`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use callsoon::io::ConnectOptions;
use callsoon::net::rustls::crypto::ring;
use callsoon::net::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use callsoon::net::rustls::{ClientConfig, RootCertStore, ServerConfig};
use callsoon::net::{
    DEFAULT_LIMIT, Protocol, Server, StreamReader, StreamWriter, TlsOptions, Transport,
    open_connection_tls, start_server_tls,
};
use callsoon::{Error, EventLoop, LoopRef, Result, run_on, yield_now};

fn certificate() -> CertificateDer<'static> {
    CertificateDer::from(&include_bytes!("certificate.der")[..])
}

pub(crate) fn server_side() -> TlsOptions {
    let key = PrivatePkcs8KeyDer::from(&include_bytes!("key.der")[..]);
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate()], key.into())
        .unwrap();
    TlsOptions::server(Arc::new(config))
}

pub(crate) fn client_config() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

pub(crate) fn client_side(name: &str) -> TlsOptions {
    TlsOptions::client(client_config(), name).unwrap()
}

pub(crate) fn port(server: &Server) -> u16 {
    server.addresses()[0].ip().unwrap().port()
}

/// Runs `main` in virtual time.
pub(crate) fn run(main: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::with_virtual_time(), main).unwrap();
}

/// Has a protocol that notes its calls connect to `port`.
pub(crate) async fn connect(
    on: &LoopRef,
    port: u16,
    tls: &TlsOptions,
) -> Result<(Transport, Rc<Noting>)> {
    let options = ConnectOptions::new();
    on.create_connection_tls(Noting::default, "127.0.0.1", port, &options, tls).await
}

/// Serves streams over TLS, each by `serve`.
pub(crate) async fn serve_tls<F: Future<Output = Result<()>> + 'static>(
    serve: impl Fn(StreamReader, StreamWriter) -> F + 'static,
) -> Result<Server> {
    start_server_tls(serve, Some("127.0.0.1"), 0, DEFAULT_LIMIT, &server_side()).await
}

/// Connects to `port`.
pub(crate) async fn connect_tls(
    port: u16,
    limit: usize,
    tls: &TlsOptions,
) -> Result<(StreamReader, StreamWriter)> {
    open_connection_tls("127.0.0.1", port, limit, &ConnectOptions::new(), tls).await
}

/// Notes its calls.
#[derive(Default, Debug)]
pub(crate) struct Noting {
    pub(crate) calls: RefCell<Vec<String>>,
    pub(crate) transport: RefCell<Option<Transport>>,
    pub(crate) lost: Cell<bool>,
    pub(crate) echoes: bool,
}

impl Noting {
    pub(crate) fn note(&self, call: String) {
        self.calls.borrow_mut().push(call);
    }

    pub(crate) async fn until_lost(&self) -> Result<Vec<String>> {
        while !self.lost.get() {
            yield_now().await?;
        }
        Ok(self.calls.take())
    }
}

impl Protocol for Noting {
    fn connection_made(&self, transport: &Transport) -> Result<()> {
        self.note("made".to_owned());
        self.transport.replace(Some(transport.clone()));
        Ok(())
    }

    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.note(format!("data {}", String::from_utf8_lossy(data)));
        let transport = self.transport.borrow().clone().filter(|_| self.echoes);
        transport.map_or(Ok(()), |transport| transport.write(data))
    }

    fn eof_received(&self) -> Result<bool> {
        self.note("eof".to_owned());
        Ok(false)
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.note(format!("lost {:?}", error.map(|error| error.message())));
        self.transport.take();
        self.lost.set(true);
        Ok(())
    }
}
