//! libFuzzer's entry to `bodies::annexb`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::annexb(data));
