//! Killed at any moment, a thousand times.

use std::{
    collections::BTreeSet,
    fs,
    hash::{BuildHasher, RandomState},
    process::Command,
};

use super::support::{World, json, run_together};

const WORKERS: usize = 4;
const KILLS_EACH: usize = 250;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

/// Xorshift: the same numbers for the same seed.
struct Random(u64);

impl Random {
    /// A number below the limit.
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.below(NAMES.len())]
    }

    /// Any verb that changes something, or becomes a command that would stay.
    fn words(&mut self) -> String {
        let (one, other, number) = (self.name(), self.name(), self.below(3));
        match self.below(8) {
            0..3 => format!("add {one}"),
            3 | 4 => format!("del {one}"),
            5 if one != other => format!("rename {one} {other}"),
            5 | 6 => format!("exec {one} sleep 60"),
            _ if one == other => format!("veth v{number} {one}:v{number}"),
            _ => format!("veth {one}:v{number}=10.0.{number}.1/24,fd00:{number}::1/64 {other}:v{number}"),
        }
    }

    /// Of every length from nothing to what the longest verb takes, short ones as likely as long ones.
    fn spins(&mut self) -> usize {
        let longest = 512 << self.below(7);
        self.below(longest)
    }
}

/// Starts nsnet and kills it, over and over; prints what it said before.
fn worker(seed: u64) -> String {
    let mut random = Random(seed);
    let kills = (0..KILLS_EACH).map(|_| format!("kill_after {} {}\n", random.spins(), random.words()));
    let kill_after = r#"
        exec 2>/dev/null
        kill_after() {
            spins=$1
            shift
            "$NSNET" --json "$@" 2>&1 >/dev/null &
            while [ "$spins" -gt 0 ]; do spins=$((spins - 1)); done
            kill -9 $! || :
            wait $! || :
        }
    "#;
    kill_after.to_owned() + &kills.collect::<String>()
}

/// Processes that a worker started, and what they started.
fn processes_with(marker: &str) -> Vec<String> {
    let environs = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let ours = environs.filter(|process| {
        let environ = fs::read(process.join("environ")).unwrap_or_default();
        environ.split(|&byte| byte == 0).any(|variable| variable == marker.as_bytes())
    });
    ours.map(|process| fs::read_to_string(process.join("cmdline")).unwrap_or_default()).collect()
}

/// What an undisturbed verb may have been refused for by what others did or left half-done.
fn is_an_honest_refusal(line: &str) -> bool {
    let refusal = json(line);
    let (kind, op) = (refusal["kind"].as_str().unwrap_or_default(), refusal["op"].as_str().unwrap_or_default());
    let why = ["exists", "not_found", "not_a_namespace"].contains(&kind);
    why && ["add", "delete", "rename", "rename to", "open namespace", "create veth"].contains(&op)
}

#[test]
fn a_thousand_kills_at_any_moment_leave_nothing_that_does_not_heal() {
    let world = World::shared();
    let seed = std::env::var("NSNET_CHAOS_SEED")
        .ok()
        .map_or_else(|| RandomState::new().hash_one(0), |seed| seed.parse().unwrap());
    eprintln!("to have the same verbs and spins again: NSNET_CHAOS_SEED={seed}");
    let marker = format!("NSNET_CHAOS={}", world.pid());
    let workers = (1..=WORKERS as u64).map(|number| -> Command {
        let mut command = world.command("sh");
        command.args(["-euc", &worker((seed ^ number).max(1))]).env("NSNET_CHAOS", world.pid().to_string());
        command
    });
    for ran in run_together(workers) {
        let refusals = ran.ok();
        let odd: BTreeSet<_> = refusals.lines().filter(|line| !is_an_honest_refusal(line)).collect();
        assert!(odd.is_empty(), "{odd:#?}");
    }
    assert_eq!(processes_with(&marker), [""; 0]);

    for name in NAMES {
        world.ok(&format!("add --if-missing {name}"));
        world.ok(&format!("exec {name} ping -c1 -W2 127.0.0.1"));
    }
    // Two names of one namespace may be left by rename; it goes with the last of them.
    for name in NAMES {
        world.ok(&format!("del --if-exists {name}"));
    }
    assert_eq!(world.sh("ls -A /run/netns; ip -o link show | cut -d: -f2"), " lo\n");
    assert_eq!(world.namespace_mounts(), 0, "{:#?}", world.mounts());
}
