//! Pages of docs/: what is typed there prints what they say, and what they show is what there is.

use std::{fs, path::Path};

use super::{
    generated::{alike, in_shell},
    support::World,
};

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

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
    for name in ["docs/tutorial.md", "docs/from-ip-scripts.md"] {
        let world = World::for_labs();
        let blocks = blocks(&page(name));
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
    let blocks = blocks(&page("README.md"));
    let (_, lab) = blocks.iter().find(|(language, text)| language == "toml" && text.contains("[[checks]]")).unwrap();
    fs::write(format!("/proc/{}/root/run/office.toml", world.pid()), lab).unwrap();
    let shown = blocks.iter().find(|(_, text)| text.contains("lab test --up office.toml")).unwrap();
    let (_, says) = &transcript(&shown.1)[0];
    assert_eq!(alike(&world.ok("lab test --up /run/office.toml")), alike(says));
}

#[test]
fn the_test_that_the_page_shows_is_the_one_that_runs() {
    let shown = blocks(&page("docs/labs-in-tests.md"));
    let rust: Vec<_> = shown.iter().filter(|(language, _)| language == "rust").map(|(_, text)| text.as_str()).collect();
    assert_eq!(rust, [page("tests/lab_in_tests.rs")]);
}

#[test]
fn the_picture_of_a_lab_is_the_one_that_is_drawn() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/labs/triangle.toml");
    let drawn = World::new().nsnet(["lab", "graph", "--svg", "-", file.to_str().unwrap()]).ok();
    assert!(drawn == page("docs/lab.svg"), "run scripts/generate");
}

#[test]
fn links_of_the_pages_lead_somewhere() {
    for name in ["docs/tutorial.md", "docs/from-ip-scripts.md", "docs/labs-in-tests.md"] {
        let text = page(name);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        // A section of a man page is in parentheses, and no link.
        for link in links.filter(|link| !link.starts_with("http")) {
            let there = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(link);
            assert!(there.exists(), "{name}: {link}");
        }
    }
}
