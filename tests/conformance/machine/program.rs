//! [`Program`]: a conformance program, decoded from JSON into statements that can be run.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use serde_json::Value as Json;

use super::statement::{self, Block};
use super::vars::Name;

/// Bodies by the names that they have.
pub(crate) type Bodies = HashMap<Name, Block>;

pub(crate) struct Program {
    pub(crate) main: Block,
    /// The mains after it, where a runner runs them.
    pub(crate) then: Option<Vec<Block>>,
    /// True if there are statements about interrupts.
    pub(crate) interruptible: bool,
    pub(crate) coros: Bodies,
    pub(crate) gens: Bodies,
    pub(crate) callbacks: Bodies,
}

/// Why a program is none, or none that this interpreter can run.
#[derive(Debug)]
pub(crate) enum Malformed {
    /// It is not of the language's shape.
    Shape(String),
    /// It has a statement with an op that is not known here.
    Op(String),
}

impl Malformed {
    pub(crate) fn new(what: String) -> Malformed {
        Malformed::Shape(what)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Shape(what) => f.write_str(what),
            Malformed::Op(op) => write!(f, "no such statement: {op}"),
        }
    }
}

impl std::error::Error for Malformed {}

impl Program {
    pub(crate) fn decode(json: &Json) -> Result<Program, Malformed> {
        let main = json.get("main").ok_or_else(|| Malformed::new("no main".to_owned()))?;
        Ok(Program {
            main: decode_block(main)?,
            then: json.get("then").map(decode_blocks).transpose()?,
            interruptible: json.to_string().contains("interrupt"),
            coros: decode_bodies(json, "coros")?,
            gens: decode_bodies(json, "gens")?,
            callbacks: decode_bodies(json, "callbacks")?,
        })
    }
}

fn decode_bodies(json: &Json, key: &str) -> Result<Bodies, Malformed> {
    let Some(bodies) = json.get(key) else {
        return Ok(Bodies::new());
    };
    let wrong = || Malformed::new(format!("{key} is no object"));
    let bodies = bodies.as_object().ok_or_else(wrong)?;
    bodies.iter().map(|(name, body)| Ok((Rc::from(name.as_str()), decode_block(body)?))).collect()
}

/// Lists of statements in a list.
fn decode_blocks(json: &Json) -> Result<Vec<Block>, Malformed> {
    let wrong = || Malformed::new(format!("not a list of mains: {json}"));
    json.as_array().ok_or_else(wrong)?.iter().map(decode_block).collect()
}

/// Statements in a list.
pub(crate) fn decode_block(json: &Json) -> Result<Block, Malformed> {
    let wrong = || Malformed::new(format!("not a list of statements: {json}"));
    json.as_array().ok_or_else(wrong)?.iter().map(statement::decode).collect()
}
