// Commands of the shell, two at a time, with what they are given and what they say.
use callsoon::process::{Stdio, SubprocessOptions, create_subprocess_shell};
use callsoon::{EventLoop, Result, Semaphore, create_task, run_on};

const COMMANDS: [(&str, &str, &str); 4] = [
    ("greet", "echo hello; echo bye", ""),
    ("shout", "tr a-z A-Z", "one\ntwo\n"),
    ("count", "wc -l | tr -d ' '", "a\nb\nc\n"),
    ("fail", "echo oops >&2; exit 3", ""),
];

async fn run(limit: Semaphore, command: &str, text: &str) -> Result<(i32, Vec<String>)> {
    let run = async || {
        let options = SubprocessOptions::new().stdin(Stdio::Pipe);
        let options = options.stdout(Stdio::Pipe).stderr(Stdio::Stdout);
        let mut process = create_subprocess_shell(command, options).await?;
        let stdin = process.stdin.take().expect("a pipe");
        stdin.write(text.as_bytes())?;
        drop(stdin); // which closes it
        let stdout = process.stdout.take().expect("a pipe");
        let mut lines = Vec::new();
        loop {
            let line = stdout.readline().await?;
            if line.is_empty() {
                return Ok((process.wait().await?, lines));
            }
            lines.push(String::from_utf8_lossy(&line).trim().to_owned());
        }
    };
    limit.scope(run).await
}

async fn program() -> Result<()> {
    let limit = Semaphore::new(2);
    let start = |(_, command, text)| create_task(run(limit.clone(), command, text));
    let runs = COMMANDS.map(start);
    for ((name, ..), running) in COMMANDS.iter().zip(runs) {
        let (code, lines) = running.await?;
        for line in lines {
            println!("{name}: {line}");
        }
        println!("{name} ends with {code}");
    }
    Ok(())
}

pub(crate) fn main() -> Result<()> {
    run_on(&EventLoop::with_virtual_time(), program())
}
