//! The tests that the docs name are there: those in the table of CPython's own tests,
//! `docs/cpython-tests.md`, which counts right, too, and those in `docs/deviations.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// How many rows say what: covered, not applicable, open.
type Counts = [usize; 3];

const STATES: [&str; 3] = ["covered", "not applicable", "open"];

#[test]
fn the_table_names_tests_that_exist_and_counts_them_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("docs/cpython-tests.md")).expect("the table");
    let read = |file: &str| fs::read_to_string(root.join("tests").join(file)).ok();
    let found = mistakes(&table, &read);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    assert!(table.contains("\n## "), "it has modules");
}

#[test]
fn the_deviations_name_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let deviations = fs::read_to_string(root.join("docs/deviations.md")).expect("the deviations");
    let tests = texts_below(&root.join("tests"));
    // Tests have long names: what has fewer words is code.
    let named = deviations.split('`').skip(1).step_by(2);
    let names: Vec<&str> = named.filter(|name| name.matches('_').count() > 3).collect();
    assert!(names.len() > 80, "{} names", names.len());
    let is_there = |name: &&str| tests.iter().any(|text| has_test(text, name));
    let missing: Vec<&str> = names.into_iter().filter(|name| !is_there(name)).collect();
    assert!(missing.is_empty(), "there are no tests {missing:?}");
}

fn texts_below(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of tests") {
        let path = entry.expect("an entry of tests").path();
        if path.is_dir() {
            texts.extend(texts_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(fs::read_to_string(path).expect("a test file"));
        }
    }
    texts
}

#[test]
fn a_mistake_in_the_table_is_found() {
    let tests = "#[test]\nfn a() {}\n\n/// Docs.\n#[test]\n#[expect(x)]\nfn b() {}\n\nfn c() {}\n\
                 suite! {\n    kinds: {\n        d\n    }\n}\nfn d(make: Make) {}\n";
    let read = |file: &str| (file == "x.rs").then(|| tests.to_owned());
    let table = |counts: &str, rows: &str| {
        format!("| module |\n| --- |\n{counts}\n\n## m\n\n| CPython's | here |\n| --- |\n{rows}\n")
    };
    let one = "| `m` | 1 | 1 | 0 | 0 |\n| all | 1 | 1 | 0 | 0 |";
    let cases: &[(&str, &str, &[&str])] = &[
        (one, "| `A.t` | covered | `x.rs::a`, `x.rs::b`, `x.rs::d` |", &[]),
        (one, "| `A.t` | covered | `x.rs::c` |", &["A.t: x.rs has no test c"]),
        (one, "| `A.t` | covered | `y.rs::a` |", &["A.t: there is no tests/y.rs"]),
        (one, "| `A.t` | covered | by nothing |", &["A.t: it names no test"]),
        (one, "| `A.t` | covered |", &["A.t: the row has not three cells"]),
        (
            "| `m` | 1 | 0 | 1 | 0 |\n| all | 1 | 0 | 1 | 0 |",
            "| `A.t` | not applicable | |",
            &["A.t: it says no reason"],
        ),
        (
            "| `m` | 1 | 0 | 0 | 0 |\n| all | 1 | 0 | 0 | 0 |",
            "| `A.t` | half | why |",
            &[
                "A.t: half is no state",
                "all: 1 functions are counted, and there are 0",
                "m: 1 functions are counted, and there are 0",
            ],
        ),
        (
            one,
            "| `A.t` | covered | `x.rs::a` |\n| `A.t` | open | why |",
            &[
                "A.t: it is there twice",
                "m: 0 open are counted, and there are 1",
                "m: 1 functions are counted, and there are 2",
                "all: 0 open are counted, and there are 1",
                "all: 1 functions are counted, and there are 2",
            ],
        ),
        ("| all | 1 | 1 | 0 | 0 |", "| `A.t` | covered | `x.rs::a` |", &["m: it is not counted"]),
    ];
    for (counts, rows, expected) in cases {
        let mut found = mistakes(&table(counts, rows), &read);
        let mut expected = expected.to_vec();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{counts}\n{rows}");
    }
}

/// Everything that is wrong with the table, where `read` gives a test file's text.
fn mistakes(table: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut counted: BTreeMap<String, Counts> = BTreeMap::new();
    let mut module = None;
    for line in table.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            counted.insert(name.to_owned(), Counts::default());
            module = Some(name);
        }
        let Some(cells) = cells(line).filter(|cells| cells[0].starts_with('`')) else { continue };
        let Some(module) = module else { continue };
        let name = cells[0].trim_matches('`');
        let [_, state, text] = cells[..] else {
            found.push(format!("{name}: the row has not three cells"));
            counted.entry(module.to_owned()).or_default()[0] += 1;
            continue;
        };
        if !seen.insert((module, name)) {
            found.push(format!("{name}: it is there twice"));
        }
        match STATES.iter().position(|known| *known == state) {
            Some(place) => counted.entry(module.to_owned()).or_default()[place] += 1,
            None => found.push(format!("{name}: {state} is no state")),
        }
        if state == STATES[0] {
            found.extend(missing(text, read).map(|what| format!("{name}: {what}")));
        } else if text.is_empty() {
            found.push(format!("{name}: it says no reason"));
        }
    }
    let all = counted.values().fold(Counts::default(), |mut sum, counts| {
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        sum
    });
    counted.insert("all".to_owned(), all);
    for (name, counts) in counted {
        found.extend(miscounted(table, &name, counts).map(|what| format!("{name}: {what}")));
    }
    found
}

/// The cells of a table's row.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inside = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inside.split('|').map(str::trim).collect())
}

/// What is wrong with a cell that names tests.
fn missing<'a>(
    text: &'a str,
    read: &'a dyn Fn(&str) -> Option<String>,
) -> Box<dyn Iterator<Item = String> + 'a> {
    if !text.contains("::") {
        return Box::new(["it names no test".to_owned()].into_iter());
    }
    Box::new(text.split(", ").filter_map(|named| {
        let (file, test) = named.trim_matches('`').split_once("::")?;
        let Some(tests) = read(file) else { return Some(format!("there is no tests/{file}")) };
        (!has_test(&tests, test)).then(|| format!("{file} has no test {test}"))
    }))
}

/// Whether it is a function marked as a test, or one that a suite makes tests of.
fn has_test(tests: &str, name: &str) -> bool {
    let lines: Vec<&str> = tests.lines().map(str::trim).collect();
    let starts = format!("fn {name}(");
    let Some(at) = lines.iter().position(|line| line.starts_with(&starts)) else { return false };
    let mut marks = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    marks.any(|mark| *mark == "#[test]") || lines.contains(&"suite! {") && lines.contains(&name)
}

/// Where the row of `name` at the table's top is not `counts`.
fn miscounted(table: &str, name: &str, counts: Counts) -> impl Iterator<Item = String> {
    let row = table
        .lines()
        .filter_map(cells)
        .find(|row| row.len() == 5 && row[0].trim_matches('`') == name);
    let sum = counts.iter().sum();
    let actual = [("functions", sum)].into_iter().chain(STATES.into_iter().zip(counts));
    let said: Option<Vec<usize>> =
        row.map(|row| row[1..].iter().map(|cell| cell.parse().unwrap_or(usize::MAX)).collect());
    let missing = said.is_none().then(|| "it is not counted".to_owned());
    let wrong = said.into_iter().flat_map(move |said| {
        let pairs = said.into_iter().zip(actual.clone());
        pairs.filter(|(said, (_, actual))| said != actual).map(|(said, (what, actual))| {
            format!("{said} {what} are counted, and there are {actual}")
        })
    });
    missing.into_iter().chain(wrong)
}
