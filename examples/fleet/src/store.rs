//! [`Store`]: the database, on threads of its own.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use callsoon::helpers as hp;
use callsoon::{AnyFuture, Error, ErrorKind, Result};
use rusqlite::{Connection, named_params};

use crate::client::Told;
use crate::report::{Ending, Unanswered};

/// The number of threads that write, each by a connection of its own.
const THREADS: usize = 2;

/// The time that a connection waits for another to have written.
const PATIENCE: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS runs (
        run INTEGER PRIMARY KEY AUTOINCREMENT,
        started INTEGER NOT NULL,       -- seconds since 1970
        target TEXT NOT NULL,
        ending TEXT                     -- complete, out_of_time, interrupted or failed; else it was cut off
    ) STRICT;
    CREATE TABLE IF NOT EXISTS answered (
        run INTEGER NOT NULL REFERENCES runs,
        serial TEXT NOT NULL,
        address TEXT NOT NULL,
        label TEXT NOT NULL,
        'group' TEXT NOT NULL,
        vendor INTEGER NOT NULL,
        product INTEGER NOT NULL,
        power INTEGER NOT NULL,         -- 0 is off, 65535 on
        hue INTEGER NOT NULL,           -- these three: 0 to 65535
        saturation INTEGER NOT NULL,
        brightness INTEGER NOT NULL,
        kelvin INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        latency_us INTEGER NOT NULL,
        PRIMARY KEY (run, serial)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS unanswered (
        run INTEGER NOT NULL REFERENCES runs,
        serial TEXT NOT NULL,
        address TEXT,
        reason TEXT NOT NULL,
        dead INTEGER NOT NULL,          -- 1: simulated as one that doesn't answer
        PRIMARY KEY (run, serial)
    ) STRICT, WITHOUT ROWID;
";

/// Gives each thread its connection, and each request its transaction.
struct Connections {
    path: PathBuf,
    /// Set by the first failure. The others don't wait for the same, as for a lock.
    broken: AtomicBool,
}

impl hp::ThreadHooks for Connections {
    type Args = Connection;

    fn setup(&mut self) -> Result<()> {
        let made = connect(&self.path).and_then(|connection| connection.execute_batch(SCHEMA));
        made.map_err(|error| self.failed(&error))
    }

    fn create_args(&self, _thread: usize, existing: Option<Connection>) -> Result<Connection> {
        let connection = existing.map_or_else(|| connect(&self.path), Ok);
        connection.map_err(|error| self.failed(&error))
    }

    fn wrap_request<R>(
        &self,
        request: impl FnOnce(&mut Connection) -> Result<R>,
        connection: &mut Connection,
    ) -> Result<R> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(self.failed(&"it has failed before"));
        }
        let failed = |error| self.failed(&error);
        connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
        match request(connection) {
            Ok(value) => connection.execute_batch("COMMIT").map_err(failed).map(|()| value),
            Err(error) => {
                // A full disk may have rolled it back already: the first error is the one to tell.
                let _ = connection.execute_batch("ROLLBACK");
                Err(self.failed(&error.message()))
            }
        }
    }
}

impl Connections {
    fn failed(&self, error: &impl std::fmt::Display) -> Error {
        self.broken.store(true, Ordering::Relaxed);
        let path = self.path.display();
        Error::new(ErrorKind::Other, format!("the database {path} can't be used: {error}"))
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // With a write-ahead log a crash can lose the last transactions, and damages nothing.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// One run's rows in the database, as far as that can be written: the first failure is kept, and
/// nothing is written after it.
#[derive(Debug)]
pub struct Store {
    /// None where the database can't be used at all.
    queue: Option<hp::ThreadToAsyncQueue<Connections>>,
    run: Option<i64>,
    failure: Rc<RefCell<Option<Error>>>,
}

impl Store {
    /// Opens the database at `path`, which it makes where there is none, and begins a run there;
    /// `target` is what the run looks for. When it returns, all that `body` asked for is done, or
    /// has failed. A database that can't be opened is a [`failure`](Store::failure), and `body` is
    /// run all the same.
    ///
    /// # Errors
    ///
    /// The body's; the cancellation.
    pub async fn scope<R>(
        path: &Path,
        target: String,
        stop: &dyn AnyFuture,
        body: impl AsyncFnOnce(&Store) -> Result<R>,
    ) -> Result<R> {
        let connections = Connections { path: path.to_owned(), broken: AtomicBool::new(false) };
        let builder = hp::ThreadToAsyncQueue::builder(connections);
        let made = builder.num_threads(THREADS).name("database").build(stop);
        let mut store = Store { queue: None, run: None, failure: Rc::default() };
        let opened = match made {
            Ok(queue) => store.open(queue, target).await,
            refused => refused.map(drop),
        };
        let outcome = match opened {
            Err(error) if error.is_cancelled() => Err(error),
            opened => {
                *store.failure.borrow_mut() = opened.err();
                body(&store).await
            }
        };
        if let Some(queue) = &store.queue {
            queue.finish().await?;
        }
        outcome
    }

    async fn open(
        &mut self,
        queue: hp::ThreadToAsyncQueue<Connections>,
        target: String,
    ) -> Result<()> {
        let queue = self.queue.insert(queue);
        queue.start().await?;
        self.run = Some(queue.request(move |connection| begin(connection, &target)).await?);
        Ok(())
    }

    /// The run's number, if it could begin.
    #[must_use]
    pub fn run(&self) -> Option<i64> {
        self.run
    }

    /// Why not all that was asked for is written, if that is so.
    #[must_use]
    pub fn failure(&self) -> Option<Error> {
        self.failure.borrow().clone()
    }

    /// Has a thread do `request` for this run, from now on, and waits until that is done, or has
    /// failed, which is kept. After a failure nothing is done.
    fn write<F>(&self, request: F) -> impl Future<Output = Result<()>> + use<F>
    where
        F: FnOnce(&mut Connection, i64) -> Result<()> + Send + 'static,
    {
        let begun = self.queue.as_ref().zip(self.run);
        let written = begun
            .filter(|_| self.failure.borrow().is_none())
            .map(|(queue, run)| queue.request(move |connection| request(connection, run)));
        let failure = self.failure.clone();
        async move {
            match written {
                None => Ok(()),
                Some(written) => match written.await {
                    Err(error) if !error.is_cancelled() => {
                        failure.borrow_mut().get_or_insert(error);
                        Ok(())
                    }
                    done => done,
                },
            }
        }
    }

    /// Writes what a device told. The future is done when that is so, or has failed.
    ///
    /// # Errors
    ///
    /// The cancellation.
    pub fn write_told(&self, told: Told) -> impl Future<Output = Result<()>> + use<> {
        self.write(move |connection, run| insert_told(connection, run, &told))
    }

    /// Writes which devices don't answer. The future is done when that is so, or has failed.
    ///
    /// # Errors
    ///
    /// The cancellation.
    pub fn write_unanswered(
        &self,
        unanswered: Vec<Unanswered>,
    ) -> impl Future<Output = Result<()>> + use<> {
        self.write(move |connection, run| {
            unanswered.iter().try_for_each(|row| insert_unanswered(connection, run, row))
        })
    }

    /// Writes how the run has ended. The future is done when that is so, or has failed.
    ///
    /// # Errors
    ///
    /// The cancellation.
    pub fn write_ending(&self, ending: Ending) -> impl Future<Output = Result<()>> + use<> {
        self.write(move |connection, run| {
            let statement = "UPDATE runs SET ending = ?2 WHERE run = ?1";
            connection.prepare_cached(statement)?.execute((run, ending.name()))?;
            Ok(())
        })
    }
}

fn begin(connection: &Connection, target: &str) -> Result<i64> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let started = i64::try_from(since_1970).unwrap_or(i64::MAX);
    let statement = "INSERT INTO runs (started, target) VALUES (?1, ?2)";
    connection.prepare_cached(statement)?.execute((started, target))?;
    Ok(connection.last_insert_rowid())
}

fn insert_told(connection: &Connection, run: i64, told: &Told) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO answered VALUES (:run, :serial, :address, :label, :group, :vendor, :product,
            :power, :hue, :saturation, :brightness, :kelvin, :attempts, :latency_us)",
    )?;
    statement.execute(named_params! {
        ":run": run,
        ":serial": told.serial.to_string(),
        ":address": told.address.to_string(),
        ":label": told.label.to_string(),
        ":group": told.group.to_string(),
        ":vendor": told.vendor,
        ":product": told.product,
        ":power": told.power,
        ":hue": told.color.hue,
        ":saturation": told.color.saturation,
        ":brightness": told.color.brightness,
        ":kelvin": told.color.kelvin,
        ":attempts": told.attempts,
        ":latency_us": i64::try_from(told.latency.as_micros()).unwrap_or(i64::MAX),
    })?;
    Ok(())
}

fn insert_unanswered(connection: &Connection, run: i64, row: &Unanswered) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO unanswered VALUES (:run, :serial, :address, :reason, :dead)",
    )?;
    statement.execute(named_params! {
        ":run": run,
        ":serial": row.serial,
        ":address": row.address.map(|address| address.to_string()),
        ":reason": row.reason,
        ":dead": row.dead,
    })?;
    Ok(())
}
