//! libFuzzer's entry to `bodies::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::config(data));
