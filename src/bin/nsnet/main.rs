//! The command `nsnet`: argv → words → args → command → answer → render or report.
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used))]

#[cfg(target_env = "musl")]
mod allocator;
mod args;
mod batch;
mod commands;
mod complete;
#[cfg(test)]
mod generate;
mod iproute2;
mod render;
mod report;
mod words;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::Path,
    process::ExitCode,
};

use args::{Cli, Color, Globals};
use commands::{Failure, Session};
use iproute2::Names;
use render::{Format, Style, View};
use report::{Place, Report};

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: allocator::Allocator = allocator::Allocator::new();

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|fault| report::fault(fault, asks_for_json())));
    // What is half-made undoes itself on the way here.
    std::panic::catch_unwind(nsnet).unwrap_or_else(report::faulty).into()
}

fn nsnet() -> u8 {
    if let Some(code) = complete::answer() {
        return code;
    }
    let words = match words::read(arguments()) {
        Ok(words) => words,
        Err(misuse) => return report::misuse(&misuse.0, asks_for_json()),
    };
    let cli = match Cli::read(&words) {
        Ok(cli) => cli,
        Err(e) => return report::usage(&e, words.json),
    };
    let session = &mut Session::new(Names::new(cli.globals.numeric), Terminals::look());
    match cli.globals.batch.clone() {
        Some(_) if !words.begins_batch() => {
            report::misuse(&format!("{}: '--batch' stands alone", words::NONE_BESIDE_BATCH), words.json)
        }
        Some(file) => batch::run(&file, &words.options, cli.globals, session),
        None => carry_out(cli, session, None),
    }
}

/// The words after the name of the program; called as ip, it speaks as ip.
fn arguments() -> impl Iterator<Item = OsString> {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_default();
    let as_ip = Path::new(&name).file_name().is_some_and(|name| name == "ip");
    as_ip.then(|| "ip".into()).into_iter().chain(words)
}

/// Does what one command line says, and shows what came of it; returns the exit code.
fn carry_out(cli: Cli, session: &mut Session, place: Option<&Place>) -> u8 {
    let format = Format { json: cli.globals.json, pretty: cli.globals.pretty };
    let names = session.names.clone();
    let view = view(&cli.globals, &names, session.terminals);
    let style = session.terminals.style(cli.globals.color, session.terminals.err);
    let errors = Report { json: format.json, quiet: cli.globals.quiet, style, place };
    let done = commands::run(cli, session, &mut |note| errors.note(&note));
    let shown = done.and_then(|answer| render::write(&mut io::stdout().lock(), format, view, answer));
    match shown {
        Ok(code) => code,
        Err(failure) => errors.failure(failure),
    }
}

/// For a line that could not be read to its end.
fn asks_for_json() -> bool {
    std::env::args_os().skip(1).any(|word| word == "-j" || word == "-json" || word == "--json")
}

fn view<'a>(globals: &Globals, names: &'a Names, terminals: Terminals) -> View<'a> {
    View {
        brief: globals.brief,
        oneline: globals.oneline,
        details: globals.details,
        statistics: globals.statistics,
        human: globals.human_readable,
        iec: globals.iec,
        ..View::plain(terminals.style(globals.color, terminals.out), names)
    }
}

/// Where this process writes to. Asking takes longer than some lines of a batch.
#[derive(Clone, Copy)]
struct Terminals {
    out: bool,
    err: bool,
    /// Whether nobody said `NO_COLOR`.
    colored: bool,
}

impl Terminals {
    fn look() -> Self {
        let colored = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { out: io::stdout().is_terminal(), err: io::stderr().is_terminal(), colored }
    }

    /// A terminal acts on what it gets; a file or a pipe gets the bytes as they are.
    fn style(self, color: Color, is_terminal: bool) -> Style {
        let color = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && self.colored,
        };
        Style { escape: is_terminal, color }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}
