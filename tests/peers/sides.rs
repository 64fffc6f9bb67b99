//! The Python process, the certificates, and a child that talks over its standard streams.

use std::cell::RefCell;
use std::env;
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callsoon::net::rustls::crypto::ring;
use callsoon::net::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use callsoon::net::rustls::{ClientConfig, RootCertStore, ServerConfig};
use callsoon::net::{Protocol, StreamReader, TlsOptions};
use callsoon::process::{Process, Stdio, SubprocessOptions, create_subprocess_exec};
use callsoon::{Error, ErrorKind, Result, create_task, running_loop, yield_now};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::converse::{Outcome, Plan, converse, receive, stream};

pub(crate) fn failed(message: String) -> Error {
    Error::new(ErrorKind::Runtime, message)
}

/// A new path for a socket.
pub(crate) fn path() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);

    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    env::temp_dir().join(format!("callsoon-peers-{}-{number}", std::process::id()))
}

/// The port of an answer's address.
pub(crate) fn port_of(answer: &Value) -> u16 {
    let port = answer["address"][1].as_u64().expect("an address");
    u16::try_from(port).expect("a port")
}

/// A certificate for `localhost`.
pub(crate) struct Certificates {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
    pub(crate) paths: [PathBuf; 2],
}

impl Certificates {
    pub(crate) fn read(folder: &Path) -> Result<Certificates> {
        let paths = ["certificate.der", "key.der"].map(|name| folder.join(name));
        let certificate = CertificateDer::from(fs::read(&paths[0])?);
        Ok(Certificates { certificate, key: fs::read(&paths[1])?, paths })
    }

    pub(crate) fn server(&self) -> TlsOptions {
        let key = PrivatePkcs8KeyDer::from(self.key.clone());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of the provider")
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key.into())
            .expect("the key of the certificate");
        TlsOptions::server(Arc::new(config))
    }

    pub(crate) fn client(&self) -> TlsOptions {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a certificate");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions of the provider")
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsOptions::client(Arc::new(config), "localhost").expect("a name")
    }
}

/// A Python process that does what it is told, line by line.
pub(crate) struct Python {
    program: String,
    peer: PathBuf,
    process: Process,
}

impl Python {
    pub(crate) async fn start(
        program: &str,
        peer: &Path,
        certificates: &[PathBuf; 2],
    ) -> Result<Python> {
        let arguments = [peer, &certificates[0], &certificates[1]];
        let process = create_subprocess_exec(program, arguments, piped()).await?;
        Ok(Python { program: program.to_owned(), peer: peer.to_owned(), process })
    }

    pub(crate) async fn tell(&self, command: &Value) -> Result<()> {
        let stdin = self.process.stdin.as_ref().expect("it is a pipe");
        stdin.write(format!("{command}\n").as_bytes())?;
        stdin.drain().await
    }

    pub(crate) async fn answer(&self) -> Result<Value> {
        let line = self.process.stdout.as_ref().expect("it is a pipe").readline().await?;
        serde_json::from_slice(&line).map_err(|error| failed(format!("no answer: {error}")))
    }

    pub(crate) async fn outcome(&self) -> Result<Outcome> {
        let answer = self.answer().await?;
        let received = answer["received"].as_u64().and_then(|count| usize::try_from(count).ok());
        let is_clean = answer["returncode"].as_i64().is_none_or(|code| code == 0);
        Ok(Outcome {
            received: received.ok_or_else(|| failed(format!("no outcome: {answer}")))?,
            same: answer["same"] == true && is_clean,
            reset: answer["end"] == "reset",
        })
    }

    /// Python is a child, and talks over its standard streams.
    pub(crate) async fn as_child(&self, [here, there]: &[Plan; 2]) -> Result<[Outcome; 2]> {
        let plan = there.to_json().to_string();
        let arguments = [self.peer.as_os_str(), "child".as_ref(), plan.as_ref()];
        let mut child = create_subprocess_exec(&self.program, arguments, piped()).await?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("no pipes".to_owned()));
        };
        let outcome = converse(&stdout, stdin, here).await?;
        let same = child.wait().await? == 0;
        Ok([outcome, Outcome { received: there.expect, same, reset: false }])
    }

    /// Python is the parent of this program.
    pub(crate) async fn as_parent(&self, [here, there]: &[Plan; 2]) -> Result<[Outcome; 2]> {
        let program = env::current_exe()?;
        let (child, plan) = (here.to_json(), there.to_json());
        self.tell(&json!({"do": "spawn", "program": program, "child": child, "plan": plan}))
            .await?;
        let outcome = self.outcome().await?;
        // The child has compared what it received.
        Ok([Outcome { received: here.expect, ..outcome.clone() }, outcome])
    }

    pub(crate) async fn end(mut self) -> Result<()> {
        drop(self.process.stdin.take());
        match self.process.wait().await? {
            0 => Ok(()),
            code => Err(failed(format!("Python ended with {code}"))),
        }
    }
}

fn piped() -> SubprocessOptions {
    SubprocessOptions::new().stdin(Stdio::Pipe).stdout(Stdio::Pipe)
}

/// Feeds a reader with what a pipe receives.
struct Feeding(Rc<StreamReader>);

impl Protocol for Feeding {
    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.0.feed_data(data);
        Ok(())
    }

    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        match error {
            Some(error) => self.0.set_exception(error),
            None => self.0.feed_eof(),
        }
        Ok(())
    }
}

/// A writing end.
#[derive(Default)]
struct Sending(RefCell<Option<Error>>);

impl Protocol for Sending {
    fn connection_lost(&self, error: Option<Error>) -> Result<()> {
        self.0.replace(error);
        Ok(())
    }
}

/// Talks over the standard streams; fails if other bytes come than should.
pub(crate) async fn child(plan: Plan) -> Result<()> {
    let on = running_loop()?;
    let reader = Rc::new(StreamReader::new()?);
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    let output = std::io::stdout().as_fd().try_clone_to_owned()?;
    let (reading, _) = on.connect_read_pipe(|| Feeding(reader.clone()), input).await?;
    let (writing, _) = on.connect_write_pipe(Sending::default, output).await?;
    let mut rng = Rng::with_seed(u64::from(plan.seed));
    let (own, mut pieces) = (plan.clone(), rng.fork());
    let sending = create_task(async move {
        let data = stream(own.seed, own.send);
        let mut left = &data[..];
        while !left.is_empty() {
            let (part, rest) = left.split_at(pieces.usize(1..=own.piece).min(left.len()));
            writing.write(part)?;
            left = rest;
            while writing.write_buffer_size() > 0 {
                yield_now().await?;
            }
        }
        writing.write_eof()
    });
    let outcome = receive(&reader, &plan, &mut rng).await?;
    sending.await?;
    reading.close();
    yield_now().await?;
    match outcome.same && outcome.received == plan.expect {
        true => Ok(()),
        false => Err(failed(format!("{outcome:?} of {} bytes", plan.expect))),
    }
}
