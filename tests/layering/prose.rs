//! Wordings that the project's English does without, counted file by file: there are to be none.
//!
//! - `pronouns`: [`PRONOUNS`], which are for persons, where they stand for things. After one of
//!   [`PERSONS`] they are right, and not counted.
//! - `heads`: comments, and headings of guides, that begin with one of [`HEADS`] in place of a verb or
//!   a noun.
//! - `names`: names of tests with more than 60 characters. Their words count as pronouns too.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const PRONOUNS: &[&str] =
    &["who", "whoever", "whom", "whose", "nobody", "somebody", "anybody", "everybody"];
const HEADS: &[&str] = &["What", "Who", "How", "Whether", "As"];
const PERSONS: &[&str] = &[
    "author",
    "authors",
    "contributors",
    "developers",
    "maintainer",
    "maintainers",
    "owner",
    "people",
    "person",
    "programmers",
    "reader",
    "readers",
    "reviewer",
    "reviewers",
    "user",
    "users",
];
const LONGEST_NAME: usize = 60;
const FOLDERS: &[&str] =
    &["src", "tests", "ci", "examples", "benches", "loom-tests", "fuzz", "docs"];
const GUIDES: &[&str] = &["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    pronouns: usize,
    heads: usize,
    names: usize,
}

#[test]
fn prose_has_none_of_these_wordings() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    for file in GUIDES {
        add(root, Path::new(file), &mut found);
    }
    for folder in FOLDERS {
        walk(root, Path::new(folder), &mut found);
    }
    assert!(found.is_empty(), "see the head of tests/layering/prose.rs: {found:#?}");
}

#[test]
fn prose_counts_of_samples() {
    let rust = "//! Whose loop it is.\n//! What it does. Readers who know asyncio skip this.\n\
        \n/// As it was.\nfn f() {} // nobody's\n// What\nlet s = \"who // whom\";\n\
        #[test]\nfn a_name_whose_length_is_beyond_what_a_line_of_a_report_can_show_at_once() {}\n";
    assert_eq!(of_rust(rust), Counts { pronouns: 3, heads: 2, names: 1 });
    let guide =
        "# What it is\n\nWho minds?\n\n```rust\n// nobody\n```\n\n`who`, and users who read.\n";
    assert_eq!(of_guide(guide), Counts { pronouns: 1, heads: 1, names: 0 });
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeMap<String, Counts>) {
    for entry in fs::read_dir(root.join(folder)).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        let path = folder.join(&name);
        let is_output = name == "target" || name.to_string_lossy().starts_with('.');
        if root.join(&path).is_dir() {
            if !is_output {
                walk(root, &path, found);
            }
        } else {
            add(root, &path, found);
        }
    }
}

fn add(root: &Path, path: &Path, found: &mut BTreeMap<String, Counts>) {
    let counts: fn(&str) -> Counts = match path.extension().and_then(|end| end.to_str()) {
        Some("rs") => of_rust,
        Some("md") => of_guide,
        _ => return,
    };
    let now = counts(&fs::read_to_string(root.join(path)).expect("a text"));
    if now != Counts::default() {
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        found.insert(parts.join("/"), now);
    }
}

fn of_rust(text: &str) -> Counts {
    let mut counts = Counts::default();
    let mut block = "";
    let mut is_test = false;
    for line in text.lines() {
        let code = line.trim_start();
        let kind = ["//!", "///", "//"].into_iter().find(|kind| code.starts_with(kind));
        if let Some(kind) = kind {
            let comment = code[kind.len()..].trim_start();
            counts.heads += usize::from(kind != block && begins_badly(comment));
            counts.pronouns += pronouns(comment);
        } else if let Some((before, comment)) = line.rsplit_once(" // ") {
            // An even number of quotes before it: it is no part of a literal.
            if before.matches('"').count() % 2 == 0 {
                counts.pronouns += pronouns(comment);
            }
        }
        block = kind.unwrap_or_default();
        if let Some(at) = code.find("fn ").filter(|_| is_test && kind.is_none()) {
            let name = code[at + 3..].split(['(', '<']).next().unwrap_or_default();
            counts.names += usize::from(name.len() > LONGEST_NAME);
            counts.pronouns += pronouns(name);
            is_test = false;
        }
        is_test |= code.starts_with("#[test]");
    }
    counts
}

fn of_guide(text: &str) -> Counts {
    let mut counts = Counts::default();
    let mut is_code = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            let words: Vec<&str> = line.split('`').step_by(2).collect();
            counts.pronouns += pronouns(&words.join("`"));
            let heading = line.trim_start_matches('#');
            counts.heads += usize::from(heading != line && begins_badly(heading.trim_start()));
        }
    }
    counts
}

fn begins_badly(text: &str) -> bool {
    HEADS.contains(&text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default())
}

fn pronouns(text: &str) -> usize {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    let is_counted = |at: &usize| {
        let before = at.checked_sub(1).map_or("", |before| words[before]);
        PRONOUNS.contains(&words[*at]) && !PERSONS.contains(&before)
    };
    (0..words.len()).filter(is_counted).count()
}
