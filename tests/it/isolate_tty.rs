//! `isolate` on a real terminal: job control, keys, sizes, and who has the terminal afterwards.

use super::{support::World, terminal::Terminal};

const FORMS: [&str; 4] = ["", "--init", "--no-pid", "--tty"];

#[test]
fn a_shell_inside_gives_the_terminal_back() {
    let world = World::new();
    for form in FORMS {
        let mut terminal = Terminal::shell(&world);
        // A script goes on after it: it is stopped if it has lost the terminal.
        terminal.types(&format!("bash -c '$NSNET isolate {form} bash --norc -i; read -p next: x; echo got $x'\n"));
        terminal.types("echo inside $((40+2))\n");
        terminal.waits_for("inside 42\r\n");
        terminal.types("exit 3\n");
        terminal.waits_for("next:");
        terminal.types("word\n");
        terminal.waits_for("got word\r\n");
        terminal.types("echo still $((1+1))\n");
        terminal.waits_for("still 2\r\n");
    }
}

#[test]
fn control_c_ends_the_command_and_not_a_shell_inside() {
    let world = World::new();
    for form in FORMS {
        let mut terminal = Terminal::shell(&world);
        // A shell catches the first one after a line of its own; this only writes, and waits.
        terminal.types(&format!("echo go >/run/go; $NSNET isolate {form} tail -f /run/go; echo code $?\n"));
        terminal.waits_for("go\r\n");
        terminal.types("\x03");
        terminal.waits_for("code 130\r\n");
        // One that catches it hears it once.
        terminal.types(&format!(
            "$NSNET isolate {form} bash -c 'trap n=x\\$n INT; echo go; read l; echo heard $n'; echo code $?\n"
        ));
        terminal.waits_for("go\r\n");
        terminal.types("\x03");
        terminal.types("\n");
        terminal.waits_for("heard x\r\n");
        terminal.waits_for("code 0\r\n");
        terminal.types(&format!("$NSNET isolate {form} bash --norc -i; echo code $?\n"));
        terminal.types("sleep 100 & echo at work; wait\n");
        terminal.waits_for("at work\r\n");
        terminal.types("\x03");
        terminal.types("echo alive $((2+3)); exit 4\n");
        terminal.waits_for("alive 5\r\n");
        terminal.waits_for("code 4\r\n");
    }
}

#[test]
fn control_z_stops_it_and_fg_continues_it() {
    let world = World::new();
    for form in ["", "--init", "--no-pid"] {
        let mut terminal = Terminal::shell(&world);
        terminal.types(&format!("$NSNET isolate {form} sh -c 'echo go; read x; echo read $x'\n"));
        terminal.waits_for("go\r\n");
        terminal.types("\x1a");
        terminal.waits_for("Stopped");
        terminal.types("jobs\n");
        terminal.waits_for("Stopped");
        terminal.types("fg\n");
        terminal.waits_for("isolate");
        terminal.types("word\n");
        terminal.waits_for("read word\r\n");
        terminal.types("echo still $((1+1))\n");
        terminal.waits_for("still 2\r\n");
    }
}

#[test]
fn a_command_in_the_background_stops_when_it_wants_to_read() {
    let world = World::new();
    for form in ["", "--init"] {
        let mut terminal = Terminal::shell(&world);
        terminal.types(&format!("$NSNET isolate {form} sh -c 'read x; echo read $x' &\n"));
        terminal.types("until jobs | grep -q Stopped; do :; done; jobs\n");
        terminal.waits_for("Stopped");
        terminal.types("fg\nword\n");
        terminal.waits_for("read word\r\n");
    }
}

#[test]
fn a_terminal_of_its_own_follows_the_size_and_is_another() {
    let world = World::new();
    let mut terminal = Terminal::shell(&world);
    terminal.has_size(33, 77);
    terminal.types("echo outer $(tty); $NSNET isolate --tty bash --norc -i; stty -a | grep -o ' icanon'\n");
    let outer = terminal.waits_for("\r\n");
    terminal.types("stty -echo; echo inner $(tty); stty size\n");
    terminal.waits_for("inner ");
    let inner = terminal.waits_for("\r\n");
    assert!(inner.starts_with("/dev/pts/") && !outer.ends_with(&inner), "{outer} {inner}");
    terminal.waits_for("33 77\r\n");
    // Not at its prompt: bash may miss there that a signal came just before it began to read.
    terminal.types("trap 'size=$(stty size)' WINCH; echo trap set; until [ \"$size\" ]; do :; done; echo size $size\n");
    terminal.waits_for("trap set\r\n");
    terminal.has_size(44, 88);
    terminal.waits_for("size 44 88\r\n");
    terminal.types("exit\n");
    // The settings of the outer one are back.
    terminal.waits_for(" icanon\r\n");
}

#[test]
fn a_job_that_ends_in_the_background_leaves_the_terminal_to_others() {
    let world = World::new();
    for form in FORMS {
        let mut terminal = Terminal::shell(&world);
        terminal.types(&format!("mkfifo /run/f; $NSNET isolate {form} sh -c 'read x </run/f' & echo started\n"));
        terminal.waits_for("started\r\n");
        // Its settings are those of the shell, and what is typed comes to who is in front.
        terminal.types("stty -a | grep -o ' icanon'; read y; echo read $y\n");
        terminal.waits_for(" icanon\r\n");
        terminal.types("mine\n");
        terminal.waits_for("read mine\r\n");
        terminal.types("bash -c 'echo >/run/f; while pgrep -f \"[i]solate.*run/f\" >/dev/null; do :; done; read -p next: z; echo got $z'\n");
        terminal.waits_for("next:");
        terminal.types("word\n");
        terminal.waits_for("got word\r\n");
        terminal.types("rm /run/f\n");
    }
}

#[test]
fn a_terminal_that_goes_away_is_told_to_the_command() {
    let world = World::new();
    for form in ["", "--init", "--no-pid"] {
        let script = format!(
            "trap 'echo hung up >/run/hup; exit 3' HUP; exec $NSNET isolate {form} sh -c 'trap \"echo hung up >/run/hup; exit 3\" HUP; echo go; while :; do sleep 100 & wait; done'"
        );
        // The leader of its session, as a command of ssh is.
        let mut terminal = Terminal::leader(&world, &["sh", "-c", &script]);
        terminal.waits_for("go\r\n");
        terminal.hangs_up();
        assert_eq!(world.sh("cat /run/hup; rm /run/hup"), "hung up\n", "{form}");
    }
}

#[test]
fn a_new_session_cannot_type_into_the_terminal() {
    let world = World::new();
    let mut terminal = Terminal::shell(&world);
    // Without one, there is nothing for TIOCSTI to put bytes into.
    terminal.types("$NSNET isolate --new-session sh -c 'test -e /dev/tty && (: </dev/tty) 2>/dev/null && echo has one || echo has none'\n");
    terminal.waits_for("has none\r\n");
    terminal.types("$NSNET isolate sh -c '(: </dev/tty) && echo has one || echo has none'\n");
    terminal.waits_for("has one\r\n");
}

#[test]
fn input_that_is_no_terminal_goes_through_one_too() {
    let world = World::new();
    assert_eq!(world.sh("printf 'a\\nb\\n' | $NSNET isolate --tty sh -c 'stty -echo; while read x; do echo got $x; done; echo end'").replace('\r', "").replace("a\nb\n", ""), "got a\ngot b\nend\n");
    // More than any buffer holds, both ways at once; and a program that reads nothing.
    // What comes before the terminal is raw is shown once more in front.
    let through = "seq 20000 | timeout -k 1 60 $NSNET isolate --tty sh -c 'stty raw -echo; head -c 108894' | tr -d '\\r' | tail -c 1000";
    assert_eq!(world.sh(through), world.sh("seq 20000 | tail -c 1000"));
    assert_eq!(world.sh("yes | timeout -k 1 60 $NSNET isolate --tty sh -c 'exit 5' >/dev/null || echo $?"), "5\n");
    assert_eq!(
        world.sh("{ timeout -k 1 60 $NSNET isolate --tty yes || echo $? >/run/code; } | head -1; cat /run/code"),
        "y\r\n141\n"
    );
    let big = world.sh("$NSNET isolate --tty head -c 200000 /dev/zero </dev/null | wc -c");
    assert_eq!(big, "200000\n");
}
