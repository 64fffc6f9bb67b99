//! The database behind its threads.

use std::fs;
use std::path::PathBuf;

use callsoon::{EventLoop, Result, run_on};
use sqlite_threads::{Lamps, insert_and_read};

const THREADS: usize = 4;

/// A folder of the test's own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("{test}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn ten_thousand_lamps_are_read_through_refreshed_connections() -> Result<()> {
    const LAMPS: u32 = 10_000;
    let folder = Folder::new("ten-thousand-lamps");
    let file = folder.0.join("lamps");
    let again = file.clone();
    let event_loop = EventLoop::with_virtual_time();
    run_on(&event_loop, async move {
        Lamps::scope(&file, THREADS, async |lamps| {
            assert_eq!(lamps.refresher().opened(), THREADS, "one each at the start");
            let names = insert_and_read(lamps, LAMPS).await?;
            let expected: Vec<_> = (0..LAMPS).map(|id| Some(format!("lamp {id}"))).collect();
            assert_eq!(names, expected);
            assert_eq!(lamps.count().await?, LAMPS);
            // A thread that was never asked again has nothing to refresh.
            let opened = lamps.refresher().opened();
            assert!((THREADS + 1..=2 * THREADS).contains(&opened), "{opened}");
            assert_eq!(lamps.name(LAMPS).await?, None);
            Ok(())
        })
        .await
    })?;
    // All connections are closed: the journal can't be changed back while there is another.
    let alone = rusqlite::Connection::open(&again)?;
    alone.pragma_update_and_check(None, "journal_mode", "delete", |row| {
        assert_eq!(row.get_ref(0)?.as_str()?, "delete");
        Ok(())
    })?;
    drop(alone);
    run_on(&EventLoop::with_virtual_time(), async move {
        Lamps::scope(&again, 1, async |lamps| {
            assert_eq!(lamps.count().await?, LAMPS);
            Ok(())
        })
        .await
    })
}

#[test]
fn each_refresh_reaches_each_thread_once() -> Result<()> {
    let folder = Folder::new("each-refresh");
    let file = folder.0.join("lamps");
    run_on(&EventLoop::with_virtual_time(), async move {
        Lamps::scope(&file, 1, async |lamps| {
            for expected in 1..=3 {
                assert_eq!(lamps.count().await?, 0);
                assert_eq!(lamps.count().await?, 0);
                assert_eq!(lamps.refresher().opened(), expected);
                lamps.refresher().refresh();
            }
            Ok(())
        })
        .await
    })
}

#[test]
fn error_of_the_database_fails_its_future_alone() -> Result<()> {
    let folder = Folder::new("an-error");
    let file = folder.0.join("lamps");
    run_on(&EventLoop::with_virtual_time(), async move {
        Lamps::scope(&file, 1, async |lamps| {
            lamps.insert(1, "first".to_owned()).await?;
            let twice = lamps.insert(1, "second".to_owned()).await.unwrap_err();
            assert!(twice.downcast_ref::<rusqlite::Error>().is_some(), "{twice:?}");
            assert_eq!(lamps.name(1).await?.as_deref(), Some("first"));
            Ok(())
        })
        .await
    })
}

#[test]
fn a_file_that_cant_be_opened_is_an_error_of_the_start() {
    let folder = Folder::new("no-file");
    let nowhere = folder.0.join("nowhere").join("lamps");
    let outcome = run_on(&EventLoop::with_virtual_time(), async move {
        Lamps::scope(&nowhere, THREADS, async |_| -> Result<()> { panic!("not reached") }).await
    });
    let error = outcome.unwrap_err();
    assert!(error.downcast_ref::<rusqlite::Error>().is_some(), "{error:?}");
}
