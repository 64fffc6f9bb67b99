//! Where the machine has no room for another thread, that is an error, and nothing is left
//! behind. Each test runs itself again in a process that has that little room.
#![cfg(target_os = "linux")]

use std::env;
use std::process::Command;

use callsoon::{ErrorKind, Result, ThreadPoolExecutor, running_loop};

use crate::driver::run;
use crate::parts::{Visitors, counted, door};

const WITHIN: &str = "CALLSOON_TEST_WITHIN";

/// Returns true in the process with little room; else runs it, and asserts that the test passes in
/// it. `room` is the shell's command before that, `stack` the size of each thread's stack.
fn little_room(test: &str, room: &str, stack: u64) -> bool {
    if env::var_os(WITHIN).is_some() {
        return true;
    }
    // An emulator runs no shell, and a shell no program of another machine: ci/platforms/run.
    let exec = "exec $CALLSOON_EMULATOR \"$0\" --nocapture --test-threads 1 --exact";
    let output = Command::new("sh")
        .arg("-c")
        .arg(format!("{room} {exec} no_room::{test}"))
        .arg(env::current_exe().expect("a process has a file"))
        .env(WITHIN, "1")
        .env("RUST_MIN_STACK", stack.to_string())
        .output()
        .expect("there is a shell");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complained}");
    false
}

/// No stack of this size fits into any process.
const FAR_TOO_LARGE: u64 = if cfg!(target_pointer_width = "64") { 1 << 47 } else { 0xf000_0000 };

/// Three stacks of a gibibyte fit into this many KiB, and no more.
const FOR_THREE: &str = "ulimit -v 3900000;";
const GIBIBYTE: u64 = 1 << 30;

#[test]
fn start_without_any_thread_fails_and_cancels_the_requests() -> Result<()> {
    let own = "start_without_any_thread_fails_and_cancels_the_requests";
    if !little_room(own, "", FAR_TOO_LARGE) {
        return Ok(());
    }
    run(async {
        let (queue, visitors, _stop) = counted(2)?;
        let early = queue.request(|_| Ok(()));
        let error = queue.start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().starts_with("thread 1 (\""), "{error}");
        assert!(early.cancelled() && queue.request(|_| Ok(())).cancelled());
        visitors.assert_all_have_left(0);
        queue.finish().await
    })
}

#[test]
fn a_start_with_some_of_its_threads_fails_and_joins_those() -> Result<()> {
    let own = "a_start_with_some_of_its_threads_fails_and_joins_those";
    if !little_room(own, FOR_THREE, GIBIBYTE) {
        return Ok(());
    }
    run(async {
        const WANTED: usize = 8;
        let (queue, visitors, _stop) = counted(WANTED)?;
        let early = queue.request(|_| Ok(7));
        let error = queue.start().await.unwrap_err();
        assert!(error.downcast_ref::<std::io::Error>().is_some(), "{error:?}");
        let come = visitors.have_come();
        assert!((1..WANTED).contains(&come), "{come} threads");
        assert!(error.to_string().starts_with(&format!("thread {} (\"", come + 1)), "{error}");
        visitors.assert_all_have_left(come);
        assert_eq!(early.result()?, 7, "there was a thread for it");
        assert!(queue.request(|_| Ok(())).cancelled());
        // The room is there again.
        let (queue, visitors, _stop) = counted(1)?;
        queue.scope(async |queue| queue.request(|_| Ok(())).await).await?;
        visitors.assert_all_have_left(1);
        Ok(())
    })
}

#[test]
fn a_pool_without_any_thread_says_so() -> Result<()> {
    if !little_room("a_pool_without_any_thread_says_so", "", FAR_TOO_LARGE) {
        return Ok(());
    }
    run(async {
        let pool = ThreadPoolExecutor::new(2)?;
        let refused = running_loop()?.run_in_executor(Some(&pool), || Ok(())).unwrap_err();
        assert!(refused.downcast_ref::<std::io::Error>().is_some(), "{refused:?}");
        assert!(refused.message().contains(" can't be started: "), "{refused}");
        pool.shutdown().await
    })
}

#[test]
fn a_pool_works_with_as_many_threads_as_there_is_room_for() -> Result<()> {
    let own = "a_pool_works_with_as_many_threads_as_there_is_room_for";
    if !little_room(own, FOR_THREE, GIBIBYTE) {
        return Ok(());
    }
    run(async {
        const WANTED: usize = 8;
        let on = running_loop()?;
        let (pool, visitors) = (ThreadPoolExecutor::new(WANTED)?, Visitors::default());
        let mut keepers = Vec::new();
        let mut futures = Vec::new();
        for number in 0..WANTED {
            let (at_it, keeper) = door();
            keepers.push(keeper);
            futures.push(on.run_in_executor(Some(&pool), move || {
                at_it.pass();
                Ok(number)
            })?);
        }
        drop(keepers);
        for (number, future) in futures.into_iter().enumerate() {
            assert_eq!(future.await?, number);
        }
        let shown = format!("{pool:?}");
        assert!(!shown.contains("threads: 0") && !shown.contains("threads: 8"), "{shown}");
        on.run_in_executor(Some(&pool), move || {
            visitors.come();
            Ok(())
        })?
        .await?;
        pool.shutdown().await
    })
}
