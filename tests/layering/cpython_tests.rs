//! `docs/cpython-tests.md` says what the tests say of themselves: a test that asserts what one of
//! CPython's own does names it in a line above its attributes, `// CPython: module.Class.function`.
//! `cpython.txt` lists CPython's functions, and why there is nothing here that some could be asked of.
//!
//! `KEEP_TABLE=1 cargo test --test layering cpython` writes the table anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::named_tests::{is_test, root, text_of, texts_below};

const TABLE: &str = "docs/cpython-tests.md";
const LIST: &str = include_str!("cpython.txt");
/// Where the generated part of the table begins.
const BEGINS: &str = "| module | functions |";
const MARK: &str = "// CPython: ";

/// By CPython's functions, with their modules: the tests that assert the same.
type Claims = BTreeMap<String, Vec<String>>;

#[test]
fn cpython_table_is_what_the_tests_say() {
    let tests = root().join("tests");
    let mut files = texts_below(&tests);
    files.sort();
    let (claims, mut found) = claims(files.iter().map(|(path, text)| (short(path, &tests), text)));
    let table = table(LIST, claims, &mut found);
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    let kept = text_of(TABLE);
    let (head, now) = kept.split_at(kept.find(BEGINS).expect("a table"));
    if std::env::var_os("KEEP_TABLE").is_some() {
        fs::write(root().join(TABLE), head.to_owned() + &table).unwrap();
    } else {
        assert!(now == table, "{TABLE} is not what the tests say: see {}", file!());
    }
}

fn short(path: &Path, tests: &Path) -> String {
    let inside = path.strip_prefix(tests).expect("below tests");
    inside.display().to_string().replace('\\', "/")
}

/// The claims of test files, and what is wrong with them.
fn claims<'a>(files: impl Iterator<Item = (String, &'a String)>) -> (Claims, Vec<String>) {
    let (mut claims, mut found) = (Claims::new(), Vec::new());
    for (file, text) in files {
        let mut pending: Vec<&str> = Vec::new();
        for line in text.lines().map(str::trim) {
            if let Some(claim) = line.strip_prefix(MARK) {
                pending.push(claim);
                continue;
            }
            let name = line.strip_prefix("fn ").and_then(|rest| rest.split(['(', '<']).next());
            let Some(name) = name else {
                if !line.starts_with("#[") && !line.starts_with("//") && !pending.is_empty() {
                    found.push(format!("{file}: {pending:?} stand above no test"));
                    pending.clear();
                }
                continue;
            };
            if !pending.is_empty() && !is_test(text, name) {
                found.push(format!("{file}: {pending:?} stand above {name}, which is no test"));
            }
            for claim in pending.drain(..) {
                claims.entry(claim.to_owned()).or_default().push(format!("`{file}::{name}`"));
            }
        }
    }
    (claims, found)
}

/// The generated part of the table.
fn table(list: &str, mut claims: Claims, found: &mut Vec<String>) -> String {
    let (mut modules, mut rows, mut module) = (Vec::new(), String::new(), "");
    for line in list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let Some(row) = line.strip_prefix("  ") else {
            module = line;
            modules.push((module, [0; 3]));
            let _ = write!(rows, "\n## {module}\n\n| CPython's | here | by, or why not |\n");
            rows += "| --- | --- | --- |\n";
            continue;
        };
        let (name, reason) = row.split_once(": ").unwrap_or((row, ""));
        let tests = claims.remove(&format!("{module}.{name}"));
        let (state, here, text) = match tests {
            Some(tests) => (0, "covered", tests.join(", ")),
            None if reason.is_empty() => (2, "open", "no test asks it".to_owned()),
            None => (1, "not applicable", reason.to_owned()),
        };
        if state == 0 && !reason.is_empty() {
            found.push(format!("{module}.{name} is claimed, and not applicable: {reason}"));
        }
        modules.last_mut().expect("a module").1[state] += 1;
        let _ = writeln!(rows, "| `{name}` | {here} | {text} |");
    }
    found.extend(claims.keys().map(|name| format!("CPython has no {name}")));
    let mut counts =
        format!("{BEGINS} covered | not applicable | open |\n| --- | --- | --- | --- | --- |\n");
    let mut count = |name: &str, [covered, not, open]: [usize; 3]| {
        let all = covered + not + open;
        let _ = writeln!(counts, "| {name} | {all} | {covered} | {not} | {open} |");
    };
    for (module, counted) in &modules {
        count(&format!("`{module}`"), *counted);
    }
    let sum = |state| modules.iter().map(|(_, counted): &(_, [usize; 3])| counted[state]).sum();
    count("all", [sum(0), sum(1), sum(2)]);
    counts + &rows
}

#[test]
fn cpython_claims_that_are_wrong_are_found() {
    let list = "# a list\nm\n  A.one: no such thing\n  A.two\n  A.three\n";
    let cases: [(&str, &[&str]); 5] = [
        ("// CPython: m.A.two\n#[test]\nfn a() {}\n", &[]),
        (
            "// CPython: m.A.one\n/// Docs.\n#[test]\nfn a() {}\n",
            &["m.A.one is claimed, and not applicable: no such thing"],
        ),
        ("// CPython: m.B.two\n#[test]\nfn a() {}\n", &["CPython has no m.B.two"]),
        (
            "// CPython: m.A.two\nfn a() {}\n",
            &["x.rs: [\"m.A.two\"] stand above a, which is no test"],
        ),
        (
            "// CPython: m.A.two\n\n#[test]\nfn a() {}\n",
            &["x.rs: [\"m.A.two\"] stand above no test"],
        ),
    ];
    for (text, expected) in cases {
        let text = text.to_owned();
        let (claims, mut found) = claims([("x.rs".to_owned(), &text)].into_iter());
        let table = table(list, claims, &mut found);
        assert_eq!(found, expected, "{text}");
        if expected.is_empty() {
            assert!(table.contains("\n| all | 3 | 1 | 1 | 1 |\n"), "{table}");
            assert!(table.contains("\n| `A.two` | covered | `x.rs::a` |\n"), "{table}");
        }
    }
}
