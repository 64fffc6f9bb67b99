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

    /// False where nothing more stands.
    pub(crate) fn flag(&mut self) -> Result<bool, Malformed> {
        if self.rest.len() == 0 {
            return Ok(false);
        }
        self.read("true or false", Json::as_bool)
    }

    /// A name or null; null where nothing more stands.
    pub(crate) fn optional_name(&mut self) -> Result<Option<Name>, Malformed> {
        if self.rest.len() == 0 {
            return Ok(None);
        }
        self.read("name or null", |json| match json {
            Json::Null => Some(None),
            json => json.as_str().map(|name| Some(Rc::from(name))),
        })
    }

    pub(crate) fn names(&mut self) -> Result<Vec<Name>, Malformed> {
        self.read("list of names", |json| {
            json.as_array()?.iter().map(|json| json.as_str().map(Rc::from)).collect()
        })
    }

    /// Null for never.
    pub(crate) fn seconds_or_never(&mut self) -> Result<Option<Duration>, Malformed> {
        self.read("time in seconds", read_seconds_or_never)
    }

    pub(crate) fn count(&mut self) -> Result<usize, Malformed> {
        self.read("count", |json| json.as_u64().and_then(|count| usize::try_from(count).ok()))
    }

    /// `default` where nothing more stands.
    #[cfg(feature = "signals")]
    pub(crate) fn count_or(&mut self, default: usize) -> Result<usize, Malformed> {
        if self.rest.len() == 0 { Ok(default) } else { self.count() }
    }

    pub(crate) fn whole(&mut self) -> Result<i64, Malformed> {
        self.read("whole number", Json::as_i64)
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

/// The options in the braces at a statement's end, if there are any.
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
        self.flag_or(key, false)
    }

    pub(crate) fn flag_or(&self, key: &str, default: bool) -> Result<bool, Malformed> {
        Ok(self.read(key, |json| Ok(json.as_bool()))?.unwrap_or(default))
    }

    /// Null counts as not there.
    pub(crate) fn name(&self, key: &str) -> Result<Option<Name>, Malformed> {
        let name = self.read(key, |json| {
            Ok(match json {
                Json::Null => Some(None),
                json => json.as_str().map(|name| Some(Rc::from(name))),
            })
        })?;
        Ok(name.flatten())
    }

    pub(crate) fn count(&self, key: &str) -> Result<Option<usize>, Malformed> {
        self.read(key, |json| Ok(json.as_u64().and_then(|count| usize::try_from(count).ok())))
    }

    /// Python's `False` in a number's place is an inner none.
    pub(crate) fn seconds_or_false(
        &self,
        key: &str,
    ) -> Result<Option<Option<Duration>>, Malformed> {
        self.read(key, |json| {
            Ok(match json {
                Json::Bool(false) => Some(None),
                json => read_seconds(json).map(Some),
            })
        })
    }

    pub(crate) fn value(&self, key: &str) -> Result<Option<Value>, Malformed> {
        self.read(key, |json| Ok(read_value(json)))
    }

    /// None where it is null, too.
    pub(crate) fn seconds(&self, key: &str) -> Result<Option<Duration>, Malformed> {
        self.read(key, |json| Ok(read_seconds_or_never(json))).map(Option::flatten)
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

fn read_seconds_or_never(json: &Json) -> Option<Option<Duration>> {
    if json.is_null() { Some(None) } else { read_seconds(json).map(Some) }
}
