use std::collections::HashSet;

use callsoon::{Task, create_task, run};

fn main() -> callsoon::Result<()> {
    run(async {
        let mut tasks = HashSet::<Task<u8>>::new();
        let task = create_task(async { Ok(1) });
        tasks.insert(task.clone());
        assert!(tasks.remove(&task));
        task.await?;
        Ok(())
    })
}
