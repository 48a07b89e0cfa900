//! addr: the same lines through ip and nsnet, in twin worlds; then what each shows of both.

use serde_json::Value;

use super::support::{Ran, World, json, same};

/// Links that are the same in both worlds, and make no addresses by themselves. Without a carrier,
/// addresses of `t0` stay tentative.
const LINKS: &str = "
    echo 1 >/proc/sys/net/ipv6/conf/default/addr_gen_mode
    ip link add e0 index 50 address 02:00:00:00:00:50 type veth peer name e1 index 51 address 02:00:00:00:00:51
    ip link add br0 index 52 address 02:00:00:00:00:52 type bridge
    ip link add d0 index 53 address 02:00:00:00:00:53 type ifb
    ip link add t0 index 54 address 02:00:00:00:00:54 type veth peer name t1 index 55 address 02:00:00:00:00:55
    ip link set t0 up
    ip link set d0 master br0; ip link set d0 alias 'a note'; ip link property add dev d0 altname other-name
    ip link set e0 up; ip link set e1 up
    until ip -br link show e0 | grep -q ' UP ' && ip -br link show e1 | grep -q ' UP ' &&
          ip -br link show t0 | grep -q LOWERLAYERDOWN; do :; done";

struct Twins {
    ip: World,
    nsnet: World,
}

impl Twins {
    fn new() -> Self {
        let [ip, nsnet] = [World::new(), World::new()];
        for world in [&ip, &nsnet] {
            world.sh(LINKS);
        }
        Self { ip, nsnet }
    }

    fn ip(&self, line: &str) -> Ran {
        let mut command = self.ip.command("ip");
        command.args(line.split_ascii_whitespace());
        super::support::run(command)
    }

    fn nsnet(&self, line: &str) -> Ran {
        self.nsnet.nsnet(line.split_ascii_whitespace())
    }

    /// Both must end well, or neither; then both hold the same.
    #[track_caller]
    fn both(&self, line: &str) -> [Ran; 2] {
        let both = [self.ip(line), self.nsnet(line)];
        assert_eq!(both[0].status.success(), both[1].status.success(), "{}\n{}", both[0], both[1]);
        // Which of two links got its carrier first, the kernel's own routes tell by their order.
        let state = "ip addr; ip route show table all | sort; ip -6 route show table all | sort";
        let state = |world: &World| steady(&world.sh(state));
        // A carrier, and the routes that the kernel makes with it, come at their own time.
        let alike = || state(&self.nsnet) == state(&self.ip);
        let _ = (0..10).any(|_| alike());
        same(line, &state(&self.nsnet), &state(&self.ip));
        both
    }
}

/// What is shown, without the seconds that go by.
fn steady(text: &str) -> String {
    let word = |word: &str| match word.strip_suffix("sec") {
        Some(number) if number.parse::<i64>().is_ok() => "Nsec".to_owned(),
        _ => word.to_owned(),
    };
    text.split(' ').map(|part| part.split('\n').map(word).collect::<Vec<_>>().join("\n")).collect::<Vec<_>>().join(" ")
}

const GOOD: &[&str] = &[
    "addr add 10.0.0.1/24 dev e0",
    "addr add 10.0.0.2/24 dev e0",
    "addr a 10.0.1.1/24 brd + dev e0",
    "addr add dev e0 10.0.2.1/24 broadcast 10.0.2.255",
    "addr add local 10.0.3.1/24 brd - dev e0",
    "addr add 10.0.4.1/31 brd + dev e0",
    "addr add 10.0.5.1 dev e0",
    "addr add 10.0.6.1/255.255.255.0 dev e0",
    "addr add 10.0.7.1 peer 10.0.7.2 dev e0",
    "addr add 10.0.8.1/24 peer 10.0.9.1/24 dev e0",
    "addr add 10.0.10.1/24 remote 10.0.11.1 dev e0 label e0:1",
    "addr add 10.0.12.1/24 peer 10.0.13.0/24 brd + dev e0",
    "addr add 10.0.14.1/24 scope link dev e0",
    "addr add 10.0.15.1/24 scope host dev e0",
    "addr add 10.0.16.1/24 scope 7 dev e0",
    "addr add 127.0.0.2/8 dev lo",
    "addr add 10.0.17.1/24 dev e0 metric 7",
    "addr add 10.0.18.1/24 dev e0 m 0x10",
    "addr add 10.0.19.1/24 dev e0 pref 9",
    "addr add 10.0.20.1/24 dev e0 noprefixroute",
    "addr add 10.0.21.1/24 dev e0 valid_lft 5000 preferred_lft 4000",
    "addr add 10.0.22.1/24 dev e0 valid_lft forever preferred_lft 4000",
    "addr add 10.0.23.1/24 dev e0 nodad",
    "addr add 10.0.24.1/24 dev e0 tentative",
    "addr add 10.0.25.1/24 dev e0 label e0:long-label1",
    "addr add 10/8 dev e1",
    "addr add fd00::1/64 dev e0 nodad",
    "addr add fd00:1::1 dev e0 nodad",
    "addr add fd00:2::1/64 peer fd00:2::2 dev e0 nodad",
    "addr add fd00:3::1/64 dev e0 nodad noprefixroute",
    "addr add fd00:4::1/64 dev e0 nodad home mngtmpaddr",
    "addr add fd00:5::1/64 dev e0 nodad valid_lft 5000 preferred_lft 0",
    "addr add fd00:6::1/64 dev e0 nodad metric 7",
    "addr add fe80::50/64 dev e0 nodad",
    "addr add fd00:7::1/64 dev e0 nodad scope link",
    "addr add fd00:8::1/64 dev d0 nodad",
    "addr add 239.1.1.1/32 dev e0 autojoin",
    "addr add ff05::77/128 dev e0 autojoin nodad",
    "addr add fd00:d::1/64 dev t0",
    "-4 addr add 10.0.26.1/24 dev e0",
    "-6 addr add fd00:9::1/64 dev e0 nodad",
    "addr add 10.0.27.1/24 dev other-name",
    "addr replace 10.0.0.1/24 dev e0 metric 3",
    "addr replace 10.0.28.1/24 dev e0",
    "addr change 10.0.0.1/24 dev e0 valid_lft 5000 preferred_lft 4000",
    "addr chg 10.0.0.1/24 dev e0",
    "addr change fd00::1/64 dev e0 valid_lft 5000 preferred_lft 4000",
    "addr replace fd00::1/64 dev e0 metric 9",
    "addr replace fd00:a::1/64 dev e0 nodad",
    "addr change fd00:c::1/64 dev d0 nodad",
    "addr del 10.0.5.1/32 dev e0",
    "addr del 10.0.6.1 dev e0",
    "addr delete 10.0.7.1 peer 10.0.7.2 dev e0",
    "addr d 10.0.2.1/24 brd + dev e0",
    "addr del 10.0.10.1/32 peer 10.0.11.1 dev e0",
    "addr del fd00:1::1 dev e0",
    "addr del fd00:3::1/64 dev e0",
    "addr del ff05::77/128 dev e0",
];

const BAD: &[&str] = &[
    "addr add",
    "addr add dev e0",
    "addr add 10.1.0.1/24",
    "addr add 10.1.0.1/24 dev",
    "addr add 10.1.0.1/24 dev none",
    "addr add 10.1.0.1/33 dev e0",
    "addr add 10.1.0.1/ dev e0",
    "addr add 10.1.0.256/24 dev e0",
    "addr add x dev e0",
    "addr add default dev e0",
    "addr add 10.0.0.1/24 dev e0",
    "addr add 10.1.0.1/24 10.1.0.2/24 dev e0",
    "addr add 10.1.0.1/24 dev e0 frob",
    "addr add 10.1.0.1/24 dev e0 scope frob",
    "addr add 10.1.0.1/24 dev e0 scope 256",
    "addr add 10.1.0.1/24 dev e0 brd x",
    "addr add 10.1.0.1/24 dev e0 brd + brd +",
    "addr add 10.1.0.1/24 dev e0 peer fd00::1",
    "addr add 10.1.0.1/24 dev e0 peer 10.1.0.2 peer 10.1.0.3",
    "addr add 10.1.0.1/24 dev e0 metric x",
    "addr add 10.1.0.1/24 dev e0 metric 4294967296",
    "addr add 10.1.0.1/24 dev e0 valid_lft 0",
    "addr add 10.1.0.1/24 dev e0 valid_lft 100",
    "addr add 10.1.0.1/24 dev e0 valid_lft 100 preferred_lft 101",
    "addr add 10.1.0.1/24 dev e0 valid_lft x",
    "addr add 10.1.0.1/24 dev e0 autojoin",
    "addr add fd00:b::1/64 dev e0 brd +",
    "addr add fd00:b::1/129 dev e0",
    "addr add ff05::78/128 dev e0",
    "addr add :: dev e0",
    "addr add ::1 dev e0 nodad",
    "-4 addr add fd00:b::1/64 dev e0",
    "-6 addr add 10.1.0.1/24 dev e0",
    "addr del 10.1.0.1/24 dev e0",
    "addr del 10.0.0.1/25 dev e0",
    "addr del fd00::1/65 dev e0",
    "addr del 10.0.0.1/24 dev e1",
    "addr frob",
    "addr flush",
    "addr flush dev none",
    "addr show dev none",
    "addr show scope frob",
    "addr show to x",
    "-6 addr show to 10.0.0.1",
    "-4 addr show to fd00::1",
    "addr show master none",
    "addr show vrf br0",
    "addr show e0 e1",
    "addr show dev",
];

#[test]
fn addresses_are_made_changed_and_deleted_as_ip_does_it() {
    let twins = Twins::new();
    for line in GOOD {
        let [ip, _] = twins.both(line);
        assert!(ip.status.success(), "{ip}");
    }
    for line in BAD {
        let [ip, nsnet] = twins.both(line);
        assert!(!ip.status.success(), "{ip}");
        assert!(nsnet.err.starts_with("nsnet: ") && nsnet.out.is_empty(), "{nsnet}");
    }
}

const SHOWN: &[&str] = &[
    "addr show",
    "addr",
    "address list",
    "addr show dev e0",
    "addr show e0",
    "addr show other-name",
    "addr show up",
    "addr show e0 up",
    "addr show d0 up",
    "addr show master br0",
    "addr show nomaster",
    "addr show type veth",
    "addr show type bridge_slave",
    "addr show type none",
    "addr show group default",
    "addr show group 7",
    "addr show to 10.0.0.0/16",
    "addr show to 10.0.0.1",
    "addr show to fd00::/16",
    "addr show scope link",
    "addr show scope global",
    "addr show scope host",
    "addr show scope all",
    "addr show scope 7",
    "addr show label e0:*",
    "addr show label e?",
    "addr show permanent",
    "addr show dynamic",
    "addr show -dynamic",
    "addr show tentative",
    "addr show -tentative",
    "addr show primary",
    "addr show secondary",
    "addr show -secondary",
    "addr show temporary",
    "addr show deprecated",
    "addr show -deprecated",
    "addr show nodad",
    "addr show noprefixroute",
    "addr show autojoin",
    "addr show home",
    "addr show mngtmpaddr",
    "addr show dadfailed",
    "addr show dynamic deprecated",
];

/// What of ip's JSON counts: it has an empty object for what it does not show.
fn shown_by_ip(text: &str) -> Value {
    steady_json(&json(text))
}

fn shown_by_nsnet(text: &str) -> Value {
    let strip = |link: &Value| {
        let own = |key: &String| key == "peer_ifname" || key == "link_netns";
        link.as_object().unwrap().iter().filter(|(key, _)| !own(key)).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    json(text).as_array().unwrap().iter().map(strip).map(|link| steady_json(&Value::Object(link))).collect()
}

/// Without the seconds that go by.
fn steady_json(value: &Value) -> Value {
    match value {
        Value::Array(values) => {
            let shown = values.iter().filter(|value| value.as_object().is_none_or(|fields| !fields.is_empty()));
            shown.map(steady_json).collect()
        }
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| match value.as_u64() {
                Some(seconds) if key.ends_with("_life_time") && seconds != u64::from(u32::MAX) => {
                    (key.clone(), 1.into())
                }
                _ => (key.clone(), steady_json(value)),
            };
            Value::Object(fields.iter().map(field).collect())
        }
        other => other.clone(),
    }
}

/// Which links, and their addresses.
fn without_heads(text: &str) -> String {
    let name =
        |line: &str| if line.starts_with(' ') { line.to_owned() } else { line.split('<').next().unwrap().to_owned() };
    let of_addresses = |line: &&str| !line.starts_with("    ") || line.contains("inet") || line.contains("_lft");
    steady(&text.lines().filter(of_addresses).map(name).collect::<Vec<_>>().join("\n"))
}

fn only_addresses(links: &mut Value) {
    for link in links.as_array_mut().unwrap() {
        link.as_object_mut().unwrap().retain(|key, _| key == "ifname" || key == "addr_info");
    }
}

#[test]
fn addresses_are_shown_as_ip_shows_them() {
    let twins = Twins::new();
    let world = &twins.nsnet;
    for line in GOOD.iter().take_while(|line| !line.starts_with("addr del")) {
        twins.nsnet(line).ok();
    }
    for line in SHOWN {
        for options in ["", "-4 ", "-6 ", "-br ", "-br -4 ", "-o ", "-o -6 ", "-N ", "-s ", "-s -s ", "-d ", "-d -4 "] {
            // There, ip does not look at what it is to choose links by.
            let links = ["up", "master", "group", "type", "nomaster"].iter().any(|word| line.contains(word));
            // What is counted goes on where links are up.
            let counting =
                options.contains("-s") && !line.split(' ').any(|word| ["other-name", "d0", "master"].contains(&word));
            let of_kernel = line.contains("nomaster") && options.contains("-4");
            let no_such = (options.contains("-6") && line.contains("to 10"))
                || (options.contains("-4") && line.contains("to fd"));
            if counting || no_such || of_kernel || (links && (options.contains("-o") || options.contains("-6"))) {
                continue;
            }
            let [ours, ip] = [format!("$NSNET {options}{line}"), format!("ip {options}{line}")];
            // With -6, the kernel tells ip less about the links than it tells with -4.
            let heads = options.contains("-6") && !options.contains("-o") && !line.contains(" e0");
            // A link that has no address and is not shown itself is an empty line of ip's.
            let text = |line: &str| match world.sh(line) {
                text if heads => without_heads(&text),
                text => steady(&text).trim_end().to_owned(),
            };
            same(&ip, &text(&ours), &text(&ip));
            let [ours, ip] = [ours.replacen(' ', " -j ", 1), ip.replacen(' ', " -j ", 1)];
            let [mut ours, mut theirs] = [shown_by_nsnet(&world.sh(&ours)), shown_by_ip(&world.sh(&ip))];
            if heads {
                only_addresses(&mut ours);
                only_addresses(&mut theirs);
            }
            same(&ip, &ours.to_string(), &theirs.to_string());
        }
    }
    let all = world.sh("ip addr");
    for seen in
        ["secondary", "dynamic", "deprecated", "peer 10", "label", "metric", "scope 7", "brd", "tentative", "home"]
    {
        let label = seen == "label" && all.contains(" e0:1\n");
        assert!(all.contains(seen) || label, "{seen}: {all}");
    }
}

const FLUSHES: &[&str] = &[
    "addr flush dev e0 scope host",
    "addr flush dev e0 label e0:*",
    "addr flush to 10.0.16.0/20 dev e0",
    "-6 addr flush dev e0 dynamic",
    "addr flush dev e0 secondary",
    "addr flush dev e0 primary to 10.0.0.0/24",
    "-4 addr flush dev e0",
    "addr flush e0",
    "addr flush dev e0",
    "addr flush scope global",
];

#[test]
fn addresses_are_flushed_as_ip_flushes_them() {
    let twins = Twins::new();
    for line in GOOD.iter().take_while(|line| !line.starts_with("addr del")) {
        twins.ip(line).ok();
        twins.nsnet(line).ok();
    }
    for line in FLUSHES {
        let [ip, nsnet] = twins.both(line);
        assert!(ip.status.success() && nsnet.err.is_empty(), "{ip}\n{nsnet}");
    }
    // What ip does not look at when it flushes, nsnet does.
    for line in ["addr add 10.0.0.1/24 dev d0", "addr add 10.0.1.1/24 dev e1"] {
        twins.nsnet(line).ok();
    }
    twins.nsnet("addr flush master br0").ok();
    assert_eq!(twins.nsnet("-br -4 addr show scope global").ok(), "e1@e0            UP             10.0.1.1/24 \n");
    assert_eq!(
        twins.nsnet("-s addr flush dev e1").ok(),
        twins.nsnet.sh("ip addr add 10.0.1.1/24 dev e1; ip -s addr flush dev e1")
    );
    assert_eq!(twins.nsnet("-s addr flush dev e1").ok(), "Nothing to flush.\n");
    assert_eq!(twins.nsnet("-s -j addr flush dev e1").ok(), "[]\n");
}

#[test]
fn lifetimes_are_in_seconds() {
    let twins = Twins::new();
    twins.nsnet("addr add 10.0.0.1/24 dev e0 valid_lft 5000 preferred_lft 4000").ok();
    let addr = &json(&twins.nsnet("-j addr show e0 to 10.0.0.1").ok())[0]["addr_info"][0];
    assert!((4900..=5000).contains(&addr["valid_life_time"].as_u64().unwrap()), "{addr}");
    assert!((3900..=4000).contains(&addr["preferred_life_time"].as_u64().unwrap()), "{addr}");
}

#[test]
fn addresses_are_placed_where_the_device_is() {
    let world = World::new();
    world.ok("add red blue");
    world.ok("veth red:eth0 blue:eth0 --no-wait");
    world.ok("addr add 10.0.0.1/24 dev red:eth0");
    world.ok("-n blue addr add 10.0.0.2/24 dev eth0");
    let place =
        |ns: &str| world.sh(&format!("ip -n {ns} -br -4 addr show eth0")).split_whitespace().last().unwrap().to_owned();
    assert_eq!([place("red"), place("blue")], ["10.0.0.1/24", "10.0.0.2/24"]);
    let shown = json(&world.ok("-j addr show red:eth0"));
    assert_eq!((&shown[0]["link_netns"], &shown[0]["peer_ifname"]), (&"blue".into(), &"eth0".into()));
    assert_eq!(shown[0]["addr_info"][0]["local"], "10.0.0.1");
    assert_eq!(world.ok("addr show dev red:eth0"), world.sh("ip -n red addr show dev eth0"));
    world.ok("addr del 10.0.0.1/24 dev red:eth0");
    assert_eq!(world.sh("ip -n red -4 addr show eth0"), "");
    // With the kernel's own sentence in between, where it has one.
    let err = world.fails(1, "addr add 10.0.0.2/24 dev blue:eth0");
    assert!(err.starts_with("nsnet: cannot add address '10.0.0.2/24' on 'eth0': "), "{err}");
    assert!(err.ends_with(": File exists (os error 17)\n"), "{err}");
    assert_eq!(
        world.fails(1, "addr add 10.0.0.2/24 dev blue:none"),
        "nsnet: cannot find device 'none': No such device (os error 19)\n"
    );
}

#[test]
fn what_does_nothing_is_said() {
    let twins = Twins::new();
    for (line, said) in [
        ("addr add 10.0.0.1/24 dev e0 nodad", "nsnet: warning: 'nodad' is for IPv6 addresses, and does nothing here\n"),
        (
            "addr add 10.0.1.1/24 dev e0 permanent",
            "nsnet: warning: only the kernel sets 'permanent'; it does nothing here\n",
        ),
        (
            "addr del 10.0.0.1 dev e0",
            "nsnet: warning: deleting the first '10.0.0.1' whatever the length of its prefix; '10.0.0.1/32' would be one of this length only\n",
        ),
        ("-q addr del 10.0.1.1 dev e0", ""),
        ("addr add 10.0.0.1 peer 10.0.0.2 dev e0", ""),
    ] {
        let ran = twins.nsnet(line);
        assert_eq!((ran.status.code(), &*ran.err), (Some(0), said), "{line}");
    }
}

#[test]
fn links_whose_names_are_not_text_show_their_addresses() {
    let world = World::new();
    world.sh(r"ip link add $(printf '\377x') index 60 type ifb; ip addr add 10.0.0.1/24 dev $(printf '\377x')");
    let shown = json(&world.ok("-j addr show"));
    let link = shown.as_array().unwrap().iter().find(|link| link["ifindex"] == 60).unwrap();
    let addr = &link["addr_info"][0];
    assert_eq!((&addr["local"], &addr["label"]), (&"10.0.0.1".into(), &"\u{fffd}x".into()));
}
