//! The breaks of one file, each behind a question whether it is on.
//!
//! `a < b` becomes `(if on(7) {a == b} else if on(8) {a > b} else {a < b})`, and a function that is
//! to return nothing begins with `if on(9) { return None; }`. Since no two breaks are on at once,
//! what stands in a broken branch is the plain text; only the last branch has others in it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::places::{Bytes, Places};

/// One break, as cargo-mutants lists it.
pub struct Mutant {
    number: usize,
    genre: String,
    replacement: String,
    from: Point,
    to: Point,
    function: Option<(Point, Point)>,
}

/// A line and a column, both counted from 1.
type Point = (usize, usize);

impl Mutant {
    pub fn read(number: usize, value: &Value) -> Option<Mutant> {
        let point = |value: &Value| {
            let count = |name: &str| usize::try_from(value[name].as_u64()?).ok();
            Some((count("line")?, count("column")?))
        };
        let function = &value["function"]["span"];
        Some(Mutant {
            number,
            genre: value["genre"].as_str()?.to_owned(),
            replacement: value["replacement"].as_str()?.to_owned(),
            from: point(&value["span"]["start"])?,
            to: point(&value["span"]["end"])?,
            function: point(&function["start"]).zip(point(&function["end"])),
        })
    }
}

/// A file with its breaks in it.
pub struct Woven {
    pub text: String,
    /// Start, end, the break's number, and tightness: 0 is the break itself, more the code around.
    pub regions: Vec<[usize; 4]>,
}

/// The text that is put before and after a stretch of the file.
struct Wrap {
    around: Bytes,
    before: Vec<(String, usize)>,
    after: &'static str,
}

/// Where each line of a text begins, to turn points into bytes.
struct Lines<'text>(Vec<usize>, &'text str);

impl Lines<'_> {
    fn at(&self, (line, column): Point) -> Option<usize> {
        let begin = *self.0.get(line.checked_sub(1)?)?;
        let ahead = self.1[begin..].chars().take(column.checked_sub(1)?).map(char::len_utf8);
        Some(begin + ahead.sum::<usize>())
    }

    fn between(&self, from: Point, to: Point) -> Option<Bytes> {
        Some(self.at(from)?..self.at(to)?)
    }
}

pub fn weave(text: &str, mutants: &[Mutant]) -> Result<Woven, String> {
    let places = Places::of(text).map_err(|error| error.to_string())?;
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let lines = Lines(starts.collect(), text);
    // Those of one place share a wrap: its bytes and a name for the kind.
    let mut wraps: BTreeMap<(usize, usize, &str), Wrap> = BTreeMap::new();
    for mutant in mutants {
        let lost = || format!("nothing to break at {:?} ({})", mutant.from, mutant.genre);
        let span = lines.between(mutant.from, mutant.to).ok_or_else(lost)?;
        add(text, &places, &lines, mutant, span, &mut wraps).ok_or_else(lost)?;
    }
    let wraps: Vec<Wrap> = wraps.into_values().collect();
    Ok(render(text, &wraps))
}

fn add(
    text: &str,
    places: &Places,
    lines: &Lines<'_>,
    mutant: &Mutant,
    span: Bytes,
    wraps: &mut BTreeMap<(usize, usize, &'static str), Wrap>,
) -> Option<()> {
    let number = mutant.number;
    let on = format!("::mutant_switch::on({number})");
    let mut wrap = |around: Bytes, kind: &'static str, after: &'static str, branch: String| {
        let wrap = wraps.entry((around.start, around.end, kind)).or_insert_with(|| Wrap {
            around: around.clone(),
            before: Vec::new(),
            after,
        });
        wrap.before.push((branch, number));
    };
    let instead = |broken: &str| format!("if {on} {{ {broken} }} else ");
    match mutant.genre.as_str() {
        "FnValue" => {
            let (from, to) = mutant.function?;
            let whole = lines.between(from, to)?;
            let early = format!("if {on} {{ return {}; }} ", mutant.replacement);
            // Up to the end of the function, so that what the return makes of its type counts too.
            wrap(span.start..whole.end, "body", "", early);
        }
        "BinaryOperator" => {
            let whole = places.binary.get(&span.start)?.clone();
            let (left, right) = (&text[whole.start..span.start], &text[span.end..whole.end]);
            let broken = format!("{left}{}{right}", mutant.replacement);
            wrap(whole, "expression", "})", instead(&broken));
        }
        "UnaryOperator" => {
            let (whole, operand) = places.unary.get(&span.start)?.clone();
            wrap(whole, "expression", "})", instead(&text[operand]));
        }
        "MatchArmGuard" => wrap(span, "expression", "})", instead(&mutant.replacement)),
        "MatchArm" => match places.arms.get(&span.start)?.clone() {
            (_, Some(guard)) => wrap(guard, "arm", ")", format!("!{on} && (")),
            (end, None) => wrap(end..end, "arm", "", format!(" if !{on} ")),
        },
        _ => return None,
    }
    Some(())
}

fn render(text: &str, wraps: &[Wrap]) -> Woven {
    // At one place what closes comes first, the inner before the outer, then what opens, the outer
    // before the inner. A guard's arm is opened around what is asked instead of the guard.
    let mut order: Vec<(usize, bool, Reverse<usize>, usize)> = Vec::new();
    for (at, wrap) in wraps.iter().enumerate() {
        let arm = usize::from(wrap.after == ")");
        order.push((wrap.around.start, true, Reverse(wrap.around.end * 2 + arm), at));
        if wrap.around.end > wrap.around.start {
            order.push((wrap.around.end, false, Reverse(wrap.around.start * 2 + 1 - arm), at));
        }
    }
    order.sort();
    let mut woven = Woven { text: String::new(), regions: Vec::new() };
    let mut opened = vec![0; wraps.len()];
    let mut copied = 0;
    for (place, opens, _, at) in order {
        let wrap = &wraps[at];
        woven.text.push_str(&text[copied..place]);
        copied = place;
        if opens {
            opened[at] = woven.text.len();
            if wrap.after == "})" {
                woven.text.push('(');
            }
            for (branch, number) in &wrap.before {
                let from = woven.text.len();
                woven.text.push_str(branch);
                woven.regions.push([from, woven.text.len(), *number, 0]);
            }
            if wrap.after == "})" {
                woven.text.push('{');
            }
        } else {
            woven.text.push_str(wrap.after);
            let tight = woven.text.len() - opened[at];
            for (_, number) in &wrap.before {
                woven.regions.push([opened[at], woven.text.len(), *number, tight]);
            }
        }
    }
    woven.text.push_str(&text[copied..]);
    woven
}
