//! [`Value`]: what futures and generators of a program carry, and the state of a future.

use std::fmt;

use callsoon::{AnyFuture, Error};

use super::failure::{error_name, outcome_of};

/// A value of the language, or one that the runtime made for it.
#[derive(Clone)]
pub(crate) enum Value {
    None,
    Int(i64),
    Text(String),
    /// An exception that was asked for, and so is a value.
    Error(Error),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("none"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
            Value::Error(error) => f.write_str(&error_name(error)),
        }
    }
}

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::None
    }
}

impl From<Option<Value>> for Value {
    fn from(value: Option<Value>) -> Value {
        value.unwrap_or(Value::None)
    }
}

impl From<Option<Error>> for Value {
    fn from(error: Option<Error>) -> Value {
        error.map_or(Value::None, Value::Error)
    }
}

/// The state of a future as the trace shows it.
pub(crate) fn state(future: &dyn AnyFuture) -> String {
    if !future.done() {
        return "pending".to_owned();
    }
    if future.cancelled() {
        return "cancelled".to_owned();
    }
    match future.exception() {
        Ok(Some(error)) => format!("exception:{}", error_name(&error)),
        Ok(None) => result_of(future),
        Err(error) => outcome_of(&error),
    }
}

fn result_of(future: &dyn AnyFuture) -> String {
    match future.of::<Value>().map(|future| future.result()) {
        Some(Ok(value)) => format!("result:{value}"),
        Some(Err(error)) => outcome_of(&error),
        None => unreachable!("the futures of a program are futures of values"),
    }
}
