//! A lab that is up for as long as a value lives.

use super::{
    apply::{self, Lowered, OnProgress},
    model::Lab,
    trial::{self, Tested},
};
use crate::{
    error::{Error, ErrorKind, Result},
    name::NsRef,
    netns::Netns,
};

/// A lab that is up, and goes down when this is dropped: for tests that need a network of their own.
///
/// Root of a user namespace is enough, with mounts of its own, so that `/run/netns` is too: `nsnet isolate`
/// makes such a world, and so does `unshare -Urmn`.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use nsnet::lab::{Lab, Running};
/// use std::{io::{Read, Write}, net::{TcpListener, TcpStream}};
///
/// let lab = Lab::read(r#"
///     name = "doc-pair"
///     nodes = { client = {}, server = {} }
///     links = [{ ends = ["client", "server"], subnet = "10.0.0.0/30" }]
/// "#).map_err(|problems| problems[0].to_string())?;
/// let running = Running::up(&lab)?;
///
/// // A socket stays in the namespace that it was opened in, whoever uses it.
/// let listener = running.run("server", || TcpListener::bind("10.0.0.2:80"))??;
/// let mut client = running.run("client", || TcpStream::connect("10.0.0.2:80"))??;
/// let (mut server, from) = listener.accept()?;
/// assert_eq!(from.ip().to_string(), "10.0.0.1");
///
/// server.write_all(b"hello")?;
/// drop(server);
/// let mut text = String::new();
/// client.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Running {
    lab: Lab,
    /// False once it was taken down.
    is_up: bool,
}

impl Running {
    /// Brings a lab up; what is there of it already is not touched, and refused.
    ///
    /// A process that is killed leaves it up: under `nsnet isolate`, it goes with the rest.
    ///
    /// # Errors
    ///
    /// `Exists` where something of the lab is there; else as [`up`](super::up). Nothing of it is left then.
    pub fn up(lab: &Lab) -> Result<Self> {
        Self::raise(lab, &mut |_| {}, &mut Vec::new())
    }

    /// The same, for who wants to hear of it.
    pub(super) fn raise(lab: &Lab, progress: OnProgress<'_>, warnings: &mut Vec<String>) -> Result<Self> {
        if trial::is_there(lab)? {
            let why = "it is there already, and what is brought up is taken down again: 'nsnet lab test' without \
                       '--up' tests what runs, and 'nsnet lab down' removes it";
            return Err(Error::of_kind(ErrorKind::Exists, "bring up lab", &lab.name, why));
        }
        let raised = apply::up(&lab.name, &lab.state, progress)?;
        warnings.extend(raised.warnings);
        Ok(Self { lab: lab.clone(), is_up: true })
    }

    /// The lab.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The namespace of a node.
    ///
    /// # Errors
    ///
    /// `Invalid` where no node can have this name; `NotFound` where none has it.
    pub fn node(&self, name: &str) -> Result<Netns> {
        Netns::open(&NsRef::Node(self.lab.name.clone(), name.parse()?))
    }

    /// Runs `work` in a node, on a thread that ends with it; see [`Netns::run`].
    ///
    /// # Errors
    ///
    /// As [`Running::node`] and [`Netns::run`].
    pub fn run<T: Send>(&self, node: &str, work: impl FnOnce() -> T + Send) -> Result<T> {
        self.node(node)?.run(work)
    }

    /// Tries the checks of the lab; see [`test`](super::test()).
    ///
    /// # Errors
    ///
    /// As [`test`](super::test()).
    pub fn test(&self) -> Result<Vec<Tested>> {
        trial::test(&self.lab)
    }

    /// Takes it down, and tells what came of it, which a drop does not.
    ///
    /// # Errors
    ///
    /// As [`down`](super::down).
    pub fn down(mut self) -> Result<Lowered> {
        self.is_up = false;
        apply::down(&self.lab.name)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_up {
            // A drop has nobody to tell; what is left is told by the next one that brings it up.
            let _ = apply::down(&self.lab.name);
        }
    }
}
