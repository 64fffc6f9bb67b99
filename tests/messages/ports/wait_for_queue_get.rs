use std::time::Duration;

use callsoon::{Queue, run, wait_for};

fn main() -> callsoon::Result<()> {
    run(async {
        let queue = Queue::new(0);
        queue.put_nowait(1)?;
        assert_eq!(wait_for(queue.get(), Duration::from_secs(1)).await?, 1);
        Ok(())
    })
}
