//! Runs conformance programs over callsoon in virtual time and prints the traces they leave, as
//! `tests/conformance/oracle.py` does over asyncio:
//!
//! ```text
//! cargo run --release --example conformance -- PROGRAM.json...
//! cargo run --release --example conformance -- --jsonl < PROGRAMS
//! ```

#[path = "../tests/conformance/machine/mod.rs"]
mod machine;

use std::error::Error;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::{env, fs};

use serde_json::{Value, json};

const USAGE: &str = "\
usage: conformance PROGRAM.json...     one trace a program, to standard output
       conformance --jsonl < PROGRAMS  a program a line in, {\"name\", \"trace\"} a line out";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let ran = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--jsonl"] => run_lines(),
        [first, ..] if !first.starts_with('-') => run_files(&arguments),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conformance: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_lines() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    for (number, line) in io::stdin().lock().lines().enumerate() {
        let at_line = |error: &dyn Error| format!("line {}: {error}", number + 1);
        let program: Value = serde_json::from_str(&line?).map_err(|error| at_line(&error))?;
        // One that can't be run is no reason to leave the others.
        let trace = machine::run(&program)
            .unwrap_or_else(|error| vec![format!("0 end: unsupported {error}")]);
        writeln!(out, "{}", json!({"name": program["name"], "trace": trace}))?;
    }
    Ok(())
}

fn run_files(paths: &[String]) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    for path in paths {
        let in_file = |error: &dyn Error| format!("{path}: {error}");
        let text = fs::read_to_string(path).map_err(|error| in_file(&error))?;
        let program: Value = serde_json::from_str(&text).map_err(|error| in_file(&error))?;
        for line in machine::run(&program).map_err(|error| in_file(&error))? {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}
