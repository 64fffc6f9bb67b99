//! A database that blocks, behind threads that may: each thread of a
//! [`ThreadToAsyncQueue`](callsoon::helpers::ThreadToAsyncQueue) has a connection of its own,
//! and tasks await what they ask of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use callsoon::helpers::{self as hp, ThreadHooks, ThreadToAsyncQueue};
use callsoon::{LoopFuture, Result, gather};
use rusqlite::{Connection, OptionalExtension, params};

/// The longest wait of a connection while another writes.
const BUSY: Duration = Duration::from_secs(30);

/// Opens connections to one file, one a thread, and anew after a
/// [`refresh`](Refresher::refresh).
pub struct Connections {
    file: PathBuf,
    refresher: Refresher,
}

/// A thread's connection, and which refresh it has seen.
pub struct Opened {
    connection: Connection,
    generation: usize,
}

/// Has all threads open their connections anew. Clones are the same.
#[derive(Clone, Default)]
pub struct Refresher(Arc<Counts>);

#[derive(Default)]
struct Counts {
    generation: AtomicUsize,
    opened: AtomicUsize,
}

impl Refresher {
    /// From now on a thread closes its connection before its next request, and opens another.
    pub fn refresh(&self) {
        self.0.generation.fetch_add(1, Relaxed);
    }

    /// Returns the number of connections opened so far.
    pub fn opened(&self) -> usize {
        self.0.opened.load(Relaxed)
    }
}

impl ThreadHooks for Connections {
    type Args = Opened;

    /// Sets what belongs to the file and not to a connection, before any thread is there:
    /// SQLite doesn't wait its busy timeout where two connections change the journal at once.
    fn setup(&mut self) -> Result<()> {
        let connection = open(&self.file)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.execute(
            "create table if not exists lamp (id integer primary key, name text not null)",
            (),
        )?;
        Ok(())
    }

    fn create_args(&self, _thread_number: usize, existing: Option<Opened>) -> Result<Opened> {
        let generation = self.refresher.0.generation.load(Relaxed);
        let connection = match existing {
            Some(existing) if existing.generation == generation => return Ok(existing),
            _ => open(&self.file)?,
        };
        self.refresher.0.opened.fetch_add(1, Relaxed);
        Ok(Opened { connection, generation })
    }
}

fn open(file: &Path) -> Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", "normal")?;
    Ok(connection)
}

/// Lamps by their number, in a file.
pub struct Lamps {
    queue: ThreadToAsyncQueue<Connections>,
    refresher: Refresher,
}

impl Lamps {
    /// Runs `body` with the lamps of `file`, which is made if it isn't there, on `threads`
    /// threads, and closes it when everything is done.
    ///
    /// # Errors
    ///
    /// The file's, if it can't be opened, or the body's.
    pub async fn scope<R>(
        file: &Path,
        threads: usize,
        body: impl AsyncFnOnce(&Lamps) -> Result<R>,
    ) -> Result<R> {
        let stop = hp::create_future::<()>();
        let refresher = Refresher::default();
        let hooks = Connections { file: file.to_owned(), refresher: refresher.clone() };
        let builder = ThreadToAsyncQueue::builder(hooks).num_threads(threads).name("lamps");
        let lamps = Lamps { queue: builder.build(&stop)?, refresher };
        let outcome = match lamps.queue.start().await {
            Ok(()) => body(&lamps).await,
            Err(error) => Err(error),
        };
        lamps.queue.finish().await?;
        outcome
    }

    /// Has the connections opened anew.
    pub fn refresher(&self) -> &Refresher {
        &self.refresher
    }

    /// Puts a lamp in; an error if it is there already.
    pub fn insert(&self, id: u32, name: String) -> LoopFuture<()> {
        self.queue.request(move |opened| {
            let mut insert =
                opened.connection.prepare_cached("insert into lamp (id, name) values (?, ?)")?;
            insert.execute(params![id, name])?;
            Ok(())
        })
    }

    /// The name of a lamp, if there is one.
    pub fn name(&self, id: u32) -> LoopFuture<Option<String>> {
        self.queue.request(move |opened| {
            let mut select =
                opened.connection.prepare_cached("select name from lamp where id = ?")?;
            Ok(select.query_row([id], |row| row.get(0)).optional()?)
        })
    }

    /// Counts the lamps.
    pub fn count(&self) -> LoopFuture<u32> {
        self.queue.request(|opened| {
            Ok(opened.connection.query_row("select count(*) from lamp", (), |row| row.get(0))?)
        })
    }
}

/// Inserts `count` lamps, has the connections opened anew half-way, and reads all of them back.
///
/// # Errors
///
/// The database's.
pub async fn insert_and_read(lamps: &Lamps, count: u32) -> Result<Vec<Option<String>>> {
    let insert = |id| lamps.insert(id, format!("lamp {id}"));
    let first: Vec<_> = (0..count / 2).map(insert).collect();
    gather(&first).await?;
    lamps.refresher().refresh();
    let second: Vec<_> = (count / 2..count).map(insert).collect();
    gather(&second).await?;
    let names: Vec<_> = (0..count).map(|id| lamps.name(id)).collect();
    gather(&names).await
}
