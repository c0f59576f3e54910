//! libFuzzer's entry to `bodies::websocket`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| millstream_fuzz::websocket(data));
