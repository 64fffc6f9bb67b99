use std::time::Duration;

use callsoon::{run, wait_for};

fn main() -> callsoon::Result<()> {
    run(async {
        wait_for(3, Duration::from_secs(1)).await?;
        Ok(())
    })
}
