//! [`Value`]: what futures and generators of a program carry, and the state of a future.

use std::fmt;

use callsoon::{AnyFuture, Error, FutureLike, helpers as hp};

use super::failure::{error_name, named, outcome_of};

/// A value of the language, or one that the runtime made for it.
#[derive(Clone)]
pub(crate) enum Value {
    None,
    Int(i64),
    Text(String),
    List(Vec<Value>),
    /// The result of a streamed generator's task.
    Complete,
    /// An exception that was asked for, and so is a value.
    Error(Error),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::None => f.write_str("none"),
            Value::Int(number) => write!(f, "{number}"),
            Value::Text(text) => f.write_str(text),
            Value::List(values) => {
                let shown: Vec<String> = values.iter().map(Value::to_string).collect();
                write!(f, "[{}]", shown.join(","))
            }
            Value::Complete => f.write_str("complete"),
            Value::Error(error) => f.write_str(&error_name(error)),
        }
    }
}

impl From<()> for Value {
    fn from((): ()) -> Value {
        Value::None
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Value {
        Value::Int(i64::try_from(number).expect("a program counts no further"))
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

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Value {
        Value::List(values)
    }
}

/// The result type of a program's future: a value, or one that `gather` makes of many.
pub(crate) trait Listed: Clone + 'static {
    fn into_value(self) -> Value;
    /// The shortest such list that holds `value`.
    fn of_value(value: Value) -> Self;
}

impl Listed for Value {
    fn into_value(self) -> Value {
        self
    }

    fn of_value(value: Value) -> Value {
        value
    }
}

impl<T: Listed> Listed for Vec<T> {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }

    fn of_value(value: Value) -> Vec<T> {
        vec![T::of_value(value)]
    }
}

impl<T: Listed> Listed for Result<T, Error> {
    fn into_value(self) -> Value {
        self.map_or_else(Value::Error, T::into_value)
    }

    fn of_value(value: Value) -> Result<T, Error> {
        Ok(T::of_value(value))
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
        Ok(None) => match result_of(future) {
            Ok(value) => format!("result:{value}"),
            Err(error) => outcome_of(&error),
        },
        Err(error) => outcome_of(&error),
    }
}

/// The result of any future that a program can have.
pub(crate) fn result_of(future: &dyn AnyFuture) -> Result<Value, Error> {
    let any = future.as_any();
    if let Some(resettable) = any.downcast_ref::<hp::ResettableFuture<Value>>() {
        return resettable.result();
    }
    if let Some(child) = any.downcast_ref::<hp::ChildOfFuture<Value>>() {
        return child.result();
    }
    let lists = [
        listed::<Vec<Value>>,
        listed::<Vec<Result<Value, Error>>>,
        listed::<Vec<Vec<Value>>>,
        listed::<Vec<Vec<Result<Value, Error>>>>,
        listed::<Vec<Result<Vec<Value>, Error>>>,
        listed::<Vec<Result<Vec<Result<Value, Error>>, Error>>>,
    ];
    if let Some(result) = lists.iter().find_map(|listed| listed(future)) {
        return result;
    }
    // The task of a main that a runner runs has a result for the runner only.
    let future: &dyn FutureLike<Value> = future.downcast_ref().ok_or_else(|| named("TypeError"))?;
    future.result()
}

/// The result of `future`, or none if its type is another.
fn listed<R: Listed>(future: &dyn AnyFuture) -> Option<Result<Value, Error>> {
    future.downcast_ref::<R>().map(|gathered| gathered.result().map(Listed::into_value))
}
