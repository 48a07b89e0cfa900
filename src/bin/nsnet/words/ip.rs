//! Behind a leading word `ip`, ip's own table of objects holds.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
};

use nsnet::name::escaped;

use super::Misuse;

/// ip's objects in the order in which ip compares them, each with nsnet's word for it where nsnet
/// does it.
const OBJECTS: &[(&str, Option<&str>)] = &[
    ("address", Some("addr")),
    ("addrlabel", None),
    ("maddress", None),
    ("route", Some("route")),
    ("rule", Some("rule")),
    ("neighbor", Some("neigh")),
    ("neighbour", Some("neigh")),
    ("ntable", None),
    ("ntbl", None),
    ("link", Some("link")),
    ("l2tp", None),
    ("fou", None),
    ("ila", None),
    ("macsec", None),
    ("tunnel", None),
    ("tunl", None),
    ("tuntap", None),
    ("tap", None),
    ("token", None),
    ("tcpmetrics", None),
    ("tcp_metrics", None),
    ("monitor", None),
    ("xfrm", None),
    ("mroute", None),
    ("mrule", None),
    ("netns", Some("netns")),
    ("netconf", None),
    ("vrf", None),
    ("sr", None),
    ("nexthop", None),
    ("mptcp", None),
    ("ioam", None),
    ("help", Some("help")),
    ("stats", None),
];

/// Finds nsnet's verb for the object, and what comes after it.
pub fn verb_of(words: &[OsString]) -> Result<(OsString, &[OsString]), Misuse> {
    let Some((first, rest)) = words.split_first() else { return Ok(("help".into(), words)) };
    let fits = |&&(object, _): &&(&str, _)| !first.is_empty() && object.as_bytes().starts_with(first.as_bytes());
    let unknown = || {
        let shown = escaped(first.as_bytes());
        Misuse(format!("the object \"{shown}\" is unknown; 'nsnet help' lists what there is"))
    };
    match OBJECTS.iter().find(fits).ok_or_else(unknown)? {
        (_, Some("netns")) => super::behind_netns(rest),
        (_, Some(own)) => Ok(((*own).into(), rest)),
        (object, None) => Err(Misuse(lacking(object))),
    }
}

/// What nsnet leaves to ip; `None` where ip knows no such object either.
pub fn left_to_ip(word: &OsStr) -> Option<String> {
    let found = OBJECTS.iter().find(|(object, own)| word == *object && own.is_none());
    found.map(|(object, _)| lacking(object))
}

fn lacking(object: &str) -> String {
    let instead = match object {
        "tuntap" | "tap" => "; 'nsnet link add IF type tun' makes one",
        "vrf" => "; 'nsnet link add IF type vrf table N' makes one",
        "tunnel" | "tunl" => "; 'nsnet link add IF type gre|ipip|sit' makes one",
        "monitor" => "; 'nsnet monitor' watches the names of namespaces",
        _ => "",
    };
    format!("nsnet does not do '{object}'; 'ip {object}' of iproute2 does{instead}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verb(line: &str) -> Result<String, String> {
        let words: Vec<OsString> = line.split_ascii_whitespace().map(Into::into).collect();
        verb_of(&words).map(|(verb, _)| verb.into_string().unwrap()).map_err(|e| e.0)
    }

    #[test]
    fn the_first_object_that_fits_is_meant() {
        for (typed, meant) in [
            ("a", "addr"),
            ("addr", "addr"),
            ("r", "route"),
            ("ru", "rule"),
            ("n", "neigh"),
            ("neigh", "neigh"),
            ("l", "link"),
            ("net add x", "add"),
            ("netns", "list"),
            ("", "help"),
        ] {
            assert_eq!(verb(typed).as_deref(), Ok(meant), "{typed}");
        }
        assert!(verb("x").unwrap_err().contains("'ip xfrm' of iproute2 does"));
        assert!(verb("nets").unwrap_err().contains("unknown"));
    }
}
