//! libFuzzer's entry to `bodies::flight`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::flight(data));
