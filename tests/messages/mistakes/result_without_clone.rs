use callsoon::{create_task, run};

struct Page(#[expect(dead_code)] String);

fn main() -> callsoon::Result<()> {
    run(async {
        let task = create_task(async { Ok(Page("text".into())) });
        let _page = task.await?;
        Ok(())
    })
}
