//! The parts that ask nobody: what a command line, `/proc` and an answer of 3,000 rows cost.
//!
//! What is private is compiled in from its own file, of which this uses a part.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../src/bin/nsnet/iproute2.rs"]
#[allow(dead_code, unused_imports)]
mod iproute2;
#[path = "../src/sys/mountinfo.rs"]
#[allow(dead_code, unused_imports)]
mod mountinfo;
#[path = "../src/bin/nsnet/render/mod.rs"]
#[allow(dead_code, unused_imports)]
mod render;
#[path = "../src/bin/nsnet/words/mod.rs"]
#[allow(dead_code, unused_imports)]
mod words;

use std::{ffi::OsString, fmt::Write as _, hint::black_box};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use iproute2::Names;
use nsnet::{End, netns::State};
use render::{Answer, Format, ListRow, Style, View};

/// What rendering may fail with, in place of the command's own.
mod commands {
    #[allow(dead_code)]
    pub enum Failure {
        Unknown(Box<Failure>),
        Output(std::io::Error),
        Work(nsnet::Error),
        Failed(String),
    }

    impl From<std::io::Error> for Failure {
        fn from(error: std::io::Error) -> Self {
            Self::Output(error)
        }
    }

    impl From<nsnet::Error> for Failure {
        fn from(error: nsnet::Error) -> Self {
            Self::Work(error)
        }
    }
}

const ROWS: usize = 3000;

fn parsing(criterion: &mut Criterion) {
    criterion.bench_function("an end with two addresses", |bencher| {
        bencher.iter(|| End::new(black_box("red:eth0=10.0.0.1/24,fd00::1/64")));
    });
    let line: Vec<OsString> = ["-j", "-n", "red", "netns", "exec", "x", "ls", "-l"].map(OsString::from).into();
    criterion.bench_function("the words of a command line", |bencher| {
        bencher.iter(|| words::read(black_box(line.clone())));
    });
    let mounts = (0..ROWS).fold(String::new(), |mut text, at| {
        writeln!(text, r"{at} 31 0:4 net:[402653{at}] /run/netns/a\040{at} rw shared:{at} - nsfs nsfs rw").unwrap();
        text
    });
    let mut group = criterion.benchmark_group("mountinfo");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("3,000 lines", |bencher| {
        bencher.iter(|| mountinfo::parse(black_box(mounts.as_bytes())).count());
    });
}

fn rendering(criterion: &mut Criterion) {
    let rows = |entry: Option<State>| -> Vec<_> {
        let row = |at| ListRow {
            name: format!("name-{at}").parse().unwrap(),
            nsid: u32::try_from(at).ok(),
            entry: entry.clone(),
        };
        (0..ROWS).map(row).collect()
    };
    let mut group = criterion.benchmark_group("a list of 3,000");
    group.throughput(Throughput::Elements(ROWS as u64));
    for (name, json, escape, entry) in [
        ("as text", false, false, None),
        ("as text for a terminal", false, true, None),
        ("as JSON", true, false, Some(State::Dead)),
    ] {
        let (format, names) = (Format { json, pretty: false }, Names::new(false));
        let view = View::plain(Style { escape, color: false }, &names);
        let answer = || Answer::List(rows(entry.clone()));
        group.bench_function(name, |bencher| {
            let write = |answer| {
                let mut out = Vec::new();
                assert!(matches!(render::write(&mut out, format, view, answer), Ok(0)));
                out
            };
            bencher.iter_batched(answer, write, criterion::BatchSize::LargeInput);
        });
    }
}

criterion_group!(benches, parsing, rendering);
criterion_main!(benches);
