//! The `discussions_and_messages.json` of Olvid.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    passerelle_fuzz::read_as("discussions_and_messages.json", bytes);
});
