#![no_main]

libfuzzer_sys::fuzz_target!(
    init: {
        // The start of a Rust program does the same: a write to a closed pipe is an error.
        // SAFETY: No other thread is there.
        unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
    },
    |data: &[u8]| callsoon_fuzz::run("wire", data)
);
