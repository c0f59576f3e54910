//! libFuzzer's entry to `bodies::server_session`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::server_session(data));
