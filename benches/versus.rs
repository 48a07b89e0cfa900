//! nsnet beside ip, nsenter and a C program: whole processes, from start to end.
//!
//! All variants of a row take turns in one run, so that only ratios are compared. `scripts/bench` runs
//! this in a world of its own; the tools it needs are found there. Prints a table, and one JSON
//! line with all raw times to the file that `NSNET_BENCH_RAW` names.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    env,
    fmt::Write as _,
    fs,
    io::Write,
    process::{Command, Stdio},
    time::Instant,
};

/// One way to do the work of a row.
struct Variant {
    name: &'static str,
    /// What only this one needs, behind what all do.
    before: String,
    /// A shell line that is timed by itself, without the shell.
    steps: Vec<Vec<String>>,
}

/// A piece of work, and the ways to do it; the first one is nsnet's.
struct Row {
    name: String,
    /// The most that nsnet may take, as a part of each of the other variants.
    aims: Vec<f64>,
    before: String,
    after: String,
    variants: Vec<Variant>,
}

fn main() {
    let rounds: usize = env::var("NSNET_BENCH_ROUNDS").map_or(30, |rounds| rounds.parse().unwrap());
    let filter = env::args().skip(1).find(|word| !word.starts_with('-'));
    let mut table = Table::new();
    let mut stars_up = Vec::new();
    for row in rows()
        .into_iter()
        .chain(batches())
        .chain([map()])
        .chain(kinds())
        .chain(isolations())
        .chain([50, 200, 1000].into_iter().flat_map(stars))
        .filter(|row| filter.as_ref().is_none_or(|wanted| row.name.contains(wanted.as_str())))
    {
        let times = measure(&row, rounds);
        table.add(&row, &times);
        if row.name.starts_with("lab up: star of") {
            stars_up.push((row.name.clone(), median(&times[0]), median(&times[2])));
        }
        shell("nsnet -q --all del; rm -rf /run/ids /run/bench");
    }
    println!("{}", table.text);
    growth_of_stars(&stars_up);
    growth(rounds.min(20));
    memory();
}

/// What is shipped, which may be built for another C library than this program.
fn nsnet() -> String {
    env::var("NSNET_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_nsnet").into())
}

fn words(line: &str) -> Vec<String> {
    line.split_ascii_whitespace().map(|word| if word == "nsnet" { nsnet() } else { word.into() }).collect()
}

fn variant(name: &'static str, lines: &[&str]) -> Variant {
    Variant { name, before: String::new(), steps: lines.iter().map(|line| words(line)).collect() }
}

impl Variant {
    fn behind(self, before: &str) -> Self {
        Self { before: before.into(), ..self }
    }
}

fn row(name: &str, before: &str, after: &str, aims: &[f64], variants: Vec<Variant>) -> Row {
    Row { name: name.into(), aims: aims.to_vec(), before: before.into(), after: after.into(), variants }
}

/// A world of its own for each run: a namespace in which the commands are carried out, ip by ip, or
/// as a batch of one process.
fn batch(name: &str, aim: f64, lines: &str) -> Row {
    let prepare =
        "ip link add e0 type veth peer name e1; ip link set e0 up; ip link set e1 up; ip addr add 10.0.0.1/8 dev e0";
    let before = format!(
        "mkdir -p /run/bench; {{ {lines}; }} > /run/bench/lines; sed 's/^/ip /' /run/bench/lines > /run/bench/single; \
         nsnet -q del x --if-exists; nsnet add x; nsnet exec --bare x sh -ec '{prepare}'"
    );
    let forced = if name.contains("-force") { "nsnet -n x -force" } else { "nsnet -n x" };
    let theirs = if name.contains("wiring") {
        variant("single ip", &["nsenter --net=/run/netns/x sh -e /run/bench/single"])
    } else {
        variant("ip -batch", &["ip -n x -batch /run/bench/lines"])
    };
    let ours = variant("nsnet -batch", &[&format!("{forced} -batch /run/bench/lines")]);
    row(name, &before, "nsnet -q del x", &[aim], vec![ours, theirs])
}

fn batches() -> Vec<Row> {
    let wiring = "for i in $(seq 200); do echo link add a$i type veth peer name b$i; echo link set a$i up; \
                  echo addr add 10.1.$i.1/24 dev a$i; echo route add 10.2.$i.0/24 dev a$i; \
                  echo neigh add 10.1.$i.2 lladdr 02:00:00:00:00:02 dev a$i; done";
    let links = "for i in $(seq 200); do echo link add a$i type veth peer name b$i; done";
    let addresses =
        "for i in $(seq 200); do for j in 1 2 3 4 5 6 7 8 9 10; do echo addr add 10.1.$i.$j/32 dev e0; done; done";
    let routes =
        "for i in $(seq 200); do for j in 1 2 3 4 5 6 7 8 9 10; do echo route add 10.$j.$i.0/24 dev e0; done; done";
    vec![
        batch("1,000 wiring lines in a batch", 0.15, wiring),
        batch("200 veth pairs in a batch", 1.0, links),
        batch("2,000 addresses in a batch", 0.9, addresses),
        batch("2,000 addresses in a batch, -force", 0.7, addresses),
        batch("2,000 routes in a batch", 0.9, routes),
        batch("2,000 routes in a batch, -force", 0.7, routes),
    ]
}

/// 100 namespaces in a ring, two pairs from each to the next: all of it, and all links one by one.
fn map() -> Row {
    let wired = "nsnet add $(seq -f n%g 100); for n in $(seq 100); do for end in a b; do
                 echo link add name $end netns n$n type veth peer name $end-peer netns n$((n % 100 + 1)); done; done |
                 ip -batch - ";
    let each: Vec<String> = (1..=100).map(|n| format!("ip -n n{n} -j link")).collect();
    let each: Vec<&str> = each.iter().map(String::as_str).collect();
    let variants = vec![variant("nsnet map", &["nsnet -q -j map"]), variant("100 times ip -j link", &each)];
    row("a map of 100 namespaces and 200 links", wired, "nsnet -q --all del", &[0.2], variants)
}

/// A lab of one switch with `n` nodes and the starting namespace on it, beside the same network by other
/// means. Besides, nsnet tries what the kernel has, writes a hosts file for each node, looks again at all of
/// it, and waits for the first packet to get through.
fn stars(n: usize) -> Vec<Row> {
    let file = format!(
        "mkdir -p /run/bench; printf '%s\\n' 'name = \"star\"' '[nodes.\"h[1-{n}]\"]' '[networks.lan]' \
         'subnet = \"10.77.0.0/16\"' 'gateway = \".\"' \
         'members = [\".:gw=10.77.255.254/16\", \"h[1-{n}]\"]' > /run/bench/star.toml"
    );
    let (floor, batch) = (format!("star_floor %s {n}"), format!("star_batch.sh %s {n}"));
    let by = |program: &str, what| program.replace("%s", what);
    let lab = |what: &str| format!("nsnet -q lab {what} /run/bench/star.toml");
    let gone = format!(
        "[ ! -e /run/netns/star.h1 ] || {} >/dev/null; [ ! -e /run/netns/sf1 ] || {}",
        lab("down"),
        by(&floor, "down")
    );
    let there = format!("{file}; {} >/dev/null", lab("up"));
    vec![
        row(
            &format!("lab up: star of {n}"),
            &file,
            &gone,
            &[0.5, 1.15],
            vec![
                variant("nsnet lab up", &[&lab("up")]),
                variant("ip -batch", &[&by(&batch, "up")]),
                variant("C, one process", &[&by(&floor, "up")]),
            ],
        ),
        row(
            &format!("lab down, settled: star of {n}"),
            "",
            &gone,
            &[1.0, 1.0],
            // One star at a time: what the nodes of another have to say, for seconds, is not what is measured.
            vec![
                variant("nsnet lab down", &[&lab("down")]).behind(&there),
                variant("ip -batch", &[&by(&batch, "down")]).behind(&by(&floor, "up")),
                variant("C, one process", &[&by(&floor, "down")]).behind(&by(&floor, "up")),
            ],
        ),
        row(
            &format!("lab up of what is up, and status: star of {n}"),
            &there,
            "",
            &[1.1],
            vec![variant("nsnet lab up", &[&lab("up")]), variant("nsnet lab status", &[&lab("status")])],
        ),
    ]
}

/// Namespaces of every kind.
fn kinds() -> Vec<Row> {
    let own = std::process::id();
    let of_own = [format!("nsnet ns compare {own} {own}"), format!("lsns -p {own}")];
    let [compare, lsns] = of_own.each_ref().map(String::as_str);
    vec![
        row("ns list", "", "", &[0.5], vec![variant("nsnet ns list", &["nsnet ns list"]), variant("lsns", &["lsns"])]),
        row("ns compare", "", "", &[0.1], vec![variant("nsnet ns compare", &[compare]), variant("lsns -p", &[lsns])]),
    ]
}

/// A command in five new namespaces with a `/proc` of its own, in several shapes.
fn isolations() -> Vec<Row> {
    let unshare = || variant("unshare", &["unshare -nuipm -f --mount-proc true"]);
    let bwrap = || variant("bwrap", &["bwrap --unshare-all --dev-bind / / --proc /proc true"]);
    let floor = || variant("C, clone3", &["isolate_floor true"]);
    let ours = |line| variant("nsnet isolate", &[line]);
    vec![
        row(
            "isolate --no-sys",
            "",
            "",
            &[0.9, 0.7, 1.15],
            vec![ours("nsnet isolate --no-sys true"), unshare(), bwrap(), floor()],
        ),
        row("isolate", "", "", &[1.0, 0.7, 1.3], vec![ours("nsnet isolate true"), unshare(), bwrap(), floor()]),
        row(
            "isolate --map-root",
            "",
            "",
            &[1.0],
            vec![ours("nsnet isolate --map-root true"), variant("unshare", &["unshare -Urnuipm -f --mount-proc true"])],
        ),
        row(
            "isolate --veth, first ping answered",
            "",
            "",
            &[0.5],
            vec![
                ours("nsnet isolate --veth h0=10.9.0.1/30 i0=10.9.0.2/30 ping -qc1 10.9.0.1"),
                variant("unshare and six ip", &["isolate_by_hand"]),
            ],
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn rows() -> Vec<Row> {
    let many: String = (1..=200).fold(String::new(), |mut line, i| {
        write!(line, " b{i}").unwrap();
        line
    });
    let all_gone = "nsnet -q --all del";
    let three_thousand = "seq 3000 | sed 's/^/n/' | xargs nsnet add --if-missing --no-lo";
    vec![
        row(
            "add",
            "",
            "nsnet del x",
            &[0.7],
            vec![variant("nsnet add", &["nsnet add x"]), variant("ip", &["ip netns add x"])],
        ),
        row(
            "add --no-lo",
            "",
            "nsnet del x",
            &[0.7],
            vec![variant("nsnet add --no-lo", &["nsnet add --no-lo x"]), variant("ip", &["ip netns add x"])],
        ),
        row(
            "del --no-wait",
            "nsnet add x",
            "",
            &[0.7],
            vec![variant("nsnet del --no-wait", &["nsnet del --no-wait x"]), variant("ip", &["ip netns del x"])],
        ),
        row(
            "add of 200 names",
            "",
            all_gone,
            &[1.15],
            vec![variant("nsnet add", &[&format!("nsnet add{many}")]), variant("C loop", &["add_floor 200 b"])],
        ),
        row(
            "exec",
            "nsnet add --if-missing x",
            "",
            &[1.1, 0.75],
            vec![
                variant("nsnet exec", &["nsnet exec x true"]),
                variant("nsenter --net", &["nsenter --net=/run/netns/x true"]),
                variant("ip netns exec", &["ip netns exec x true"]),
            ],
        ),
        row(
            "exec --bare",
            "nsnet add --if-missing x",
            "",
            &[1.0, 0.75],
            vec![
                variant("nsnet exec --bare", &["nsnet exec --bare x true"]),
                variant("nsenter --net", &["nsenter --net=/run/netns/x true"]),
                variant("ip netns exec", &["ip netns exec x true"]),
            ],
        ),
        row(
            "veth",
            "nsnet add x",
            "nsnet del x",
            &[0.2, 0.3],
            vec![
                variant("nsnet veth", &["nsnet veth v0=10.0.0.1/24 x:v1=10.0.0.2/24"]),
                variant(
                    "six ip, with a move",
                    &[
                        "ip link add v0 type veth peer name v1",
                        "ip link set v1 netns x",
                        "ip addr add 10.0.0.1/24 dev v0",
                        "ip -n x addr add 10.0.0.2/24 dev v1",
                        "ip link set v0 up",
                        "ip -n x link set v1 up",
                    ],
                ),
                variant(
                    "five ip, without",
                    &[
                        "ip link add v0 type veth peer name v1 netns x",
                        "ip addr add 10.0.0.1/24 dev v0",
                        "ip -n x addr add 10.0.0.2/24 dev v1",
                        "ip link set v0 up",
                        "ip -n x link set v1 up",
                    ],
                ),
            ],
        ),
        row(
            "list of 3,000",
            three_thousand,
            "",
            &[0.3],
            vec![variant("nsnet list", &["nsnet list"]), variant("ip", &["ip netns list"])],
        ),
        row(
            "list of 3,000 with ids",
            &format!(
                "{three_thousand}; [ -e /run/ids ] || {{ for i in $(seq 3000); do nsnet set n$i auto; done; touch /run/ids; }}"
            ),
            "",
            &[0.6],
            vec![variant("nsnet list", &["nsnet list"]), variant("ip", &["ip netns list"])],
        ),
    ]
}

/// The slow ones need fewer rounds to be as sure, and of what takes a millisecond or two a few say nothing.
fn rounds_of(row: &Row, rounds: usize, longest_ms: f64) -> usize {
    let slow_to_prepare = row.before.contains("seq") || row.name.contains("200");
    if row.name.contains("star of 1000") {
        rounds.min(5)
    } else if slow_to_prepare {
        rounds.min(20)
    } else if longest_ms < 10.0 {
        5 * rounds
    } else {
        rounds
    }
}

/// All variants take turns, each round beginning with another one, and every other one going backwards: what the kernel
/// clears away behind one takes the time of the next.
fn measure(row: &Row, rounds: usize) -> Vec<Vec<f64>> {
    // They warm the caches.
    let warming = turns(row, 2);
    let longest_ms = warming.iter().map(|times| median(times)).fold(0.0, f64::max);
    let times = turns(row, rounds_of(row, rounds, longest_ms));
    record(row, &times);
    times
}

fn turns(row: &Row, rounds: usize) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::new(); row.variants.len()];
    for round in 0..rounds {
        for turn in 0..row.variants.len() {
            let forwards = (round + turn) % row.variants.len();
            let at = if round % 2 == 0 { forwards } else { row.variants.len() - 1 - forwards };
            shell(&row.before);
            shell(&row.variants[at].before);
            times[at].push(time(&row.variants[at].steps));
            shell(&row.after);
        }
    }
    times
}

fn shell(script: &str) {
    if script.is_empty() {
        return;
    }
    let script = script.replace("nsnet", &nsnet());
    let status = Command::new("sh").args(["-euc", &script]).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{script}");
}

/// In milliseconds.
fn time(steps: &[Vec<String>]) -> f64 {
    let start = Instant::now();
    for step in steps {
        let status = Command::new(&step[0]).args(&step[1..]).stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "{step:?}");
    }
    start.elapsed().as_secs_f64() * 1000.0
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

struct Table {
    text: String,
}

impl Table {
    fn new() -> Self {
        Self { text: "| work | nsnet, ms | against | its ms | ratio | aim |\n|---|---|---|---|---|---|\n".into() }
    }

    fn add(&mut self, row: &Row, times: &[Vec<f64>]) {
        let ours = median(&times[0]);
        for ((variant, times), aim) in row.variants.iter().zip(times).skip(1).zip(&row.aims) {
            let theirs = median(times);
            let ratio = ours / theirs;
            let verdict = if ratio <= *aim { "" } else { " **missed**" };
            writeln!(
                self.text,
                "| {} | {ours:.2} | {} | {theirs:.2} | {ratio:.2} | ≤ {aim}{verdict} |",
                row.name, variant.name
            )
            .unwrap();
        }
    }
}

fn record(row: &Row, times: &[Vec<f64>]) {
    let Some(path) = env::var_os("NSNET_BENCH_RAW") else { return };
    let variants: Vec<_> = row
        .variants
        .iter()
        .zip(times)
        .map(|(variant, times)| serde_json::json!({ "variant": variant.name, "ms": times }))
        .collect();
    let line = serde_json::json!({ "work": row.name, "variants": variants });
    let mut file = fs::File::options().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

/// How many times longer the largest star takes than the one before it, beside the C program's own growth. The
/// aim is of the ratio of both.
fn growth_of_stars(stars: &[(String, f64, f64)]) {
    let [.., (small, ours, theirs), (large, ours_large, theirs_large)] = stars else { return };
    let (ours, theirs) = (ours_large / ours, theirs_large / theirs);
    println!("| growth | nsnet | C, one process | ratio | aim |\n|---|---|---|---|---|");
    println!("| {large}, by {small} | {ours:.2} | {theirs:.2} | {:.2} | ≤ 1.15 |\n", ours / theirs);
}

/// What each verb costs with many names, beside ip: medians in ms.
fn growth(rounds: usize) {
    let verbs = [
        ("add", "", "nsnet add x", "ip netns add x", "nsnet -q del x"),
        ("del --no-wait", "nsnet add x", "nsnet del --no-wait x", "ip netns del x", ""),
        ("list", "", "nsnet list", "ip netns list", ""),
        ("exec", "", "nsnet exec n1 true", "ip netns exec n1 true", ""),
        ("exec --bare", "", "nsnet exec --bare n1 true", "nsenter --net=/run/netns/n1 true", ""),
    ];
    println!("| names | verb | nsnet, ms | ip (nsenter for --bare), ms |\n|---|---|---|---|");
    for names in [10, 300, 3000] {
        shell(&format!("seq {names} | sed 's/^/n/' | xargs nsnet add --if-missing --no-lo"));
        for (verb, before, ours, theirs, after) in verbs {
            let work = row(
                &format!("{verb} among {names}"),
                before,
                after,
                &[],
                vec![variant("nsnet", &[ours]), variant("other", &[theirs])],
            );
            let times = measure(&work, rounds);
            println!("| {names} | {verb} | {:.2} | {:.2} |", median(&times[0]), median(&times[1]));
        }
    }
    println!();
}

/// Peak memory, with 3,000 names there.
fn memory() {
    let lab = "name = \"star\"\n[nodes.\"h[1-1000]\"]\n[networks.lan]\nsubnet = \"10.77.0.0/16\"\nmembers = [\"h[1-1000]\"]\n";
    fs::create_dir_all("/run/bench").unwrap();
    fs::write("/run/bench/star.toml", lab).unwrap();
    println!("| peak memory of a lab of 1,000 nodes | KiB |\n|---|---|");
    for verb in ["up", "status", "down"] {
        println!("| lab {verb} | {} |", peak(&format!("{} -q lab {verb} /run/bench/star.toml", nsnet())));
    }
    println!();
    println!("| peak memory, KiB | nsnet | ip |\n|---|---|---|");
    for (verb, ours, theirs) in [("list of 3,000", "list", "netns list"), ("add", "add m1", "netns add m2")] {
        println!("| {verb} | {} | {} |", peak(&format!("{} {ours}", nsnet())), peak(&format!("ip {theirs}")));
    }
    shell("nsnet -q --all del");
}

fn peak(line: &str) -> u64 {
    let words = words(line);
    let out = Command::new("time").args(["-f", "%M"]).args(words).stdout(Stdio::null()).output().unwrap();
    String::from_utf8_lossy(&out.stderr).trim().parse().unwrap()
}
