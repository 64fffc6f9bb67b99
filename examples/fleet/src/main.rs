//! A fleet of LIFX lights, simulated or real: see `--help`.

use std::io::{Write, stdout};
use std::process::ExitCode;

use callsoon::Result;
use clap::Parser;
use fleet::arguments::Arguments;
use fleet::report::summary;
use fleet::search::search;
use fleet::simulate::simulate;

/// What a shell makes of a program that ends by an interrupt.
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
            print(&text)?;
            Ok(outcome.exit_code())
        })
    };
    match code {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("fleet: {}", error.message());
            ExitCode::FAILURE
        }
    }
}

fn print(text: &str) -> Result<()> {
    Ok(writeln!(stdout(), "{}", text.trim_end())?)
}
