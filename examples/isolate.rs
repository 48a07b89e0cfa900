//! Runs a command in namespaces of its own, wired to the host, and says how it ended.
//!
//! ```sh
//! sudo target/x86_64-unknown-linux-gnu/debug/examples/isolate ping -c1 10.9.0.1
//! cargo run --example isolate -- id          # as an ordinary user: root inside, without the wire
//! ```
#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs)]

use std::{error::Error, ffi::OsString};

use nsnet::isolate::{Event, IdMaps, Isolation};

fn main() -> Result<(), Box<dyn Error>> {
    let command: Vec<OsString> = std::env::args_os().skip(1).collect();
    let isolation = Isolation::new(command).hostname("box").forward_signals(true);
    let isolation = if rustix::process::geteuid().is_root() {
        isolation.veth(["host0=10.9.0.1/30".parse()?, "eth0=10.9.0.2/30".parse()?])
    } else {
        let mut maps = IdMaps::default();
        maps.root = true;
        isolation.maps(maps)
    };
    let ended = isolation.run(&mut |event| match event {
        Event::Started { pid } => println!("process 1 inside is {pid} outside"),
        Event::Warning(warning) => eprintln!("{warning}"),
        _ => {}
    })?;
    println!("{ended:?}");
    Ok(())
}
