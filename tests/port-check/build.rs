//! Writes the mutants of `mutations.txt`, for the test `mutations`: a module each.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

fn main() {
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let (here, out) = (Path::new(&here), Path::new(&out));
    println!("cargo::rerun-if-changed=mutations.txt");
    let text = fs::read_to_string(here.join("mutations.txt")).expect("the mutations");
    let (mut modules, mut table) = (String::new(), String::new());
    for block in text.split("\n\n").skip(1) {
        let mut lines = block.lines();
        let head = lines.next().expect("a name and a program");
        let (name, program) = head.split_once(' ').expect("a name and a program");
        let folder = if program.starts_with("ported/") { "../" } else { "" };
        let path = here.join(format!("{folder}{program}.rs"));
        println!("cargo::rerun-if-changed={}", path.display());
        let with = |sign: &str| {
            let lines = block.lines().filter_map(|line| line.strip_prefix(sign));
            lines.map(|line| line.to_owned() + "\n").collect::<String>()
        };
        let source = fs::read_to_string(&path).expect("a program");
        let (old, new) = (with("-"), with("+"));
        let (old, new) = (old.trim_end_matches('\n'), new.trim_end_matches('\n'));
        assert_eq!(source.matches(old).count(), 1, "{name}: {old}");
        let mutant = out.join(format!("{name}.rs"));
        fs::write(&mutant, source.replace(old, new)).expect("it is written");
        let _ = writeln!(modules, "#[path = {mutant:?}] mod {name};");
        let golden = program.split('/').nth(1).expect("a folder");
        let (python, rust) = (with("python "), with("rust "));
        let _ = writeln!(
            table,
            "({name:?}, {golden:?}, {name}::main, {:?}, {:?}),",
            python.trim_end(),
            rust.trim_end()
        );
    }
    let table = format!("{modules}\nconst MUTANTS: &[Mutant] = &[\n{table}];\n");
    fs::write(out.join("mutants.rs"), table).expect("it is written");
}
