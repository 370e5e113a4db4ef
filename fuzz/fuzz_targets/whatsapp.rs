//! The text of a WhatsApp export.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    passerelle_fuzz::read_as("WhatsApp Chat with X.txt", bytes);
});
