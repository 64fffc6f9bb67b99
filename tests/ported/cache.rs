// A cache that speaks in lines, and two clients of it.
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use callsoon::net::{DEFAULT_LIMIT, StreamReader, StreamWriter};
use callsoon::net::{open_unix_connection, start_unix_server};
use callsoon::{EventLoop, Result, TaskGroup, run_on, sleep};

#[derive(Default)]
struct Cache {
    values: RefCell<HashMap<String, String>>,
}

impl Cache {
    fn answer(&self, words: &[&str]) -> String {
        let mut values = self.values.borrow_mut();
        match *words {
            ["set", key, value] => {
                values.insert(key.into(), value.into());
                "stored".into()
            }
            ["get", key] => match values.get(key) {
                Some(value) => value.clone(),
                None => "missing".into(),
            },
            ["delete", key] => match values.remove(key) {
                Some(_) => "deleted".into(),
                None => "missing".into(),
            },
            _ => "error".into(),
        }
    }

    async fn serve(self: Rc<Self>, reader: StreamReader, writer: StreamWriter) -> Result<()> {
        loop {
            let line = reader.readline().await?;
            if line.is_empty() {
                return Ok(()); // dropping the writer closes
            }
            let line = String::from_utf8_lossy(&line);
            let answer = self.answer(&line.split_whitespace().collect::<Vec<_>>());
            writer.write(format!("{answer}\n").as_bytes())?;
            writer.drain().await?;
        }
    }
}

async fn client(name: &str, path: String, commands: [&str; 3]) -> Result<()> {
    let (reader, writer) = open_unix_connection(path, DEFAULT_LIMIT).await?;
    for command in commands {
        writer.write(format!("{command}\n").as_bytes())?;
        let answer = reader.readline().await?;
        println!("{name}: {command}: {}", String::from_utf8_lossy(&answer).trim());
        sleep(Duration::from_secs(1)).await?;
    }
    writer.close();
    writer.wait_closed().await
}

async fn program() -> Result<()> {
    let path = format!("{}/cache-{}-rs", std::env::temp_dir().display(), std::process::id());
    let cache = Rc::new(Cache::default());
    let serve = move |reader, writer| cache.clone().serve(reader, writer);
    let server = start_unix_server(serve, &path, DEFAULT_LIMIT).await?;
    let ann = ["set color blue", "get size", "delete size"];
    let bob = ["get color", "set size 3", "paint"];
    TaskGroup::scope(async |group| {
        group.create_task(client("ann", path.clone(), ann))?;
        group.create_task(client("bob", path, bob))?;
        Ok(())
    })
    .await?;
    server.close();
    server.wait_closed().await?;
    println!("all clients are served");
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
