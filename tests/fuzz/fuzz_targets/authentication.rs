//! libFuzzer's entry to `bodies::authentication`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::authentication(data));
