//! What property tests draw from.

use std::{ffi::OsString, os::unix::ffi::OsStringExt};

use proptest::{prelude::*, sample::select};

use crate::{Error, IfAddr, IfName, NsRef};

/// Bytes, most of them such as names, addresses and ends are told apart by.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let telling = select(b"./:=,%@ \t\n\\'-\x1b\0\xc2\x85pid0123456789abcdef".to_vec());
    prop::collection::vec(prop_oneof![9 => telling, 1 => any::<u8>()], 0..40)
}

pub(crate) fn text() -> impl Strategy<Value = String> {
    bytes().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) fn ns_refs() -> impl Strategy<Value = NsRef> {
    let text = (select(vec!["", "/", "pid:"]), bytes()).prop_map(|(start, rest)| [start.as_bytes(), &rest].concat());
    prop_oneof![
        1 => Just(NsRef::Current),
        1 => (1..=u32::MAX).prop_map(NsRef::Pid),
        8 => text.prop_filter_map("no reference", |text| NsRef::new(OsString::from_vec(text)).ok()),
    ]
}

pub(crate) fn if_names() -> impl Strategy<Value = IfName> {
    let letters = select(vec!['a', 'b', '0', '9', '.', '-', '_', '@', '=', ',', '\\', '\u{1b}', '\u{85}', 'é']);
    let text = prop::collection::vec(letters, 1..=15).prop_map(String::from_iter);
    text.prop_filter_map("no interface name", |text: String| text.parse().ok())
}

pub(crate) fn if_addrs() -> impl Strategy<Value = IfAddr> {
    let v4 = (any::<[u8; 4]>(), 0..=32u8).prop_map(|(ip, length)| (ip.into(), length));
    let v6 = (any::<[u16; 8]>(), 0..=128u8).prop_map(|(ip, length)| (ip.into(), length));
    let any = prop_oneof![v4, v6].prop_map(|(ip, length): (std::net::IpAddr, _)| format!("{ip}/{length}"));
    any.prop_filter_map("no address of an interface", |text| text.parse().ok())
}

/// A reference as a user writes it.
pub(crate) fn written(ns: &NsRef) -> Vec<u8> {
    let text = match ns {
        NsRef::Current => ".".into(),
        NsRef::Name(name) => name.as_os_str().to_owned(),
        NsRef::Path(path) => path.clone().into_os_string(),
        NsRef::Pid(pid) => format!("pid:{pid}").into(),
        NsRef::Node(lab, node) => format!("{}/{}", lab.as_str(), node.as_str()).into(),
    };
    text.into_vec()
}

/// Whether all that an error says can be printed as it is.
pub(crate) fn is_plain(error: &Error) -> bool {
    let parts = [error.subject(), error.reason().unwrap_or_default(), &error.to_string()].concat();
    !parts.contains(char::is_control)
}
