//! Everything that needs a kernel: the built binary and the library, in worlds of their own.
//!
//! Run through `scripts/in-userns`, as `cargo test` does; no root needed.
#![allow(clippy::unwrap_used)]

mod support;
mod terminal;

mod addr;
mod batch;
mod chaos;
mod cli;
mod compat;
mod delete;
mod docs;
mod exec;
mod generated;
mod isolate;
mod isolate_net;
mod isolate_tty;
mod isolate_user;
mod lab_adopt;
mod lab_chaos;
mod lab_examples;
mod lab_files;
mod lab_graph;
mod lab_props;
mod lab_run;
mod lab_test;
mod lab_tty;
mod lab_up;
mod library;
mod link;
mod link_add;
mod link_set;
mod map;
mod monitor;
mod names;
mod ns;
mod processes;
mod races;
mod rooms;
mod show;
mod veth;
mod wiring;
