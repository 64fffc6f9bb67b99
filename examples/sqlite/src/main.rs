//! Ten thousand lamps into a database and out of it again, while the loop counts its own turns:
//! it is never blocked.

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use callsoon::{Error, ErrorKind, Result, create_task, run, yield_now};
use sqlite_threads::{Lamps, insert_and_read};

const LAMPS: u32 = 10_000;
const THREADS: usize = 4;

fn main() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("sqlite-threads-{}", std::process::id()));
    std::fs::create_dir(&folder).map_err(|error| about(&folder, &error))?;
    let file = folder.join("lamps");
    let outcome = run(async move {
        let turns = Rc::new(Cell::new(0u64));
        let counted = turns.clone();
        let ticking = create_task(async move {
            loop {
                yield_now().await?;
                counted.set(counted.get() + 1);
            }
            #[allow(unreachable_code)]
            Ok(())
        });
        let began = Instant::now();
        let outcome = Lamps::scope(&file, THREADS, async |lamps| {
            let names = insert_and_read(lamps, LAMPS).await?;
            let found = names.iter().flatten().count();
            println!("{found} of {LAMPS} lamps read back, {} in all", lamps.count().await?);
            println!("{} connections opened by {THREADS} threads", lamps.refresher().opened());
            Ok(())
        })
        .await;
        ticking.cancel();
        println!("{} turns of the loop in {:.1?}", turns.get(), began.elapsed());
        outcome
    });
    let removed = std::fs::remove_dir_all(&folder).map_err(|error| about(&folder, &error));
    // The first error is the one to report.
    outcome.and(removed)
}

fn about(folder: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("the folder {}: {error}", folder.display()))
}
