//! One file a verb: a parsed command in, an answer out. Nothing here prints.

mod addr;
mod exec;
mod interrupts;
mod isolate;
mod lab;
mod link;
mod link_show;
mod list;
mod map;
mod names;
mod neigh;
mod ns;
mod nsid;
mod processes;
mod route;
mod rule;
mod session;
mod show;
mod veth;

use std::{io, rc::Rc};

use clap::{CommandFactory, error::ErrorKind};
use nsnet::{Error, Netns, NsRef, exec::ExecError, name::escaped};

use crate::{
    args::{Cli, Globals, Verb},
    complete,
    render::{Answer, BadLab},
    words::{self, Asked, Misuse},
};
pub use exec::code_of;
use session::Place;
pub use session::Session;

/// Why there is no answer.
pub enum Failure {
    /// The words make no sense together.
    Usage(String),
    Work(Error),
    /// A question that cannot be answered, and why.
    Unknown(Box<Failure>),
    /// It did not work, in words of its own.
    Failed(String),
    /// A lab file has problems.
    BadLab(Box<BadLab>),
    /// nsnet's own machinery could not be set up.
    Setup(&'static str, io::Error),
    Exec(ExecError),
    Output(io::Error),
    /// By this signal; nothing was left half-made.
    Interrupted(u8),
}

impl From<Misuse> for Failure {
    fn from(Misuse(text): Misuse) -> Self {
        Self::Usage(text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Work(error)
    }
}

/// What is said beside the answer.
pub enum Note {
    /// Something the user should know, though it worked.
    Warning(String),
    /// What was done, for those who asked.
    Detail(String),
    /// One of several things failed; the others go on.
    Error(Error),
    /// How far it is, on a terminal, in the place of what was said of it before; `None` wipes that out.
    Progress(Option<String>),
}

/// Where notes go.
pub type Notes<'a> = &'a mut dyn FnMut(Note);

/// What every verb may want to know.
pub struct Context<'a> {
    globals: Globals,
    notes: Notes<'a>,
    session: &'a mut Session,
}

impl Context<'_> {
    /// The namespace that was named with `-n`, or the current one.
    fn place(&self) -> nsnet::Result<Netns> {
        Netns::open(self.globals.netns.as_ref().unwrap_or(&NsRef::Current))
    }

    /// A connection to the namespace that a device was placed in, else to that of `-n`, else to the
    /// current one; what waits to be changed is changed before.
    fn connect(&mut self, place: Option<NsRef>) -> Result<Rc<Place>, Failure> {
        self.session.settle()?;
        self.connect_to_change(place)
    }

    /// The same, for what may wait too.
    fn connect_to_change(&mut self, place: Option<NsRef>) -> Result<Rc<Place>, Failure> {
        let ns = place.or_else(|| self.globals.netns.clone()).unwrap_or(NsRef::Current);
        self.session.connect(&ns)
    }

    fn detail(&mut self, text: impl FnOnce() -> String) {
        if self.globals.verbose {
            (self.notes)(Note::Detail(text()));
        }
    }

    fn warn(&mut self, text: String) {
        (self.notes)(Note::Warning(text));
    }

    fn error(&mut self, error: Error) {
        (self.notes)(Note::Error(error));
    }
}

/// Does what the command line says.
pub fn run(cli: Cli, session: &mut Session, notes: Notes<'_>) -> Result<Answer, Failure> {
    if !cli.verb.is_object() {
        // What they are about to do must not meet what the session holds.
        session.settle()?;
        session.forget();
    }
    let names = &*Rc::clone(&session.names);
    let mut context = Context { globals: cli.globals, notes, session };
    refuse_misplaced(&context.globals, &cli.verb)?;
    match &context.globals.netns {
        // As ip does, also where the verb has no use for it.
        Some(ns) if cli.verb.is_object() => drop(context.session.connect(ns)?),
        // They have an exit code of their own for that.
        Some(_) if matches!(cli.verb, Verb::Isolate(_)) => {}
        Some(_) if matches!(cli.verb, Verb::Exec(_)) => {
            drop(context.place().map_err(ExecError::Prepare).map_err(Failure::Exec)?);
        }
        Some(_) => drop(context.place()?),
        None => {}
    }
    match cli.verb {
        Verb::Add(args) => names::add(&args, &mut context),
        Verb::Del(args) => names::del(args, &mut context),
        Verb::Attach(args) => names::attach(args),
        Verb::Rename(args) => names::rename(args),
        Verb::Prune => names::prune(),
        Verb::List(args) => list::list(&args, &context),
        Verb::Set(args) => nsid::set(&args, &context),
        Verb::ListId(args) => nsid::list_id(&args, &context),
        Verb::Identify(args) => processes::identify(&args, &context),
        Verb::Pids(args) => processes::pids(&args, &mut context),
        Verb::Show(args) => show::show(&args, &mut context),
        Verb::Map(args) => map::map(&args, &mut context),
        Verb::Lab(args) => lab::lab(args, &mut context),
        Verb::Ns(args) => ns::ns(args),
        Verb::Monitor => Ok(names::monitor()?),
        Verb::Exec(args) => exec::exec(args, &mut context),
        Verb::Isolate(args) => isolate::isolate(*args, names, &mut context),
        Verb::Veth(args) => veth::veth(&args, &context),
        Verb::Link(args) => match words::link::read(&args.words, names)? {
            Asked::Help(text) => Ok(Answer::Text(text)),
            Asked::For { request, place } => link::link(request, place, &mut context),
        },
        Verb::Neigh(args) => match words::neigh::read(&args.words, names, context.globals.family)? {
            Asked::Help(text) => Ok(Answer::Text(text)),
            Asked::For { request, place } => neigh::neigh(request, place, &mut context),
        },
        Verb::Route(args) => match words::route::read(&args.words, names, context.globals.family)? {
            Asked::Help(text) => Ok(Answer::Text(text)),
            Asked::For { request, place } => route::route(request, place, &mut context),
        },
        Verb::Addr(args) => match words::addr::read(&args.words, names, context.globals.family)? {
            Asked::Help(text) => Ok(Answer::Text(text)),
            Asked::For { request, place } => addr::addr(request, place, &mut context),
        },
        Verb::Rule(args) => match words::rule::read(&args.words, names, context.globals.family)? {
            Asked::Help(text) => Ok(Answer::Text(text)),
            Asked::For { request, place } => rule::rule(request, place, &mut context),
        },
        Verb::Completions(args) => Ok(Answer::Text(complete::script(args.shell).to_owned())),
        Verb::Help(args) => help(args.verb.as_deref()),
    }
}

fn help(verb: Option<&str>) -> Result<Answer, Failure> {
    if let Some(text) = verb.and_then(words::help) {
        return Ok(Answer::Text(text));
    }
    // The same as 'nsnet VERB --help', to the letter.
    let asked = ["nsnet"].into_iter().chain(verb).chain(["--help"]);
    match Cli::command().try_get_matches_from(asked) {
        Err(answer) if answer.kind() == ErrorKind::DisplayHelp => Ok(Answer::Text(answer.render().to_string())),
        _ => {
            let verb = escaped(verb.unwrap_or_default().as_bytes());
            Err(Failure::Usage(format!("there is no verb '{verb}'; 'nsnet help' lists them")))
        }
    }
}

/// Options of ip's that change nothing of what its objects say: a size, a number of rounds, a time of day.
const HARMLESS: [&str; 4] = ["-rcvbuf", "-loops", "-timestamp", "-tshort"];

/// An option that would be ignored is a misunderstanding.
fn refuse_misplaced(globals: &Globals, verb: &Verb) -> Result<(), Failure> {
    let refuse = |option: &str, of: &str| Err(Failure::Usage(format!("'{option}' is an option of {of} only")));
    if globals.all && !matches!(verb, Verb::Del(_) | Verb::Exec(_) | Verb::Isolate(_) | Verb::Lab(_)) {
        return refuse("--all", "del, exec, isolate and lab exec");
    }
    if globals.netns.is_some() && matches!(verb, Verb::Map(_) | Verb::Ns(_)) {
        let said =
            "'-n' chooses one namespace, and this verb looks at all; 'nsnet map NS' keeps to what is connected with NS";
        return Err(Failure::Usage(said.into()));
    }
    if globals.netns.is_some() && matches!(verb, Verb::Lab(_)) {
        let said = "'-n' chooses one namespace, and a lab has its own: '.' is the one that nsnet is started in";
        return Err(Failure::Usage(said.into()));
    }
    let is_object = verb.is_object();
    let unfit = globals.ip_option.iter().find(|option| !is_object || !HARMLESS.contains(&option.as_str()));
    if let (Some(option), true) = (unfit, is_object || matches!(verb, Verb::Veth(_))) {
        return Err(Failure::Usage(format!("the option '{option}' of ip is not offered for this verb")));
    }
    Ok(())
}

/// Runs async work on this thread.
fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|e| Failure::Setup("start the runtime", e))?.block_on(work)
}
