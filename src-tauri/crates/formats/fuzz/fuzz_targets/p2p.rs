#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tributary_formats::invariants::p2p(bytes));
