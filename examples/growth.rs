//! A holder or a streamer with many tasks, whose ends are spread over as many turns: what one
//! task costs must not depend on how many there are. `benches/growth` counts instructions.
//!
//! Usage: `growth holder|streamer TASKS`

use std::process::ExitCode;
use std::time::Duration;

use callsoon::{EventLoop, Result, helpers as hp, run_on, sleep};

/// The tasks end one by one, each in an instant of its own.
fn instant(task: u32) -> Duration {
    Duration::from_millis(1) * task
}

async fn hold(tasks: u32) -> Result<()> {
    let stop = hp::create_future::<()>()?;
    let holder = hp::TaskHolder::new(&stop)?;
    holder
        .scope(async |holder| {
            for task in 1..=tasks {
                holder.add(sleep(instant(task)))?;
            }
            Ok(())
        })
        .await
}

async fn stream(tasks: u32) -> Result<()> {
    let stop = hp::create_future::<()>()?;
    let streamer = hp::ResultStreamer::<u32>::new(&stop)?;
    streamer
        .scope(async |streamer| {
            for task in 1..=tasks {
                let coroutine = async move { sleep(instant(task)).await.map(|()| task) };
                streamer.add_coroutine(coroutine, hp::Adding::new()).await?;
            }
            streamer.no_more_work();
            let (mut results, mut seen) = (streamer.iter(), 0);
            while results.next().await?.is_some() {
                seen += 1;
            }
            assert_eq!(seen, tasks, "a result for each task");
            Ok(())
        })
        .await
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (kind, tasks) = (args.next(), args.next().and_then(|tasks| tasks.parse().ok()));
    let event_loop = EventLoop::with_virtual_time();
    let outcome = match (kind.as_deref(), tasks, args.next()) {
        (Some("holder"), Some(tasks), None) => run_on(&event_loop, hold(tasks)),
        (Some("streamer"), Some(tasks), None) => run_on(&event_loop, stream(tasks)),
        _ => {
            eprintln!("usage: growth holder|streamer TASKS");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
