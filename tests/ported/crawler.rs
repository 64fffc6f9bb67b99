// A crawler that fetches two pages at a time, each once.
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use callsoon::{EventLoop, Result, Semaphore, TaskGroup, run_on, sleep};

fn links(page: &str) -> &'static [&'static str] {
    match page {
        "home" => &["news", "about", "shop"],
        "news" => &["home", "today"],
        "shop" => &["about", "cart"],
        _ => &[],
    }
}

struct Crawler {
    group: TaskGroup,
    limit: Semaphore,
    seen: RefCell<Vec<&'static str>>,
}

impl Crawler {
    fn visit(self: &Rc<Self>, page: &'static str) -> Result<()> {
        if !self.seen.borrow().contains(&page) {
            self.seen.borrow_mut().push(page);
            self.group.create_task(self.clone().fetch(page))?;
        }
        Ok(())
    }

    async fn fetch(self: Rc<Self>, page: &'static str) -> Result<()> {
        let fetch = async || {
            println!("fetching {page}");
            sleep(Duration::from_secs(page.len() as u64)).await
        };
        self.limit.scope(fetch).await?;
        links(page).iter().try_for_each(|link| self.visit(link))
    }
}

async fn program() -> Result<()> {
    let crawler = TaskGroup::scope(async |group| {
        let (limit, seen) = (Semaphore::new(2), RefCell::default());
        let crawler = Rc::new(Crawler { group, limit, seen });
        crawler.visit("home")?;
        Ok(crawler)
    })
    .await?;
    println!("seen: {}", crawler.seen.borrow().join(" "));
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
