//! Links of the guides lead to files and headings that are there, also in the rendered docs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn links_of_guides_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut broken = Vec::new();
    let mut count = 0;
    for guide in guides(root) {
        let text = fs::read_to_string(&guide).expect("a guide");
        let folder = guide.parent().expect("a folder");
        for target in targets(&text) {
            count += 1;
            if let Some(why) = mistake(&target, folder, &text) {
                broken.push(format!("{}: {target}: {why}", guide.display()));
            }
        }
        for label in labels(&text) {
            if !text.contains(&format!("\n[{label}]: ")) {
                broken.push(format!("{}: [{label}] is not defined", guide.display()));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
    assert!(count > 30, "{count} links");
}

/// A guide of the module `guide` links by labels, which `docs/links.txt` leads to modules.
#[test]
fn links_of_rendered_guides_are_labels() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| fs::read_to_string(root.join(file)).expect("a file");
    let crate_root = read("src/lib.rs");
    let defined = read("docs/links.txt") + &read("docs/pictures/links.txt");
    let files: Vec<&str> =
        crate_root.split('"').filter_map(|part| part.strip_prefix("../docs/")).collect();
    let rendered = files.into_iter().filter(|file| file.ends_with(".md"));
    for file in rendered {
        let text = read(&format!("docs/{file}"));
        for label in labels(&text) {
            let is_defined = defined.lines().any(|line| line.starts_with(&format!("[{label}]: ")));
            assert!(is_defined, "docs/links.txt lacks [{label}], of docs/{file}");
        }
        for target in prose(&text).flat_map(|line| between(line, "](", ")")) {
            let elsewhere = target.starts_with('#') || target.starts_with("http");
            assert!(elsewhere, "docs/{file}: ({target}) should be [{target}]");
        }
    }
}

#[test]
fn links_of_samples() {
    let text =
        "# A `b`: c\n[x](#a-b-c) [y](#a) ![z](no.svg) [w][l]\n```text\n[n](n)\n```\n[l]: l.md\n";
    assert_eq!(targets(text), ["#a-b-c", "#a", "no.svg", "l.md"]);
    assert_eq!(labels(text), ["l"]);
    let wrong = |target: &str| mistake(target, Path::new("."), text).is_some();
    assert!(!wrong("#a-b-c") && !wrong("Cargo.toml") && !wrong("https://x"));
    assert!(wrong("#a") && wrong("no.svg"));
}

fn guides(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let example = |name: &str| format!("examples/{name}");
    let folders = ["fleet", "http", "sqlite", "tls", "minimal", "bare-metal", "wasm"].map(example);
    for folder in ["", "docs"].map(str::to_owned).iter().chain(&folders) {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            found.extend(Some(path).filter(|path| path.extension().is_some_and(|end| end == "md")));
        }
    }
    found
}

fn mistake(target: &str, folder: &Path, text: &str) -> Option<&'static str> {
    if target.starts_with("http") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    if !file.is_empty() && !folder.join(file).exists() {
        return Some("no such file");
    }
    let other = folder.join(file);
    let text = if file.is_empty() {
        text.to_owned()
    } else {
        fs::read_to_string(other).unwrap_or_default()
    };
    (!anchor.is_empty() && !anchors(&text).contains(anchor)).then_some("no such heading")
}

/// The addresses of headings, as GitHub, mdBook and rustdoc make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let is_kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
            words.chars().filter(is_kept).map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

fn targets(text: &str) -> Vec<String> {
    let inline = prose(text).flat_map(|line| between(line, "](", ")"));
    let definitions =
        prose(text).filter_map(|line| Some(line.strip_prefix('[')?.split_once("]: ")?.1));
    inline.chain(definitions).map(str::to_owned).collect()
}

fn labels(text: &str) -> Vec<String> {
    prose(text).flat_map(|line| between(line, "][", "]")).map(str::to_owned).collect()
}

fn between<'a>(line: &'a str, open: &'a str, close: &'a str) -> impl Iterator<Item = &'a str> {
    // Between backquotes is code, as in `names[..][0]`.
    let is_prose = |at: usize| line[..at].matches('`').count() % 2 == 0;
    let starts = line.match_indices(open).filter(move |(at, _)| is_prose(*at));
    starts.filter_map(move |(at, _)| line[at + open.len()..].split(close).next())
}

/// Lines outside of blocks of code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}
