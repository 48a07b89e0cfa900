//! ip's words through ip and through nsnet, in twin worlds: the same end, the same state, the same
//! output. Where nsnet means to differ, `docs/differences.md` says so, and is tested line by line.

use serde_json::Value;

use super::support::{World, json};

/// Two worlds alike: `ip` works in one, nsnet in the other.
struct Twins([World; 2]);

/// A carrier, and the routes that the kernel makes with it, come a moment after a link is up: what
/// differs is looked at again. What differs for good still does after so many looks.
const LOOKS: usize = 10;

/// What a line came to.
#[derive(Debug, PartialEq)]
struct Came {
    failed: bool,
    out: String,
    state: Vec<Value>,
}

/// What every world begins with; no address of its own accord, because that would come at its own time.
const BEGIN: &str = "
    for conf in all default; do
        echo 1 > /proc/sys/net/ipv6/conf/$conf/addr_gen_mode
        echo 0 > /proc/sys/net/ipv6/conf/$conf/accept_dad
    done
    ip netns add red; ip netns add blue
    ip link add e0 type veth peer name e1";

/// What is compared after each line, in each namespace.
const STATE: &str = "
    for ns in '' '-n red' '-n blue'; do
        printf 'link\\naddr\\nroute show table all\\nrule\\nneigh\\nneigh show proxy' | ip $ns -d -j -batch -
        printf 'route show table all\\nrule' | ip $ns -6 -d -j -batch -
    done";

impl Twins {
    fn new() -> Self {
        let twins = Self([World::new(), World::new()]);
        for world in &twins.0 {
            world.sh(BEGIN);
        }
        twins
    }

    /// Runs a line in both; `ip` and `nsnet` are left out of it.
    #[track_caller]
    fn both(&self, line: &str) -> [Came; 2] {
        let [ip, nsnet] = &self.0;
        let mut both = [came(ip, "ip", line), came(nsnet, "$NSNET ip", line)];
        for _ in 0..LOOKS {
            if both[0].state == both[1].state {
                break;
            }
            for (came, world) in both.iter_mut().zip(&self.0) {
                came.state = state(&world.sh(STATE));
            }
        }
        both
    }

    /// Each line must come to the same in both. `#` begins a comment, `!` a line that must fail,
    /// `?` one that not every kernel can do.
    #[track_caller]
    fn agree(&self, lines: &str) -> usize {
        let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut differences = Vec::new();
        let mut parted = false;
        let mut count = 0;
        for line in lines {
            let marked = line.split_at_checked(2).filter(|(mark, _)| ["! ", "? "].contains(mark));
            let (mark, words) = marked.unwrap_or(("", line));
            let [ip, nsnet] = self.both(words);
            count += 1;
            if ip.failed != nsnet.failed || (!ip.failed && ip.out != nsnet.out) || (ip.state != nsnet.state && !parted)
            {
                let said = self.0[1].sh("cat /run/err");
                differences.push(format!("{line}\n{}{said}", difference(&ip, &nsnet)));
            } else if mark != "? " && ip.failed != (mark == "! ") {
                differences.push(format!("{line}\n    ip {}", if ip.failed { "fails" } else { "does it" }));
            }
            // What differs once goes on to differ.
            parted = ip.state != nsnet.state;
        }
        assert!(differences.is_empty(), "{} of {count} lines:\n{}", differences.len(), differences.join("\n"));
        count
    }
}

/// What the two came to, where it is not the same.
fn difference(ip: &Came, nsnet: &Came) -> String {
    let mut lines = Vec::new();
    if ip.failed != nsnet.failed {
        lines.push(format!("    failed: ip {}, nsnet {}", ip.failed, nsnet.failed));
    }
    if ip.out != nsnet.out {
        lines.push(format!("    ip:    {}\n    nsnet: {}", ip.out, nsnet.out));
    }
    for (ip, nsnet) in ip.state.iter().zip(&nsnet.state) {
        let (ip, nsnet) = (ip.as_array().unwrap(), nsnet.as_array().unwrap());
        lines.extend(ip.iter().filter(|object| !nsnet.contains(object)).map(|object| format!("    ip:    {object}")));
        lines.extend(nsnet.iter().filter(|object| !ip.contains(object)).map(|object| format!("    nsnet: {object}")));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn came(world: &World, program: &str, line: &str) -> Came {
    let script = format!("{program} {line} >/run/out 2>/run/err && echo 0 || echo 1\n{STATE}");
    let out = world.sh(&script);
    let (end, values) = out.split_once('\n').unwrap();
    let (failed, state) = (end == "1", state(values));
    let mut out = normal_text(&world.sh("cat /run/out"));
    let local_routes = line.contains("table all") || line.contains("table local");
    if line.contains("neigh") || line == "n" || local_routes {
        // The kernel keeps neighbours in a table of its own disorder, and its own routes in the order
        // in which it came to know of each link's carrier.
        let mut lines: Vec<_> = out.lines().collect();
        lines.sort_unstable();
        out = lines.join("\n");
    }
    Came { failed, out, state }
}

fn state(values: &str) -> Vec<Value> {
    values.lines().map(|value| sorted(normal(&json(value)))).collect()
}

/// Own keys of nsnet, and what the kernel does at its own time or by random addresses.
fn is_compared(key: &str) -> bool {
    const LEFT_OUT: [&str; 11] = [
        "operstate",
        "link_netns",
        "peer_ifname",
        "tentative",
        "expires",
        "used",
        "bridge_id",
        "root_id",
        "designated_bridge",
        "designated_root",
        "topology_change",
    ];
    !LEFT_OUT.contains(&key) && !key.ends_with("_timer")
}

const FLAGS_OF_THEIR_OWN_TIME: [&str; 4] = ["NO-CARRIER", "LOWER_UP", "linkdown", "M-DOWN"];

/// The kernel makes the route to an IPv6 address of its own a moment after the address.
fn is_made_later(value: &Value) -> bool {
    let is = |key: &str, wanted: &str| value[key].as_str().is_some_and(|text| text.contains(wanted));
    is("type", "local") && is("table", "local") && is("dst", ":")
}

/// What a list holds, in whatever order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(mut values) => {
            values.retain(|value| !is_made_later(value));
            values.sort_by_cached_key(Value::to_string);
            values.into()
        }
        other => other,
    }
}

/// Without what differs between two runs of ip, too.
fn normal(value: &Value) -> Value {
    match value {
        Value::Array(values) => {
            let keep = |value: &&Value| !value.as_str().is_some_and(|flag| FLAGS_OF_THEIR_OWN_TIME.contains(&flag));
            values.iter().filter(keep).map(normal).collect()
        }
        Value::Object(object) => {
            let keep = object.iter().filter(|(key, _)| is_compared(key));
            keep.map(|(key, value)| match (key.as_str(), value.as_u64()) {
                // They run down: a minute is as good as another.
                ("valid_life_time" | "preferred_life_time", Some(left)) => (key.clone(), (left / 60).into()),
                _ => (key.clone(), normal(value)),
            })
            .collect()
        }
        Value::String(text) if is_random(text) => "MAC".into(),
        other => other.clone(),
    }
}

/// A MAC address that no line gave.
fn is_random(word: &str) -> bool {
    let groups: Vec<_> = word.split(':').collect();
    let mac = groups.len() == 6 && groups.iter().all(|g| g.len() == 2 && u8::from_str_radix(g, 16).is_ok());
    mac && !["02:00:00", "00:00:00:00:00:00", "ff:ff"].iter().any(|given| word.starts_with(given))
}

/// JSON as JSON, text word by word.
fn normal_text(text: &str) -> String {
    if let Ok(value) = serde_json::from_str(text) {
        return sorted(normal(&value)).to_string();
    }
    let line = |line: &str| {
        let mut words: Vec<String> = line.split(' ').map(normal_word).collect();
        let mut after = String::new();
        for word in words.iter_mut().filter(|word| !word.is_empty()) {
            match after.as_str() {
                "state" => *word = "STATE".into(),
                "valid_lft" | "preferred_lft" => *word = seconds(word),
                key if key.ends_with("_timer") || key == "topology_change" => *word = "TIMER".into(),
                _ => {}
            }
            after.clone_from(word);
        }
        // Timers are as wide as they are long.
        words.retain(|word| word != "linkdown" && (!word.is_empty() || !line.contains("_timer")));
        words.join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn normal_word(word: &str) -> String {
    if is_random(word) {
        return "MAC".into();
    }
    if word.split_once('.').is_some_and(|(priority, mac)| priority.len() == 4 && mac.split(':').count() == 6) {
        return "BRIDGE".into();
    }
    let Some(flags) = word.strip_prefix('<').and_then(|flags| flags.strip_suffix('>')) else {
        return if ["UP", "DOWN", "LOWERLAYERDOWN", "UNKNOWN"].contains(&word) { "STATE".into() } else { word.into() };
    };
    flags.split(',').filter(|flag| !FLAGS_OF_THEIR_OWN_TIME.contains(flag)).collect::<Vec<_>>().join(",")
}

fn seconds(word: &str) -> String {
    let left = word.strip_suffix("sec").and_then(|left| left.parse::<u64>().ok());
    left.map_or_else(|| word.to_owned(), |left| format!("{} min", left / 60))
}

#[test]
fn rules() {
    assert!(Twins::new().agree(include_str!("wiring/rule.txt")) >= 100);
}

#[test]
fn addresses() {
    assert!(Twins::new().agree(include_str!("wiring/addr.txt")) >= 100);
}

#[test]
fn routes() {
    assert!(Twins::new().agree(include_str!("wiring/route.txt")) >= 100);
}

#[test]
fn neighbours() {
    assert!(Twins::new().agree(include_str!("wiring/neigh.txt")) >= 60);
}

#[test]
fn links() {
    assert!(Twins::new().agree(include_str!("wiring/link.txt")) >= 150);
}

/// Rows of the table: a command line, and whether it fails with ip and with nsnet.
fn differences() -> Vec<(String, [bool; 2])> {
    let text = include_str!("../../docs/differences.md");
    let row = |line: &str| {
        let cells: Vec<_> = line.split(" | ").map(|cell| cell.trim_matches(['|', ' ']).to_owned()).collect();
        let line = cells[0].trim_matches('`').to_owned();
        let fails = |cell: &str| match cell {
            "fails" => true,
            "works" => false,
            other => panic!("{line}: {other}"),
        };
        (line.clone(), [fails(&cells[1]), fails(&cells[2])])
    };
    text.lines().filter(|line| line.starts_with("| `")).map(row).collect()
}

#[test]
fn differences_are_as_documented() {
    let rows = differences();
    assert!(rows.len() >= 5);
    for (line, fails) in rows {
        let twins = Twins::new();
        for world in &twins.0 {
            world.sh("ip link add name a type ifb");
        }
        let [ip, nsnet] = twins.both(&line);
        assert_eq!([ip.failed, nsnet.failed], fails, "{line}: {}", twins.0[1].sh("cat /run/err"));
    }
}
