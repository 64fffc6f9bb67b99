//! hyper's background work.

use callsoon::bridges::LoopExecutor;
use callsoon::yield_now;
use hyper::rt::Executor;

use crate::run::{run, settle};
use crate::support::on_drop::on_drop;
use crate::support::trace::Trace;

#[test]
fn work_runs_as_a_task_of_its_own_whatever_it_returns() {
    let trace = Trace::new();
    let says = trace.clone();
    run(async move {
        let works = says.clone();
        LoopExecutor.execute(async move {
            works.push("starts");
            yield_now().await.unwrap();
            works.push("ends");
            on_drop(works.says("its output goes"))
        });
        says.push("asked for");
        settle().await
    });
    trace.expect(["asked for", "starts", "ends", "its output goes"]);
}

#[test]
fn work_that_is_left_ends_with_the_run() {
    let trace = Trace::new();
    let gone = on_drop(trace.says("work goes"));
    run(async move {
        LoopExecutor.execute(async move {
            let _gone = gone;
            std::future::pending::<()>().await;
        });
        settle().await
    });
    trace.expect(["work goes"]);
}

#[test]
#[should_panic(expected = "RuntimeError: no running event loop")]
fn without_a_loop_it_panics() {
    LoopExecutor.execute(async {});
}
