//! The walls between the rooms of ARCHITECTURE.md, as far as text can tell.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A word, and the only files below `src` that may use it.
const WALLS: &[(&str, &[&str])] = &[
    ("rtnetlink", &["netlink/"]),
    ("netlink_packet", &["netlink/"]),
    ("netlink_sys", &["netlink/"]),
    ("tokio", &["netlink/", "bin/"]),
    ("libc::", &["sys/", "error.rs", "netlink/", "netns/"]),
    ("unsafe ", &["sys/", "bin/nsnet/allocator.rs"]),
    ("clap", &["bin/nsnet/"]),
    ("serde_json", &["lab/spec/", "lab/clab/", "bin/nsnet/render/", "bin/nsnet/report.rs"]),
    ("toml::", &["lab/"]),
    ("serde_saphyr", &["lab/clab/"]),
    ("annotate_snippets", &["bin/nsnet/render/lab/"]),
    ("println!", &[]),
    ("eprintln!", &[]),
    ("print!", &[]),
    ("process::exit", &[]),
    ("thread::sleep", &[]),
    // clap has commands too.
    (
        "Command::new",
        // newuidmap and newgidmap are set-uid for what the kernel lets no ordinary user do.
        &[
            "bin/nsnet/commands/exec.rs",
            "bin/nsnet/commands/lab/exec.rs",
            "bin/nsnet/batch.rs",
            "bin/nsnet/args/quick.rs",
            "bin/nsnet/complete.rs",
            "isolate/idmap.rs",
            // What a check names.
            "lab/probe/command.rs",
        ],
    ),
    // A command that is told no environment gets the caller's.
    ("std::env", &["bin/nsnet/", "sys/process.rs"]),
    ("io::stdout", &["bin/nsnet/main.rs"]),
    ("io::stderr", &["bin/nsnet/main.rs", "bin/nsnet/report.rs"]),
];

/// Rooms of the library, and the other rooms that each may use.
const DEPENDS: &[(&str, &[&str])] = &[
    ("name.rs", &["error"]),
    ("addr.rs", &["error", "name"]),
    ("error.rs", &[]),
    ("sys/", &[]),
    ("netns/", &["error", "name", "netlink", "sys"]),
    ("netlink/", &["error", "name", "addr", "netns", "sys"]),
    ("inspect/", &["error", "name", "netlink", "netns", "sys"]),
    ("exec/", &["error", "name", "netns", "sys"]),
    ("isolate/", &["error", "name", "addr", "netns", "netlink", "exec", "inspect", "sys"]),
    // What is pure takes plain data of `netlink` (kinds), and knows neither namespaces nor system calls.
    ("lab/state.rs", &["name", "addr", "netlink"]),
    ("lab/problem.rs", &["error"]),
    ("lab/range.rs", &["name"]),
    ("lab/spec/", &["name", "netlink"]),
    ("lab/clab/", &["name", "netlink"]),
    ("lab/check/", &["error", "name", "addr", "netlink"]),
    ("lab/plan/", &["name", "addr", "netlink"]),
    ("lab/step.rs", &["name", "addr", "netlink"]),
    ("lab/", &["error", "name", "addr", "netlink", "netns", "sys", "exec"]),
];

fn source_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { source_files(&path) } else { vec![path] }).collect()
}

/// Paths below `src`, and the code of each without comments and its unit tests.
pub fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        (name, lines.collect::<Vec<_>>().join("\n"))
    };
    let is_code = |path: &PathBuf| !path.ends_with("tests.rs") && !path.ends_with("schema.rs");
    source_files(&root).into_iter().filter(is_code).map(read).collect()
}

#[test]
fn each_dependency_stays_in_its_room() {
    let mut through = Vec::new();
    for (file, code) in sources() {
        for (word, rooms) in WALLS {
            let allowed = rooms.iter().any(|room| file.starts_with(room));
            if !allowed && code.contains(word) {
                through.push(format!("{file}: {word}"));
            }
        }
    }
    assert!(through.is_empty(), "{through:#?}");
}

#[test]
fn rooms_use_only_the_rooms_below_them() {
    let mut through = Vec::new();
    for (file, code) in sources() {
        let Some((_, may_use)) = DEPENDS.iter().find(|(room, _)| file.starts_with(room)) else { continue };
        let own = file.split('/').next().unwrap().trim_end_matches(".rs");
        for room in ["error", "name", "addr", "sys", "netns", "netlink", "exec", "inspect", "isolate", "lab"] {
            let uses = [format!("crate::{room}"), format!("\n    {room}::")].iter().any(|path| code.contains(path));
            if uses && room != own && !may_use.contains(&room) {
                through.push(format!("{file}: {room}"));
            }
        }
    }
    assert!(through.is_empty(), "{through:#?}");
}

#[test]
fn every_test_file_is_part_of_the_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = fs::read_to_string(root.join("main.rs")).unwrap();
    for file in source_files(&root).into_iter().filter(|file| file.extension().is_some_and(|end| end == "rs")) {
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(name == "main" || main.contains(&format!("mod {name};")), "{name} is not in main.rs");
    }
}

/// What is in a directory of the project, sorted.
fn names_in(dir: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_example_lab_is_tried() {
    assert_eq!(
        super::lab_examples::EXAMPLES.map(|(name, _)| format!("{name}.toml")).to_vec(),
        names_in("examples/labs")
    );
}

#[test]
fn links_of_pages_about_labs_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for name in ["tutorial.md", "from-ip-scripts.md", "labs-in-tests.md"] {
        let text = fs::read_to_string(root.join(name)).unwrap();
        let links: Vec<_> = text.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
        assert!(!links.is_empty());
        let dead: Vec<_> = links.iter().filter(|link| !root.join(link).exists()).collect();
        assert!(dead.is_empty(), "{name}: {dead:?}");
    }
}
