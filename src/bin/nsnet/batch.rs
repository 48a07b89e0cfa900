//! A batch: many command lines in one process, each carried out as if it stood alone.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufRead, BufReader},
    process::{Command, Stdio},
};

use nsnet::NsRef;

use crate::{
    args::{Cli, Globals, LabQuestion, Object, Verb},
    carry_out,
    commands::{Failure, Session, code_of},
    render::Style,
    report::{self, Place, Report},
    words::{
        self, Words,
        batch::{Line, Lines},
    },
};

/// Verbs that become something else, or never end: they need a process of their own.
const OWN_PROCESS: &[&str] = &["exec", "isolate"];

const ANOTHER: &str = "a batch cannot begin another";

/// Carries out the commands of a file; stops at the first that fails, unless told to go on.
pub fn run(file: &OsStr, options: &[OsString], globals: Globals, session: &mut Session) -> u8 {
    let json = globals.json;
    let from: Box<dyn BufRead> = if file == "-" {
        Box::new(io::stdin().lock())
    } else {
        match File::open(file) {
            Ok(file) => Box::new(BufReader::new(file)),
            Err(e) => return batch_failure(json, file, "open the batch", &e),
        }
    };
    let options = options.iter().filter(|word| !is_of_batch(word)).cloned().collect();
    let globals = Globals { batch: None, ..globals };
    let mut batch = Batch { file: file.to_string_lossy().into_owned(), options, globals, session };
    let mut failed = false;
    for line in Lines::new(from) {
        let code = match line {
            Ok(line) => batch.carry_out(line),
            Err(e) => return batch.end().max(batch_failure(json, file, "read the batch", &e)),
        };
        if code != 0 && !batch.globals.force {
            return code;
        }
        failed |= code != 0;
    }
    u8::from(failed | (batch.end() != 0))
}

fn batch_failure(json: bool, file: &OsStr, what: &'static str, e: &io::Error) -> u8 {
    let shown = nsnet::name::escaped(file.to_string_lossy().as_bytes());
    let text = format!("cannot {what} '{shown}': {e}");
    report::plain(json).failure(Failure::Failed(text))
}

fn is_of_batch(word: &OsStr) -> bool {
    word == "--force" || words::is_batch(word)
}

/// Of what lies behind `lab`, only a command in one node is what this process would become.
fn becomes_a_command(cli: &Cli) -> bool {
    matches!(&cli.verb, Verb::Lab(lab) if matches!(lab.question, LabQuestion::Exec(_))) && !cli.globals.all
}

struct Batch<'a> {
    file: String,
    /// Those in front of `-batch`: they hold for each line.
    options: Vec<OsString>,
    globals: Globals,
    session: &'a mut Session,
}

impl Batch<'_> {
    fn report<'p>(&self, place: Option<&'p Place>) -> Report<'p> {
        let style = Style { escape: false, color: false };
        Report { json: self.globals.json, quiet: self.globals.quiet, style, place }
    }

    fn carry_out(&mut self, Line { number, words }: Line) -> u8 {
        let place = Place { file: self.file.clone(), line: number };
        let report = self.report(Some(&place));
        self.session.pipelined = self.globals.force.then_some(number);
        let words = match words.and_then(words::read) {
            Ok(words) => words,
            Err(misuse) => return report.misuse(&misuse.0),
        };
        if OWN_PROCESS.iter().any(|verb| words.verb == *verb) {
            return self.alone(words, &report);
        }
        if words.options.iter().any(|word| is_of_batch(word)) {
            return report.misuse(ANOTHER);
        }
        let cli = match self.plain(words) {
            Ok(cli) => cli,
            Err(words) => match Cli::read(&self.whole(words.clone())) {
                Ok(cli) if cli.globals.batch.is_some() => return report.misuse(ANOTHER),
                Ok(cli) if becomes_a_command(&cli) => return self.alone(words, &report),
                Ok(cli) => cli,
                Err(e) if e.use_stderr() => {
                    return report.misuse(report::usage_text(&e).lines().next().unwrap_or_default());
                }
                Err(e) => return report::usage(&e, false),
            },
        };
        let code = carry_out(cli, self.session, Some(&place));
        code.max(self.report_failures())
    }

    /// Carries out what waits, and says what failed.
    fn end(&mut self) -> u8 {
        let report = self.report(None);
        let settled = self.session.settle().map_or_else(|failure| report.failure(failure), |()| 0);
        settled.max(self.report_failures())
    }

    /// Says what failed of the lines before.
    fn report_failures(&mut self) -> u8 {
        let mut code = 0;
        for (line, error) in self.session.take_failures() {
            let place = Place { file: self.file.clone(), line };
            code = code.max(self.report(Some(&place)).failure(Failure::Work(error)));
        }
        code
    }

    /// The usual line, which clap need not see: an object behind no option but `-n`. Gives back what is none.
    fn plain(&self, mut words: Words) -> Result<Cli, Words> {
        let is_bare = words.arguments.first().is_some_and(|word| word == "--");
        let object = words.verb.to_str().and_then(Verb::of_object).filter(|_| is_bare);
        let (Some(object), Some(globals)) = (object, self.globals_of(&words.options)) else { return Err(words) };
        words.arguments.remove(0);
        Ok(Cli { globals, verb: object(Object { words: words.arguments }) })
    }

    fn globals_of(&self, options: &[OsString]) -> Option<Globals> {
        let netns = match options {
            [] => self.globals.netns.clone(),
            [only] => Some(NsRef::new(only.to_str()?.strip_prefix("--netns=")?).ok()?),
            _ => return None,
        };
        Some(Globals { netns, ..self.globals.clone() })
    }

    fn whole(&self, words: Words) -> Words {
        Words { options: self.options.iter().chain(&words.options).cloned().collect(), ..words }
    }

    fn alone(&mut self, words: Words, report: &Report<'_>) -> u8 {
        let settled = self.session.settle().map_or_else(|failure| report.failure(failure), |()| 0);
        let failed = settled.max(self.report_failures());
        self.session.forget();
        let mut command = Command::new("/proc/self/exe");
        command.args(self.whole(words).argv());
        if self.file == "-" {
            // What is left there are commands of the batch.
            command.stdin(Stdio::null());
        }
        match command.status().map(code_of) {
            Ok(0) => failed,
            Ok(code) => {
                report.failure(Failure::Failed(format!("the command ended with {code}")));
                code
            }
            Err(e) => report.failure(Failure::Setup("start a process", e)),
        }
    }
}
