//! `port-check PYTHON-TRACE RUST-TRACE`: see `docs/port-check.md`.

use std::process::ExitCode;
use std::{env, fs};

use port_check::{Trace, compare, picture, report};

const USAGE: &str = "\
usage: port-check [--strict] [--without KIND[,KIND...]] [--html FILE] PYTHON-TRACE RUST-TRACE

Exit code 0 if the traces are equal, or differ in ways that mean nothing; 1 if they diverge, and with
--strict if they differ at all; 2 if a file can't be read.";

#[derive(Default)]
struct Options {
    strict: bool,
    without: Vec<String>,
    html: Option<String>,
    files: Vec<String>,
}

fn options() -> Option<Options> {
    let mut options = Options::default();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--strict" => options.strict = true,
            "--without" => options.without.extend(arguments.next()?.split(',').map(str::to_owned)),
            "--html" => options.html = Some(arguments.next()?),
            option if option.starts_with('-') => return None,
            _ => options.files.push(argument),
        }
    }
    (options.files.len() == 2).then_some(options)
}

fn read(path: &str, without: &[String]) -> Result<Trace, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    Trace::read(&text, without).map_err(|error| format!("{path}: {error}"))
}

fn run(options: &Options) -> Result<bool, String> {
    let python = read(&options.files[0], &options.without)?;
    let rust = read(&options.files[1], &options.without)?;
    let comparison = compare(&python, &rust);
    print!("{}", report(&python, &rust, &comparison));
    if let Some(path) = &options.html {
        let page = picture(&python, &rust, &comparison);
        fs::write(path, page).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(comparison.divergence.is_none() && (!options.strict || comparison.harmless.is_empty()))
}

fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&options) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("port-check: {error}");
            ExitCode::from(2)
        }
    }
}
