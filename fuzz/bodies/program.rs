//! Conformance programs that a fuzzer makes up: whatever one does, its run neither panics nor
//! hangs, time never goes back in its trace, and in the end every task is done.

use arbitrary::Unstructured;
use serde_json::{Value, json};

use super::common::below;

#[path = "../../tests/conformance/machine/mod.rs"]
pub(super) mod machine;

/// The most statements that a program has, and the greatest depth to which they are nested.
const STATEMENTS: usize = 120;
const DEPTH: usize = 4;

/// Each op with its arguments, a letter for each: see [`Maker::argument`]. Statements that await
/// come last, from `sleep` on: a callback has none of them.
const FORMS: &str = "\
    log:t raise:e fail:e number:n1 add:n1 future:f resettable:f child:ff set_result:f1 \
    set_exception:fe cancel:f cancel_returns:f cancel_with:ft cancel_parent:f reset:f reset:fB \
    state:f result:f exception:f on_done:fC off_done:fC has_callback:fC transfer:ff \
    find_and_apply:fF noncancelled:F spawn:tk task:tk soon:C soon:Ch later:shC call_at:shC \
    cancel_handle:h handle:h cancel_me: cancelling:t uncancel:t holder:Hf holder_add:Htk \
    holder_add_task:Ht holder_pending:H holder_len:H holder_contains:Ht streamer:Sf errors:S \
    no_more_work:S ticker:Ts change_after:Ts queue:qf append:q1 append_done:q remaining:q gen:gG \
    lock:l event:v condition:cl semaphore:m1 bounded_semaphore:m1 barrier:b2 locked:l release:l \
    release:m set_event:v clear_event:v notify:c1 notify_all:c is_set:v channel:x1K \
    put_nowait:x1 get_nowait:x task_done:x qsize:x shutdown:xB shield:ff gather:fF gather:tF \
    group_add:rtk reschedule:os reschedule_at:os when:o expired:o \
    sleep:s await:f await:t call:k return:1 break: repeat:2{ try:{h! try:{! wait_all:F \
    wait_first:F cancel_and_wait:F just_log:!{ with_timeout:k! with_child:ff{ holder_finish:H \
    holder_finish:He with_holder:Hf{ stream_coroutine:Stk stream_generator:StG stream_value:S1 \
    stream_task:St stream:S{ stream_finish:S with_streamer:S{ with_ticker:T{ ticks:T{ \
    ticker_finish:T drain:q{ queue_finish:q anext:g asend:g1 athrow:ge aclose:g stop_gen:g for:g{ \
    acquire:l acquire:m with_lock:l{ wait_event:v cond_wait:c barrier_wait:b put:x1 get:x join:x \
    wait:F as_completed:F!{ each_completed:F!{ wait_for:fs wait_for:ts wait_for_call:ks \
    timeout:os{ timeout_at:os{ task_group:r{";

struct Maker<'a, 'b> {
    data: &'a mut Unstructured<'b>,
    left: usize,
}

impl Maker<'_, '_> {
    fn below(&mut self, count: u64) -> u64 {
        below(self.data, count)
    }

    fn one(&mut self, names: &[&str]) -> Value {
        json!(names[self.below(names.len() as u64) as usize])
    }

    fn block(&mut self, most: usize, depth: usize, callback: bool) -> Value {
        let mut block = Vec::new();
        while block.len() < most && self.left > 0 && !self.data.is_empty() {
            if self.below(8) == 0 {
                break;
            }
            self.left -= 1;
            block.push(self.statement(depth, callback));
        }
        Value::Array(block)
    }

    fn statement(&mut self, depth: usize, callback: bool) -> Value {
        let forms: Vec<&str> = FORMS
            .split_whitespace()
            .take_while(|it| !(callback && it.starts_with("sleep:")))
            .collect();
        let form = forms[self.below(forms.len() as u64) as usize];
        let (op, arguments) = form.split_once(':').expect("an op and its arguments");
        if depth == DEPTH && arguments.contains('{') {
            return json!(["log", "deep"]);
        }
        let mut statement = vec![json!(op)];
        if op == "try" {
            statement.push(self.block(6, depth + 1, callback));
            statement.push(self.handlers(depth, callback));
            return Value::Array(statement);
        }
        for argument in arguments.chars() {
            statement.push(self.argument(argument, depth, callback));
        }
        Value::Array(statement)
    }

    fn handlers(&mut self, depth: usize, callback: bool) -> Value {
        let mut handlers = json!({});
        for name in ["cancelled", "error", "finally"] {
            if self.below(2) == 0 {
                let mut block = self.block(3, depth + 1, callback);
                if name != "finally" && self.below(3) == 0 {
                    block.as_array_mut().expect("a list").push(json!(["reraise"]));
                }
                handlers[name] = block;
            }
        }
        handlers
    }

    fn argument(&mut self, letter: char, depth: usize, callback: bool) -> Value {
        match letter {
            // Futures of every kind, and tasks.
            'f' => self.one(&["f0", "f1", "f2", "f3", "t0", "t1", "main"]),
            't' => self.one(&["t0", "t1", "t2"]),
            'F' => {
                let count = self.below(4);
                (0..count).map(|_| self.argument('f', depth, callback)).collect()
            }
            'e' => self.one(&["E1", "E2", "cancelled", "TimeoutError"]),
            'k' => self.one(&["k0", "k1", "k2"]),
            'C' => self.one(&["b0", "b1", "reporter", "silent_reporter"]),
            'G' => self.one(&["g0", "g1"]),
            'K' => self.one(&["fifo", "lifo", "priority"]),
            '1' => json!(self.below(4)),
            '2' => json!(self.below(5) + 1),
            's' => json!(self.below(9) as f64 / 4.0),
            'B' => json!(self.below(2) == 0),
            '{' => self.block(6, depth + 1, callback),
            '!' => json!({}),
            name => json!(format!("{name}{}", self.below(2))),
        }
    }

    fn program(&mut self) -> Value {
        let bodies = |maker: &mut Self, names: &[&str], callback| {
            let bodies = names.iter();
            bodies.map(|name| (name.to_string(), maker.block(8, 1, callback))).collect::<Value>()
        };
        let coros = bodies(self, &["k0", "k1", "k2"], false);
        let mut gens = bodies(self, &["g0", "g1"], false);
        for body in gens.as_object_mut().expect("bodies by name").values_mut() {
            let body = body.as_array_mut().expect("a list");
            body.insert(body.len() / 2, json!(["yield", 1]));
            body.push(json!(["yield", 2]));
        }
        let callbacks = bodies(self, &["b0", "b1"], true);
        json!({
            "name": "made up",
            "coros": coros,
            "gens": gens,
            "callbacks": callbacks,
            "main": self.block(30, 0, false),
        })
    }
}

pub(crate) fn bytes(data: &[u8]) {
    let program = Maker { data: &mut Unstructured::new(data), left: STATEMENTS }.program();
    let trace = match machine::run(&program) {
        Ok(trace) => trace,
        Err(refusal) => panic!("made up no program: {refusal}: {program}"),
    };
    let times: Vec<u64> = trace
        .iter()
        .map(|line| line.split(' ').next().and_then(|time| time.parse().ok()).expect("a time"))
        .collect();
    assert!(times.is_sorted(), "time goes back: {program}");
    let ended = trace.iter().any(|line| line.contains(" end: main is "));
    let livelock = trace.iter().any(|line| line.ends_with(" end: livelock"));
    let unsupported = trace.iter().any(|line| line.starts_with("0 end: unsupported "));
    assert!(ended || livelock || unsupported, "it never ended: {program}\n{}", trace.join("\n"));
}
