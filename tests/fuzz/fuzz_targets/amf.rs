//! libFuzzer's entry to `bodies::amf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::amf(data));
