#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| metropay_fuzz::run("notice_headers", data));
