//! No file imports itself by way of others, and no folder by way of other folders and files.
//!
//! An import is a path to another file's item, in a `use` or in the code, seen through re-exports:
//! what `mod.rs` passes on is its definition's file. Methods are no imports: they are found by
//! their type.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::{Token, text_at, tokens};

type Path = Vec<String>;

/// The meaning of a name in a module.
enum Named {
    /// An item of the file.
    Item(String),
    /// A `use`, relative to its module.
    Used(Path),
}

#[derive(Default)]
struct Names {
    /// The file of each module.
    files: BTreeMap<Path, String>,
    named: BTreeMap<(Path, String), Named>,
    globs: BTreeMap<Path, Vec<Path>>,
    /// A file, the module in it, and a path that stands there.
    references: Vec<(String, Path, Path)>,
}

/// All circles among `files`, each as the way from a file or folder back to itself.
pub(crate) fn circles(files: &[(String, String)]) -> Vec<String> {
    let names = Names::of(files);
    let mut imports: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (file, module, path) in &names.references {
        if let Some(target) = names.resolve(module, path, 0) {
            imports.insert((file, target));
        }
    }
    let mut found = Vec::new();
    for folder in folders_of(files) {
        // Among what lies in one folder: where no folder has a circle, no two files do.
        let child = |file: &str| {
            let rest = file.strip_prefix(&folder)?;
            Some(rest.split('/').next().unwrap_or(rest).to_owned())
        };
        let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, to) in &imports {
            if let (Some(from), Some(to)) = (child(from), child(to)) {
                if from != to {
                    arrows.entry(from).or_default().insert(to);
                }
            }
        }
        if let Some(way) = circle(&arrows) {
            found.push(format!("{folder}: {}", way.join(" -> ")));
        }
    }
    found
}

/// Each folder that `files` lie in, with a `/` at its end; the root is empty.
fn folders_of(files: &[(String, String)]) -> BTreeSet<String> {
    let cuts = |file: &str| {
        let ends: Vec<_> = file.match_indices('/').map(|(at, _)| file[..=at].to_owned()).collect();
        ends
    };
    let below = files.iter().flat_map(|(file, _)| cuts(file));
    below.chain([String::new()]).collect()
}

/// One circle, where there is any.
fn circle(arrows: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    arrows.keys().find_map(|start| circle_from(start, arrows, &mut Vec::new(), &mut done))
}

fn circle_from(
    at: &str,
    arrows: &BTreeMap<String, BTreeSet<String>>,
    way: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(first) = way.iter().position(|before| before == at) {
        let mut circle = way.split_off(first);
        circle.push(at.to_owned());
        return Some(circle);
    }
    if done.contains(at) {
        return None;
    }
    way.push(at.to_owned());
    let found =
        arrows.get(at).into_iter().flatten().find_map(|next| circle_from(next, arrows, way, done));
    way.pop();
    done.insert(at.to_owned());
    found
}

impl Names {
    fn of(files: &[(String, String)]) -> Names {
        let mut names = Names::default();
        for (file, _) in files {
            names.files.insert(module_of(file), file.clone());
        }
        for (file, text) in files {
            names.read(file, &tokens(text));
        }
        names
    }

    fn read(&mut self, file: &str, tokens: &[Token]) {
        let mut module = module_of(file);
        // The depth of braces at which each inline module ends.
        let mut inline = Vec::new();
        let (mut depth, mut at) = (0, 0);
        while at < tokens.len() {
            let (text, next) = (text_at(tokens, at), text_at(tokens, at + 1));
            let begins_path = at == 0 || text_at(tokens, at - 1) != "::";
            match text {
                "#" if is_test_attribute(tokens, at) => {
                    at = end_of_item(tokens, at + 7);
                    continue;
                }
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    if inline.last() == Some(&depth) {
                        inline.pop();
                        module.pop();
                    }
                }
                "mod" if text_at(tokens, at + 2) == "{" => {
                    inline.push(depth);
                    depth += 1;
                    module.push(next.to_owned());
                    self.files.insert(module.clone(), file.to_owned());
                    at += 3;
                    continue;
                }
                "use" if begins_path => {
                    let is_items = depth == inline.len();
                    at = self.read_use(file, &module, tokens, at + 1, &[], is_items);
                    continue;
                }
                "struct" | "enum" | "union" | "trait" | "fn" | "type" | "const" | "static"
                    if depth == inline.len() =>
                {
                    let item = Named::Item(file.to_owned());
                    self.named.entry((module.clone(), next.to_owned())).or_insert(item);
                }
                "macro_rules" => {
                    let name = text_at(tokens, at + 2).to_owned();
                    self.named.insert((module.clone(), name), Named::Item(file.to_owned()));
                }
                _ if begins_path && next == "::" && tokens[at].is_word() => {
                    let mut path = vec![text.to_owned()];
                    while text_at(tokens, at + 1) == "::"
                        && tokens.get(at + 2).is_some_and(Token::is_word)
                    {
                        path.push(text_at(tokens, at + 2).to_owned());
                        at += 2;
                    }
                    self.references.push((file.to_owned(), module.clone(), path));
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Reads the tree of a `use` from `at`, below `path`, and returns what comes behind it.
    fn read_use(
        &mut self,
        file: &str,
        module: &Path,
        tokens: &[Token],
        mut at: usize,
        path: &[String],
        is_items: bool,
    ) -> usize {
        let mut path = path.to_vec();
        loop {
            match text_at(tokens, at) {
                "::" => {
                    at += 1;
                    continue;
                }
                "{" => {
                    at += 1;
                    while text_at(tokens, at) != "}" {
                        at = self.read_use(file, module, tokens, at, &path, is_items);
                        at += usize::from(text_at(tokens, at) == ",");
                    }
                    return at + 1;
                }
                "*" => {
                    self.globs.entry(module.clone()).or_default().push(path);
                    return at + 1;
                }
                word => path.push(word.to_owned()),
            }
            at += 1;
            if text_at(tokens, at) == "::" {
                continue;
            }
            let mut name = path.last().cloned().unwrap_or_default();
            if name == "self" {
                path.pop();
                name = path.last().cloned().unwrap_or_default();
            }
            if text_at(tokens, at) == "as" {
                name = text_at(tokens, at + 1).to_owned();
                at += 2;
            }
            self.references.push((file.to_owned(), module.clone(), path.clone()));
            if is_items {
                self.named.insert((module.clone(), name), Named::Used(path));
            }
            return at;
        }
    }

    /// The file that defines what `path` leads to from `module`; `None` for what is not the crate's.
    fn resolve(&self, module: &Path, path: &[String], depth: usize) -> Option<&str> {
        if depth > 20 {
            return None;
        }
        let (mut module, mut path) = (module.clone(), path);
        match path.first().map(String::as_str) {
            Some("crate") => (module, path) = (Path::new(), &path[1..]),
            Some("self") => path = &path[1..],
            _ => {
                while path.first().is_some_and(|first| first == "super") {
                    module.pop();
                    path = &path[1..];
                }
            }
        }
        while let Some((first, rest)) = path.split_first() {
            let inner: Path = module.iter().chain([first]).cloned().collect();
            let named = self.named.get(&(module.clone(), first.clone()));
            match (self.files.get(&inner), named) {
                (Some(_), _) if !rest.is_empty() => (module, path) = (inner, rest),
                (_, Some(Named::Item(file))) => return Some(file),
                (_, Some(Named::Used(used))) => {
                    let used: Path = used.iter().chain(rest).cloned().collect();
                    return self.resolve(&module, &used, depth + 1);
                }
                (Some(file), None) => return Some(file),
                (None, None) => {
                    let globs = self.globs.get(&module).into_iter().flatten();
                    return globs.into_iter().find_map(|glob| {
                        let path: Path = glob.iter().chain(path).cloned().collect();
                        self.resolve(&module, &path, depth + 1)
                    });
                }
            }
        }
        self.files.get(&module).map(String::as_str)
    }
}

fn module_of(file: &str) -> Path {
    super::module_path(file).into_iter().map(str::to_owned).collect()
}

fn is_test_attribute(tokens: &[Token], at: usize) -> bool {
    ["#", "[", "cfg", "(", "test", ")", "]"]
        .iter()
        .zip(at..)
        .all(|(t, at)| text_at(tokens, at) == *t)
}

/// Returns the position behind the item at `at`: behind its block, or its semicolon.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    let mut depth = 0;
    while at < tokens.len() {
        match text_at(tokens, at) {
            "{" => depth += 1,
            "}" if depth == 1 => return at + 1,
            "}" => depth -= 1,
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

#[test]
fn circles_of_files_and_folders_are_found() {
    let of = |files: &[(&str, &str)]| {
        let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        circles(&files.iter().map(owned).collect::<Vec<_>>())
    };
    let root = ("lib.rs", "mod a; mod b; pub use b::*;");
    assert!(of(&[root, ("a.rs", "use crate::b::B; struct A;"), ("b.rs", "struct B;")]).is_empty());
    // A path in the code, and one through the crate root.
    let both =
        [root, ("a.rs", "use crate::B; struct A;"), ("b.rs", "fn f() { crate::a::A; } struct B;")];
    assert_eq!(of(&both), [": a.rs -> b.rs -> a.rs"]);
    // The folder's map passes on what another file defines.
    let map = ("c/mod.rs", "mod d; mod e; pub use d::D;");
    let apart = [map, ("c/d.rs", "struct D;"), ("c/e.rs", "use super::D;")];
    assert!(of(&apart).is_empty());
    let back = [map, ("c/d.rs", "use super::e; struct D;"), ("c/e.rs", "use crate::c::{D as X};")];
    assert_eq!(of(&back), ["c/: d.rs -> e.rs -> d.rs"]);
    // Two folders, of which no two files import each other.
    let folders = [
        ("f/mod.rs", "mod one; mod two;"),
        ("f/one.rs", "use crate::g::Three; struct One;"),
        ("f/two.rs", "struct Two;"),
        ("g/mod.rs", "mod three; mod four; pub use three::*;"),
        ("g/three.rs", "struct Three;"),
        ("g/four.rs", "use crate::f::two::Two; #[cfg(test)] mod tests { use crate::f::one::One; }"),
    ];
    assert_eq!(of(&folders), [": f -> g -> f"]);
    // A test may import what stands above it.
    let test = [
        ("a.rs", "struct A; #[cfg(test)] mod t { use crate::b::B; }"),
        ("b.rs", "use crate::a::A;"),
    ];
    assert!(of(&test).is_empty());
}
