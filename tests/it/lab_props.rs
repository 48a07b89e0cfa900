//! What holds for any lab, on the kernel.

use std::fmt::Write as _;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::support::World;

/// A small lab as a file: nodes, members of two networks, links, and what is told of each.
fn labs() -> impl Strategy<Value = String> {
    let nodes = prop::collection::vec((any::<bool>(), 0..3u8, 0..3u8), 1..4);
    let members = prop::collection::vec((0..4usize, 0..2usize), 0..5);
    let links = prop::collection::vec((0..4usize, 0..4usize, 0..3u8), 0..4);
    (nodes, members, links).prop_map(|(nodes, members, links)| {
        let mut text = String::from("name = \"lab\"\n");
        let names: Vec<String> = (0..nodes.len()).map(|n| format!("n{n}")).collect();
        for (name, (forward, ttl, kinds)) in names.iter().zip(&nodes) {
            write!(text, "[nodes.{name}]\nforward = {forward}\n").unwrap();
            if *ttl > 0 {
                writeln!(text, "sysctl = {{ \"net.ipv4.ip_default_ttl\" = \"{}\" }}", 30 + ttl).unwrap();
            }
            if *kinds > 0 {
                let kind = ["bridge", "vxlan"][usize::from(*kinds) - 1];
                let told = if kind == "vxlan" { "id = 7\ndstport = 4789" } else { "ageing_time = 1000" };
                write!(
                    text,
                    "[nodes.{name}.interfaces.own]\nkind = \"{kind}\"\n{told}\naddrs = [\"10.200.0.{kinds}/24\"]\n"
                )
                .unwrap();
            }
        }
        for network in 0..2 {
            let of = members.iter().filter(|(_, at)| *at == network).map(|(node, _)| names[node % names.len()].clone());
            let mut of: Vec<String> = of.collect();
            of.sort();
            of.dedup();
            let listed: Vec<String> = of.iter().map(|node| format!("\"{node}:net{network}\"")).collect();
            write!(
                text,
                "[networks.lan{network}]\nsubnet = \"10.{network}.0.0/24\"\nmembers = [{}]\n",
                listed.join(", ")
            )
            .unwrap();
        }
        for (n, (one, other, mtu)) in links.iter().enumerate() {
            let (one, other) = (&names[one % names.len()], &names[other % names.len()]);
            if one != other {
                write!(text, "[[links]]\nends = [\"{one}:l{n}=10.9.{n}.1/30\", \"{other}:l{n}=10.9.{n}.2/30\"]\n")
                    .unwrap();
                if *mtu > 0 {
                    writeln!(text, "mtu = {}", 1300 + u32::from(*mtu)).unwrap();
                }
            }
        }
        text
    })
}

/// All that the kernel has of a lab, but for what differs from one making to the next.
fn kernel(world: &World) -> String {
    world.sh(
        "for name in $(ls /run/netns); do echo $name; ip -n $name -d -o link | sed 's/^[0-9]*: //; s/@if[0-9]*//; s/ state [A-Z]* / /;
            s/,LOWER_UP//; s/NO-CARRIER,//; s/link-netns [^ \\\\]*//; s/link-netnsid [0-9]*//; s/_timer *[0-9.]*//g; s/designated_[a-z]* [^ ]*//g;
            s/tso_max_size [0-9]*//; s/altname [^ \\]*//g; s/port_[a-z]* [^ ]*//g; s/bridge_id [^ ]*//; s/state [a-z]* //; s/promiscuity [0-9]*//' | sort
         ip -n $name -o addr | sed '/inet6 fe80/d; s/^[0-9]*: //' | sort; ip -n $name route | sed 's, linkdown,,'; ip -n $name -6 route | sed 's, linkdown,,; /fe80/d'
         ip netns exec $name sh -c 'cat /proc/sys/net/ipv4/ip_default_ttl /proc/sys/net/ipv4/ip_forward'; done
         for file in /run/nsnet/etc/*/*; do echo $file; cat $file; done 2>/dev/null || :",
    )
}

/// Few, because each takes a tenth of a second; `NSNET_CASES` is another number.
fn cases() -> u32 {
    std::env::var("NSNET_CASES").map_or(8, |cases| cases.parse().unwrap())
}

#[test]
fn any_lab_is_as_written_when_it_is_up() {
    let world = World::for_labs();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases()) });
    let result = runner.run(&labs(), |text| {
        world.up(&text);
        prop_assert_eq!(world.drift(), [""; 0]);
        prop_assert_eq!(world.ok("lab plan /run/lab.toml"), "");
        world.ok("lab down lab");
        prop_assert_eq!(world.sh("ls -A /run/netns; find /run/nsnet -path '*/lab.*'"), "");
        Ok(())
    });
    result.unwrap();
}

#[test]
fn any_lab_becomes_any_other_as_if_it_had_always_been_that() {
    let (one, other) = (World::for_labs(), World::for_labs());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases()) });
    let result = runner.run(&(labs(), labs()), |(first, second)| {
        one.up(&first);
        one.up(&second);
        other.up(&second);
        let (changed, fresh) = (kernel(&one), kernel(&other));
        one.ok("lab down lab");
        other.ok("lab down lab");
        let differ = changed.lines().zip(fresh.lines()).find(|(changed, fresh)| changed != fresh);
        prop_assert_eq!((differ, changed.lines().count()), (None, fresh.lines().count()));
        Ok(())
    });
    result.unwrap();
}
