//! [`Speaker`]: main, a coroutine, a generator or a callback, which runs statements and logs lines.

use std::fmt;
use std::ops::Deref;
use std::rc::Rc;

use callsoon::{Error, ErrorKind, Yielder};

use super::failure::{Done, Flow, error_name, make_error, misplaced, named, outcome_of};
use super::machine::Machine;
use super::statement::{Block, Boxed, Statement};
use super::value::Value;
use super::vars::Name;

/// The greatest depth to which coroutines may await coroutines. Python raises `RecursionError`
/// sooner or later; here the stack would run out.
const MAX_DEPTH: usize = 100;

#[derive(Clone)]
pub(crate) struct Speaker {
    machine: Rc<Machine>,
    who: Name,
    /// The number of coroutines and generators that await this one.
    depth: usize,
    /// Takes the values that a generator's own steps yield; `None` unless this is a generator.
    yielder: Option<Rc<Yielder<Value, Value>>>,
}

impl Deref for Speaker {
    type Target = Rc<Machine>;

    fn deref(&self) -> &Rc<Machine> {
        &self.machine
    }
}

impl Speaker {
    pub(crate) fn new(machine: Rc<Machine>, who: Name) -> Speaker {
        Speaker { machine, who, depth: 0, yielder: None }
    }

    /// One that stands for itself.
    pub(crate) fn alone(&self, who: Name) -> Speaker {
        Speaker::new(self.machine.clone(), who)
    }

    /// One that this one awaits.
    pub(crate) fn inner(&self, who: Name) -> Speaker {
        Speaker { machine: self.machine.clone(), who, depth: self.depth + 1, yielder: None }
    }

    /// The same, giving values.
    pub(crate) fn giving(self, yielder: Yielder<Value, Value>) -> Speaker {
        Speaker { yielder: Some(Rc::new(yielder)), ..self }
    }

    /// The same where no `yield` may stand: in all statements but a generator's own.
    fn plain(&self) -> Speaker {
        Speaker { yielder: None, ..self.clone() }
    }

    pub(crate) fn say(&self, text: impl fmt::Display) {
        self.trace.say(&self.who, text);
    }

    /// Runs statements, and logs how they ended as a coroutine's.
    pub(crate) async fn run_coroutine(self, body: Option<Block>) -> callsoon::Result<Value> {
        let ended = match body {
            _ if self.depth > MAX_DEPTH => Err(named("RecursionError").into()),
            None => Err(named("KeyError").into()),
            Some(body) => self.run(&body).await,
        };
        match ended {
            Ok(()) | Err(Flow::Break) => {
                self.say("return none");
                Ok(Value::None)
            }
            Err(Flow::Return(value)) => {
                self.say(format_args!("return {value}"));
                Ok(value)
            }
            Err(Flow::Error(error) | Flow::Closing(error)) => {
                self.say(format_args!("raise {}", error_name(&error)));
                Err(error)
            }
        }
    }

    /// Runs statements, and logs how they ended as a generator's.
    pub(crate) async fn run_generator(self, body: Block) -> callsoon::Result<()> {
        let ended = match self.depth {
            0..=MAX_DEPTH => self.run(&body).await,
            _ => Err(named("RecursionError").into()),
        };
        match ended {
            Ok(()) | Err(Flow::Break | Flow::Return(_)) => {
                self.say("return");
                Ok(())
            }
            Err(Flow::Closing(error)) => {
                self.say("closed");
                Err(error)
            }
            Err(Flow::Error(error)) => {
                self.say(format_args!("raise {}", error_name(&error)));
                Err(error)
            }
        }
    }

    /// Runs statements as a callback's: the first that fails ends it.
    ///
    /// # Errors
    ///
    /// What `fail` raises, and nothing else.
    pub(crate) fn run_callback(&self, body: &Block) -> callsoon::Result<()> {
        for statement in body.iter() {
            let ended = self.burn().map_err(Flow::from).and_then(|()| match statement {
                Statement::Now(run) => run(self),
                Statement::Fail(_) => Ok(()),
                _ => Err(misplaced().into()),
            });
            if let Err(Flow::Error(error)) = ended {
                self.say_error(&error);
                return Ok(());
            }
            if let Statement::Fail(name) = statement {
                return Err(make_error(name));
            }
        }
        Ok(())
    }

    /// Runs statements as a callback's that no error can leave.
    pub(crate) fn run_contained(&self, body: &Block) {
        if let Err(error) = self.run_callback(body) {
            self.say_error(&error);
        }
    }

    fn say_error(&self, error: &Error) {
        self.say(format_args!("error {}", error_name(error)));
    }

    /// Runs statements, one after the other.
    pub(crate) fn run<'a>(&'a self, body: &'a [Statement]) -> Boxed<'a> {
        Box::pin(async move {
            for statement in body.iter() {
                self.step(statement).await?;
            }
            Ok(())
        })
    }

    /// Runs one statement.
    async fn step(&self, statement: &Statement) -> Done {
        let giving = self.yielder.as_deref();
        match (statement, giving) {
            // A generator's own: the oracle runs them outside its count.
            (Statement::Repeat(..) | Statement::Try(_) | Statement::Yield(_), Some(_)) => {}
            _ => self.burn()?,
        }
        match (statement, giving) {
            (Statement::Now(run), _) => run(self),
            (Statement::Awaits(run), _) => run(self.plain()).await,
            (Statement::Fail(name), _) => Err(make_error(name).into()),
            (Statement::Repeat(times, body), _) => self.repeat(*times, body).await,
            (Statement::Try(attempt), _) => self.attempt(attempt).await,
            (Statement::Yield(value), Some(yielder)) => self.give(yielder, value).await,
            (Statement::Yield(_), None) | (Statement::Reraise, _) => Err(misplaced().into()),
        }
    }

    async fn give(&self, yielder: &Yielder<Value, Value>, value: &Value) -> Done {
        match yielder.give(value.clone()).await {
            Ok(sent) => {
                self.say(format_args!("sent {}", Value::from(sent)));
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::GeneratorExit => Err(Flow::Closing(error)),
            Err(error) => Err(Flow::Error(error)),
        }
    }

    /// Awaits, logs the outcome, and returns an error.
    pub(crate) async fn outcome<V: Into<Value>>(
        &self,
        what: impl fmt::Display,
        awaited: impl Future<Output = callsoon::Result<V>>,
    ) -> Done {
        match awaited.await {
            Ok(value) => {
                self.say(format_args!("{what} -> result:{}", value.into()));
                Ok(())
            }
            Err(error) => self.failed(what, error),
        }
    }

    /// Logs that an error ended `what`, and returns the error.
    pub(crate) fn failed(&self, what: impl fmt::Display, error: Error) -> Done {
        self.say(format_args!("{what} -> {}", outcome_of(&error)));
        Err(Flow::Error(error))
    }

    /// Runs the body for each line that `next` returns, after logging it.
    pub(crate) async fn for_each(
        &self,
        body: &Block,
        mut next: impl AsyncFnMut() -> callsoon::Result<Option<String>>,
    ) -> Done {
        while let Some(line) = next().await? {
            self.say(line);
            match self.run(body).await {
                Err(Flow::Break) => break,
                ended => ended?,
            }
        }
        Ok(())
    }
}
