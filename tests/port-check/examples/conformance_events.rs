//! Runs conformance programs, a JSON object a line of standard input, and prints the trace of each: a line
//! with its name and its lines as JSON. `conformance` beside `Cargo.toml` compares them with CPython's.

#[path = "../../conformance/machine/mod.rs"]
#[allow(dead_code)]
mod machine;

use std::error::Error;
use std::io::{self, BufRead, Write};

use callsoon::testing;
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let program: Value = serde_json::from_str(&line?)?;
        let mut said = Vec::new();
        let trace = testing::record(|| said = machine::run(&program).unwrap_or_default());
        let lines: Vec<&str> = trace.lines().collect();
        writeln!(out, "{}", json!({ "name": program["name"], "said": said, "trace": lines }))?;
    }
    Ok(())
}
