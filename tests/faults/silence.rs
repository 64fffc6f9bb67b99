//! Errors that nothing reads: the logger takes them, or standard error. Each test runs itself again
//! in a process that has its own logger, or none.

use std::rc::Rc;
use std::time::Duration;

use callsoon::helpers as hp;
use callsoon::{Error, ErrorKind, EventLoop, Result, ThreadPoolExecutor, create_task, yield_now};
use log::{LevelFilter, Log, Metadata, Record};

use crate::child::output_of_child;

/// Writes `logged LEVEL: text` to standard output, and takes the levels up to its own.
struct Logger {
    takes: LevelFilter,
    then: fn(),
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.takes
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            println!("logged {}: {}", record.level(), record.args());
            (self.then)();
        }
    }

    fn flush(&self) {}
}

fn install(takes: LevelFilter, most: LevelFilter, then: fn()) {
    log::set_boxed_logger(Box::new(Logger { takes, then })).expect("the child's first logger");
    log::set_max_level(most);
}

fn error(message: &str) -> Error {
    Error::new(ErrorKind::Value, message)
}

/// Each place of the crate that has an error or a warning and no caller to return it to.
fn fail_everywhere() {
    let event_loop = EventLoop::with_virtual_time();
    event_loop
        .run_until_complete(async {
            let on = callsoon::running_loop()?;
            drop(create_task(async { Err::<(), _>(error("task")) }));
            on.call_soon(|| Err::<(), _>(error("callback")))?;
            on.create_future::<()>().set_exception(error("future"))?;
            yield_now().await?;
            let reported = create_task(async { Err::<(), _>(error("reported")) });
            reported.add_done_callback(hp::reporter());
            yield_now().await?;
            yield_now().await?;
            hp::just_log_exceptions(Err::<(), _>(error("caught")), |_| false, "a catcher")?;
            on.set_exception_handler(Some(Rc::new(|_, _| panic!("handler"))));
            on.create_future::<()>().set_exception(error("unhandled"))?;
            on.set_exception_handler(None);
            fail_on_threads().await?;
            on.set_slow_callback_duration(Duration::ZERO);
            on.set_debug(true);
            yield_now().await?;
            on.set_debug(false);
            Ok(())
        })
        .unwrap();
}

struct Drops;

impl Drop for Drops {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

struct Hooks;

impl hp::ThreadHooks for Hooks {
    type Args = ();

    /// The thread's first ones are made, so that it starts.
    fn create_args(&self, _number: usize, existing: Option<()>) -> Result<()> {
        if existing.is_some() { Err(error("arguments")) } else { Ok(()) }
    }
}

async fn fail_on_threads() -> Result<()> {
    let pool = ThreadPoolExecutor::new(1)?;
    let lost = Drops;
    let called = callsoon::running_loop()?.run_in_executor(Some(&pool), move || {
        let _lost = lost;
        Ok(())
    })?;
    assert_eq!(called.await.unwrap_err().kind(), ErrorKind::Panic);
    pool.shutdown_cancelling().await?;
    let stop = hp::create_future::<()>();
    let queue =
        hp::ThreadToAsyncQueue::builder(Hooks).onerror(|_| panic!("onerror")).build(&stop)?;
    queue.scope(async |queue| queue.request(|()| Ok(())).await).await.unwrap_err();
    Ok(())
}

/// The messages of [`fail_everywhere`], each by its first words.
const ERRORS: [&str; 8] = [
    "Task exception was never retrieved\nexception: ValueError(\"task\")\nfuture: <Task ",
    "Exception in callback <Handle ",
    "Future exception was never retrieved\nexception: ValueError(\"future\")\nfuture: <Future ",
    "ValueError: reported",
    "a catcher: ValueError: caught",
    "Unhandled error in exception handler\nexception: Panic(\"handler\")\nhandle: while ",
    "create_args failed: ValueError(\"arguments\")",
    "onerror failed: Panic(\"onerror\")",
];
const WARNING: &str = "Executing <Task ";

/// The child's standard output and standard error.
fn outputs_of(name: &str, first: &str) -> Option<(String, String)> {
    let output = output_of_child(&format!("silence::{name}"), first)?;
    let text = |bytes| String::from_utf8(bytes).expect("plain text");
    let (said, failed) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{failed}");
    Some((said, failed))
}

/// Returns how many of the texts stand at the beginning of a line of `output`, after `before`.
fn count(output: &str, before: &str, texts: &[&str]) -> usize {
    let lines = format!("\n{output}");
    texts.iter().filter(|text| lines.contains(&format!("\n{before}{text}"))).count()
}

#[test]
fn errors_go_to_stderr_without_a_logger() {
    match outputs_of("errors_go_to_stderr_without_a_logger", ":") {
        None => fail_everywhere(),
        Some((said, failed)) => {
            assert_eq!(count(&failed, "", &ERRORS), ERRORS.len(), "{failed}");
            assert_eq!(count(&failed, "", &[WARNING]), 1, "{failed}");
            assert!(!said.contains("logged"), "{said}");
        }
    }
}

#[test]
fn errors_go_to_the_logger_alone() {
    match outputs_of("errors_go_to_the_logger_alone", ":") {
        None => {
            install(LevelFilter::Trace, LevelFilter::Trace, || ());
            fail_everywhere();
        }
        Some((said, failed)) => {
            assert_eq!(count(&said, "logged ERROR: ", &ERRORS), ERRORS.len(), "{said}");
            assert_eq!(count(&said, "logged WARN: ", &[WARNING]), 1, "{said}");
            assert_eq!(count(&failed, "", &ERRORS), 0, "{failed}");
            assert_eq!(count(&failed, "", &[WARNING]), 0, "{failed}");
        }
    }
}

/// By the logger's own filter, as one by modules, and by the level of all loggers.
#[test]
fn errors_that_the_level_filters_go_to_stderr() {
    for own in [true, false] {
        let first = format!("export FILTER={own}");
        match outputs_of("errors_that_the_level_filters_go_to_stderr", &first) {
            None => {
                let own = std::env::var("FILTER").is_ok_and(|own| own == "true");
                let filters = [LevelFilter::Off, LevelFilter::Trace];
                let [takes, most] = if own { filters } else { [filters[1], filters[0]] };
                install(takes, most, || ());
                return fail_everywhere();
            }
            Some((said, failed)) => {
                assert_eq!(count(&failed, "", &ERRORS), ERRORS.len(), "{failed}");
                assert_eq!(count(&failed, "", &[WARNING]), 1, "{failed}");
                assert!(!said.contains("logged"), "{said}");
            }
        }
    }
}

/// A logger that takes errors has chosen its level.
#[test]
fn warnings_that_a_logger_of_errors_filters_stay_silent() {
    match outputs_of("warnings_that_a_logger_of_errors_filters_stay_silent", ":") {
        None => {
            install(LevelFilter::Error, LevelFilter::Trace, || ());
            fail_everywhere();
        }
        Some((said, failed)) => {
            assert_eq!(count(&said, "logged ERROR: ", &ERRORS), ERRORS.len(), "{said}");
            assert!(!said.contains(WARNING) && !failed.contains(WARNING), "{said}\n{failed}");
        }
    }
}

#[test]
fn errors_go_to_stderr_when_the_logger_panics() {
    match outputs_of("errors_go_to_stderr_when_the_logger_panics", ":") {
        None => {
            install(LevelFilter::Trace, LevelFilter::Trace, || panic!("logger"));
            fail_everywhere();
        }
        Some((_, failed)) => {
            assert_eq!(count(&failed, "", &ERRORS), ERRORS.len(), "{failed}");
        }
    }
}

#[cfg(unix)]
#[test]
fn errors_disturb_nothing_when_stderr_is_closed_or_full() {
    let name = "errors_disturb_nothing_when_stderr_is_closed_or_full";
    for stderr in ["exec 2>&-", "exec 2>/dev/full"] {
        match outputs_of(name, stderr) {
            None => return fail_everywhere(),
            Some((_, failed)) => assert_eq!(failed, ""),
        }
    }
}

#[test]
fn a_handler_takes_the_place_of_stderr() {
    match outputs_of("a_handler_takes_the_place_of_stderr", ":") {
        None => {
            let event_loop = EventLoop::with_virtual_time();
            event_loop.set_exception_handler(Some(Rc::new(|_, _| ())));
            event_loop.call_soon(|| Err::<(), _>(error("callback"))).unwrap();
            event_loop.run_once(None).unwrap();
        }
        Some((_, failed)) => assert_eq!(failed, ""),
    }
}
