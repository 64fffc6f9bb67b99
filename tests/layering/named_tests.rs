//! Checks that the docs name things that exist: the tests in `docs/deviations.md` and `docs/order.md`,
//! and the files in `docs/tour.md`; and that each deviation says what a trace shows of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn the_deviations_and_the_order_name_tests_that_exist() {
    let tests = texts_below(&root().join("tests"));
    let is_there = |name: &&str| tests.iter().any(|(_, text)| is_test(text, name));
    for (file, at_least) in [("docs/deviations.md", 80), ("docs/order.md", 50)] {
        let text = text_of(file);
        let names: Vec<&str> = named_tests(&text).collect();
        assert!(names.len() >= at_least, "{file}: {} names", names.len());
        let missing: Vec<&str> = names.into_iter().filter(|name| !is_there(name)).collect();
        assert!(missing.is_empty(), "{file}: there are no tests {missing:?}");
    }
}

#[test]
fn each_deviation_names_a_test_and_what_a_trace_shows() {
    let text = text_of("docs/deviations.md");
    let variants = text_of("tests/port-check/src/harmless.rs");
    let entries: Vec<&str> = text.split("\n- **").skip(1).collect();
    let [mut none, mut harmless, mut no_pair, mut diverges] = [0; 4];
    for entry in &entries {
        let words = entry.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("Test: ") || words.contains("Tests: "), "no test: {entry}");
        let trace = words.split_once("Trace: ").map_or("", |(_, trace)| trace);
        let count = match trace.split(|c: char| !c.is_alphabetic()).next() {
            Some("none") => &mut none,
            Some("harmless") => {
                let variant = trace.split('`').nth(1).unwrap_or_default();
                let rule = format!("Harmless::{variant} {{");
                assert!(variants.contains(&rule), "no such rule: {entry}");
                &mut harmless
            }
            Some("no") => &mut no_pair,
            Some("diverges") => &mut diverges,
            _ => panic!("what does a trace show? {entry}"),
        };
        *count += 1;
    }
    let guide = text_of("docs/port-check.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let (all, rest) = (entries.len(), "need a program that Python can't express");
    let sentence = format!(
        "Of {all} entries, {none} leave the lines equal, {harmless} are harmless by one of the rules above, and \
         {no_pair} {rest}. The other {diverges} show"
    );
    assert!(guide.contains(&sentence), "docs/port-check.md lacks: {sentence}");
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

/// The tour goes from layer to layer, and the picture shows them.
#[test]
fn the_tour_names_files_that_are_there() {
    let tour = text_of("docs/tour.md");
    let mut layer = "";
    let mut count = 0;
    for line in tour.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            layer = heading.split('`').nth(1).unwrap_or_default();
        }
        let quoted = line.split('`').skip(1).step_by(2);
        for file in quoted.filter(|name| name.ends_with(".rs")) {
            let places = [format!("src/{layer}/{file}"), format!("src/{file}"), file.to_owned()];
            let is_there = places.iter().any(|place| root().join(place).exists());
            assert!(is_there, "there is no {file} in {layer:?}");
            count += 1;
        }
    }
    assert!(count > 50, "{count} files");
    let picture = text_of("docs/pictures/layers.svg");
    for layer in super::LAYERS {
        assert!(picture.contains(&format!(">{layer}</text>")), "the picture lacks {layer}");
        assert!(tour.contains(&format!("`{layer}`")), "the tour lacks {layer}");
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
    let is_listed = |name: &str| super::UNSAFE_FILES.iter().any(|place| name.starts_with(place));
    for (file, text) in super::source_files() {
        if !is_listed(&file) || file.contains("/tests/") {
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
    // Three are kept by files without `unsafe`, on which the unsafe code relies.
    assert_eq!(gone, ["Receiver", "Ring", "Round"], "docs/unsafe.md names what isn't there");
}

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn text_of(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Tests have long names: what has fewer words, or other signs in it, is code.
fn named_tests(text: &str) -> impl Iterator<Item = &str> {
    let is_test = |name: &&str| {
        name.matches('_').count() > 3 && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
    };
    text.split('`').skip(1).step_by(2).filter(is_test)
}

pub(super) fn texts_below(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of tests") {
        let path = entry.expect("an entry of tests").path();
        if path.is_dir() {
            texts.extend(texts_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a test file");
            texts.push((path, text));
        }
    }
    texts
}

/// Returns true if `name` is a function marked as a test, or one that a suite makes tests of.
pub(super) fn is_test(tests: &str, name: &str) -> bool {
    let lines: Vec<&str> = tests.lines().map(str::trim).collect();
    let starts = format!("fn {name}(");
    let Some(at) = lines.iter().position(|line| line.starts_with(&starts)) else { return false };
    let mut marks = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
    marks.any(|mark| *mark == "#[test]") || lines.contains(&"suite! {") && lines.contains(&name)
}
