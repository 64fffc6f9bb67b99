// A server of pages, and a crawler that fetches two at a time over connections, each once.
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use callsoon::net::{DEFAULT_LIMIT, StreamReader, StreamWriter};
use callsoon::net::{open_unix_connection, start_unix_server};
use callsoon::{EventLoop, Result, Semaphore, TaskGroup, run_on, sleep};

fn links(page: &str) -> &'static [&'static str] {
    match page {
        "home" => &["news", "about", "shop"],
        "news" => &["home", "today"],
        "shop" => &["about", "cart"],
        _ => &[],
    }
}

async fn serve(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    let line = reader.readline().await?;
    let page = String::from_utf8_lossy(&line).trim().to_owned();
    sleep(Duration::from_secs(page.len() as u64)).await?;
    writer.writelines(links(&page).iter().map(|link| format!("{link}\n")))
}

struct Crawler {
    group: TaskGroup,
    path: String,
    limit: Semaphore,
    seen: RefCell<Vec<String>>,
}

impl Crawler {
    fn visit(self: &Rc<Self>, page: &str) -> Result<()> {
        if !self.seen.borrow().iter().any(|seen| seen == page) {
            self.seen.borrow_mut().push(page.to_owned());
            self.group.create_task(self.clone().crawl(page.to_owned()))?;
        }
        Ok(())
    }

    async fn crawl(self: Rc<Self>, page: String) -> Result<()> {
        let fetch = async || {
            println!("fetching {page}");
            let (reader, writer) = open_unix_connection(&self.path, DEFAULT_LIMIT).await?;
            writer.write(format!("{page}\n").as_bytes())?;
            reader.read_to_end().await
        };
        let text = self.limit.scope(fetch).await?;
        String::from_utf8_lossy(&text).lines().try_for_each(|link| self.visit(link))
    }
}

async fn program() -> Result<()> {
    let path = format!("{}/pages-{}-rs", std::env::temp_dir().display(), std::process::id());
    let server = start_unix_server(serve, &path, DEFAULT_LIMIT).await?;
    let crawler = TaskGroup::scope(async |group| {
        let (limit, seen) = (Semaphore::new(2), RefCell::default());
        let crawler = Rc::new(Crawler { group, path, limit, seen });
        crawler.visit("home")?;
        Ok(crawler)
    })
    .await?;
    server.close();
    println!("seen: {}", crawler.seen.borrow().join(" "));
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
