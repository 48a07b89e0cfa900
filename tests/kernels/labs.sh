# shellcheck shell=sh
# Labs on this kernel, in words of 'check NAME EXPECTED SEEN'.

code() {
    "$@" >/tmp/said 2>&1
    code=$?
    [ $code = 0 ] || cat /tmp/said >&2
    echo $code
}

# Each example comes up, is as written, holds what it promises, is repaired, and goes.
for file in /tests/labs/*.toml; do
    lab=$(sed -n '/^name = /{s/.*"\(.*\)"/\1/p;q}' "$file")
    check "$lab is good" 0 "$(code nsnet lab check "$file")"
    check "$lab comes up" 0 "$(code nsnet lab up "$file")"
    check "$lab is as written" 0 "$(code nsnet lab status "$file")"
    check "nothing is left to do for $lab" "[]" "$(nsnet -j lab plan "$file" 2>&1)"
    check "$lab keeps its promises" 0 "$(code nsnet lab test "$file")"
    node=$(/bin/ip netns list | sed -n "s/^\($lab\.[a-z0-9][a-z0-9-]*\).*/\1/p" | head -1)
    link=$(/bin/ip -n "$node" -o link show type veth | sed -n '1s/^[0-9]*: \([^@:]*\).*/\1/p')
    /bin/ip -n "$node" link set dev "$link" down
    check "$lab without $link of $node is not as written" 1 "$(code nsnet lab status "$file")"
    check "$lab is repaired" 0 "$(code nsnet lab up "$file")"
    check "$lab is as written again" 0 "$(code nsnet lab status "$file")"
    check "$lab goes" 0 "$(code nsnet lab down "$lab")"
    check "nothing is left of $lab" "" "$(/bin/ip netns list | grep "^$lab\.")"
done

# Before Linux 6.2 a link that is up cannot get another name: it goes down for that.
pair() {
    cat <<LAB
name = "moved"
[nodes.a]
routes = ["default via 10.0.0.2", "fd99::/64 via fd00::2"]
[nodes.b]
[nodes.c]
$2
[[links]]
ends = ["a:eth0=10.0.0.1/24,fd00::1/64", "$1:eth0=10.0.0.2/24,fd00::2/64"]
LAB
}
pair b "" >/tmp/old.toml
pair c "" >/tmp/new.toml
pair c '[[nodes.c.run]]
name = "never"
command = ["/bin/nothing"]' >/tmp/bad.toml
check "a pair comes up" 0 "$(code nsnet lab up /tmp/old.toml)"
until /bin/ip -n moved.a -6 -o addr show eth0 -tentative | grep -q fe80; do :; done
seen() { /bin/ip -n moved.a -o addr show eth0; /bin/ip -n moved.a route; /bin/ip -n moved.a -6 route; }
before=$(seen)
check "what cannot be replaced" 1 "$(code nsnet lab up /tmp/bad.toml)"
# The kernel makes the link-local address again, a little later.
until /bin/ip -n moved.a -6 -o addr show eth0 -tentative | grep -q fe80; do :; done
check "is as it was" "$before" "$(seen)"
check "to its file, too" "[]" "$(nsnet -j lab plan /tmp/old.toml 2>&1)"
check "it still carries packets" 0 "$(code nsnet exec moved.a ping -c1 -W2 10.0.0.2)"
check "a pair is replaced" 0 "$(code nsnet lab up /tmp/new.toml)"
check "by another one" "[]" "$(nsnet -j lab plan /tmp/new.toml 2>&1)"
check "that carries packets" 0 "$(code nsnet exec moved.a ping -c1 -W2 10.0.0.2)"
check "it goes" 0 "$(code nsnet lab down moved)"

# The kernel has room for so many neighbours, of which a lab needs none to come up.
room() { for number in 1 2 3; do echo "$1" >/proc/sys/net/ipv4/neigh/default/gc_thresh$number; shift; done; }
cat >/tmp/crowd.toml <<LAB
name = "crowd"
nodes = { "h[1-12]" = {} }
networks = { lan = { subnet = "10.0.0.0/24", members = ["h[1-12]"] } }
LAB
room 4 8 16
check "a crowd comes up" 0 "$(code nsnet lab up /tmp/crowd.toml)"
check "with a warning" 1 "$(grep -c 'warning: .*room for 16 neighbours (net.ipv4.neigh.default.gc_thresh3), and 24 are' /tmp/said)"
check "as written" 0 "$(code nsnet lab status /tmp/crowd.toml)"
check "the crowd goes" 0 "$(code nsnet lab down crowd)"
room 128 512 1024

# What the kernel refuses beside the old one takes its place all the same: by another name, and told otherwise.
kinds() {
    cat <<LAB
name = "kinds"
[nodes.b]
[[links]]
ends = ["a:eth0=10.0.0.1/24", "b:eth0=10.0.0.2/24"]
mtu = $2
[nodes.a.interfaces]
$1v = { kind = "vlan", id = 7, link = "eth0", addrs = ["fd07::1/$3"] }
$1x = { kind = "vxlan", id = 7, dstport = 4789, remote = "10.0.0.$4", link = "eth0" }
$1g = { kind = "gre", local = "10.0.0.1", remote = "10.0.0.2", ttl = $4 }
$1i = { kind = "ipip", local = "10.0.0.1", remote = "10.0.0.2", ttl = $4 }
$1n = { kind = "geneve", id = 7, remote = "10.0.0.$4" }
$1p = { kind = "ipvlan", link = "eth0" }
LAB
}
for words in "a 1400 64 2" "b 1500 80 3" "b 1300 64 4" "a 1400 64 2"; do
    # shellcheck disable=SC2086 # four words
    kinds $words >/tmp/kinds.toml
    check "kinds of $words come up" 0 "$(code nsnet lab up /tmp/kinds.toml)"
    check "kinds of $words are as written" "[]" "$(nsnet -j lab plan /tmp/kinds.toml 2>&1)"
done
check "the vlan is as large as what it stands on" 1 "$(/bin/ip -n kinds.a -o link show av | grep -c 'mtu 1400')"
check "kinds go" 0 "$(code nsnet lab down kinds)"
