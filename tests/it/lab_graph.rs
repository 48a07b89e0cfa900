//! lab graph of what runs: as it is, and how it differs from its file.

use super::support::{World, json};

const LAB: &str = r#"
name = "pic"
[nodes.r1]
[nodes."h[1-2]"]
[networks.lan]
subnet = "10.1.0.0/24"
members = ["r1", "h[1-2]"]
[[links]]
ends = ["r1:wan=10.0.0.1/30", ".:up=10.0.0.2/30"]
"#;

const AS_WRITTEN: &str = "\
.  the starting namespace
└─ up 10.0.0.2/30 ── r1:wan
h1
└─ eth0 10.1.0.2/24 ── lan
h2
└─ eth0 10.1.0.3/24 ── lan
r1
├─ eth0 10.1.0.1/24 ── lan
└─ wan 10.0.0.1/30 ── .:up
lan
";

#[test]
fn what_runs_is_drawn_from_the_lab_and_from_its_file_alike() {
    let world = World::for_labs();
    world.up(LAB);
    assert_eq!(world.ok("lab graph pic"), AS_WRITTEN);
    assert_eq!(world.ok("lab graph --running /run/lab.toml"), AS_WRITTEN);
    for form in ["--dot", "--mermaid", "--svg -"] {
        assert_eq!(
            world.ok(&format!("lab graph {form} pic")),
            world.ok(&format!("lab graph {form} --running /run/lab.toml"))
        );
    }
}

#[test]
fn a_lab_that_is_not_there_is_told_on_stderr_with_where_to_look() {
    let world = World::for_labs();
    for (code, words, said) in [
        (1, "lab graph pix", "cannot draw lab 'pix'"),
        (1, "lab show pix", "cannot show lab 'pix'"),
        (1, "lab show -j pix", "cannot show lab 'pix'"),
        (1, "lab status pix", "cannot tell about lab 'pix'"),
        (125, "lab exec pix/a true", "cannot find lab 'pix'"),
    ] {
        let told = world.fails(code, words);
        assert!(told.contains(&format!("{said}: nothing of it is there; 'nsnet lab list' lists labs")), "{told}");
    }
    assert!(world.fails(2, "lab exec pix.a true").contains("write a node of a lab as 'pix/a'"));
}

#[test]
fn what_is_missing_extra_or_changed_has_a_sign_in_every_form() {
    let world = World::for_labs();
    world.up(&LAB.replace("[nodes.r1]", "[nodes.old]\n[nodes.r1]"));
    world.lab_file(&LAB.replace("h[1-2]", "h[1-3]"));
    world.sh("ip -n pic.h1 addr flush dev eth0 scope global; ip -n pic.h1 addr add 10.7.0.1/24 dev eth0
        ip -n pic.h2 link del eth0; ip -n pic.r1 link set wan mtu 1400");
    let expected = "\
.  the starting namespace
└─ up 10.0.0.2/30 ── r1:wan (changed)
~h1
└─ ~eth0 -10.1.0.2/24 +10.7.0.1/24 ── lan (changed)
~h2
└─ -eth0 10.1.0.3/24 ── lan (missing)
-h3
└─ -eth0 10.1.0.4/24 ── lan (missing)
+old
~r1
├─ eth0 10.1.0.1/24 ── lan
└─ ~wan 10.0.0.1/30 ── .:up (changed)
lan
";
    assert_eq!(world.ok("lab graph --running /run/lab.toml"), expected);
    let dot = world.ok("lab graph --dot --running /run/lab.toml");
    assert!(
        dot.contains("label=\"-h3\", color=\"#c0392b\"") && dot.contains("label=\"+old\", color=\"#2471a3\""),
        "{dot}"
    );
    assert!(dot.contains("style=dashed, color=\"#c0392b\""), "{dot}");
    let mermaid = world.ok("lab graph --mermaid --running /run/lab.toml");
    assert!(mermaid.contains("style n3 stroke:#c0392b") && mermaid.contains("linkStyle"), "{mermaid}");
    let svg = world.ok("lab graph --svg - --running /run/lab.toml");
    roxmltree::Document::parse(&svg).unwrap();
    assert!(svg.contains(">-h3</text>") && svg.contains("stroke=\"#2471a3\""), "{svg}");
    let said = json(&world.ok("-j lab graph --running /run/lab.toml"));
    let node = |name: &str| said["nodes"].as_array().unwrap().iter().find(|node| node["name"] == name).unwrap().clone();
    assert_eq!(node("h3")["drift"], "missing");
    assert_eq!(node("h1")["interfaces"][0]["drift"], "changed");
    assert_eq!(node("lan")["drift"], json("null"));
    // Drawn, nothing is changed; brought up, nothing is left to be marked.
    world.ok("lab up /run/lab.toml");
    assert!(!world.ok("lab graph --running /run/lab.toml").contains(['~', '+', '(']));
}
