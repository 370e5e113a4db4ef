//! A zip, whole, cut or hostile, encrypted or not, with whatever export is in it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    passerelle_fuzz::read_file("export.zip", bytes);
});
