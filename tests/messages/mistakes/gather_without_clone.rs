use callsoon::{create_task, gather, run};

struct Page(#[expect(dead_code)] String);

fn main() -> callsoon::Result<()> {
    run(async {
        let tasks = [create_task(async { Ok(Page("text".into())) })];
        gather(&tasks).await?;
        Ok(())
    })
}
