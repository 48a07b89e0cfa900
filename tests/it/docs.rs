//! Pages of docs/: what is typed there prints what they say, and what they show is what there is.

use std::fs;

use super::{
    generated::{alike, in_shell},
    support::World,
};

const README: &str = include_str!("../../README.md");
const IN_TESTS: &str = include_str!("../../docs/labs-in-tests.md");
const TYPED: [(&str, &str); 2] = [
    ("docs/tutorial.md", include_str!("../../docs/tutorial.md")),
    ("docs/from-ip-scripts.md", include_str!("../../docs/from-ip-scripts.md")),
];

/// The fenced blocks of a page, each with its language.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, begin)) = rest.split_once("\n```") {
        let (language, body) = begin.split_once('\n').unwrap();
        let (text, after) = body.split_once("```").expect("the end of a block");
        blocks.push((language.to_owned(), text.to_owned()));
        rest = after;
    }
    blocks
}

/// The name in the first line of a block that is a file.
fn file_name(text: &str) -> Option<&str> {
    let name = text.lines().next()?.strip_prefix("# ")?;
    let end = name.rsplit('.').next()?;
    (!name.contains(['/', ' ']) && ["toml", "sh"].contains(&end)).then_some(name)
}

/// The commands behind `# `, each with what it is said to print.
fn transcript(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("# ") {
            Some(command) => found.push((command.to_owned(), String::new())),
            None => found.last_mut().expect("a command").1.extend([line, "\n"]),
        }
    }
    found
}

#[test]
fn transcripts_print_what_the_pages_say() {
    for (name, page) in TYPED {
        let world = World::for_labs();
        let blocks = blocks(page);
        for (language, text) in blocks.iter().filter(|(language, _)| language != "console") {
            if let Some(file) = file_name(text) {
                fs::write(format!("/proc/{}/root/run/{file}", world.pid()), text).unwrap();
            }
            assert!(!language.is_empty(), "{name}: {text}");
        }
        let commands: Vec<_> = blocks
            .iter()
            .filter(|(language, _)| language == "console")
            .flat_map(|(_, text)| transcript(text))
            .collect();
        assert!(commands.len() > 5, "{name}");
        for (command, says) in commands {
            let prints = in_shell(&world, &["sh", "-c"], &format!("cd /run; {{ {command}\n}} 2>&1; :"));
            assert_eq!(alike(&prints), alike(&says), "{name}: {command}\n{prints}");
        }
        assert_eq!(world.sh("ls -A /run/netns"), "", "{name}");
    }
}

#[test]
fn the_lab_of_the_readme_holds_what_it_says() {
    let world = World::for_labs();
    let blocks = blocks(README);
    let (_, lab) = blocks.iter().find(|(language, text)| language == "toml" && text.contains("[[checks]]")).unwrap();
    fs::write(format!("/proc/{}/root/run/office.toml", world.pid()), lab).unwrap();
    let shown = blocks.iter().find(|(_, text)| text.contains("lab test --up office.toml")).unwrap();
    let (_, says) = &transcript(&shown.1)[0];
    assert_eq!(alike(&world.ok("lab test --up /run/office.toml")), alike(says));
}

#[test]
fn the_test_that_the_page_shows_is_the_one_that_runs() {
    let shown = blocks(IN_TESTS);
    let rust: Vec<_> = shown.iter().filter(|(language, _)| language == "rust").map(|(_, text)| text.as_str()).collect();
    assert_eq!(rust, [include_str!("../lab_in_tests.rs")]);
}

#[test]
fn the_picture_of_a_lab_is_the_one_that_is_drawn() {
    let world = World::new();
    let file = world.lab_file(include_str!("../../examples/labs/triangle.toml"));
    let drawn = world.ok(&format!("lab graph --svg - {file}"));
    assert!(drawn == include_str!("../../docs/lab.svg"), "run scripts/generate");
}
