//! `mutants LIST FROM TO DROPPED`: weaves the breaks that cargo-mutants lists into the source.
//!
//! LIST is what `cargo mutants --list --json` printed about the tree FROM, and a break's number is
//! its place there. TO is a copy of FROM. Its files under `src` are rewritten with every break in them
//! behind a test of whether it is on, except the breaks that DROPPED lists by number, a line each:
//! they don't compile. Prints, as JSON, for each file the stretches that belong to a break:
//! `[from, to, number, how tight]`, so that a compiler's error can be put down to one.

mod places;
mod weave;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;
use std::{env, fs};

use serde_json::{Value, json};

use crate::weave::Mutant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [list, from, to, dropped] = arguments.as_slice() else {
        return Err("mutants LIST FROM TO DROPPED".into());
    };
    let dropped: BTreeSet<usize> =
        fs::read_to_string(dropped)?.lines().map(str::parse).collect::<Result<_, _>>()?;
    let listed: Vec<Value> = serde_json::from_str(&fs::read_to_string(list)?)?;
    let mut files: BTreeMap<String, Vec<Mutant>> = BTreeMap::new();
    for (number, value) in listed.iter().enumerate() {
        let mutant = Mutant::read(number, value).ok_or_else(|| format!("what is {value}?"))?;
        let file = value["file"].as_str().unwrap_or_default().to_owned();
        let of_file = files.entry(file).or_default();
        if !dropped.contains(&number) {
            of_file.push(mutant);
        }
    }
    let mut regions = BTreeMap::new();
    for (file, mutants) in files {
        let text = fs::read_to_string(Path::new(from).join(&file))?;
        let woven = weave::weave(&text, &mutants).map_err(|error| format!("{file}: {error}"))?;
        let path = Path::new(to).join(&file);
        // A file that is unchanged keeps its date, so that it isn't compiled for nothing.
        if fs::read_to_string(&path).ok().as_ref() != Some(&woven.text) {
            // Of a folder the weaver may write all files.
            fs::create_dir_all(path.parent().ok_or("a file without a folder")?)?;
            fs::write(&path, &woven.text)?;
        }
        regions.insert(file, woven.regions);
    }
    println!("{}", json!(regions));
    Ok(())
}
