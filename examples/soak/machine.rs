//! [`Sample`]: how much of the machine the process takes, as Linux says.

use std::fmt;
use std::fs;
use std::time::Duration;

pub(crate) struct Sample {
    at: Duration,
    resident_kb: u64,
    descriptors: usize,
    threads: usize,
    answers: u64,
}

impl Sample {
    pub(crate) fn now(at: Duration, answers: u64) -> Sample {
        let status = fs::read_to_string("/proc/self/status").expect("Linux");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect(name);
            line.split_whitespace().next().and_then(|word| word.parse().ok()).expect(name)
        };
        let count = |folder: &str| fs::read_dir(folder).expect("Linux").count();
        Sample {
            at,
            resident_kb: field("VmRSS:"),
            descriptors: count("/proc/self/fd"),
            threads: count("/proc/self/task"),
            answers,
        }
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sample { at, resident_kb, descriptors, threads, answers } = self;
        write!(f, "{:.1} {resident_kb} {descriptors} {threads} {answers}", at.as_secs_f64())
    }
}

/// Descriptors and threads are the same after the first fifth as at the end, and memory has grown by a
/// twentieth and a megabyte at most: the allocator's own needs go up and down.
pub(crate) fn assert_flat(samples: &[Sample]) {
    let fifth = samples.len() / 5;
    let (early, late) = (&samples[fifth..2 * fifth], &samples[samples.len() - fifth..]);
    let most = |of: fn(&Sample) -> u64, samples: &[Sample]| samples.iter().map(of).max();
    let ranges: [(&str, fn(&Sample) -> u64, u64); 3] = [
        ("descriptors", |sample| sample.descriptors as u64, 0),
        ("threads", |sample| sample.threads as u64, 0),
        ("kilobytes", |sample| sample.resident_kb, 1024),
    ];
    for (name, of, more) in ranges {
        let (before, after) = (most(of, early).expect("samples"), most(of, late).expect("samples"));
        let bound = if more == 0 { before } else { before + before / 20 + more };
        assert!(after <= bound, "{name}: {before} early, {after} late");
    }
}
