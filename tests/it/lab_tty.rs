//! What is said on a terminal while a lab comes up, and what is left of it there.

use super::{support::World, terminal::Terminal};

/// A command that is waited for until somebody says that it is ready, or lets it end.
const SLOW: &str = r#"
name = "slow"
[nodes.a]
[[nodes.a.run]]
name = "it"
command = "read word < /run/fifo"
ready = { file = "/run/ready" }
within = 600
"#;

/// Wipes out the line, and writes beyond its end rather than on the next.
const BEGINS: &str = "\r\x1b[K\x1b[?7lslow: ";
const ENDS: &str = "\x1b[?7h";

/// `lab up` of it, which tells already how far it is; a shell tells how it ends.
fn coming_up(world: &World) -> Terminal {
    world.lab_file(SLOW);
    world.sh("mkfifo /run/fifo");
    let mut terminal =
        Terminal::leader(world, &["sh", "-c", "trap : INT; $NSNET lab up /run/lab.toml; echo code $?; exec cat"]);
    assert_eq!(terminal.waits_for(BEGINS), "");
    terminal
}

/// What follows the last that was said of how far it is.
fn left_of(terminal: &mut Terminal) -> String {
    let said = terminal.waits_for("code ");
    let (told, rest) = said.rsplit_once(ENDS).unwrap();
    for text in told.split(ENDS).skip(1) {
        assert!(text.trim_start_matches("^C").starts_with(BEGINS), "{text:?} of {said:?}");
    }
    rest.to_owned()
}

#[test]
fn how_far_it_is_gives_way_to_the_answer() {
    let world = World::for_labs();
    let mut terminal = coming_up(&world);
    world.sh("touch /run/ready");
    assert_eq!(left_of(&mut terminal), "\r\x1b[Kslow: up with 1 node, after 5 steps\r\n");
    terminal.waits_for("0\r\n");
    let mut again = Terminal::leader(&world, &["sh", "-c", "printf 'so: '; $NSNET lab up /run/lab.toml; exec cat"]);
    assert_eq!(again.waits_for("\r\n"), "so: slow: as written, nothing to do");
    world.ok("lab down slow");
}

#[test]
fn how_far_it_is_gives_way_to_an_error() {
    let world = World::for_labs();
    let mut terminal = coming_up(&world);
    world.sh("echo > /run/fifo");
    let left = left_of(&mut terminal);
    assert!(
        left.starts_with("\r\x1b[Knsnet: ") && left.contains("cannot start 'it' of a") && left.ends_with("\r\n"),
        "{left:?}"
    );
    assert_eq!(left.matches('\n').count(), 1, "{left:?}");
    terminal.waits_for("1\r\n");
}

#[test]
fn how_far_it_is_is_wiped_out_when_it_is_interrupted() {
    let world = World::for_labs();
    let mut terminal = coming_up(&world);
    terminal.types("\x03");
    assert_eq!(left_of(&mut terminal).trim_start_matches("^C"), "\r\x1b[K");
    terminal.waits_for("130\r\n");
    assert_eq!(world.sh("ls -A /run/netns"), "");
}
