//! `exec`: commands of ip and sysctl say what a node is; all others only run in it.

/// What a command means for the node that it runs in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Address {
        addr: String,
        dev: String,
    },
    Route(String),
    Setting {
        name: String,
        value: String,
    },
    /// What is so without it.
    Nothing,
}

/// What a command means, if it is known.
pub(super) fn meaning(command: &str) -> Option<Meaning> {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.as_slice() {
        ["ip", rest @ ..] => ip(rest),
        ["sysctl", rest @ ..] => sysctl(rest),
        _ => None,
    }
}

fn ip(words: &[&str]) -> Option<Meaning> {
    let words = match words {
        ["-4" | "-6", rest @ ..] => rest,
        words => words,
    };
    match words {
        ["a" | "addr" | "address", "add" | "replace", addr, "dev", dev] if addr.contains('/') => {
            Some(Meaning::Address { addr: (*addr).to_owned(), dev: (*dev).to_owned() })
        }
        ["r" | "ro" | "route", "add" | "replace", rest @ ..] if !rest.is_empty() => {
            Some(Meaning::Route(rest.join(" ")))
        }
        // containerlab's nodes have a default route to the network of docker's.
        ["r" | "ro" | "route", "del" | "delete", "default", ..]
        | ["l" | "link", "set", "dev", _, "up"]
        | ["l" | "link", "set", _, "up"] => Some(Meaning::Nothing),
        _ => None,
    }
}

fn sysctl(words: &[&str]) -> Option<Meaning> {
    let mut words = words.iter().filter(|word| !matches!(**word, "-w" | "-q" | "-qw"));
    let (name, value) = words.next()?.split_once('=')?;
    let is_all = words.next().is_none() && name.starts_with("net.") && !value.is_empty();
    is_all.then(|| Meaning::Setting { name: name.to_owned(), value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_ip_and_sysctl_are_understood_and_no_others() {
        let address = |addr: &str, dev: &str| Some(Meaning::Address { addr: addr.into(), dev: dev.into() });
        assert_eq!(meaning("ip addr add 10.0.0.1/24 dev eth1"), address("10.0.0.1/24", "eth1"));
        assert_eq!(meaning("ip -6 address add fd00::1/64 dev eth1"), address("fd00::1/64", "eth1"));
        assert_eq!(meaning("ip ro add default via 10.0.0.9"), Some(Meaning::Route("default via 10.0.0.9".into())));
        assert_eq!(meaning("ip link set dev eth1 up"), Some(Meaning::Nothing));
        let setting = Meaning::Setting { name: "net.ipv4.ip_forward".into(), value: "1".into() };
        assert_eq!(meaning("sysctl -w net.ipv4.ip_forward=1"), Some(setting));
        for other in [
            "",
            "ip",
            "ip link set eth1 mtu 1400",
            "ip addr add 10.0.0.1 dev eth1",
            "ip addr add 10.0.0.1/24 dev eth1 scope link",
            "ip route add",
            "sysctl -w kernel.hostname=x",
            "sysctl net.ipv4.ip_forward",
            "ping -c 1 h2",
        ] {
            assert_eq!(meaning(other), None, "{other}");
        }
    }
}
