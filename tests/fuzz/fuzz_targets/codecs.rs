//! libFuzzer's entry to `bodies::codecs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::codecs(data));
