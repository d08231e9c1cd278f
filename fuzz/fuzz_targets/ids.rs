#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| permission_broker::local::invariant::ids(bytes));
