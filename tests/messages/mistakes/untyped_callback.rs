use callsoon::{create_task, run};

fn main() -> callsoon::Result<()> {
    run(async {
        let task = create_task(async { Ok(1) });
        task.add_done_callback(|task| println!("{} is done", task.name()));
        task.await?;
        Ok(())
    })
}
