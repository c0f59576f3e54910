//! libFuzzer's entry to `bodies::flv`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::flv(data));
