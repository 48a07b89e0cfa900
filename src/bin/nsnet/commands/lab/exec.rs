//! `lab exec`: a command in a node, by becoming it, or in all of them at once.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Read},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Sender, channel},
    },
    thread,
};

use nsnet::{
    Error, ErrorKind, LabName, Netns, NodeName, NsRef,
    exec::{self, ExecError, ExecOptions},
    lab,
};

use super::super::{
    Context, Failure, Note,
    exec::{code_of, shell},
};
use crate::{
    args::{LabExec, Nodes},
    render::{Answer, NodeSays},
};

/// So many commands run at a time.
const AT_ONCE: usize = 64;

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
    let workers = nodes.len().min(AT_ONCE);
    let queue = Arc::new(Mutex::new(nodes.into_iter()));
    let (lab, command) = (Arc::new(lab.clone()), Arc::new(command));
    let (says, heard) = channel();
    for _ in 0..workers {
        let (queue, lab, command, says) = (Arc::clone(&queue), Arc::clone(&lab), Arc::clone(&command), says.clone());
        thread::spawn(move || {
            while let Some(node) = next_of(&queue) {
                let code = run(&lab, &node, &command, &says);
                // Where nobody listens any more, nobody needs the code.
                let _ = says.send(NodeSays::Ended { node, code });
            }
        });
    }
    Ok(Answer::Everywhere(Box::new(heard.into_iter())))
}

fn next_of(queue: &Mutex<impl Iterator<Item = NodeName>>) -> Option<NodeName> {
    queue.lock().ok()?.next()
}

fn run(lab: &LabName, node: &NodeName, command: &[OsString], says: &Sender<NodeSays>) -> std::io::Result<u8> {
    let mut child = Command::new("/proc/self/exe")
        .args(["lab", "exec", &format!("{}/{}", lab.as_str(), node.as_str()), "--"])
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(|| pass_on(err, true, node, says));
        pass_on(out, false, node, says);
    });
    child.wait().map(code_of)
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
