//! lab adopt: what a script built becomes a lab, and nothing of it changes but the marks.

use super::support::{World, json};

/// Two hosts and a router that is a bridge too, as people build them; a leg into the starting namespace.
const SCRIPT: &str = "
    for ns in r1 h1 h2; do ip netns add $ns; ip -n $ns link set lo up; done
    ip link add eth0 netns h1 address 02:00:00:00:00:11 type veth peer name p1 netns r1
    ip link add eth0 netns h2 mtu 1400 type veth peer name wan netns r1 mtu 1400
    ip link add out type veth peer name up0 netns r1
    ip -n r1 link add br0 type bridge ageing_time 100
    ip -n r1 link set p1 master br0
    ip -n r1 link add vx type vxlan id 7 dstport 4789 remote 10.2.0.2 local 10.2.0.1
    ip -n h1 addr add 10.1.0.2/24 dev eth0; ip -n h1 addr add fd01::2/64 dev eth0 nodad
    ip -n r1 addr add 10.1.0.1/24 dev br0; ip -n r1 addr add 10.2.0.1/24 dev wan
    ip -n r1 addr add 192.0.2.2/30 dev up0; ip addr add 192.0.2.1/30 dev out
    ip -n h2 addr add 10.2.0.2/24 dev eth0
    ip link set out up
    for link in p1 wan up0 br0; do ip -n r1 link set $link up; done
    ip -n h1 link set eth0 up; ip -n h2 link set eth0 up
    ip -n h1 route add default via 10.1.0.1; ip -n h1 route add 10.9.0.0/16 via 10.1.0.1 proto static metric 7
    ip -n h2 route add 10.1.0.0/24 via 10.2.0.1 mtu 1300; ip -n h2 route add blackhole 10.8.0.0/16
    ip -n h1 route add fd02::/64 via fd01::1
    ip netns exec r1 sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
    for end in h1:eth0 h2:eth0 r1:p1 r1:wan r1:up0 r1:br0; do
        until ip -n ${end%:*} link show ${end#*:} | grep -q 'state UP'; do :; done
    done; until ip link show out | grep -q 'state UP'; do :; done";

/// What the kernel has, but for the marks.
const KERNEL: &str = "
    for ns in r1 h1 h2; do
        name=$(ls /run/netns | grep -E \"^(campus[.])?$ns$\"); echo $ns; stat -L -c %i /run/netns/$name
        ip -n $name -d link | sed 's/ group [a-z0-9]*//; s/link-netns[a-z]* [^ ]*//; s/[a-z_]*timer *[0-9.]*//g; /alias/d; /altname/d'; ip -n $name addr | grep inet | grep -v fe80
        ip -n $name route | sed 's/ proto [a-z0-9]*//g'; ip -n $name -6 route | sed 's/ proto [a-z0-9]*//g'
    done; ip -d addr show out | sed 's/ group [a-z0-9]*//; s/link-netns[a-z]* [^ ]*//'";

#[test]
fn up_of_an_adopted_file_plans_nothing_but_the_marks() {
    let world = World::for_labs();
    world.sh(SCRIPT);
    let before = world.sh(KERNEL);
    let adopted = world.nsnet(["lab", "adopt", "--name", "campus", "r1", "h[12]"]);
    assert!(adopted.err.contains("'h1' is called 'campus.h1' now"), "{adopted}");
    assert_eq!(adopted.err.lines().count(), 3, "{adopted}");
    world.lab_file(&adopted.ok());
    let plan = world.ok("lab plan /run/lab.toml");
    assert_eq!(plan, "write file hosts of h1\nwrite file hosts of h2\nwrite file hosts of r1\n");
    super::support::same("the kernel's state", &world.sh(KERNEL), &before);
    assert_eq!(world.ok("lab list"), "campus (3 nodes)\n");
    world.ok("lab up /run/lab.toml");
    assert_eq!(world.drift(), [""; 0]);
    super::support::same("the kernel's state", &world.sh(KERNEL), &before);
    world.ok("lab exec campus/h1 ping -c1 -W1 10.2.0.2");
    // From now on, it is a lab as any other.
    world.sh("ip -n campus.h1 route del default; ip -n campus.r1 link set br0 type bridge ageing_time 200");
    assert_eq!(
        world.drift(),
        ["h1: the route default via 10.1.0.1 dev eth0 is missing", "r1:br0: options of the bridge differ"]
    );
    world.ok("lab up /run/lab.toml");
    world.ok("lab exec campus/h1 ping -c1 -W1 10.2.0.2");
    world.ok("lab down campus");
    assert_eq!(world.sh("ls /run/netns; ip -o link | grep -c ."), "1\n");
    // And it can be made anew from its file.
    world.ok("lab up /run/lab.toml");
    world.ok("lab exec campus/h1 ping -c1 -W1 10.2.0.2");
    world.sh("ping -c1 -W1 192.0.2.2");
}

#[test]
fn a_dry_run_touches_nothing_and_names_are_taken_from_the_lab() {
    let world = World::for_labs();
    world.sh("ip netns add net.a; ip netns add net.b; ip link add x netns net.a type veth peer name y netns net.b");
    let all = "ls -R /run; ip -n net.a -d link; ip -n net.b -d link";
    let before = world.sh(all);
    let dry = world.ok("-j lab adopt --dry-run net.*");
    assert_eq!(world.sh(all), before);
    let said = json(&dry);
    assert_eq!(said["name"], "net");
    assert_eq!(said["links"][0]["ends"], json(r#"["a:x", "b:y"]"#));
    world.ok("lab adopt net.*");
    assert_eq!(world.ok("lab list"), "net (2 nodes)\n");
    // Again, it is the same.
    assert_eq!(json(&world.ok("-j lab adopt net.*")), said);
}

#[test]
fn a_route_without_a_carrier_is_adopted_and_given_back() {
    let world = World::for_labs();
    world.sh("ip netns add a; ip netns add b; ip link add x netns a type veth peer name x netns b
        for ns in a b; do ip -n $ns link set lo up; done
        ip -n a addr add 10.0.0.1/24 dev x; ip -n a link set x up; ip -n a route add default via 10.0.0.2
        ip -n a route show | grep -q linkdown; mkdir /run/netns/l.b");
    let routes = world.sh("ip -n a route");
    // The names come last: marks have been set, and are taken back.
    let err = world.fails(1, "lab adopt --name l a b");
    assert!(err.contains("l.b"), "{err}");
    assert_eq!(world.sh("ip -n a route"), routes);
    world.sh("rmdir /run/netns/l.b");
    world.lab_file(&world.ok("lab adopt --name l a b"));
    assert_eq!(world.sh("ip -n l.a route show default"), "default via 10.0.0.2 dev x proto 110 linkdown \n");
    assert_eq!(world.ok("lab plan /run/lab.toml"), "write file hosts of a\nwrite file hosts of b\n");
}

#[test]
fn what_a_file_cannot_hold_is_named_and_left_alone() {
    let world = World::for_labs();
    world.sh("ip netns add a; ip netns add b; ip netns add other; ip -n a link set lo up; ip -n b link set lo up
        ip link add x netns a type veth peer name x netns b; ip -n a link set x up; ip -n b link set x up
        ip -n a addr add 10.0.0.1/24 dev x; ip -n b addr add 10.0.0.2/24 dev x; ip -n a addr add 10.7.0.1/32 dev lo
        ip link add far netns a type veth peer name far netns other
        ip link add odd netns a mtu 1300 type veth peer name odd netns b
        ip -n a link add br0 type bridge; ip -n a link set far master br0
        if [ -w /dev/net/tun ]; then ip -n a tuntap add tun0 mode tun; fi
        ip -n a route add 10.3.0.0/16 tos 4 via 10.0.0.2; ip -n a route add 10.4.0.0/16 via 10.0.0.2 proto 186
        ip -n a route add 10.5.0.0/16 via 10.0.0.2");
    let left = world.sh("ip -n a link show far; ip -n a link show odd | head -n1; ip -n a route show proto 186; ip -n a addr show lo | grep inet");
    let adopted = world.nsnet(["lab", "adopt", "--name", "l", "a", "b"]);
    // An ordinary user may not have the file that makes them.
    let has_tun = world.shell("test -w /dev/net/tun").status.success();
    let tun = "a:tun0 is not in the file, and is left as it is: it is of kind tun, of which not everything can be told";
    assert_eq!(adopted.err.contains(tun), has_tun, "{adopted}");
    for said in [
        "a:far is not in the file, and is left as it is: its other end is in none of these namespaces",
        "a:odd is not in the file, and is left as it is: its ends have an mtu of 1300 and of 1500, and a file has one",
        "the route 10.3.0.0/16 of a is not in the file, and is left as it is: it says more than a file can",
        "the route 10.4.0.0/16 of a is not in the file, and is left as it is: it is of protocol 186, whose program keeps it",
        "10.7.0.1/32 of a:lo is not in the file, and is left as it is: 'lo' has no addresses there",
    ] {
        assert!(adopted.err.contains(said), "{said}\n{adopted}");
    }
    world.lab_file(&adopted.ok());
    world.ok("lab up /run/lab.toml");
    assert_eq!(world.drift(), [""; 0]);
    assert_eq!(
        world.sh("ip -n l.a link show far; ip -n l.a link show odd | head -n1; ip -n l.a route show proto 186; ip -n l.a addr show lo | grep inet"),
        left
    );
    assert_eq!(world.sh("ls /run/netns"), "l.a\nl.b\nother\n");
}

#[test]
fn what_cannot_be_adopted_is_refused_before_anything_is_touched() {
    let world = World::for_labs();
    world.sh("ip netns add a; ip netns add b; ip netns add 'a b'; ip netns add l.c; ip -n b link set lo alias 'nsnet:lab=z node=b'");
    world.lab_file("name = \"l\"\n[nodes.d]\n");
    world.ok("lab up /run/lab.toml");
    let before = world.sh("ls /run/netns; ip -n a -d link; ip -n b -d link");
    for (code, line, said) in [
        (1, "lab adopt --name x nothing*", "no namespace is called like this"),
        (2, "lab adopt a b", "say what the lab is to be called, by --name"),
        (2, "lab adopt --name x a*", "no node can be called so"),
        (1, "lab adopt --name l a", "there is a lab of this name, with d; choose another by --name"),
        (1, "lab adopt --name x b", "it is a node of a lab already: z/b"),
    ] {
        let err = world.fails(code, line);
        assert!(err.contains(said), "{line}: {err}");
    }
    assert_eq!(world.sh("ls /run/netns; ip -n a -d link; ip -n b -d link"), before);
}

#[test]
fn a_failure_in_the_middle_leaves_everything_as_it_was() {
    let world = World::for_labs();
    world.sh("ip netns add a; ip netns add b; ip link add x netns a type veth peer name x netns b
        ip -n a addr add 10.0.0.1/24 dev x; ip -n a link set x up; ip -n b link set x up; ip -n a route add default via 10.0.0.2
        for ns in a b; do until ip -n $ns link show x | grep -q 'state UP'; do :; done; done
        mkdir /run/netns/l.b");
    let all = "ls /run/netns; ip -n a -d link; ip -n b -d link; ip -n a route";
    let before = world.sh(all);
    let err = world.fails(1, "lab adopt --name l a b");
    assert!(err.contains("l.b"), "{err}");
    assert_eq!(world.sh(all), before);
    world.sh("rmdir /run/netns/l.b");
    world.ok("lab adopt --name l a b");
}

#[test]
fn a_lab_that_is_there_gives_its_file_again_unless_it_has_networks() {
    let world = World::for_labs();
    world.sh("ip netns add t.a; ip netns add t.b; ip -n t.a link set lo up; ip -n t.b link set lo up
        ip link add x netns t.a type veth peer name x netns t.b");
    let file = world.ok("lab adopt t.*");
    world.lab_file(&file);
    world.ok("lab up /run/lab.toml");
    let again = world.nsnet(["lab", "adopt", "t.*"]);
    assert_eq!((again.err.as_str(), again.out.as_str()), ("", file.as_str()), "{again}");
    // What is not the lab's is told.
    world.sh("rm /run/nsnet/etc/t.a/hosts; touch /run/nsnet/etc/t.a/mine");
    let told = world.nsnet(["lab", "adopt", "t.*"]);
    assert!(told.err.contains("'/run/nsnet/etc/t.a' is not the lab's"), "{told}");

    world.lab_file("name = \"net\"\nnodes.a = {}\nnetworks.lan.members = [\"a\"]\n");
    world.ok("lab up /run/lab.toml");
    let err = world.fails(1, "lab adopt net.*");
    assert!(
        err.contains(
            "it holds the networks of lab 'net', which has its file already; 'nsnet lab show net' shows what runs"
        ),
        "{err}"
    );
}

#[test]
fn what_no_file_can_have_is_counted() {
    let world = World::for_labs();
    world.sh("ip netns add n1; ip netns add n2; ip -n n1 link add eth0 type veth peer name eth0 netns n2
        ip -n n1 link set eth0 up; ip -n n1 rule add from 10.0.0.1 table 7; ip -n n1 -6 rule add table 8
        ip -n n1 neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev eth0");
    let adopted = world.nsnet(["lab", "adopt", "--name", "l", "--dry-run", "n[12]"]);
    let said: Vec<&str> = adopted.err.lines().filter(|line| line.contains("no file has")).collect();
    let told = |what: &str| format!("nsnet: warning: {what} are not in the file, and are left as they are");
    assert_eq!(said.len(), 2, "{adopted}");
    assert!(said[0].starts_with(&told("rules of n1 (2)")), "{adopted}");
    assert!(said[1].starts_with(&told("permanent neighbours of n1 (1)")), "{adopted}");
}
