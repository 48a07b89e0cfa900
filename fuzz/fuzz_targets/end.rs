//! An end or a device is refused in plain text, or is what was written.
#![no_main]

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use libfuzzer_sys::fuzz_target;
use nsnet::{Device, End, Error, IfAddr, NsRef};

fuzz_target!(|bytes: &[u8]| {
    let text = OsStr::from_bytes(bytes);
    match End::new(text) {
        Ok(end) => assert_eq!(End::new(OsStr::from_bytes(&written(&end))).unwrap(), end),
        Err(error) => assert_plain(&error),
    }
    match Device::new(text) {
        Ok(device) => assert!(bytes.ends_with(device.name.as_bytes())),
        Err(error) => assert_plain(&error),
    }
});

fn written(end: &End) -> Vec<u8> {
    let place = match &end.ns {
        None => Vec::new(),
        Some(NsRef::Current) => b".:".to_vec(),
        Some(NsRef::Name(name)) => [name.as_os_str().as_bytes(), b":"].concat(),
        Some(NsRef::Path(path)) => [path.as_os_str().as_bytes(), b":"].concat(),
        Some(NsRef::Pid(pid)) => format!("pid:{pid}:").into_bytes(),
        Some(NsRef::Node(lab, node)) => format!("{}/{}:", lab.as_str(), node.as_str()).into_bytes(),
        Some(other) => panic!("{other}"),
    };
    let addrs: Vec<_> = end.addrs.iter().map(IfAddr::to_string).collect();
    let equals = if addrs.is_empty() { "" } else { "=" };
    [&place, end.ifname.as_str().as_bytes(), equals.as_bytes(), addrs.join(",").as_bytes()].concat()
}

fn assert_plain(error: &Error) {
    let text = format!("{error}{}{}", error.subject(), error.reason().unwrap_or_default());
    assert!(!text.contains(char::is_control), "{text:?}");
}
