//! libFuzzer's entry to `bodies::forms`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::forms(data));
