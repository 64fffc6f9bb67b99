//! A side of a conversation: it sends bytes of its own, and compares those of the other side.

use std::rc::Rc;
use std::time::Duration;

use callsoon::net::{StreamReader, StreamWriter};
use callsoon::{ErrorKind, Result, create_task, sleep};
use fastrand::Rng;
use serde_json::{Value, json};

const STEP: u32 = 2_654_435_761;

/// The bytes that the side of this seed sends.
pub(crate) fn stream(seed: u32, count: usize) -> Vec<u8> {
    let words = (0..count / 4 + 1).map(|i| seed.wrapping_add((i as u32).wrapping_mul(STEP)));
    let mut bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
    bytes.truncate(count);
    bytes
}

/// The end of a side's sending.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Ends its direction, and reads on.
    Eof,
    /// Reads as much as there is, and closes: TLS has no end of one direction.
    Exact,
    /// Aborts the connection after so many bytes.
    Abort(usize),
}

#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) seed: u32,
    pub(crate) peer_seed: u32,
    pub(crate) send: usize,
    pub(crate) expect: usize,
    /// The most bytes of one write, and of one read.
    pub(crate) piece: usize,
    pub(crate) read: usize,
    pub(crate) slow: bool,
    pub(crate) end: End,
}

impl Plan {
    pub(crate) fn to_json(&self) -> Value {
        let (end, cut) = match self.end {
            End::Eof => ("eof", 0),
            End::Exact => ("exact", 0),
            End::Abort(cut) => ("abort", cut),
        };
        json!({
            "seed": self.seed, "peer_seed": self.peer_seed, "send": self.send,
            "expect": self.expect, "piece": self.piece, "read": self.read, "slow": self.slow,
            "end": end, "cut": cut,
        })
    }

    pub(crate) fn from_json(json: &Value) -> Plan {
        let number = |key: &str| json[key].as_u64().expect("a number");
        let count = |key: &str| usize::try_from(number(key)).expect("a count");
        let seed = |key: &str| u32::try_from(number(key)).expect("a seed");
        let end = match json["end"].as_str() {
            Some("eof") => End::Eof,
            Some("exact") => End::Exact,
            _ => End::Abort(count("cut")),
        };
        Plan {
            seed: seed("seed"),
            peer_seed: seed("peer_seed"),
            send: count("send"),
            expect: count("expect"),
            piece: count("piece"),
            read: count("read"),
            slow: json["slow"].as_bool().expect("a flag"),
            end,
        }
    }
}

/// The outcome of one side.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) received: usize,
    /// All that was received is a beginning of what was sent.
    pub(crate) same: bool,
    pub(crate) reset: bool,
}

async fn send(writer: Rc<StreamWriter>, plan: Plan, mut rng: Rng) -> Result<()> {
    let data = stream(plan.seed, plan.send);
    let mut at = 0;
    while at < data.len() {
        if matches!(plan.end, End::Abort(cut) if at >= cut) {
            writer.transport().abort();
            return Ok(());
        }
        let part = &data[at..data.len().min(at + rng.usize(1..=plan.piece))];
        if rng.bool() {
            writer.write(part)?;
        } else {
            writer.writelines(part.chunks(part.len() / 2 + 1))?;
        }
        at += part.len();
        writer.drain().await?;
    }
    if plan.end == End::Eof { writer.write_eof() } else { Ok(()) }
}

/// Reads, and compares, until the other side ends.
pub(crate) async fn receive(reader: &StreamReader, plan: &Plan, rng: &mut Rng) -> Result<Outcome> {
    let expected = stream(plan.peer_seed, plan.expect);
    let (mut received, mut same, mut reset) = (0, true, false);
    while plan.end != End::Exact || received < expected.len() {
        let block = match reader.read(rng.usize(1..=plan.read)).await {
            Ok(block) => block,
            Err(error) if error.kind() == ErrorKind::Io => {
                reset = true;
                break;
            }
            Err(error) => return Err(error),
        };
        if block.is_empty() {
            break;
        }
        same &= expected.get(received..received + block.len()) == Some(&block[..]);
        received += block.len();
        if plan.slow {
            sleep(Duration::from_micros(500)).await?;
        }
    }
    Ok(Outcome { received, same, reset })
}

/// Sends and receives at once, to the end of both directions.
pub(crate) async fn converse(
    reader: &StreamReader,
    writer: StreamWriter,
    plan: &Plan,
) -> Result<Outcome> {
    let mut rng = Rng::with_seed(u64::from(plan.seed));
    let writer = Rc::new(writer);
    let sending = create_task(send(writer.clone(), plan.clone(), rng.fork()));
    let outcome = receive(reader, plan, &mut rng).await?;
    tolerate(sending.await)?;
    writer.close();
    tolerate(writer.wait_closed().await)?;
    Ok(outcome)
}

/// A connection that the other side has reset is the plan's.
fn tolerate(outcome: Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() == ErrorKind::Io => Ok(()),
        outcome => outcome,
    }
}
