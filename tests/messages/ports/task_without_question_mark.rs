use callsoon::{create_task, run};

fn main() -> callsoon::Result<()> {
    run(async {
        let task = create_task(async { Ok(1) });
        assert_eq!(task.await?, 1);
        Ok(())
    })
}
