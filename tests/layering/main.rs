//! The project's rules, checked by reading the source: imports go down only, each dependency and
//! `unsafe` are named in the files listed for them, files and functions stay small enough to be
//! read in one sitting.

mod circles;
mod cpython_tests;
mod links;
mod named_tests;
mod prose;
mod tokens;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tokens::{Token, text_at, tokens};

/// The layers from bottom to top. A file may name its own layer and those before it.
const LAYERS: &[&str] = &[
    "flat_drops",
    "sync",
    "context",
    "error",
    "panics",
    "logging",
    "collections",
    "blocks",
    "event_loop",
    "threads",
    "asyncio",
    "helpers",
    "io",
    "net",
    "process",
    "bridges",
];

/// Layers that don't name each other, although one stands above the other.
const STRANGERS: &[(&str, &str)] = &[("io", "helpers"), ("net", "helpers"), ("process", "helpers")];

/// Layers that use only what any user of the crate could: public items, from the crate root.
const OUTSIDERS: &[&str] = &["helpers"];

/// Items that an outsider uses all the same, since they are of no use to a user of the crate.
const SERVICES: &[(&str, &str)] = &[
    ("helpers", "await_body"),
    ("helpers", "collections"),
    ("helpers", "drop_flat"),
    ("helpers", "expect_possible"),
    ("helpers", "expect_running_loop"),
    ("helpers", "Flat"),
    ("helpers", "logging"),
    ("helpers", "threads"),
    ("helpers", "ReusableSignal"),
];

/// The crate root: it imports from every layer, and no layer below the outsiders imports it.
const CRATE_ROOT: &str = "lib.rs";

/// The crates that are named in their own files and folders only.
const CRATE_FILES: &[(&str, &[&str])] = &[
    (
        "std",
        &[
            "error/panic.rs",
            "error/repr.rs",
            "error/standard.rs",
            "flat_drops.rs",
            "panics.rs",
            "logging.rs",
            "sync.rs",
            "event_loop/observe/trace.rs",
            "event_loop/poller/",
            "event_loop/sources/interrupt.rs",
            "asyncio/threads/concurrent_future.rs",
            "asyncio/threads/executor.rs",
            "blocks/tests/remote.rs",
            "io/accept.rs",
            "io/async_source.rs",
            "io/half.rs",
            "io/connect.rs",
            "io/connect_on_thread.rs",
            "io/datagram.rs",
            "io/listen.rs",
            "io/race.rs",
            "io/resolve.rs",
            "io/stream.rs",
            "io/system/",
            "io/tcp.rs",
            "io/udp.rs",
            "io/unix.rs",
            "net/create.rs",
            "net/datagram/",
            "net/listening.rs",
            "net/open.rs",
            "net/pipes.rs",
            "net/sendfile.rs",
            "net/serve_at.rs",
            "net/server.rs",
            "net/tls.rs",
            "net/transport/",
            "net/write_flow.rs",
            "process/create.rs",
            "process/options.rs",
            "process/started.rs",
            "process/subprocess.rs",
            "process/unix/",
            "process/watch.rs",
            "process/windows/",
            "bridges/io_futures.rs",
            "bridges/io_hyper.rs",
            "bridges/timer.rs",
        ],
    ),
    ("futures_core", &["bridges/fused.rs", "bridges/items.rs"]),
    ("futures_io", &["bridges/io_futures.rs"]),
    ("hyper", &["bridges/executor.rs", "bridges/io_hyper.rs", "bridges/timer.rs"]),
    ("loom", &["sync.rs"]),
    ("polling", &["event_loop/poller/"]),
    ("portable_atomic", &["sync.rs"]),
    ("portable_atomic_util", &["sync.rs"]),
    (
        "rustix",
        &[
            "io/connect.rs",
            "io/datagram.rs",
            "io/listen.rs",
            "io/system/",
            "process/unix/",
            "process/watch.rs",
        ],
    ),
    ("rustls", &["net/mod.rs", "net/transport/tls_options.rs", "net/transport/tls_session.rs"]),
    ("shuttle", &["sync.rs"]),
    ("signal_hook", &["event_loop/poller/", "event_loop/sources/signals.rs"]),
    ("concurrent_queue", &["sync.rs"]),
    ("crossbeam_utils", &["sync.rs"]),
    (
        "slab",
        &[
            "event_loop/owed_answers.rs",
            "event_loop/poller/reactor.rs",
            "asyncio/combine/gather.rs",
            "collections/serial_slab.rs",
        ],
    ),
    ("waker_fn", &["event_loop/remote/loop_handle.rs"]),
    ("log", &["logging.rs", "event_loop/observe/disorder.rs", "event_loop/run.rs"]),
];

/// The files, and the folders with a `/` at their end, where `unsafe` may stand.
const UNSAFE_FILES: &[&str] = &[
    "blocks/",
    "asyncio/core/",
    "event_loop/entry.rs",
    "event_loop/job.rs",
    "event_loop/linked_mail.rs",
    "event_loop/mail.rs",
    "event_loop/poller/",
    "event_loop/remote/call_slots.rs",
    "event_loop/remote/wake_call.rs",
    "event_loop/running.rs",
    "event_loop/scheduled_call.rs",
    "io/system/name_info.rs",
    "process/unix/kill.rs",
    "process/windows/system.rs",
];

const MOST_LINES_IN_A_FILE: usize = 500;
const MOST_LINES_IN_A_FUNCTION: usize = 80;

#[test]
fn the_house_keeps_its_rules() {
    let files = source_files();
    let public = public_names(&files);
    let broken: Vec<String> =
        files.iter().flat_map(|(name, text)| complaints(name, text, &public)).collect();
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

/// A folder with more files than this is no map any more.
const MOST_FILES_IN_A_FOLDER: usize = 20;

#[test]
fn no_file_and_no_folder_imports_itself() {
    for root in ["src", "benches/peers/src"] {
        let found = circles::circles(&files_below(root));
        assert!(found.is_empty(), "circles in {root}:\n{}\n", found.join("\n"));
    }
}

#[test]
fn no_folder_has_too_many_files() {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for (name, _) in source_files() {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        *counts.entry(folder.to_owned()).or_default() += 1;
    }
    let full: Vec<_> = counts.iter().filter(|(_, n)| **n > MOST_FILES_IN_A_FOLDER).collect();
    assert!(full.is_empty(), "folders with more than {MOST_FILES_IN_A_FOLDER} files: {full:?}");
}

/// A row about something that isn't there would allow it later, unseen.
#[test]
fn the_tables_name_what_is_there() {
    let files = source_files();
    let named_in = |word: &str, place: &str| {
        let mut of_place = files.iter().filter(|(name, _)| is_in(name, &[place]));
        of_place.any(|(_, text)| !lines_naming(word, &tokens(text)).is_empty())
    };
    for place in UNSAFE_FILES {
        assert!(named_in("unsafe", place), "no `unsafe` in src/{place}");
    }
    for (krate, places) in CRATE_FILES {
        for place in *places {
            assert!(named_in(krate, place), "no `{krate}` in src/{place}");
        }
    }
    for (name, _) in &files {
        let known = name == CRATE_ROOT || LAYERS.contains(&layer_of(name));
        assert!(known, "src/{name} is in no layer: add it to LAYERS");
    }
}

#[test]
fn a_broken_rule_is_found() {
    let public = BTreeSet::from(["LoopFuture".to_owned(), "io".to_owned()]);
    let cases: &[(&str, &str, &[&str])] = &[
        ("asyncio/task.rs", "use crate::event_loop::LoopRef;\nuse super::future::X;", &[]),
        ("error.rs", "mod a { mod b { use super::super::X; } }", &[]),
        ("asyncio/a.rs", "// crate::helpers\n/* /* std:: */ unsafe */ /// `crate::io`", &[]),
        ("asyncio/a.rs", "const A: &str = \"\\\"crate::io\"; const B: &str = r#\"\"std::\"#;", &[]),
        ("asyncio/a.rs", "fn f<'a>(x: &'a u8) { let _ = ('\"', '\\'', b'{'); }", &[]),
        ("event_loop/poller/reactor.rs", "use std::io; unsafe fn f() {}", &[]),
        ("helpers/x.rs", "use crate::LoopFuture; use crate::helpers::y; use super::z;", &[]),
        (
            "event_loop/a.rs",
            "use alloc::vec;\nuse crate::asyncio::Task;",
            &["src/event_loop/a.rs:2: event_loop imports asyncio, which is above it"],
        ),
        (
            "error.rs",
            "use crate::{\n    logging::log,\n    panics,\n};",
            &[
                "src/error.rs:2: error imports logging, which is above it",
                "src/error.rs:3: error imports panics, which is above it",
            ],
        ),
        (
            "event_loop/deep/a.rs",
            "fn f() { super::super::super::asyncio::g(); }",
            &["src/event_loop/deep/a.rs:1: event_loop imports asyncio, which is above it"],
        ),
        (
            "sync.rs",
            "use super::{event_loop, flat_drops};",
            &["src/sync.rs:1: sync imports event_loop, which is above it"],
        ),
        (
            "asyncio/a.rs",
            "use crate::LoopFuture;",
            &["src/asyncio/a.rs:1: asyncio imports LoopFuture, which is a name of the crate root"],
        ),
        (
            "asyncio/a.rs",
            "use crate::*;",
            &["src/asyncio/a.rs:1: asyncio imports *, which is a name of the crate root"],
        ),
        (
            "io/a.rs",
            "use crate::helpers::x;",
            &["src/io/a.rs:1: io imports helpers, which it must not know"],
        ),
        (
            "helpers/x.rs",
            "use crate::event_loop::run;\nuse crate::Hidden;",
            &[
                "src/helpers/x.rs:1: helpers imports event_loop, whose public names are at the crate root",
                "src/helpers/x.rs:2: helpers imports Hidden, which the crate does not export",
            ],
        ),
        (
            "helpers/x.rs",
            "use crate::io::Async;",
            &["src/helpers/x.rs:1: helpers imports io, which is above it"],
        ),
        (
            "asyncio/a.rs",
            "use ::std::cell;\nuse {core::fmt, polling::Poller};\nuse slab;\nlog::error!();\nlog(1)",
            &[
                "src/asyncio/a.rs:1: `std` is named outside its files",
                "src/asyncio/a.rs:2: `polling` is named outside its files",
                "src/asyncio/a.rs:3: `slab` is named outside its files",
                "src/asyncio/a.rs:4: `log` is named outside its files",
            ],
        ),
        (
            "lib.rs",
            "extern crate std;\nuse my::std::x;",
            &["src/lib.rs:1: `std` is named outside its files"],
        ),
        (
            "asyncio/a.rs",
            "#![allow(unsafe_code)]\n\nunsafe {}",
            &["src/asyncio/a.rs:3: `unsafe` is named outside its files"],
        ),
    ];
    for (name, text, expected) in cases {
        assert_eq!(complaints(name, text, &public), *expected, "{name}: {text}");
    }
}

#[test]
fn what_is_too_long_is_found() {
    let long_function =
        |lines: usize| format!("\nfn f(g: fn(u8)) {{{}}}\n", "\n".repeat(lines - 1));
    let none = BTreeSet::new();
    assert_eq!(complaints("error.rs", &long_function(80), &none), [""; 0]);
    assert_eq!(
        complaints("error.rs", &long_function(81), &none),
        ["src/error.rs:2: fn f has 81 lines, more than 80"]
    );
    assert_eq!(complaints("error.rs", &"\n".repeat(500), &none), [""; 0]);
    assert_eq!(
        complaints("error.rs", &"\n".repeat(501), &none),
        ["src/error.rs:501: the file has 501 lines, more than 500"]
    );
}

#[test]
fn public_names_are_those_that_a_user_sees() {
    let root_file = "pub mod asyncio;\npub mod helpers;\nmod error;\npub use asyncio::*;\n\
                use error::Hidden;\npub(crate) use panics::caught;\npub use error::Error;\n\
                #[cfg(x)]\npub async fn run() {}\n";
    let layer = "mod task;\npub use task::{AnyTask, task::{Task, Inner as Outer}};\n\
                 pub(crate) use task::Core;\n// pub use task::Lie;\n";
    let files = [(CRATE_ROOT, root_file), ("asyncio/mod.rs", layer)]
        .map(|(name, text)| (name.to_owned(), text.to_owned()));
    let expected = ["AnyTask", "Error", "Outer", "Task", "asyncio", "helpers", "run"];
    assert_eq!(public_names(&files), BTreeSet::from(expected.map(str::to_owned)));
}

/// A program in a guide that nothing compiles would be wrong one day, unseen.
#[test]
fn the_programs_of_the_guides_are_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crate_root = fs::read_to_string(root.join("src/lib.rs")).expect("the crate root");
    let mut guides = vec![(root.join("README.md"), "../README.md".to_owned())];
    for entry in fs::read_dir(root.join("docs")).expect("a folder of guides") {
        let path = entry.expect("a guide").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            let name = path.file_name().expect("a name").to_string_lossy();
            guides.push((path.clone(), format!("../docs/{name}")));
        }
    }
    for (path, name) in guides {
        let text = fs::read_to_string(path).expect("a guide");
        let fences = text.lines().filter_map(|line| line.trim_start().strip_prefix("```"));
        for (index, fence) in fences.enumerate() {
            // An opening fence without a language is a program to rustdoc. A ported program that needs a
            // feature is compiled and run in `tests/ported`.
            let opens = index % 2 == 0;
            assert!(!opens || !fence.is_empty(), "{name}: a block without a language");
            assert!(
                !(opens && fence.starts_with("rust"))
                    || crate_root.contains(&format!("\"{name}\"")) && fence == "rust"
                    || name.ends_with("from-asyncio.md") && fence == "rust,ignore",
                "{name}: a program that is not compiled and run"
            );
        }
    }
}

/// Everything that breaks a rule in one file, as `src/FILE:LINE: what`.
fn complaints(name: &str, text: &str, public: &BTreeSet<String>) -> Vec<String> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    if name != CRATE_ROOT {
        found.extend(imports_that_go_up(name, &tokens, public));
    }
    found.extend(outside_their_files(name, &tokens));
    found.extend(long_functions(&tokens));
    let lines = text.lines().count();
    if lines > MOST_LINES_IN_A_FILE {
        found
            .push((lines, format!("the file has {lines} lines, more than {MOST_LINES_IN_A_FILE}")));
    }
    found.sort();
    found.into_iter().map(|(line, what)| format!("src/{name}:{line}: {what}")).collect()
}

fn imports_that_go_up(
    name: &str,
    tokens: &[Token],
    public: &BTreeSet<String>,
) -> Vec<(usize, String)> {
    let own = layer_of(name);
    let roots = names_at_the_root(name, tokens).into_iter();
    roots
        .filter_map(|(line, target)| {
            let why = why_not(own, &target, public)?;
            Some((line, format!("{own} imports {target}, {why}")))
        })
        .collect()
}

/// Why the layer `own` may not name `crate::target`; `None` if it may.
fn why_not(own: &str, target: &str, public: &BTreeSet<String>) -> Option<&'static str> {
    let rank = |layer: &str| LAYERS.iter().position(|known| *known == layer);
    if target == own {
        return None;
    }
    if rank(target).is_some_and(|target| rank(own).is_none_or(|own| target > own)) {
        return Some("which is above it");
    }
    if STRANGERS.contains(&(own, target)) {
        return Some("which it must not know");
    }
    if SERVICES.contains(&(own, target)) {
        return None;
    }
    match (OUTSIDERS.contains(&own), rank(target).is_some()) {
        (true, true) => Some("whose public names are at the crate root"),
        (true, false) if !public.contains(target) => Some("which the crate does not export"),
        (false, false) => Some("which is a name of the crate root"),
        _ => None,
    }
}

/// The first name after the crate's root of each path that starts there: by `crate::`, or by
/// enough `super::`. A path into braces gives one for each branch.
fn names_at_the_root(name: &str, tokens: &[Token]) -> Vec<(usize, String)> {
    // The number of modules between the crate's root and the file's own items: none in `lib.rs`,
    // one in `error.rs` and `io/mod.rs`, two in `io/pipe.rs`.
    let file_depth = module_path(name).len();
    let mut found = Vec::new();
    let mut open_modules: Vec<usize> = Vec::new();
    let mut braces = 0;
    let mut at = 0;
    while at < tokens.len() {
        let starts_path = at == 0 || tokens[at - 1].text != "::";
        match tokens[at].text.as_str() {
            "mod" if text_at(tokens, at + 2) == "{" => {
                open_modules.push(braces);
                braces += 1;
                at += 3;
                continue;
            }
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                if open_modules.last() == Some(&braces) {
                    open_modules.pop();
                }
            }
            "crate" if starts_path && text_at(tokens, at + 1) == "::" => {
                branches(tokens, at + 2, &mut found);
            }
            "super" if starts_path => {
                let mut supers = 0;
                let mut next = at;
                while text_at(tokens, next) == "super" && text_at(tokens, next + 1) == "::" {
                    supers += 1;
                    next += 2;
                }
                if supers == file_depth + open_modules.len() {
                    branches(tokens, next, &mut found);
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// The name at `at`, or, where a brace opens there, the first name of each branch.
fn branches(tokens: &[Token], at: usize, found: &mut Vec<(usize, String)>) {
    if text_at(tokens, at) != "{" {
        if let Some(token) = tokens.get(at) {
            found.push((token.line, token.text.clone()));
        }
        return;
    }
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        let opens = depth == 1 && matches!(tokens[index - 1].text.as_str(), "{" | ",");
        match token.text.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return,
            "}" => depth -= 1,
            _ if opens => found.push((token.line, token.text.clone())),
            _ => {}
        }
    }
}

fn outside_their_files(name: &str, tokens: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (word, places) in CRATE_FILES.iter().chain([&("unsafe", UNSAFE_FILES)]) {
        if !is_in(name, places) {
            let lines = lines_naming(word, tokens).into_iter();
            found.extend(lines.map(|line| (line, format!("`{word}` is named outside its files"))));
        }
    }
    found
}

/// Returns true if a file is one of `places`, or is in one that is a folder.
fn is_in(name: &str, places: &[&str]) -> bool {
    places.iter().any(|place| *place == name || place.ends_with('/') && name.starts_with(place))
}

/// Where `word` stands as a keyword or as a crate's name, and not as a variable's or a field's.
fn lines_naming(word: &str, tokens: &[Token]) -> Vec<usize> {
    let is_named = |at: usize| {
        let before = at.checked_sub(1).map_or("", |index| text_at(tokens, index));
        // In `a::std::b` it is a module of `a`; in `::std::b` it is the crate.
        let inside_a_path = before == "::"
            && at >= 2
            && (tokens[at - 2].is_word() && tokens[at - 2].text != "use"
                || tokens[at - 2].text == ">");
        let as_a_crate = text_at(tokens, at + 1) == "::" || matches!(before, "use" | "crate");
        tokens[at].text == word && (word == "unsafe" || as_a_crate && !inside_a_path)
    };
    (0..tokens.len()).filter(|at| is_named(*at)).map(|at| tokens[at].line).collect()
}

fn long_functions(tokens: &[Token]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let named = tokens.get(at + 1).filter(|next| token.text == "fn" && next.is_word());
        let Some(function) = named else { continue };
        let Some(last) = last_line_of_body(&tokens[at..]) else {
            continue;
        };
        let lines = last - token.line + 1;
        if lines > MOST_LINES_IN_A_FUNCTION {
            let name = &function.text;
            found.push((
                token.line,
                format!("fn {name} has {lines} lines, more than {MOST_LINES_IN_A_FUNCTION}"),
            ));
        }
    }
    found
}

/// Where the body ends that follows a signature; `None` where there is only a signature.
fn last_line_of_body(signature: &[Token]) -> Option<usize> {
    let (mut braces, mut brackets) = (0, 0);
    for token in signature {
        match token.text.as_str() {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets -= 1,
            "{" => braces += 1,
            "}" => {
                braces -= 1;
                if braces == 0 && brackets == 0 {
                    return Some(token.line);
                }
            }
            ";" if braces == 0 && brackets == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Returns the names that a user of the crate can use right under its root.
fn public_names(files: &[(String, String)]) -> BTreeSet<String> {
    let text_of = |name: &str| {
        let file = files.iter().find(|(file, _)| file == name);
        &file.unwrap_or_else(|| panic!("no src/{name}")).1
    };
    let (mut names, open_layers) = exports(text_of(CRATE_ROOT));
    for layer in open_layers {
        let (of_layer, deeper) = exports(text_of(&format!("{layer}/mod.rs")));
        assert!(deeper.is_empty(), "{layer}/mod.rs exports by `*`, which hides what it exports");
        names.extend(of_layer);
    }
    names
}

/// The names that a file makes public one by one, and the modules of which it does all.
fn exports(text: &str) -> (BTreeSet<String>, Vec<String>) {
    let tokens = tokens(text);
    let (mut names, mut open) = (BTreeSet::new(), Vec::new());
    for at in 0..tokens.len() {
        // Items that are `pub(crate)` and the like can't be named outside the crate.
        if tokens[at].text != "pub" || text_at(&tokens, at + 1) == "(" {
            continue;
        }
        if text_at(&tokens, at + 1) != "use" {
            // `pub mod x`, `pub async fn x`: the word after the last keyword.
            let keywords = ["mod", "fn", "async", "const", "struct", "enum", "trait", "type"];
            let words = tokens[at + 1..].iter().map(|token| token.text.clone());
            names.extend(words.skip_while(|word| keywords.contains(&word.as_str())).take(1));
            continue;
        }
        // The last word before each `,`, `}` or `;` is a branch's name, after any `as`.
        for (index, token) in tokens.iter().enumerate().skip(at + 2) {
            let ends = matches!(text_at(&tokens, index + 1), "," | "}" | ";");
            match token.text.as_str() {
                ";" => break,
                "*" => open.push(tokens[index - 2].text.clone()),
                _ if ends && token.is_word() => drop(names.insert(token.text.clone())),
                _ => {}
            }
        }
    }
    (names, open)
}

/// `asyncio` for `asyncio/task.rs`, `error` for `error.rs`.
fn layer_of(name: &str) -> &str {
    name.split('/').next().unwrap_or(name).trim_end_matches(".rs")
}

fn module_path(name: &str) -> Vec<&str> {
    let path = name.trim_end_matches(".rs");
    path.split('/').filter(|part| !matches!(*part, "mod" | "lib")).collect()
}

/// Every file of `src`, by its path from there with `/` between, and its text.
fn source_files() -> Vec<(String, String)> {
    files_below("src")
}

fn files_below(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of src") {
            let path = entry.expect("an entry of src").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let parts = path.strip_prefix(&root).expect("below src").iter();
                let name = parts.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
                found.push((name, fs::read_to_string(&path).expect("a source file")));
            }
        }
    }
    found.sort();
    found
}
