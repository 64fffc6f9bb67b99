//! Talks to Python's asyncio over loopback, from either side: `run` beside this file starts it.
//!
//! ```text
//! peers PYTHON FOLDER SEED    all conversations; exit code 1 where bytes differ
//! peers child PLAN            talks over standard input and output
//! ```

mod converse;
mod datagrams;
mod sides;

use std::process::ExitCode;
use std::{env, path::Path};

use callsoon::net::{
    DEFAULT_LIMIT, DatagramOptions, Server, StreamReader, StreamWriter, open_connection,
    open_connection_tls, open_unix_connection, start_server, start_server_tls, start_unix_server,
};
use callsoon::{EventLoop, LoopFuture, Result, run_on, running_loop};
use fastrand::Rng;
use serde_json::{Value, json};

use converse::{End, Outcome, Plan, converse};
use datagrams::Datagrams;
use sides::{Certificates, Python, child, failed, port_of};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match words[..] {
        ["child", plan] => {
            let plan = serde_json::from_str(plan).expect("a plan");
            run_on(&EventLoop::new(), child(Plan::from_json(&plan)))
        }
        [python, folder, seed] => {
            let (python, folder) = (python.to_owned(), folder.to_owned());
            let seed = seed.parse().expect("a number");
            run_on(&EventLoop::new(), async move { all(&python, Path::new(&folder), seed).await })
        }
        _ => panic!("peers PYTHON FOLDER SEED"),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("peers: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The kinds of conversations: that of the end, and whether a side is slow.
const VARIANTS: [&str; 5] = ["plain", "slow here", "slow there", "abort here", "abort there"];

async fn all(python: &str, folder: &Path, seed: u64) -> Result<()> {
    let mut rng = Rng::with_seed(seed);
    let peer = folder.join("peers/peer.py");
    let certificates = Certificates::read(&folder.join("tls"))?;
    let python = Python::start(python, &peer, &certificates.paths).await?;
    let mut bytes = 0;
    for kind in ["tcp", "unix", "tls"] {
        for variant in VARIANTS {
            for serves in [true, false] {
                let plans = plans(&mut rng, variant, kind == "tls");
                let talk = Talk { python: &python, kind, certificates: &certificates };
                let ended =
                    if serves { talk.serve(&plans).await } else { talk.connect(&plans).await };
                let heading =
                    format!("{kind}, {variant}, {}", if serves { "server" } else { "client" });
                bytes += judge(&heading, &plans, ended?)?;
            }
        }
    }
    for sends in [true, false] {
        talk_datagrams(&python, rng.u32(0..1_000_000), sends).await?;
    }
    for variant in ["plain", "slow here", "slow there"] {
        let plans = plans(&mut rng, variant, false);
        bytes += judge(&format!("child here, {variant}"), &plans, python.as_child(&plans).await?)?;
        bytes +=
            judge(&format!("child there, {variant}"), &plans, python.as_parent(&plans).await?)?;
    }
    python.end().await?;
    println!("{bytes} bytes compared");
    Ok(())
}

/// The plan of this side, and that of the other.
fn plans(rng: &mut Rng, variant: &str, exact: bool) -> [Plan; 2] {
    let seeds = [rng.u32(0..1_000_000), rng.u32(0..1_000_000)];
    let counts = [rng.usize(1..300_000), rng.usize(1..300_000)];
    let plan = |own: usize, aborts: bool, slow: bool, rng: &mut Rng| Plan {
        seed: seeds[own],
        peer_seed: seeds[1 - own],
        send: counts[own],
        expect: counts[1 - own],
        piece: if aborts { 10_000 } else { [10_000, 70_000, 200_000][rng.usize(0..3)] },
        read: if slow { 20_000 } else { [3_000, 70_000, 300_000][rng.usize(0..3)] },
        slow,
        end: match (aborts, exact) {
            (true, _) => End::Abort(counts[own] / 2),
            (false, true) => End::Exact,
            (false, false) => End::Eof,
        },
    };
    let here = plan(0, variant == "abort here", variant == "slow here", rng);
    [here, plan(1, variant == "abort there", variant == "slow there", rng)]
}

/// Holds what both sides read to what they should have.
fn judge(heading: &str, plans: &[Plan; 2], outcomes: [Outcome; 2]) -> Result<usize> {
    let aborts = plans.iter().any(|plan| matches!(plan.end, End::Abort(_)));
    for (plan, outcome) in plans.iter().zip(&outcomes) {
        let complete = outcome.received == plan.expect && !outcome.reset;
        if !outcome.same || !(complete || aborts) {
            return Err(failed(format!("{heading}: {outcome:?} of {} bytes", plan.expect)));
        }
    }
    println!("{heading}: {} and {} bytes", outcomes[0].received, outcomes[1].received);
    Ok(outcomes[0].received + outcomes[1].received)
}

/// Connections of one kind.
struct Talk<'a> {
    python: &'a Python,
    kind: &'static str,
    certificates: &'a Certificates,
}

impl Talk<'_> {
    /// This side serves.
    async fn serve(&self, [here, there]: &[Plan; 2]) -> Result<[Outcome; 2]> {
        let done: LoopFuture<Outcome> = running_loop()?.create_future();
        let (server, address) = self.server(here.clone(), done.clone()).await?;
        let command = json!({"do": "connect", "kind": self.kind, "address": address, "plan": there.to_json()});
        self.python.tell(&command).await?;
        let outcomes = [done.await?, self.python.outcome().await?];
        server.close();
        server.wait_closed().await?;
        Ok(outcomes)
    }

    async fn server(&self, plan: Plan, done: LoopFuture<Outcome>) -> Result<(Server, Value)> {
        let connected = move |reader: StreamReader, writer: StreamWriter| {
            let (plan, done) = (plan.clone(), done.clone());
            async move { done.set_result(converse(&reader, writer, &plan).await?) }
        };
        let host = Some("127.0.0.1");
        let server = match self.kind {
            "unix" => {
                let path = sides::path();
                let server = start_unix_server(connected, &path, DEFAULT_LIMIT).await?;
                return Ok((server, json!(path)));
            }
            "tls" => {
                let tls = self.certificates.server();
                start_server_tls(connected, host, 0, DEFAULT_LIMIT, &tls).await?
            }
            _ => start_server(connected, host, 0, DEFAULT_LIMIT).await?,
        };
        let port = server.addresses()[0].ip().map_or(0, |address| address.port());
        Ok((server, json!(["127.0.0.1", port])))
    }

    /// The other side serves.
    async fn connect(&self, [here, there]: &[Plan; 2]) -> Result<[Outcome; 2]> {
        let path = sides::path();
        let command =
            json!({"do": "listen", "kind": self.kind, "path": path, "plan": there.to_json()});
        self.python.tell(&command).await?;
        let address = self.python.answer().await?;
        let (reader, writer) = match self.kind {
            "unix" => open_unix_connection(&path, DEFAULT_LIMIT).await?,
            "tls" => {
                let (options, tls) = (Default::default(), self.certificates.client());
                open_connection_tls("127.0.0.1", port_of(&address), DEFAULT_LIMIT, &options, &tls)
                    .await?
            }
            _ => open_connection("127.0.0.1", port_of(&address), DEFAULT_LIMIT).await?,
        };
        Ok([converse(&reader, writer, here).await?, self.python.outcome().await?])
    }
}

async fn talk_datagrams(python: &Python, seed: u32, sends: bool) -> Result<()> {
    const COUNT: usize = 100;
    let on = running_loop()?;
    let plan = json!({"seed": seed, "count": COUNT});
    let (options, make) = (DatagramOptions::new(), || Datagrams::new(&on, seed, COUNT, sends));
    let (transport, protocol) = if sends {
        python.tell(&json!({"do": "datagrams", "plan": plan})).await?;
        let to = ("127.0.0.1", port_of(&python.answer().await?));
        on.create_datagram_endpoint(make, None, Some(to), options).await?
    } else {
        let made = on.create_datagram_endpoint(make, Some(("127.0.0.1", 0)), None, options).await?;
        let port = made.0.sockname().and_then(|address| address.ip()).map_or(0, |ip| ip.port());
        let address = json!(["127.0.0.1", port]);
        python.tell(&json!({"do": "datagrams", "plan": plan, "address": address})).await?;
        made
    };
    let outcomes = [protocol.done().await?, python.outcome().await?];
    transport.close();
    if outcomes.iter().any(|outcome| !outcome.same) {
        return Err(failed(format!("datagrams differ: {outcomes:?}")));
    }
    println!("datagrams, {}: {COUNT}", if sends { "client" } else { "server" });
    Ok(())
}
