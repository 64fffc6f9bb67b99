//! [`Args`]: the arguments of one statement, while it is decoded.

use std::rc::Rc;
use std::slice;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::program::{Malformed, decode_block};
use super::statement::Block;
use super::value::Value;
use super::vars::Name;

/// Takes the arguments of a statement one after the other.
pub(crate) struct Args<'a> {
    op: &'a str,
    rest: slice::Iter<'a, Json>,
}

impl<'a> Args<'a> {
    /// A statement's op and its arguments.
    pub(crate) fn of(statement: &'a Json) -> Result<(&'a str, Args<'a>), Malformed> {
        let wrong = || Malformed::new(format!("not a statement: {statement}"));
        let mut rest = statement.as_array().ok_or_else(wrong)?.iter();
        let op = rest.next().and_then(Json::as_str).ok_or_else(wrong)?;
        Ok((op, Args { op, rest }))
    }

    fn next(&mut self, what: &str) -> Result<&'a Json, Malformed> {
        self.rest.next().ok_or_else(|| Malformed::new(format!("{}: no {what}", self.op)))
    }

    /// The next argument as `what`, which `read` makes of it.
    fn read<T>(
        &mut self,
        what: &str,
        read: impl FnOnce(&'a Json) -> Option<T>,
    ) -> Result<T, Malformed> {
        let json = self.next(what)?;
        read(json).ok_or_else(|| Malformed::new(format!("{}: {json} is no {what}", self.op)))
    }

    pub(crate) fn name(&mut self) -> Result<Name, Malformed> {
        self.read("name", |json| json.as_str().map(Rc::from))
    }

    /// An integer, a text or null; null where nothing more stands.
    pub(crate) fn value(&mut self) -> Result<Value, Malformed> {
        if self.rest.len() == 0 {
            return Ok(Value::None);
        }
        self.read("value", read_value)
    }

    pub(crate) fn seconds(&mut self) -> Result<Duration, Malformed> {
        self.read("time in seconds", read_seconds)
    }

    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        self.read("count", |json| json.as_u64().and_then(|count| usize::try_from(count).ok()))
    }

    /// Statements of their own.
    pub(crate) fn block(&mut self) -> Result<Block, Malformed> {
        decode_block(self.next("statements")?)
    }

    /// The options that a statement may end with.
    pub(crate) fn options(&mut self) -> Result<Options<'a>, Malformed> {
        let map = match self.rest.next() {
            None | Some(Json::Null) => None,
            Some(Json::Object(map)) => Some(map),
            Some(json) => {
                return Err(Malformed::new(format!("{}: {json} are no options", self.op)));
            }
        };
        Ok(Options { op: self.op, map })
    }

    /// Refuses what the statement has no use for.
    pub(crate) fn end(mut self) -> Result<(), Malformed> {
        match self.rest.next() {
            None => Ok(()),
            Some(json) => Err(Malformed::new(format!("{}: {json} is too much", self.op))),
        }
    }
}

/// What stands in the braces at a statement's end, where anything does.
pub(crate) struct Options<'a> {
    op: &'a str,
    map: Option<&'a Map<String, Json>>,
}

impl<'a> Options<'a> {
    fn read<T>(
        &self,
        key: &str,
        read: impl FnOnce(&'a Json) -> Result<Option<T>, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        let Some(json) = self.map.and_then(|map| map.get(key)) else {
            return Ok(None);
        };
        let wrong = || Malformed::new(format!("{}: {key} can't be {json}", self.op));
        read(json)?.map(Some).ok_or_else(wrong)
    }

    /// False where it is not there.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, Malformed> {
        Ok(self.read(key, |json| Ok(json.as_bool()))?.unwrap_or(false))
    }

    pub(crate) fn name(&self, key: &str) -> Result<Option<Name>, Malformed> {
        self.read(key, |json| Ok(json.as_str().map(Rc::from)))
    }

    pub(crate) fn value(&self, key: &str) -> Result<Option<Value>, Malformed> {
        self.read(key, |json| Ok(read_value(json)))
    }

    pub(crate) fn block(&self, key: &str) -> Result<Option<Block>, Malformed> {
        self.read(key, |json| decode_block(json).map(Some))
    }
}

fn read_value(json: &Json) -> Option<Value> {
    match json {
        Json::Null => Some(Value::None),
        Json::Number(number) => number.as_i64().map(Value::Int),
        Json::String(text) => Some(Value::Text(text.clone())),
        _ => None,
    }
}

fn read_seconds(json: &Json) -> Option<Duration> {
    json.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}
