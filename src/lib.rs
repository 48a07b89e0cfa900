//! Network namespaces: make, wire, enter, watch and delete them, by netlink and system calls alone.
//!
//! The command `nsnet` is this library and words around it.
//!
//! # Namespaces
//!
//! A [`Netns`] is a namespace held open. Named ones lie under `/run/netns`, where `ip netns` finds
//! them too.
//!
//! ```
//! use nsnet::{Netns, netns};
//! # fn main() -> nsnet::Result<()> {
//! let name = "doc-red".parse()?;
//! netns::create(std::slice::from_ref(&name), netns::CreateOptions::default())?;
//! let red = Netns::open(&name.clone().into())?;
//!
//! // On a thread that ends; the caller stays where it is.
//! let listener = red.run(|| std::net::TcpListener::bind("127.0.0.1:0"))?.unwrap();
//! assert!(listener.local_addr().unwrap().ip().is_loopback());
//! assert_ne!(red.id(), Netns::current()?.id());
//! drop((listener, red));
//!
//! let outcome = netns::delete(&name, true)?;
//! assert!(matches!(outcome, netns::Outcome::Gone));
//! # Ok(()) }
//! ```
//!
//! # Who is there
//!
//! Names, processes, ids and what else keeps a namespace alive.
//!
//! ```
//! use nsnet::{Netns, netns};
//! # fn main() -> nsnet::Result<()> {
//! # let name = "doc-blue".parse()?;
//! # netns::create(std::slice::from_ref(&name), netns::CreateOptions::default())?;
//! let blue = Netns::open(&"doc-blue".parse()?)?;
//! assert_eq!(netns::identify(&blue)?, ["doc-blue".parse()?]);
//! assert!(netns::residents(&blue)?.residents.is_empty());
//!
//! let here = Netns::current()?;
//! netns::set_nsid(&here, &blue, netns::Nsid::Id(7))?;
//! assert_eq!(netns::nsid_peer(&here, 7, None)?.name, Some("doc-blue".parse()?));
//! # drop(blue);
//! # netns::delete(&name, true)?;
//! # Ok(()) }
//! ```
//!
//! # What is connected to what
//!
//! A map is a graph: namespaces with their links, and the wires between these.
//!
//! ```
//! use nsnet::{Netns, VethEnd, VethOptions, inspect::{Mapper, WireKind}, netlink::veth};
//! # fn main() -> nsnet::Result<()> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let (left, right, name) = (Netns::unnamed()?, Netns::unnamed()?, "eth0".parse()?);
//! # for (name, ns) in [("doc-left", &left), ("doc-right", &right)] { nsnet::netns::attach(&name.parse()?, ns)?; }
//! let ends = [VethEnd::new(&left, &name), VethEnd::new(&right, &name)];
//! veth::create(&ends, &VethOptions::default()).await?;
//!
//! let map = Mapper::new()?.map()?.around(&[left.id()].into());
//! assert_eq!(map.namespaces.len(), 2);
//! assert_eq!(map.wires[0].kind, WireKind::Pair);
//! # for name in ["doc-left", "doc-right"] { nsnet::netns::delete(&name.parse()?, false)?; }
//! # Ok(()) })
//! # }
//! ```
//!
//! # Watching
//!
//! A name is announced when its namespace can be entered.
//!
//! ```
//! use nsnet::{netns, netns::{Change, Watch}};
//! # fn main() -> nsnet::Result<()> {
//! let mut watch = Watch::start()?;
//! # let name: nsnet::NsName = "doc-green".parse()?;
//! netns::create(&["doc-green".parse()?], netns::CreateOptions::default())?;
//! while watch.next_change()? != Change::Added("doc-green".parse()?) {}
//! # netns::delete(&name, true)?;
//! # Ok(()) }
//! ```
//!
//! # Becoming a command
//!
//! [`exec::exec`] does not come back: the process stays, and is the command from then on.
//!
//! ```no_run
//! use nsnet::{Netns, exec};
//! # fn main() -> nsnet::Result<()> {
//! let red = Netns::open(&"red".parse()?)?;
//! let options = exec::ExecOptions::default().bare(true);
//! let why_not = exec::exec(&red, &options, &["ip".into(), "link".into()], &mut |_warning| {});
//! # drop(why_not); Ok(()) }
//! ```
//!
//! # Isolating a command
//!
//! [`isolate::Isolation`] runs a command in namespaces of its own and waits for its end; nothing is left then.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let command = ["sh", "-c", "exit $$"].map(Into::into);
//! assert_eq!(nsnet::isolate::Isolation::new(command).run(&mut |_event| {})?.code(), 1);
//! # Ok(()) }
//! ```
//!
//! # Wiring
//!
//! Netlink functions are async, on the caller's tokio runtime. A connection belongs to the
//! namespace it was opened in, whatever thread uses it.
//!
//! ```
//! use nsnet::{Netlink, Netns, VethEnd, VethOptions, netlink::veth};
//! # fn main() -> nsnet::Result<()> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let (left, right) = (Netns::unnamed()?, Netns::unnamed()?);
//! let (name, addrs) = ("eth0".parse()?, ["10.0.0.1/24".parse()?, "fd00::1/64".parse()?]);
//! let ends = [VethEnd::new(&left, &name).addrs(&addrs), VethEnd::new(&right, &name)];
//! veth::create(&ends, &VethOptions::default().mtu_bytes(Some(1400))).await?;
//!
//! let link = Netlink::open(&left)?.link("eth0").await?;
//! assert_eq!((link.mtu_bytes, link.operstate), (Some(1400), "UP"));
//! # Ok(()) })
//! # }
//! ```
//!
//! # Labs
//!
//! A file says what a network is. It is read and checked without touching anything: all that is wrong
//! with it is told at once.
//!
//! ```
//! use nsnet::lab::{Lab, Place};
//! let lab = Lab::read(r#"
//!     name = "pair"
//!     nodes = { left = {}, right = {} }
//!     links = [{ ends = ["left", "right"], subnet = "10.0.0.0/30" }]
//! "#).expect("it has no problems");
//! let left = &lab.state.spaces[&Place::Node(lab.nodes[0].name.clone())];
//! assert_eq!(left.links[&"eth0".parse()?].addrs.first(), Some(&"10.0.0.1/30".parse()?));
//!
//! let problems = Lab::read("nmae = 'pair'").unwrap_err();
//! assert_eq!(problems[1].to_string(), "1:1: there is no key 'nmae' here");
//! # Ok::<(), nsnet::Error>(())
//! ```
//!
//! [`lab::Running`] has a lab up for as long as it lives, for tests that need a network of their own, and
//! [`lab::test`](lab::test()) tries the checks of one.
//!
//! ```
//! use nsnet::lab::{Lab, Running, Verdict};
//! let lab = Lab::read(r#"
//!     name = "doc-checked"
//!     nodes = { left = {}, right = {} }
//!     links = [{ ends = ["left", "right"], subnet = "10.0.0.0/30" }]
//!     checks = [{ from = "left", to = "right" }]
//! "#).expect("it has no problems");
//! let running = Running::up(&lab)?;
//! assert_eq!(running.test()?[0].verdict, Verdict::Holds);
//! # Ok::<(), nsnet::Error>(())
//! ```
//!
//! # Promises
//!
//! The library never prints, exits or reads the command line. It never switches the namespace of a
//! thread that lives on. It deletes nothing that it did not make, unless the caller named it.
//! Every [`Error`] says what was tried, on what, and why it failed.
//!
//! # Limits
//!
//! - Linux 5.12 or later; `/proc` must be mounted. Names made inside [`exec::exec`] are shared with the
//!   outside from Linux 5.15.
//! - A namespace that only a socket of a process elsewhere holds shows no holder.
//! - [`netns::delete`] waits for the far ends of veths whose namespace is the current one or has a name,
//!   not for other links elsewhere that stood on a link inside.
//! - An interface name that is not UTF-8 is shown with U+FFFD, and cannot be asked for.
//! - After `kill -9`, a veth pair may be left half-made; names heal by themselves.
#![warn(missing_docs)]
#![cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used))]

pub mod addr;
#[cfg(test)]
mod arbitrary;
mod error;
pub mod exec;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod inspect;
pub mod isolate;
pub mod lab;
pub mod name;
pub mod netlink;
pub mod netns;
mod sys;

pub use addr::{Device, End, Family, IfAddr, Mac, Prefix};
pub use error::{Error, ErrorKind, Result};
pub use name::{IfName, LabName, NodeName, NsName, NsRef};
pub use netlink::{
    Netlink,
    addr::Addr,
    change::Change,
    kind::Kind,
    link::Link,
    link_change::LinkChange,
    link_move::Move,
    new_link::{NewEnd, NewLink, Site},
    route::Route,
    rule::Rule,
    veth::{VethEnd, VethOptions},
};
pub use netns::Netns;
