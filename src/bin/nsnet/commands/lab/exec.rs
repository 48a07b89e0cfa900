//! `lab exec`: a command in a node, by becoming it, or in all of them at once.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Sender, channel, sync_channel},
    },
    thread,
    time::Duration,
};

use nsnet::{
    Error, ErrorKind, LabName, Netns, NodeName, NsRef,
    exec::{self, ExecError, ExecOptions},
    lab,
};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::super::{
    Context, Failure, Note, block_on,
    exec::{code_of, shell},
    interrupts::Interrupts,
};
use crate::{
    args::{LabExec, Nodes},
    render::{Answer, NodeSays},
};

/// So many commands run at a time.
const AT_ONCE: usize = 64;

/// How long commands may take to end after a signal, before they are made to.
const PATIENCE: Duration = Duration::from_secs(5);

/// The commands that run, each the leader of a process group, and the signal that ended them.
#[derive(Default)]
struct Groups {
    leaders: Vec<Pid>,
    interrupted: Option<u8>,
}

impl Groups {
    fn signal(&self, signal: Signal) {
        for leader in &self.leaders {
            // None of them is reaped yet, so the number means its group; an error says that nobody is left in it.
            let _ = kill_process_group(*leader, signal);
        }
    }
}

pub fn exec(args: LabExec, context: &mut Context<'_>) -> Result<Answer, Failure> {
    match (args.nodes, context.globals.all) {
        (Nodes::One(lab, node), false) => Err(Failure::Exec(in_node(&lab, &node, args.command, context))),
        (Nodes::All(lab), true) => everywhere(&lab, args.command),
        (Nodes::One(..), true) => Err(Failure::Usage("'lab exec --all' takes a LAB, and no node".into())),
        (Nodes::All(_), false) => Err(Failure::Usage("'lab exec' needs LAB/NODE, or LAB and --all".into())),
    }
}

fn in_node(lab: &LabName, node: &NodeName, mut command: Vec<OsString>, context: &mut Context<'_>) -> ExecError {
    let reference = NsRef::Node(lab.clone(), node.clone());
    let ns = match Netns::open(&reference) {
        Ok(ns) => ns,
        Err(e) => return ExecError::Prepare(why_not(lab, e)),
    };
    if command.is_empty() {
        command.push(shell());
    }
    let options = ExecOptions::default().etc(reference.ns_name()).hostname(Some(lab::hostname(lab, node)));
    let notes = &mut context.notes;
    exec::exec(&ns, &options, &command, &mut |e| notes(Note::Warning(e.to_string())))
}

/// Where nothing of the lab is there, that says more than that the node is not.
fn why_not(lab: &LabName, e: Error) -> Error {
    let absent = (e.kind() == ErrorKind::NotFound).then(|| lab::nodes(lab).err()).flatten();
    absent.filter(|absent| absent.kind() == ErrorKind::NotFound).unwrap_or(e)
}

/// Runs this very program once a node: what becomes a command must be a process of its own.
fn everywhere(lab: &LabName, command: Vec<OsString>) -> Result<Answer, Failure> {
    if command.is_empty() {
        return Err(Failure::Usage("'lab exec --all' needs a command".into()));
    }
    let nodes = lab::nodes(lab)?;
    let groups = Arc::new(Mutex::new(Groups::default()));
    watch(&groups)?;
    let workers = nodes.len().min(AT_ONCE);
    let queue = Arc::new(Mutex::new(nodes.into_iter()));
    let (lab, command) = (Arc::new(lab.clone()), Arc::new(command));
    let (says, heard) = channel();
    for _ in 0..workers {
        let (queue, lab, command, says) = (Arc::clone(&queue), Arc::clone(&lab), Arc::clone(&command), says.clone());
        let groups = Arc::clone(&groups);
        thread::spawn(move || {
            while let Some(node) = next_of(&queue) {
                let Some(code) = run(&groups, &lab, &node, &command, &says).transpose() else { return };
                // Where nobody listens any more, nobody needs the code.
                let _ = says.send(NodeSays::Ended { node, code });
            }
        });
    }
    drop(says);
    let interrupted = move || groups.lock().ok()?.interrupted.map(NodeSays::Interrupted);
    Ok(Answer::Everywhere(Box::new(heard.into_iter().chain(std::iter::once_with(interrupted).flatten()))))
}

/// Passes INT, TERM, HUP and QUIT on to all commands, which a terminal does not reach in groups of their own.
fn watch(groups: &Arc<Mutex<Groups>>) -> Result<(), Failure> {
    let groups = Arc::clone(groups);
    let (tell, told) = sync_channel(1);
    thread::spawn(move || {
        let failed = block_on(async {
            let mut interrupts = Interrupts::watch()?;
            let _ = tell.send(Ok(()));
            let number = interrupts.next().await;
            if let Ok(mut groups) = groups.lock() {
                groups.interrupted = Some(number);
                groups.signal(Signal::from_named_raw(number.into()).unwrap_or(Signal::TERM));
            }
            // A second one is a user who will not wait.
            let _ = tokio::time::timeout(PATIENCE, interrupts.next()).await;
            if let Ok(groups) = groups.lock() {
                groups.signal(Signal::KILL);
            }
            Ok(())
        });
        // Once it watches, nothing can fail.
        let _ = tell.send(failed);
    });
    told.recv().unwrap_or(Ok(()))
}

fn next_of(queue: &Mutex<impl Iterator<Item = NodeName>>) -> Option<NodeName> {
    queue.lock().ok()?.next()
}

/// None where no more commands are to be started.
fn run(
    groups: &Mutex<Groups>,
    lab: &LabName,
    node: &NodeName,
    command: &[OsString],
    says: &Sender<NodeSays>,
) -> std::io::Result<Option<u8>> {
    let Some(mut child) = start(groups, lab, node, command)? else { return Ok(None) };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(|| pass_on(err, true, node, says));
        pass_on(out, false, node, says);
    });
    let leader = Pid::from_child(&child);
    // Its number must mean its group until it is off the list.
    waitid(WaitId::Pid(leader), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    if let Ok(mut groups) = groups.lock() {
        groups.leaders.retain(|one| *one != leader);
    }
    child.wait().map(|status| Some(code_of(status)))
}

/// Under the lock, so that a signal meets each command either on the list or not started.
fn start(
    groups: &Mutex<Groups>,
    lab: &LabName,
    node: &NodeName,
    command: &[OsString],
) -> std::io::Result<Option<Child>> {
    let Ok(mut groups) = groups.lock() else { return Ok(None) };
    if groups.interrupted.is_some() {
        return Ok(None);
    }
    let child = Command::new("/proc/self/exe")
        .args(["lab", "exec", &format!("{}/{}", lab.as_str(), node.as_str()), "--"])
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    groups.leaders.push(Pid::from_child(&child));
    Ok(Some(child))
}

/// Each line as it comes, with who said it.
fn pass_on(from: Option<impl Read>, is_err: bool, node: &NodeName, says: &Sender<NodeSays>) {
    let Some(from) = from else { return };
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        if says.send(NodeSays::Line { node: node.clone(), line, is_err }).is_err() {
            return;
        }
    }
}
