//! libFuzzer's entry to `bodies::handshake`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::handshake(data));
