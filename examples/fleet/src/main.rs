//! A fleet of LIFX lights, simulated or real: see `--help`.

use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use callsoon::{Error, ErrorKind, Result};
use clap::Parser;
use fleet::arguments::Arguments;
use fleet::report::summary;
use fleet::search::search;
use fleet::simulate::simulate;

/// The exit code that a shell reports of a program that an interrupt ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let code = if arguments.simulate_only {
        callsoon::run(simulate(arguments)).map(|()| INTERRUPTED)
    } else {
        let json = arguments.json;
        callsoon::run(search(arguments)).and_then(|outcome| {
            let text =
                if json { serde_json::to_string_pretty(&outcome)? } else { summary(&outcome) };
            outcome.errors().for_each(complain);
            print(&text)?;
            Ok(outcome.exit_code())
        })
    };
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&error.message());
            ExitCode::FAILURE
        }
    }
}

/// Says what went wrong. A standard error that is closed is no reason to stop.
fn complain(words: &str) {
    let _ = writeln!(stderr(), "fleet: {words}");
}

fn print(text: &str) -> Result<()> {
    let mut output = stdout();
    let printed = writeln!(output, "{}", text.trim_end()).and_then(|()| output.flush());
    printed.map_err(|error| {
        Error::new(ErrorKind::Io, format!("the outcome can't be printed: {error}"))
    })
}
