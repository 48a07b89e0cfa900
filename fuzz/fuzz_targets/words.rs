//! Words, one a line: nothing of a command behind `exec NAME` is changed, and misuse is plain text.
#![no_main]

#[path = "../../src/bin/nsnet/iproute2.rs"]
#[allow(dead_code)]
mod iproute2;
#[path = "../../src/bin/nsnet/words/mod.rs"]
#[allow(dead_code)]
mod words;

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let typed: Vec<OsString> = bytes.split(|&b| b == b'\n').map(|word| OsStr::from_bytes(word).into()).collect();
    match words::read(typed.clone()) {
        Ok(words) => assert!(words.argv().any(|word| word == words.verb), "{words:?}"),
        Err(misuse) => assert!(!misuse.0.contains(char::is_control), "{misuse:?}"),
    }
    let command = typed.strip_prefix(&["--".into()]).unwrap_or(&typed);
    let exec = ["exec", "name"].map(OsString::from).into_iter().chain(typed.iter().cloned());
    let words = words::read(exec).unwrap();
    let expected = [&["exec", "--", "name"].map(OsString::from), command].concat();
    assert!(words.argv().eq(expected.iter()), "{words:?}");
    assert!(!words.json);
});
