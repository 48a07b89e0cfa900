//! Man pages: synopsis and options from the definitions in `args`, the rest from `man/prose`.
//!
//! These are tests, so that nothing of it ships: they fail where a page is stale. `scripts/generate`
//! has them write the pages instead.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::PathBuf,
};

use clap::{Arg, Command, CommandFactory};
use clap_mangen::Man;

use crate::{
    args::Cli,
    words::{self, grammar::Summary},
};

/// Of the last release: a page without a date is not well-formed.
const DATE: &str = "2026-11-23";

fn man_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("man")
}

/// All pages, by file name.
fn pages() -> BTreeMap<String, String> {
    // A page of its own would say what every page says.
    let program = Cli::command().mut_subcommand("help", |help| help.hide(true));
    let verbs: Vec<_> = program.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
    let mut pages: BTreeMap<_, _> =
        verbs.iter().map(|verb| (format!("nsnet-{}.1", verb.get_name()), verb_page(verb))).collect();
    pages.insert("nsnet.1".to_owned(), program_page(program));
    pages
}

fn program_page(program: Command) -> String {
    let prose = Prose::of("nsnet");
    let head = head("nsnet", &about(&program));
    let man = Man::new(program.subcommand_help_heading("VERBS"));
    let parts = [
        head,
        ".SH SYNOPSIS\n\\fBnsnet\\fR [\\fIOPTIONS\\fR] \\fIVERB\\fR ...".to_owned(),
        rendered(|out| man.render_description_section(out)),
        prose.description,
        rendered(|out| man.render_subcommands_section(out)),
        rendered(|out| man.render_options_section(out)),
        prose.rest,
    ];
    tidy(&parts.join("\n"))
}

/// The page of an object of ip: what `words` says of its commands.
fn object_page(verb: &Command, commands: &[Summary]) -> String {
    let prose = Prose::of(verb.get_name());
    let words = |text: &str| dashes(text).replace('\'', "\\(aq");
    let synopses: Vec<_> = commands
        .iter()
        .map(|command| {
            let usage = command.usage();
            let words = usage.strip_prefix(&format!("nsnet {}", command.command)).unwrap_or_default();
            format!("\\fBnsnet {}\\fR{}", dashes(command.command), dashes(words))
        })
        .collect();
    let command = |command: &Summary| {
        let rows = command.rows().map(|(form, help)| format!(".TP\n{}\n{}", words(form), words(help)));
        format!(".SS nsnet {}\n{}\n{}", command.command, words(command.about), rows.collect::<Vec<_>>().join("\n"))
    };
    let parts = [
        head(&format!("nsnet-{}", verb.get_name()), &about(verb)),
        format!(".SH SYNOPSIS\n{}", synopses.join("\n.br\n")),
        format!(".SH DESCRIPTION\n{}", prose.description),
        format!(".SH COMMANDS\n{}", commands.iter().map(command).collect::<Vec<_>>().join("\n")),
        ".PP\nThe options stand before the verb; they are in\n.BR nsnet (1).".to_owned(),
        prose.rest,
    ];
    tidy(&parts.join("\n"))
}

/// Options that all verbs share are on the page of the program.
fn verb_page(verb: &Command) -> String {
    if let Some(commands) = words::summaries(verb.get_name()) {
        return object_page(verb, &commands);
    }
    let prose = Prose::of(verb.get_name());
    let forms = forms(verb, "nsnet");
    let synopses: Vec<_> = forms.iter().map(synopsis).collect();
    let options = options(forms);
    let parts = [
        head(&format!("nsnet-{}", verb.get_name()), &about(verb)),
        format!(".SH SYNOPSIS\n{}", synopses.join("\n.br\n")),
        format!(".SH DESCRIPTION\n{}", prose.description),
        format!(".SH OPTIONS\n{options}"),
        format!(
            "{}The options that all verbs share are in\n.BR nsnet (1).",
            if options.is_empty() { "" } else { ".PP\n" }
        ),
        prose.rest,
    ];
    tidy(&parts.join("\n"))
}

/// The options and arguments of all forms, each said once.
fn options(forms: Vec<Command>) -> String {
    let sections = forms.into_iter().map(Man::new).map(|form| rendered(|out| form.render_options_section(out)));
    let sections: String = sections.map(|section| section.replace("\n.SH OPTIONS", "") + "\n").collect();
    let mut known = BTreeSet::new();
    let entries = sections.split(".TP\n").map(str::trim).filter(|entry| !entry.is_empty() && known.insert(*entry));
    entries.flat_map(|entry| ["\n.TP\n", entry]).collect()
}

/// What can be written: the verb, or each of the verbs below it.
fn forms(verb: &Command, before: &str) -> Vec<Command> {
    let line = format!("{before} {}", verb.get_name());
    if verb.has_subcommands() {
        return verb.get_subcommands().flat_map(|verb| forms(verb, &line)).collect();
    }
    vec![verb.clone().disable_help_flag(true).bin_name(line)]
}

/// With the values of options, which clap's own leaves out.
fn synopsis(form: &Command) -> String {
    let name = form.get_bin_name().unwrap_or_default();
    if let Some(usage) = form.get_overridden_usage() {
        let lines: Vec<_> = usage.to_string().lines().map(|line| dashes(line.trim())).collect();
        return lines.join("\n.br\n");
    }
    let mut words = vec![format!("\\fB{}\\fR", dashes(name))];
    words.extend(form.get_arguments().filter(|arg| !arg.is_positional()).map(option));
    words.extend(form.get_positionals().map(|arg| {
        let value = format!("\\fI{}\\fR", values(arg));
        if arg.is_required_set() { value } else { format!("[{value}]") }
    }));
    words.join("\n")
}

fn option(arg: &Arg) -> String {
    let long = dashes(arg.get_long().unwrap_or_default());
    let value = if arg.get_action().takes_values() { format!(" \\fI{}\\fR", values(arg)) } else { String::new() };
    format!("[\\fB\\-\\-{long}\\fR{value}]")
}

/// What stands for the values of an argument, as often as it is given.
fn values(arg: &Arg) -> String {
    let names: Vec<_> = arg.get_value_names().unwrap_or_default().iter().map(|name| dashes(name)).collect();
    let most = arg.get_num_args().map_or(1, |range| range.max_values());
    match names.as_slice() {
        [name] if most == 2 => format!("{name} {name}"),
        [name] if most > 2 && !name.ends_with("...") => format!("{name}..."),
        names => names.join(" "),
    }
}

fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut letters = about.trim_end_matches('.').chars();
    letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect()
}

fn head(name: &str, about: &str) -> String {
    let (title, name, about) = (dashes(&name.to_uppercase()), dashes(name), dashes(about));
    let version = env!("CARGO_PKG_VERSION");
    format!(".TH {title} 1 \"{DATE}\" \"nsnet {version}\" \"nsnet\"\n.SH NAME\n{name} \\- {about}")
}

/// What is written by hand: the description, and the sections behind the options.
struct Prose {
    description: String,
    rest: String,
}

impl Prose {
    fn of(page: &str) -> Self {
        let path = man_dir().join("prose").join(page).with_extension("roff");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut example = false;
        let lines = text.lines().map(|line| {
            example = (example || line == ".EX") && line != ".EE";
            if example && line != ".EX" { verbatim(line) } else { dashes(line) }
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        let (description, rest) = text.split_at(text.find(".SH").expect("sections behind the options"));
        Self { description: description.to_owned(), rest: rest.to_owned() }
    }
}

/// Examples are written as they are typed.
fn verbatim(line: &str) -> String {
    let escaped = dashes(&line.replace('\\', "\\e")).replace('\'', "\\(aq").replace('`', "\\(ga");
    if escaped.starts_with('.') { format!("\\&{escaped}") } else { escaped }
}

/// What is typed must not become a hyphen, which is another character.
fn dashes(text: &str) -> String {
    text.replace('-', "\\-")
}

fn rendered(render: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> String {
    let mut page = Vec::new();
    render(&mut page).unwrap();
    // mandoc knows the character, but not the string that groff has for it.
    let page = String::from_utf8(page).unwrap().replace("\\*(Aq", "\\(aq");
    // Definitions for that string.
    let body = page.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el "));
    body.fold(String::new(), |page, line| page + "\n" + line)
}

/// Without blanks at the end of lines, breaks behind breaks, and blank lines but in examples.
fn tidy(page: &str) -> String {
    let mut example = false;
    let lines = page.lines().map(str::trim_end).filter(|line| {
        example = (example || *line == ".EX") && *line != ".EE";
        example || !line.is_empty()
    });
    let mut lines: Vec<_> = lines.collect();
    lines.dedup_by(|next, line| *next == ".br" && *line == ".br");
    lines.join("\n") + "\n"
}

#[test]
fn the_committed_man_pages_are_the_generated_ones() {
    let pages = pages();
    if std::env::var_os("NSNET_GENERATE").is_some() {
        for (file, page) in &pages {
            fs::write(man_dir().join(file), page).unwrap();
        }
    }
    let files = fs::read_dir(man_dir())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|section| section == "1"));
    let committed: BTreeMap<_, _> = files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    let stale: Vec<_> = pages.keys().filter(|&file| committed.get(file) != pages.get(file)).collect();
    assert!(stale.is_empty(), "stale, run scripts/generate: {stale:?}");
    let strange: Vec<_> = committed.keys().filter(|&file| !pages.contains_key(file)).collect();
    assert!(strange.is_empty(), "of no verb: {strange:?}");
}

#[test]
fn the_page_that_is_written_by_hand_has_the_date_and_the_version_of_the_others() {
    let page = fs::read_to_string(man_dir().join("nsnet-lab.5")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(page.starts_with(&format!(".TH NSNET\\-LAB 5 \"{DATE}\" \"nsnet {version}\" \"nsnet\"\n")));
}

#[test]
fn every_page_has_all_that_a_reader_looks_for() {
    for (file, page) in pages() {
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "\"EXIT STATUS\"", "EXAMPLES", "\"SEE ALSO\""] {
            assert!(page.contains(&format!("\n.SH {section}\n")), "{file}: {section}");
        }
    }
}
