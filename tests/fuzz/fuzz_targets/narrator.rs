//! libFuzzer's entry to `bodies::narrator`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::narrator(data));
