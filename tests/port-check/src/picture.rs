//! [`picture`]: both traces side by side, as a page of HTML that needs nothing else.

use std::fmt::Write;

use crate::compare::Comparison;
use crate::error_names::{self, ErrorNames};
use crate::trace::{Line, Trace};

const HEAD: &str = "<!doctype html>
<meta charset=utf-8>
<title>port-check</title>
<style>
body { font: 13px/1.4 ui-monospace, monospace; margin: 1em; color: #24292f }
table { border-collapse: collapse; width: 100% }
td { padding: 0 .6em; vertical-align: top; width: 50%; white-space: pre-wrap }
tr.turn td { background: #eaeef2; font-weight: bold }
tr.differs td { background: #ffebe9 }
td.entry { color: #0550ae } td.effect { padding-left: 2.5em }
</style>
";

/// A page that shows both traces, line beside line, with what differs marked.
pub fn picture(python: &Trace, rust: &Trace, comparison: &Comparison) -> String {
    let names = ErrorNames::new(python, rust);
    let mut page = String::from(HEAD);
    let verdict = match comparison.divergence {
        None => "the traces are equal".to_owned(),
        Some(at) => {
            let turn = python.lines.get(at.python).map_or(0, |line| line.turn);
            format!("the traces diverge in turn {turn}: <a href=#divergence>there</a>")
        }
    };
    let _ = writeln!(page, "<p>{verdict}</p>\n<table>\n<tr><th>Python<th>Rust");
    let is_virtual = python.is_virtual && rust.is_virtual;
    let mut is_marked = false;
    for (ours, theirs) in aligned(&python.lines, &rust.lines, is_virtual) {
        let differs = match (ours, theirs) {
            (Some(a), Some(b)) => !names.are_alike(&a.key(is_virtual), &b.key(is_virtual)),
            _ => true,
        };
        let class = match (differs, ours.or(theirs).is_some_and(Line::is_turn)) {
            (true, _) => " class=differs",
            (_, true) => " class=turn",
            _ => "",
        };
        let id = if differs && !is_marked { " id=divergence" } else { "" };
        is_marked |= differs;
        let _ = writeln!(page, "<tr{class}{id}>{}{}", cell(ours), cell(theirs));
    }
    page + "</table>\n"
}

fn cell(line: Option<&Line>) -> String {
    let Some(line) = line else { return "<td>".into() };
    let class = match line {
        line if line.is_turn() => "",
        line if line.is_entry() => " class=entry",
        _ => " class=effect",
    };
    let text = line.text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<td{class}>{text}")
}

/// Lines ahead that are looked through for the next that both have.
const AHEAD: usize = 200;

/// The lines of both in pairs: what only one has stands alone.
fn aligned<'a>(
    python: &'a [Line],
    rust: &'a [Line],
    is_virtual: bool,
) -> Vec<(Option<&'a Line>, Option<&'a Line>)> {
    let (mut ours, mut theirs) = (python, rust);
    let mut pairs = Vec::new();
    while !ours.is_empty() || !theirs.is_empty() {
        let (a, b) = next_common(ours, theirs, is_virtual);
        pairs.extend(ours[..a].iter().map(|line| (Some(line), None)));
        pairs.extend(theirs[..b].iter().map(|line| (None, Some(line))));
        (ours, theirs) = (&ours[a..], &theirs[b..]);
        if let ([our, ours_behind @ ..], [their, theirs_behind @ ..]) = (ours, theirs) {
            pairs.push((Some(our), Some(their)));
            (ours, theirs) = (ours_behind, theirs_behind);
        }
    }
    pairs
}

/// The numbers of lines of each before the next line that both have.
fn next_common(python: &[Line], rust: &[Line], is_virtual: bool) -> (usize, usize) {
    for sum in 0..AHEAD {
        for a in 0..=sum {
            let (Some(ours), Some(theirs)) = (python.get(a), rust.get(sum - a)) else { continue };
            let (ours, theirs) = (ours.key(is_virtual), theirs.key(is_virtual));
            if error_names::split(&ours).0 == error_names::split(&theirs).0 {
                return (a, sum - a);
            }
        }
    }
    (python.len(), rust.len())
}
