//! libFuzzer's entry to `bodies::live`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::live(data));
