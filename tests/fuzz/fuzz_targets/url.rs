//! libFuzzer's entry to `bodies::url`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::url(data));
