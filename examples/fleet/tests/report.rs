//! The output: latencies, the table, the summary, the exit code.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use fleet::client::{Sighting, Tally, Told};
use fleet::protocol::{Color, Label, Serial};
use fleet::report::{Board, Ending, GroupLine, Latencies, Outcome, groups_table, summary};

fn sighting(number: u32) -> Sighting {
    let address = format!("127.0.0.1:{}", 5000 + number).parse().unwrap();
    Sighting { serial: Serial::simulated(number), address }
}

fn told(number: u32, group: &str, power: u16, latency_ms: u64) -> Told {
    let Sighting { serial, address } = sighting(number);
    let color = Color { hue: 0, saturation: 0, brightness: 0, kelvin: 3500 };
    let latency = Duration::from_millis(latency_ms);
    let (label, group) = (Label::new(&number.to_string()), Label::new(group));
    let (vendor, product, attempts) = (1, 27, 3);
    Told { serial, address, label, group, vendor, product, power, color, attempts, latency }
}

/// Five are expected: three answer, the fourth goes silent and the fifth is never seen.
fn board() -> Board {
    let mut board = Board::new((1..=5).map(Serial::simulated).collect());
    (1..=4).for_each(|number| board.see(sighting(number)));
    board.tell(told(1, "Kitchen", 65_535, 10));
    board.tell(told(2, "Hall", 65_535, 20));
    board.tell(told(3, "Kitchen", 0, 30));
    board.give_up(Serial::simulated(4), String::from("no answer"));
    board
}

fn outcome(board: &Board, ending: Ending) -> Outcome {
    let dead = BTreeSet::from([Serial::simulated(5)]);
    Outcome {
        ending,
        seconds: 2.25,
        expected: board.expected(),
        seen: board.seen(),
        rounds: 3,
        answered: board.told().values().cloned().collect(),
        unanswered: board.unanswered(&dead),
        latency_ms: Latencies::of(board.told().values().map(|told| told.latency).collect()),
        packets: Tally { sent: 30, received: 20, known: 9, unasked: 4, foreign: 0, refused: 0 },
        database: PathBuf::from("some.sqlite"),
        run: Some(7),
        unwritten: None,
        failure: None,
        groups: board.groups(),
    }
}

#[test]
fn latencies_are_those_of_the_nearest_rank() {
    let of =
        |times: &[u64]| Latencies::of(times.iter().copied().map(Duration::from_millis).collect());
    assert_eq!(of(&[]), None);
    let one = Latencies { median: 7.0, p90: 7.0, p99: 7.0, slowest: 7.0 };
    assert_eq!(of(&[7]), Some(one));
    let backwards: Vec<u64> = (1..=200).rev().collect();
    let expected = Latencies { median: 100.0, p90: 180.0, p99: 198.0, slowest: 200.0 };
    assert_eq!(of(&backwards), Some(expected));
}

#[test]
fn a_line_says_what_is_known_so_far() {
    let line = board().line();
    assert_eq!(line, "4 of 5 lights seen, 3 have answered, 1 don't answer");
    let line = Board::default().line();
    assert_eq!(line, "0 lights seen, 0 have answered, 0 don't answer");
}

#[test]
fn a_summary_in_full() {
    let mut board = board();
    board.give_up_the_unseen();
    let expected = "\
group      lights   on     ms
Hall            1    1   20.0
Kitchen         2    1   10.0

3 of 5 lights answered in 2.2 s
no answer from
  d073d5000004 at 127.0.0.1:5004: no answer
  d073d5000005: never seen (simulated as dead)
latency: median 20.0 ms, 90 % within 30.0, 99 % within 30.0, slowest 30.0 ms
packets: 30 sent, 20 received; 9 were of lights seen before, 4 late or twice
written to some.sqlite as run 7
";
    assert_eq!(summary(&outcome(&board, Ending::Complete)), expected);
}

#[test]
fn a_summary_names_twenty_and_counts_the_rest() {
    let mut board = Board::new((1..=25).map(Serial::simulated).collect());
    board.give_up_the_unseen();
    let text = summary(&outcome(&board, Ending::Interrupted));
    assert!(text.starts_with("interrupted: 0 of 25 lights answered"), "{text}");
    assert!(text.contains("\n  d073d5000014: never seen\n  and 5 more\n"), "{text}");
    assert!(!text.contains("latency"), "{text}");
}

#[test]
fn an_exit_code_tells_what_came_of_it() {
    let complete = |board: &Board| outcome(board, Ending::Complete).exit_code();
    assert_eq!(complete(&board()), 3, "the fourth is not dead");
    assert_eq!(complete(&Board::default()), 3, "there is none");
    let mut only_the_dead = Board::new(BTreeSet::from([1, 5].map(Serial::simulated)));
    only_the_dead.see(sighting(1));
    only_the_dead.tell(told(1, "Hall", 0, 1));
    only_the_dead.give_up_the_unseen();
    assert_eq!(complete(&only_the_dead), 0);
    assert_eq!(outcome(&only_the_dead, Ending::OutOfTime).exit_code(), 3);
    assert_eq!(outcome(&only_the_dead, Ending::Interrupted).exit_code(), 130);
}

#[test]
fn groups_table_fits_30_columns() {
    let latencies = Latencies { median: 9999.9, p90: 0.0, p99: 0.0, slowest: 0.0 };
    let group = String::from("Conservatory");
    let line = GroupLine { group, lights: 100_000, on: 9_999, latencies: Some(latencies) };
    let table = groups_table(&[line]);
    assert_eq!(table, ["group      lights   on     ms", "Conservat… 100000 9999 9999.9"]);
    assert!(table.iter().all(|row| row.chars().count() <= 30));
}
