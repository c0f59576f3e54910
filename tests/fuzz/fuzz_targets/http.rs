//! libFuzzer's entry to `bodies::http`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::http(data));
