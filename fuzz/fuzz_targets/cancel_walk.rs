#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| callsoon_fuzz::run("cancel_walk", data));
