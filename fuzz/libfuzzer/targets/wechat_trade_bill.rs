#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| metropay_fuzz::run("wechat_trade_bill", data));
