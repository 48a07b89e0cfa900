//! What the kernel answers: every message of a datagram, and the sentence of an error.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    nsnet::fuzzing::replies(bytes);
    if let Some((flags, echo)) = bytes.split_first_chunk() {
        let sentence = nsnet::fuzzing::sentence(u16::from_ne_bytes(*flags), echo);
        assert!(sentence.is_none_or(|text| !text.contains('\0')));
    }
});
