use callsoon::{create_task, run};

fn main() -> callsoon::Result<()> {
    run(async {
        let task = create_task(async { Ok(()) });
        task.set_name(format!("worker {}", 1));
        assert_eq!(task.name(), "worker 1");
        task.await
    })
}
