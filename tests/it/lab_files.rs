//! Lab files: what good ones mean, and what is said of bad ones.
//!
//! Beside each file of `tests/labs` lies what it comes to. With `NSNET_GENERATE` in the environment,
//! these tests write it instead.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use nsnet::{
    IfName,
    lab::{Lab, LinkState, LinkWhat, Place, Space, Spec},
};

use super::support::{Ran, nsnet, run};

/// The files of a directory of `tests/labs`, in the order of their names.
fn files(dir: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/labs").join(dir);
    let files = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.sort();
    assert!(files.len() > 5, "only {files:?}");
    files
}

/// Compares with what is kept beside a file.
#[track_caller]
fn is_as_kept(file: &Path, end: &str, made: &str) {
    let kept = file.with_extension(end);
    if std::env::var_os("NSNET_GENERATE").is_some() {
        fs::write(&kept, made).unwrap();
    }
    let kept_text = fs::read_to_string(&kept).unwrap_or_default();
    assert!(kept_text == made, "{}:\n{made}", kept.display());
}

const MANUAL: &str = include_str!("../../man/nsnet-lab.5");

/// The examples of the manual page as they are typed.
fn examples() -> Vec<String> {
    let blocks = MANUAL.split(".EX\n").skip(1).map(|rest| rest.split(".EE\n").next().unwrap());
    blocks.map(|block| block.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")).collect()
}

#[test]
fn every_example_of_the_manual_is_a_good_lab() {
    let examples = examples();
    assert!(examples.len() > 15, "only {} examples", examples.len());
    for example in examples {
        // All but the first leave the name to the reader.
        let named = example.starts_with("name = ");
        let text = if named { example } else { format!("name = \"example\"\n{example}") };
        Lab::read(&text).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"));
    }
}

/// The keys that may stand where this text has one that may not.
fn keys_beside(text: &str) -> Vec<String> {
    let problems = Lab::read(text).unwrap_err();
    let hint = problems.iter().find(|problem| problem.message.contains("zzzzzzzz")).unwrap().hint.clone().unwrap();
    let (_, keys) = hint.split_once("here: ").unwrap_or_else(|| panic!("{hint}"));
    keys.split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_is_in_the_manual_and_in_an_example_of_it() {
    let tables =
        ["", "[nodes.a]", "[networks.a]", "[[links]]", "[[checks]]", "[[nodes.a.run]]", "[nodes.a.interfaces.a]"];
    let kinds = nsnet::Kind::WORDS
        .into_iter()
        .filter(|kind| *kind != "netkit")
        .map(|kind| format!("[nodes.a.interfaces.a]\nkind = \"{kind}\""));
    let texts = tables.iter().map(|table| (*table).to_owned()).chain(kinds);
    let examples = examples().concat();
    let words: HashSet<&str> = examples.split(|c: char| !c.is_alphanumeric() && !"_-".contains(c)).collect();
    let mut seen = 0;
    for text in texts {
        for key in keys_beside(&format!("name = \"a\"\n{text}\nzzzzzzzz = 1\n")) {
            let shown = key.replace('-', "\\-");
            let is_there = MANUAL.split_whitespace().any(|word| word == shown);
            assert!(is_there, "{key} of '{text}' is not in man/nsnet-lab.5");
            assert!(words.contains(key.as_str()) || key == "stp_state", "{key} has no example");
            seen += 1;
        }
    }
    assert!(seen > 200, "only {seen} keys");
}

/// nsnet beside a file, so that it is called by its name alone.
fn beside(file: &Path, args: &[&str]) -> Ran {
    let mut command = Command::new(nsnet());
    command.args(args).arg(file.file_name().unwrap()).current_dir(file.parent().unwrap()).stdin(Stdio::null());
    run(command)
}

#[test]
fn good_files_mean_what_is_kept_beside_them() {
    for file in files("good") {
        let lab =
            Lab::read(&fs::read_to_string(&file).unwrap()).unwrap_or_else(|e| panic!("{}: {e:#?}", file.display()));
        is_as_kept(&file, "meant.json", &(serde_json::to_string_pretty(&lab).unwrap() + "\n"));
    }
}

#[test]
fn bad_files_are_told_all_that_is_wrong_at_once() {
    for file in files("bad") {
        let ran = beside(&file, &["lab", "check"]);
        assert_eq!((ran.status.code(), ran.err.as_str()), (Some(1), ""), "{}", file.display());
        is_as_kept(&file, "problems", &ran.out);
    }
}

#[test]
fn good_files_are_shown_and_drawn_as_is_kept_beside_them() {
    for file in files("good") {
        let shown = beside(&file, &["lab", "show"]).ok() + "\n" + &beside(&file, &["lab", "graph"]).ok();
        is_as_kept(&file, "shown", &shown);
        let svg = beside(&file, &["lab", "graph", "--svg", "-"]).ok();
        assert!(roxmltree::Document::parse(&svg).is_ok(), "{}", file.display());
    }
}

#[test]
fn topologies_of_containerlab_become_what_is_kept_beside_them() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/labs/clab");
    let plain = dir.join("plain.clab.yml");
    let ran = beside(&plain, &["lab", "import"]);
    is_as_kept(&plain, "toml", &ran.out);
    is_as_kept(&plain, "warnings", &ran.err);
    assert_eq!(ran.status.code(), Some(0));
    Lab::read(&ran.out).unwrap();
    let spec: Spec = Spec::read(&beside(&plain, &["-q", "-j", "lab", "import"]).ok()).unwrap();
    assert_eq!(spec, Spec::read(&ran.out).unwrap());
    let bad = dir.join("bad.clab.yml");
    let ran = beside(&bad, &["lab", "import"]);
    assert_eq!((ran.status.code(), ran.out.as_str()), (Some(1), ""));
    is_as_kept(&bad, "problems", &ran.err);
}

#[test]
fn a_lab_comes_back_from_containerlab_with_the_same_links_addresses_and_routes() {
    for file in files("good") {
        let there = beside(&file, &["-q", "lab", "show", "--clab"]).ok();
        let back = fed(&["-q", "lab", "import", "-"], &there).ok();
        let (first, second) = (Lab::read(&fs::read_to_string(&file).unwrap()).unwrap(), Lab::read(&back).unwrap());
        let names = |lab: &Lab| lab.nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&first), names(&second), "{}", file.display());
        for node in names(&first) {
            let space = |lab: &Lab| lab.state.spaces[&Place::Node(node.clone())].clone();
            let (mut first, second) = (space(&first), space(&second));
            // What has no place in a topology, and all that leads through it.
            first.links.retain(|_, link| matches!(link.what, LinkWhat::Veth { .. }));
            let wires = |space: &Space| {
                let wire = |(name, link): (&IfName, &LinkState)| (name.clone(), link.what.clone(), link.addrs.clone());
                space.links.iter().map(wire).collect::<Vec<_>>()
            };
            assert_eq!(wires(&first), wires(&second), "{}", file.display());
            first.routes.retain(|route| route.dev.as_ref().is_none_or(|dev| first.links.contains_key(dev)));
            assert_eq!((first.routes, first.sysctls), (second.routes, second.sysctls), "{}", file.display());
        }
    }
}

/// nsnet with a text on its stdin.
fn fed(args: &[&str], text: &str) -> Ran {
    let mut command = Command::new("sh");
    let script = "text=$1; shift; printf %s \"$text\" | \"$@\"";
    command.args(["-c", script, "sh", text]).arg(nsnet()).args(args);
    run(command)
}

#[test]
fn what_show_prints_as_json_is_shown_alike() {
    for file in files("good") {
        let json = beside(&file, &["-j", "lab", "show"]).ok();
        assert_eq!(fed(&["-j", "lab", "show", "-"], &json).ok(), json, "{}", file.display());
        assert_eq!(fed(&["lab", "show", "-"], &json).ok(), beside(&file, &["lab", "show"]).ok());
        assert_eq!(fed(&["lab", "check", "-", "-j"], &json).ok(), "[]\n");
    }
}

#[test]
fn problems_are_one_document_of_check_and_a_line_each_of_the_others() {
    let bad = "name = 'x'\nmtu = 5\n[[links]]\nends = ['a', 'b']\n";
    let checked = fed(&["lab", "check", "-", "-j"], bad);
    assert_eq!((checked.status.code(), checked.err.as_str()), (Some(1), ""));
    let problems: serde_json::Value = serde_json::from_str(&checked.out).unwrap();
    assert_eq!(problems.as_array().unwrap().len(), 3);
    assert_eq!((&problems[0]["line"], &problems[0]["column"]), (&2.into(), &1.into()));
    for question in ["show", "graph"] {
        let ran = fed(&["lab", question, "-", "-j"], bad);
        assert_eq!((ran.status.code(), ran.out.as_str()), (Some(1), ""));
        let lines: Vec<serde_json::Value> = ran.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(
            (&lines[2]["file"], &lines[2]["line"], &lines[2]["kind"]),
            (&"stdin".into(), &4.into(), &"invalid".into())
        );
        assert_eq!(fed(&["lab", question, "-"], bad).err, fed(&["lab", "check", "-"], bad).out);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    assert_eq!(
        fed(&["lab", "check", "/nope"], "").err,
        "nsnet: cannot read '/nope': No such file or directory (os error 2)\n"
    );
    let binary = fed(&["lab", "check", "/bin/sh"], "");
    assert!(binary.err.contains("it is not UTF-8 from byte"), "{}", binary.err);
    assert!(fed(&["-j", "lab", "show", "--clab", "-"], "name = 'x'").fails(2).contains("choose one"));
    assert!(fed(&["-n", ".", "lab", "check", "-"], "").err.contains("'-n'"));
}

#[test]
fn good_files_are_good_and_read_back_unchanged() {
    for file in files("good") {
        assert!(beside(&file, &["lab", "check"]).ok().ends_with(": good\n"), "{}", file.display());
        let text = fs::read_to_string(&file).unwrap();
        let spec = Spec::read(&text).unwrap();
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(Spec::read(&json).unwrap(), spec, "{}", file.display());
        assert_eq!(Lab::read(&json).unwrap(), Lab::read(&text).unwrap(), "{}", file.display());
    }
}

#[test]
fn what_never_ends_is_no_lab_file() {
    let told = fed(&["lab", "check", "/dev/zero"], "").fails(1);
    assert_eq!(told, "nsnet: cannot read '/dev/zero': it has more than 16 MiB, and no lab file has\n");
}
