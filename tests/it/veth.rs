//! veth: a pair in one line, or nothing.

use nsnet::{Netlink, Netns, VethEnd, VethOptions, netlink::veth};
use serde_json::Value;

use super::support::{World, is_real_root, json};

const PAIR: &str = "a0=10.0.0.1/24,fd00::1/64 red:b0=10.0.0.2/24,fd00::2/64";

/// All that a pair could leave behind, here and in the named namespaces.
fn everything(world: &World) -> String {
    world.sh("ip -d addr; ip netns list-id
              for ns in $(ls /run/netns 2>/dev/null); do
                  echo \"== $ns\"; [ ! -s /run/netns/$ns ] && ip -n $ns -d addr 2>/dev/null && ip -n $ns netns list-id || :
              done")
}

/// What ip says of a namespace, without what differs from run to run: whether the kernel has done
/// with the address that it gives each link by itself.
fn settled(world: &World, ns: &str) -> Value {
    let ip = |args: &str| world.ip_json(&format!("-n {ns} {args}"));
    let mut addr = ip("addr");
    for link in addr.as_array_mut().unwrap() {
        for info in link["addr_info"].as_array_mut().unwrap() {
            if info["scope"] == "link" {
                info.as_object_mut().unwrap().remove("tentative");
            }
        }
    }
    let routes = [ip("route"), ip("route show table local"), ip("-6 route")];
    let mut all = vec![addr, ip("-d link")];
    all.extend(routes);
    Value::Array(all)
}

#[test]
fn the_ends_are_as_six_commands_of_ip_make_them() {
    let (byhand, nsnet) = (World::new(), World::new());
    for world in [&byhand, &nsnet] {
        world.ok("add red blue");
    }
    byhand.sh("one='numtxqueues 1 numrxqueues 1'
        ip -n red link add eth0 address 02:00:00:00:00:01 $one \
            type veth peer name eth0 netns blue address 02:00:00:00:00:02 $one
        ip -n red addr add 10.0.0.1/24 dev eth0; ip -n red addr add 192.168.7.1/30 dev eth0
        ip -n red addr add fd00::1/64 dev eth0 nodad
        ip -n blue addr add 10.0.0.2/24 dev eth0
        ip -n blue addr add fd00::2/64 dev eth0 nodad; ip -n blue addr add fd01::2/128 dev eth0 nodad
        ip -n red link set eth0 up; ip -n blue link set eth0 up
        until ip -n red -br link | grep -q '^eth0.* UP '; do :; done
        until ip -n blue -br link | grep -q '^eth0.* UP '; do :; done");
    nsnet.ok("veth red:eth0=10.0.0.1/24,192.168.7.1/30,fd00::1/64 blue:eth0=10.0.0.2/24,fd00::2/64,fd01::2/128 \
              --mac 02:00:00:00:00:01 02:00:00:00:00:02");
    for ns in ["red", "blue"] {
        assert_eq!(settled(&byhand, ns), settled(&nsnet, ns), "{ns}");
    }
    let addrs = nsnet.sh("ip -n red addr; ip -n blue addr");
    assert!(!addrs.contains("brd 10."), "{addrs}");
    let queues = nsnet.ip_json("-n red -d link show eth0");
    assert_eq!((&queues[0]["num_tx_queues"], &queues[0]["num_rx_queues"]), (&1.into(), &1.into()));
}

#[test]
fn an_end_may_be_in_any_place_that_can_be_named() {
    let world = World::new();
    world.ok("add red blue");
    let held = world.start("exec unshare --net sh -c 'ip link set lo up; echo ready; exec cat'");
    let pid = held.pid();
    let here = format!("--target {} --net", world.pid());
    let red = "--net=/run/netns/red".to_owned();
    let blue = "--net=/run/netns/blue".to_owned();
    let process = format!("--target {pid} --net");
    for (line, first, second) in [
        ("veth a0=10.0.0.1/24 red:a0=10.0.0.2/24".to_owned(), &here, &red),
        ("veth red:eth0=10.0.0.1/24 blue:eth0=10.0.0.2/24".into(), &red, &blue),
        ("veth red:eth0=10.0.0.1/24 .:eth0=10.0.0.2/24".into(), &red, &here),
        ("veth /run/netns/red:x=10.0.0.1/24 blue:x=10.0.0.2/24".into(), &red, &blue),
        (format!("veth pid:{pid}:x=10.0.0.1/24 blue:x=10.0.0.2/24"), &process, &blue),
        (format!("veth /proc/{pid}/ns/net:x=10.0.0.1/24 y=10.0.0.2/24"), &process, &here),
        ("-n red veth x=10.0.0.1/24 blue:y=10.0.0.2/24".into(), &red, &blue),
        ("veth blue:x=10.0.0.1/24 y=10.0.0.2/24 -n red".into(), &blue, &red),
    ] {
        world.ok(&line);
        let pings = world
            .shell(&format!("nsenter {first} ping -q -c1 -W1 10.0.0.2; nsenter {second} ping -q -c1 -W1 10.0.0.1"));
        assert!(pings.status.success(), "{line}\n{pings}");
        world.sh(&format!(
            "nsenter {first} ip -br link show type veth | while IFS=@ read -r name _; do
                               nsenter {first} ip link del $name; done"
        ));
        assert_eq!(world.sh(&format!("nsenter {second} ip link show type veth")), "", "{line}");
    }
    world.ok("-n red veth x=10.0.0.1/24 y=10.0.0.2/24");
    assert_eq!(world.sh("ip -n red -br addr show type veth | wc -l"), "2\n");
    assert_eq!(world.sh("ip link show type veth"), "");
}

#[test]
fn json_says_what_ip_says_of_what_was_made() {
    let world = World::new();
    world.ok("add red");
    let made = json(&world.ok("-j veth a0=10.0.0.1/24,fd00::1/64 red:b0 --mtu 1400"));
    for (row, args, netns) in [(&made[0], "addr show a0", "."), (&made[1], "-n red addr show b0", "red")] {
        let ip = &world.ip_json(args)[0];
        for key in ["ifname", "ifindex", "address", "mtu"] {
            assert_eq!(row[key], ip[key], "{key}: {made} {ip}");
        }
        assert_eq!(row["netns"], netns);
        let carried = ip["addr_info"].as_array().unwrap().iter().filter(|info| info["scope"] == "global");
        let carried: Vec<_> =
            carried.map(|info| format!("{}/{}", info["local"].as_str().unwrap(), info["prefixlen"])).collect();
        assert_eq!(row["addrs"], Value::from(carried));
    }
    assert_eq!(made[0]["mtu"], 1400);
    assert_eq!(world.ok("veth c0 red:c0"), "");
}

#[test]
fn options_are_of_both_ends() {
    let world = World::new();
    world.ok("add red");
    world.ok("veth a0=10.0.0.1/24 red:b0 --mtu 9000 --queues 3 --mac 2:0:0:0:0:a 02:00:00:00:00:0b --down");
    for (args, mac) in [("-d link show a0", "02:00:00:00:00:0a"), ("-n red -d link show b0", "02:00:00:00:00:0b")] {
        let link = &world.ip_json(args)[0];
        assert_eq!((&link["mtu"], &link["address"]), (&9000.into(), &mac.into()));
        assert_eq!((&link["num_tx_queues"], &link["num_rx_queues"]), (&3.into(), &3.into()));
        assert_eq!(link["operstate"], "DOWN");
    }
    world.ok("veth c0=10.1.0.1/24,fd00::1/64 red:c0=10.1.0.2/24,fd00::2/64 --no-wait");
    let flags = |args| world.ip_json(args)[0]["flags"].to_string();
    assert!(flags("link show c0").contains("\"UP\"") && flags("-n red link show c0").contains("\"UP\""));
}

#[test]
fn macs_differ_from_pair_to_pair_and_are_local() {
    let world = World::new();
    world.ok("veth a0 a1");
    world.ok("veth b0 b1");
    let links = world.ip_json("link show type veth");
    let macs: std::collections::BTreeSet<_> =
        links.as_array().unwrap().iter().map(|link| link["address"].as_str().unwrap().to_owned()).collect();
    assert_eq!(macs.len(), 4, "{macs:?}");
    for mac in macs {
        assert_eq!(u8::from_str_radix(&mac[..2], 16).unwrap() & 3, 2, "{mac}");
    }
}

#[test]
fn a_rerun_with_the_same_macs_leaves_the_pair_alone() {
    let world = World::new();
    world.ok("add red blue");
    let line = format!("veth {PAIR} --mac 02:00:00:00:00:01 02:00:00:00:00:02");
    world.ok(&line);
    let before = everything(&world);
    let err = world.fails(1, &line);
    assert!(err.contains("the name 'a0' is taken in the current namespace"), "{err}");
    // The other way round, and with one end elsewhere.
    world.fails(1, "veth red:b0 a0 --mac 02:00:00:00:00:02 02:00:00:00:00:01");
    let err = world.fails(1, "veth blue:x red:b0 --mac 02:00:00:00:00:02 02:00:00:00:00:02");
    assert!(err.contains("the name 'b0' is taken in 'red'"), "{err}");
    assert_eq!(everything(&world), before);
    world.sh("ping -c1 -W1 10.0.0.2");
}

#[test]
fn what_cannot_work_leaves_nothing_and_says_which_end_and_why() {
    let world = World::new();
    world.ok("add red blue");
    world.sh("ip link add here0 type ifb; ip -n red link add red0 type ifb; ip -n blue link add both0 type ifb
              ip link add both0 type ifb; ip -n red link property add dev red0 altname other-name
              touch /run/netns/dead; mkdir /run/netns/foreign
              nsenter --net=/run/netns/blue sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'");
    let before = everything(&world);
    for (code, ends, said) in [
        (
            1,
            "here0 red:b0",
            "cannot create veth 'here0' in the current namespace with peer 'b0' in 'red': \
                             the name 'here0' is taken in the current namespace: File exists (os error 17)",
        ),
        (1, "a0 red:red0", "the name 'red0' is taken in 'red': File exists"),
        (1, "red:red0 a0", "the name 'red0' is taken in 'red': File exists"),
        (1, "red:a0 here0", "the name 'here0' is taken in the current namespace: File exists"),
        (1, "both0 blue:both0", "the name 'both0' is taken in the current namespace: File exists"),
        (1, "red:a0 red:other-name", "the name 'other-name' is taken in 'red': File exists"),
        (1, "here0 red:b0 --mac 2:0:0:0:0:1 2:0:0:0:0:2", "the name 'here0' is taken in the current namespace"),
        (2, "a0=10.0.0.300/24 red:b0", "'10.0.0.300/24'"),
        (2, "a0 red:b0=10.0.0.1", "the length of the prefix is missing, as in '10.0.0.1/24'"),
        (2, "a0=10.0.0.1/33 red:b0", "'10.0.0.1/33'"),
        (2, "a0= red:b0", "cannot use address ''"),
        (2, "a0 red:", "cannot use interface name ''"),
        (2, "a0 red:0123456789abcdef", "'0123456789abcdef'"),
        (2, "a0 red:a%d", "'a%d'"),
        (2, "a0", "2 values required for '<END> <END>...'"),
        (2, "a0 b0 c0", "2 values required for '<END> <END>...'"),
        (2, "a0 b0 --mac 1:0:0:0:0:1 2:0:0:0:0:2", "multicast"),
        (2, "a0 b0 --queues 0", "queues"),
        (1, "a0 none:b0", "cannot open namespace 'none': there is no such name"),
        (1, "none:a0 b0", "cannot open namespace 'none': there is no such name"),
        (1, "a0 dead:b0", "cannot open namespace 'dead': the name is dead"),
        (1, "a0 foreign:b0", "'foreign'"),
        (1, "a0 pid:4194304:b0", "cannot open 'pid:4194304': no such process"),
        (1, "a0 /run/netns/none:b0", "'/run/netns/none'"),
        (2, "a0 a0", "'a0' in the current namespace: both ends have the same name in the same namespace"),
        (2, "red:a0 /run/netns/red:a0", "both ends have the same name in the same namespace"),
        (1, "a0 red:b0 --mtu 67", "an MTU of 67 is not within 68 to 65535 bytes: Invalid argument"),
        (1, "a0 red:b0 --mtu 65536", "an MTU of 65536 is not within 68 to 65535 bytes: Invalid argument"),
    ] {
        let err = world.fails(code, &format!("veth {ends}"));
        assert!(err.contains(said), "{ends}: {err}");
        assert_eq!(everything(&world), before, "{ends}");
    }
    // The kernel gives both an id of the other when it makes a pair, and never takes it back.
    world.ok("veth a0 red:b0");
    world.ok("veth a1 blue:b1");
    world.sh("ip link del a0; ip link del a1");
    let before = everything(&world);
    for (ends, said) in [
        ("a0=10.0.0.1/24,10.0.0.1/24 red:b0", "cannot add address 10.0.0.1/24 to 'a0' in the current namespace: "),
        ("a0=10.0.0.1/24 red:b0=fd00::1/64,fd00::1/64", "cannot add address fd00::1/64 to 'b0' in 'red': "),
        (
            "a0=fd00::1/64 blue:b0=10.0.0.1/24,fd00::2/64",
            "cannot add address fd00::2/64 to 'b0' in 'blue': ipv6: IPv6 is disabled on this device: Permission denied",
        ),
    ] {
        let err = world.fails(1, &format!("veth {ends}"));
        assert!(err.contains(said), "{ends}: {err}");
        assert!(!err.contains("capability"), "{ends}: {err}");
        assert_eq!(everything(&world), before, "{ends}");
    }
    // Where no IPv6 is asked for, none is waited for.
    world.ok("veth a0=10.0.0.1/24 blue:b0=10.0.0.2/24");
}

#[test]
fn without_privilege_it_says_so_and_how_to_get_it() {
    let world = World::new();
    world.ok("add red");
    // An ordinary user; in the tests' user namespace there is no other, but its capabilities can go.
    let drop = if is_real_root() { "--reuid=65534 --regid=65534 --clear-groups" } else { "--bounding-set=-all" };
    let ran = world.shell(&format!("setpriv {drop} $NSNET veth a0 b0"));
    let err = ran.fails(1);
    assert!(err.starts_with("nsnet: cannot create veth 'a0' in the current namespace"), "{err}");
    assert!(err.contains("Operation not permitted (os error 1)\n  "), "{err}");
    assert_eq!(world.sh("ip link show type veth"), "");
}

/// Runs veth once for each system call that it makes after its start, with that call tampered
/// with. Prints a line for each: the call, its exit code, what is left, and its words.
const TAMPERED: &str = r#"
    pair=$1 tamper=$2 calls=$3
    cd /run; $NSNET add red
    strace -f -o trace $NSNET veth $pair
    state() { ip -br addr show type veth; ip -n red -br addr show type veth; }
    # Counts are kept for each thread, as strace keeps them; what libc's own start has too is not ours.
    awk '$2 ~ /^(<|\+)/ { next } { call = $2; sub(/\(.*/, "", call); n = ++seen[$1, call] }
         /\/proc\/thread-self/ { ours = 1 } !done[call, n]++ && ours { print call, n }' trace |
        grep -vE '^exit' | grep -E "^$calls " >cases
    state | awk '{ print $1, $2, $3, $4 }' | sed 's/@if[0-9]*//' >whole
    ip link del a0
    while read -r call n; do
        code=0
        strace -f -qq -o /dev/null -e trace=$call -e inject=$call:$tamper:when=$n $NSNET veth $pair 2>words || code=$?
        state | awk '{ print $1, $2, $3, $4 }' | sed 's/@if[0-9]*//' >left
        if ! [ -s left ]; then left=nothing; elif cmp -s left whole; then left=whole; else left=$(tr '\n' ' ' <left); fi
        [ "$left" = nothing ] || ip link del a0 || ip -n red link del b0
        echo "$call $n|$code|$left|$(tr '\n' ' ' <words)"
    done <cases
"#;

fn tampered(tamper: &str, calls: &str) -> Vec<[String; 4]> {
    let world = World::new();
    let mut command = world.command("sh");
    command.args(["-euc", TAMPERED, "sh", PAIR, tamper, calls]);
    let out = super::support::run(command).ok();
    let row = |line: &str| {
        let mut parts = line.splitn(4, '|').map(str::to_owned);
        std::array::from_fn(|_| parts.next().unwrap_or_default())
    };
    out.lines().map(row).collect()
}

#[test]
fn whatever_system_call_fails_the_pair_is_whole_or_nothing() {
    let mut rows = tampered("error=EIO", ".*");
    // These libc does not survive: its heap, and its locks, on whose failure it aborts.
    rows.retain(|[call, ..]| !call.starts_with("brk ") && !call.starts_with("futex "));
    assert!(rows.len() > 80, "{rows:#?}");
    for calls in ["sendto", "recvfrom", "epoll_wait", "socket", "bind", "setns", "openat", "clone3"] {
        assert!(rows.iter().any(|[call, ..]| call.starts_with(calls)), "{calls} was not tried");
    }
    let wrong: Vec<_> = rows
        .iter()
        .filter(|[_, code, left, words]| match (code.as_str(), left.as_str()) {
            ("0", "whole") => false,
            ("1", "nothing") => !words.starts_with("nsnet: ") || words.contains("panicked"),
            _ => true,
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    // A pair whose making is in doubt is undone too.
    assert!(rows.iter().any(|[call, code, ..]| call == "recvfrom 1" && code == "1"), "{rows:#?}");
}

#[test]
fn lost_events_cost_neither_the_pair_nor_its_readiness() {
    let mut rows = tampered("error=ENOBUFS", "recvfrom");
    // The answer to the request itself comes on a socket that hears no events, so none can be lost.
    rows.retain(|[call, code, left, _]| {
        (call.as_str(), code.as_str(), left.as_str()) != ("recvfrom 1", "1", "nothing")
    });
    let wrong: Vec<_> = rows.iter().filter(|[_, code, left, _]| code != "0" || left != "whole").collect();
    assert!(rows.len() > 10 && wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn interrupted_anywhere_the_pair_is_whole_or_nothing() {
    interrupted("SIGINT", "130");
}

#[test]
fn terminated_anywhere_the_pair_is_whole_or_nothing() {
    interrupted("SIGTERM", "143");
}

fn interrupted(signal: &str, code_then: &str) {
    let rows = tampered(&format!("signal={signal}"), ".*");
    let wrong: Vec<_> = rows
        .iter()
        .filter(|[_, code, left, words]| {
            let whole = code == "0" && left == "whole";
            let nothing = code == code_then && left == "nothing";
            !(whole || nothing) || !words.replace("Terminated", "").trim().is_empty()
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let late = |[call, code, ..]: &&[String; 4]| call.starts_with("sendto ") && code == code_then;
    assert!(rows.len() > 80 && rows.iter().filter(late).count() > 3, "{rows:#?}");
}

#[test]
fn a_storm_of_events_beside_it_costs_no_pair() {
    let world = World::new();
    world.ok("add red");
    // Stopped between two requests; then come more events than a socket holds; then it goes on.
    world.sh(&format!(
        "cd /run; for i in $(seq 400); do echo link add d$i group 9 type ifb; done >storm
         for n in 1 2 3 4 5 6 7 8; do
             strace -f -o trace -e trace=?epoll_wait,epoll_pwait -e inject=?epoll_wait,epoll_pwait:signal=SIGSTOP:when=$n $NSNET veth {PAIR} & strace=$!
             until grep -q 'stopped by SIGSTOP' trace 2>/dev/null; do kill -0 $strace; done
             ip -batch storm; ip link del group 9
             kill -CONT $(sed -n '/stopped by SIGSTOP/{{s/ .*//p;q}}' trace)
             wait $strace
             ping -q -c1 -W1 fd00::2; ip link del a0; rm trace
         done"
    ));
}

#[test]
fn the_first_end_is_operational_when_its_making_returns() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (left, right) = (Netns::unnamed().unwrap(), Netns::unnamed().unwrap());
        let look = Netlink::open(&left).unwrap();
        for round in 0..200 {
            let name = format!("v{round}").parse().unwrap();
            let ends = [VethEnd::new(&left, &name), VethEnd::new(&right, &name)];
            veth::create(&ends, &VethOptions::default()).await.unwrap();
            assert_eq!(look.link(name.as_str()).await.unwrap().operstate, "UP", "round {round}");
        }
    });
}

#[test]
fn the_first_packet_gets_through_both_ways_200_times() {
    let world = World::new();
    world.ok("add red");
    // Each of the four is the first in its turn. Without IPv6 there is less to wait for.
    let log = world.sh(&format!(
        "pings() {{ for turn in $*; do case $turn in
             0) ping -n -c1 -W1 10.0.0.2;;
             1) nsenter --net=/run/netns/red ping -n -c1 -W1 10.0.0.1;;
             2) ping -n -c1 -W1 fd00::2;;
             3) nsenter --net=/run/netns/red ping -n -c1 -W1 fd00::1;;
         esac; done; }}
         for round in $(seq 50); do for order in '0 1' '1 0' '2 3 0 1' '3 2 1 0'; do
             case $order in
                 ???) $NSNET veth a0=10.0.0.1/24 red:b0=10.0.0.2/24;;
                 *) $NSNET veth {PAIR};;
             esac
             pings $order || echo lost in round $round $order
             ip link del a0
         done; done"
    ));
    let times: Vec<f64> =
        log.lines().filter_map(|line| line.split_once("time=")?.1.split_whitespace().next()?.parse().ok()).collect();
    assert_eq!(times.len(), 600, "{log}");
    assert!(times.iter().all(|&ms| ms < 900.0), "{times:?}");
    assert!(!log.contains("lost in"), "{log}");
    assert_eq!(world.sh("ip link show type veth; ip -n red link show type veth; ip route; ip -n red route"), "");
}
