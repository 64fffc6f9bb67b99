//! What the docs name is there: the tests in the table of CPython's own tests,
//! `docs/cpython-tests.md`, which counts right, too, those in `docs/deviations.md` and
//! `docs/order.md`, and the files in `docs/tour.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// How many rows say what: covered, not applicable, open.
type Counts = [usize; 3];

const STATES: [&str; 3] = ["covered", "not applicable", "open"];

#[test]
fn the_table_names_tests_that_exist_and_counts_them_right() {
    let table = text_of("docs/cpython-tests.md");
    let read = |file: &str| fs::read_to_string(root().join("tests").join(file)).ok();
    let found = mistakes(&table, &read);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    assert!(table.contains("\n## "), "it has modules");
}

#[test]
fn the_deviations_and_the_order_name_tests_that_exist() {
    let tests = texts_below(&root().join("tests"));
    let is_there = |name: &&str| tests.iter().any(|text| has_test(text, name));
    for (file, at_least) in [("docs/deviations.md", 80), ("docs/order.md", 50)] {
        let text = text_of(file);
        let names: Vec<&str> = named_tests(&text).collect();
        assert!(names.len() >= at_least, "{file}: {} names", names.len());
        let missing: Vec<&str> = names.into_iter().filter(|name| !is_there(name)).collect();
        assert!(missing.is_empty(), "{file}: there are no tests {missing:?}");
    }
}

#[test]
fn the_rules_of_the_order_are_numbered_and_each_names_a_test() {
    let order = text_of("docs/order.md");
    let is_rule =
        |line: &str| line.split_once(". **").is_some_and(|(n, _)| n.parse::<u8>().is_ok());
    let mut rules: Vec<String> = Vec::new();
    for line in order.lines().filter(|line| is_rule(line) || line.starts_with("  ")) {
        match rules.last_mut() {
            Some(rule) if !is_rule(line) => *rule += line,
            _ => rules.push(line.to_owned()),
        }
    }
    assert!(rules.len() > 20, "{} rules", rules.len());
    for (rule, number) in rules.iter().zip(1..) {
        assert!(rule.starts_with(&format!("{number}. ")), "this should be {number}: {rule}");
        assert!(named_tests(rule).next().is_some(), "no test: {rule}");
    }
}

/// The tour goes from room to room, and the picture shows them.
#[test]
fn the_tour_names_files_that_are_there() {
    let tour = text_of("docs/tour.md");
    let mut room = "";
    let mut count = 0;
    for line in tour.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            room = heading.split('`').nth(1).unwrap_or_default();
        }
        let quoted = line.split('`').skip(1).step_by(2);
        for file in quoted.filter(|name| name.ends_with(".rs")) {
            let places = [format!("src/{room}/{file}"), format!("src/{file}"), file.to_owned()];
            let is_there = places.iter().any(|place| root().join(place).exists());
            assert!(is_there, "there is no {file} in {room:?}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} files");
    let picture = text_of("docs/pictures/rooms.svg");
    for floor in super::FLOORS {
        assert!(picture.contains(&format!(">{floor}</text>")), "the picture lacks {floor}");
        assert!(tour.contains(&format!("`{floor}`")), "the tour lacks {floor}");
    }
}

/// A reviewer finds each invariant of the unsafe code on one page, and no other.
#[test]
fn the_page_on_unsafe_code_names_each_invariant() {
    let page = text_of("docs/unsafe.md");
    // Of each row: the names of its invariants, and the files that keep them.
    let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains(".rs` |"));
    let listed: BTreeSet<(String, String)> = rows
        .flat_map(|row| {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let files: Vec<_> = cells[2].split('`').skip(1).step_by(2).collect();
            let pair = |name: &str, file: &&str| (name.to_owned(), (*file).to_owned());
            let pairs =
                cells[1].split(", ").flat_map(|name| files.iter().map(move |f| pair(name, f)));
            pairs.collect::<Vec<_>>()
        })
        .collect();
    let mut kept = BTreeSet::new();
    let in_rooms = |name: &str| super::UNSAFE_ROOMS.iter().any(|room| name.starts_with(room));
    for (file, text) in super::source_files() {
        if !in_rooms(&file) || file.contains("/tests/") {
            continue;
        }
        let short = ["blocks/", "asyncio/core/", "event_loop/"];
        let short = short.iter().find_map(|folder| file.strip_prefix(folder)).unwrap_or(&file);
        for part in text.split("**").skip(1).step_by(2) {
            if let Some(name) = part.strip_suffix(" Invariant") {
                kept.insert((name.to_owned(), short.to_owned()));
            }
        }
    }
    let names = |all: &BTreeSet<(String, String)>| -> BTreeSet<String> {
        all.iter().map(|(name, _)| name.clone()).collect()
    };
    assert!(kept.len() > 40, "{} invariants", kept.len());
    let missing: Vec<_> = kept.difference(&listed).collect();
    assert!(missing.is_empty(), "docs/unsafe.md lacks {missing:?}");
    let gone: Vec<_> = names(&listed).into_iter().filter(|n| !names(&kept).contains(n)).collect();
    // Two are kept by files without `unsafe`, on which the rooms rely.
    assert_eq!(gone, ["Ring", "Round"], "docs/unsafe.md names what isn't there");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Tests have long names: what has fewer words, or other signs in it, is code.
fn named_tests(text: &str) -> impl Iterator<Item = &str> {
    let is_test = |name: &&str| {
        name.matches('_').count() > 3 && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
    };
    text.split('`').skip(1).step_by(2).filter(is_test)
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
