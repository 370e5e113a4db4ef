//! The `result.json` of Telegram Desktop.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    passerelle_fuzz::read_as("result.json", bytes);
});
