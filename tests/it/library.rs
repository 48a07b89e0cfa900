//! The library as another program uses it.
//!
//! These run in this very process, in the world that `scripts/in-userns` made for it.

use std::{
    collections::BTreeSet,
    fs,
    future::{Future, poll_fn},
    io::{ErrorKind as IoErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    pin::pin,
    process::Command,
    sync::mpsc,
    task::Poll,
    thread,
};

use super::support::Background;
use nsnet::{
    ErrorKind, IfAddr, IfName, Mac, Netlink, Netns, NsName, NsRef, VethEnd, VethOptions, inspect,
    netlink::veth,
    netns::{self, Change, CreateOptions, Entry, Hold, Nsid, Outcome, State, Watch},
};

/// Names of one test, removed when it ends, however it ends.
struct Names(Vec<NsName>);

impl Names {
    /// Names that no other test has.
    fn new(names: &[&str]) -> Self {
        Self(names.iter().map(|name| format!("library-{name}").parse().unwrap()).collect())
    }

    fn made(names: &[&str]) -> Self {
        let this = Self::new(names);
        assert_eq!(netns::create(&this.0, CreateOptions::default()).unwrap(), this.0);
        this
    }

    fn open(&self, at: usize) -> Netns {
        Netns::open(&NsRef::Name(self.0[at].clone())).unwrap()
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        for name in &self.0 {
            let _ = netns::delete(name, false);
        }
    }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Where this process and this thread are.
fn here() -> [std::path::PathBuf; 2] {
    ["self", "thread-self"].map(|who| fs::read_link(format!("/proc/{who}/ns/net")).unwrap())
}

async fn links(ns: &Netns) -> Vec<String> {
    let links = Netlink::open(ns).unwrap().links().await.unwrap();
    links.into_iter().map(|link| link.name).collect()
}

// ---- namespaces ----

#[test]
fn a_namespace_is_made_opened_used_listed_and_deleted() {
    let names = Names::made(&["life"]);
    let name = names.0[0].clone();
    assert!(netns::list().unwrap().contains(&name));
    let ns = names.open(0);
    let file = ns.run(|| fs::read_link("/proc/thread-self/ns/net").unwrap()).unwrap();
    assert_eq!(file.to_str().unwrap(), ns.id().to_string());
    assert_eq!(ns.to_string(), "'library-life'");
    drop(ns);
    assert!(matches!(netns::delete(&name, true), Ok(Outcome::Gone)));
    assert!(!netns::list().unwrap().contains(&name));
}

#[test]
fn work_inside_leaves_the_caller_where_it_was() {
    let before = here();
    let ns = Netns::unnamed().unwrap();
    let inside = ns.run(|| fs::read_link("/proc/thread-self/ns/net").unwrap()).unwrap();
    assert_ne!(inside, before[1]);
    assert_eq!(here(), before);
    let panicked = thread::spawn({
        let before = before.clone();
        move || {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ns.run(|| panic!("on purpose"))));
            assert_eq!(here()[1], before[1]);
            caught.is_err()
        }
    });
    assert!(panicked.join().unwrap(), "a panic of the work is the caller's");
    assert_eq!(here(), before);
}

#[test]
fn the_thread_of_the_work_ends_with_it() {
    let ns = Netns::unnamed().unwrap();
    let task = ns.run(|| fs::read_link("/proc/thread-self").unwrap()).unwrap();
    // A thread that was joined is in /proc a moment longer; one that lives on would be for ever.
    while Path::new("/proc").join(&task).exists() {
        thread::yield_now();
    }
}

#[test]
fn what_is_opened_inside_belongs_there_for_ever() {
    let (left, right) = (Netns::unnamed().unwrap(), Netns::unnamed().unwrap());
    let listener = left.run(|| TcpListener::bind("127.0.0.1:0")).unwrap().unwrap();
    let addr = listener.local_addr().unwrap();
    let echo = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"from inside").unwrap();
    });
    let refused = right.run(|| TcpStream::connect(addr)).unwrap();
    assert_eq!(refused.unwrap_err().kind(), IoErrorKind::ConnectionRefused);
    let mut text = String::new();
    let mut stream = left.run(|| TcpStream::connect(addr)).unwrap().unwrap();
    stream.read_to_string(&mut text).unwrap();
    echo.join().unwrap();
    assert_eq!(text, "from inside");
}

#[test]
fn an_identity_is_the_same_however_it_is_opened() {
    let names = Names::made(&["identity", "another"]);
    let (ns, other) = (names.open(0), names.open(1));
    let by_path = Netns::open(&"/run/netns/library-identity".parse().unwrap()).unwrap();
    assert_eq!(ns.id(), by_path.id());
    assert_ne!(ns.id(), other.id());
    let current = Netns::current().unwrap();
    assert_ne!(ns.id(), current.id());
    assert_eq!(ns.run(|| Netns::current().unwrap().id()).unwrap(), ns.id());
    assert_eq!(Netns::open(&NsRef::Current).unwrap().id(), current.id());
    assert_eq!(Netns::open(&NsRef::Pid(std::process::id())).unwrap().id(), current.id());
}

#[test]
fn a_namespace_lives_while_it_is_open() {
    let names = Names::made(&["kept"]);
    let ns = names.open(0);
    assert!(matches!(netns::delete(&names.0[0], false), Ok(Outcome::NotAwaited)));
    assert_eq!(block_on(links(&ns)), ["lo"]);
}

#[test]
fn errors_have_a_kind_to_act_on() {
    let names = Names::made(&["taken"]);
    let directory = Directory::new("library-directory");
    let open = |text: &str| Netns::open(&text.parse().unwrap()).unwrap_err().kind();
    let create = |name: &str, options| netns::create(&[name.parse().unwrap()], options).unwrap_err().kind();
    assert_eq!(open("library-missing"), ErrorKind::NotFound);
    assert_eq!(open("pid:4194304"), ErrorKind::NotFound);
    assert_eq!(open("/no/such/file"), ErrorKind::NotFound);
    assert_eq!(open("/proc/self/ns/mnt"), ErrorKind::NotANamespace);
    assert_eq!(open("/etc/passwd"), ErrorKind::NotANamespace);
    assert_eq!(open(&directory.0), ErrorKind::NotANamespace);
    assert_eq!(create("library-taken", CreateOptions::default()), ErrorKind::Exists);
    assert_eq!(create(&directory.0, CreateOptions::default().if_missing(true)), ErrorKind::NotANamespace);
    assert_eq!(create("pid:7", CreateOptions::default()), ErrorKind::Invalid);
    assert_eq!("a/b".parse::<NsName>().unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(netns::delete(&"library-missing".parse().unwrap(), true).unwrap_err().kind(), ErrorKind::NotFound);
    let existing = netns::create(&names.0, CreateOptions::default().if_missing(true)).unwrap();
    assert!(existing.is_empty(), "{existing:?}");
    let error = Netns::open(&"library-missing".parse().unwrap()).unwrap_err();
    assert_eq!((error.op(), error.subject(), error.errno()), ("open namespace", "'library-missing'", None));
}

/// Something in `/run/netns` that is no namespace.
struct Directory(String);

impl Directory {
    fn new(name: &str) -> Self {
        let _made = Names::made(&[&format!("before-{name}")]);
        fs::create_dir(Path::new(netns::RUN_DIR).join(name)).unwrap();
        Self(name.to_owned())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir(Path::new(netns::RUN_DIR).join(&self.0));
    }
}

#[test]
fn a_name_can_be_changed_and_added() {
    let names = Names::new(&["old", "new", "second", "fourth"]);
    let [old, new, second, fourth] = &names.0[..] else { unreachable!() };
    netns::create(std::slice::from_ref(old), CreateOptions::default()).unwrap();
    let ns = names.open(0);
    netns::rename(old, new).unwrap();
    netns::attach(second, &ns).unwrap();
    assert_eq!(netns::identify(&ns).unwrap(), [new.clone(), second.clone()]);
    assert_eq!(netns::rename(old, fourth).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(netns::rename(new, second).unwrap_err().kind(), ErrorKind::Exists);
    assert_eq!(netns::attach(new, &ns).unwrap_err().kind(), ErrorKind::Exists);
}

#[test]
fn a_look_tells_what_stands_behind_a_name() {
    let names = Names::made(&["looked-at"]);
    let directory = Directory::new("library-looked-at-directory");
    let look = |name: &str| Entry::look(name.parse().unwrap()).unwrap().map(|entry| entry.state);
    assert_eq!(look("library-looked-at"), Some(State::Alive(names.open(0).id())));
    assert_eq!(look(&directory.0), Some(State::Foreign("it is a directory".into())));
    assert_eq!(look("library-not-there"), None);
    fs::write("/run/netns/library-dead", "").unwrap();
    let dead = look("library-dead");
    fs::remove_file("/run/netns/library-dead").unwrap();
    assert_eq!(dead, Some(State::Dead));
}

fn ready_then_sleep() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "echo ready; exec sleep 1000"]);
    command
}

#[test]
fn residents_and_holders_are_found() {
    let names = Names::made(&["held"]);
    let ns = names.open(0);
    assert!(netns::residents(&ns).unwrap().residents.is_empty());
    let process = ns.run(|| Background::start(ready_then_sleep())).unwrap();
    let (moved, is_there) = mpsc::channel();
    let (done, until_done) = mpsc::channel::<()>();
    let thread = thread::scope(|scope| {
        let ns = &ns;
        scope.spawn(move || {
            ns.run(move || {
                moved.send(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()).unwrap();
                let _ = until_done.recv();
            })
        });
        let thread = is_there.recv().unwrap();
        let residents = netns::residents(ns).unwrap().residents;
        let seen: BTreeSet<_> = residents.iter().map(|resident| (resident.pid, resident.moved_thread)).collect();
        assert_eq!(seen, BTreeSet::from([(process.pid(), None), (std::process::id(), Some(thread))]));
        let holders = netns::holders(&BTreeSet::from([ns.id()]));
        let lives_there = |pid| holders.iter().any(|(id, h)| *id == ns.id() && h.pid == pid && h.hold == Hold::Process);
        assert!(lives_there(process.pid()), "{holders:?}");
        // Whoever asks is named last, because that is the least news to it.
        let last = holders.last().unwrap();
        assert_eq!(last.1.pid, std::process::id(), "{holders:?}");
        drop(done);
        thread
    });
    assert_ne!(thread, std::process::id());
    drop(process);
    assert!(netns::residents(&ns).unwrap().residents.is_empty());
}

#[test]
fn ids_are_given_and_found() {
    let names = Names::made(&["viewer", "seen"]);
    let (viewer, seen) = (names.open(0), names.open(1));
    assert_eq!(netns::nsids(&viewer, &names.0).unwrap(), [None, None]);
    netns::set_nsid(&viewer, &seen, Nsid::Id(12)).unwrap();
    assert_eq!(netns::nsids(&viewer, &names.0).unwrap(), [None, Some(12)]);
    let peers = netns::nsid_peers(&viewer, None).unwrap();
    assert_eq!((peers.len(), peers[0].nsid, peers[0].name.as_ref()), (1, Some(12), Some(&names.0[1])));
    assert_eq!(netns::nsid_peer(&viewer, 12, None).unwrap(), peers[0]);
    assert_eq!(netns::nsid_peer(&viewer, 13, None).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(netns::set_nsid(&viewer, &seen, Nsid::Auto).unwrap_err().kind(), ErrorKind::Exists);
}

#[test]
fn a_watch_tells_of_names_as_they_come_and_go() {
    let names = Names::new(&["watched", "renamed"]);
    let mut watch = Watch::start().unwrap();
    let mut next = || loop {
        let change = watch.next_change().unwrap();
        let (Change::Added(name) | Change::Deleted(name)) = &change;
        // Other tests make names too.
        if names.0.contains(name) {
            return change;
        }
    };
    let [old, new] = &names.0[..] else { unreachable!() };
    netns::create(std::slice::from_ref(old), CreateOptions::default()).unwrap();
    assert_eq!(next(), Change::Added(old.clone()));
    netns::rename(old, new).unwrap();
    assert_eq!([next(), next()], [Change::Added(new.clone()), Change::Deleted(old.clone())]);
    netns::delete(new, false).unwrap();
    assert_eq!(next(), Change::Deleted(new.clone()));
}

#[test]
fn a_name_that_a_watch_announces_can_be_entered() {
    let names = Names::new(&["announced"]);
    let mut watch = Watch::start().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| netns::create(&names.0, CreateOptions::default()).unwrap());
        while watch.next_change().unwrap() != Change::Added(names.0[0].clone()) {}
        names.open(0).run(|| ()).unwrap();
    });
}

// ---- links ----

#[test]
fn links_are_read() {
    block_on(async {
        let ns = Netns::unnamed().unwrap();
        let netlink = Netlink::open(&ns).unwrap();
        let all = netlink.links().await.unwrap();
        let lo = netlink.link("lo").await.unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!((lo.index, lo.name.as_str(), lo.mtu_bytes, lo.layer.as_str()), (1, "lo", Some(65536), "loopback"));
        assert!(lo.flags.contains(&"UP".to_owned()), "{lo:?}");
        assert_eq!(netlink.link_at(1).await.unwrap().name, "lo");
        let missing = netlink.link("nope").await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
    });
}

#[test]
fn a_pair_is_made_as_asked() {
    block_on(async {
        let (left, right) = (Netns::unnamed().unwrap(), Netns::unnamed().unwrap());
        let name: IfName = "eth0".parse().unwrap();
        let macs: [Mac; 2] = ["02:00:00:00:00:01", "02:00:00:00:00:02"].map(|mac| mac.parse().unwrap());
        let addrs: [IfAddr; 2] = ["10.0.0.1/24", "fd00::1/64"].map(|addr| addr.parse().unwrap());
        let ends = [VethEnd::new(&left, &name).addrs(&addrs), VethEnd::new(&right, &name)];
        let options = VethOptions::default().mtu_bytes(Some(1400)).macs(Some(macs));
        let made = veth::create(&ends, &options).await.unwrap();
        for (ns, made, mac) in [(&left, &made[0], macs[0]), (&right, &made[1], macs[1])] {
            let link = Netlink::open(ns).unwrap().link("eth0").await.unwrap();
            assert_eq!((link.index, link.mtu_bytes, link.operstate), (made.index, Some(1400), "UP"));
            assert_eq!((link.address, made.mac, made.mtu_bytes), (Some(mac.to_string()), mac, 1400));
        }
        let bound = left.run(|| ["10.0.0.1:0", "[fd00::1]:0"].map(|addr| TcpListener::bind(addr).is_ok())).unwrap();
        assert_eq!(bound, [true, true], "both addresses are there");
        let peers = inspect::peers(&left, &Netlink::open(&left).unwrap().links().await.unwrap()).await.unwrap();
        assert_eq!(peers.len(), 2);
        let again = veth::create(&ends, &VethOptions::default()).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Exists, "{again}");
        assert_eq!(links(&left).await.len(), 2, "the first pair is still there");
    });
}

/// Polls work so many times, and drops it right after the last; `None` if it was not done by then.
///
/// At that moment the runtime has not yet seen what the last poll asked of it.
async fn poll_times<T>(work: impl Future<Output = T>, times: usize) -> Option<T> {
    let mut work = pin!(work);
    let mut left = times;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

#[test]
fn a_pair_that_is_dropped_half_way_leaves_nothing() {
    let macs = ["02:00:00:00:00:01", "02:00:00:00:00:02"].map(|mac| mac.parse().unwrap());
    block_on(async {
        // With addresses of the caller's, the connections are in use before the pair is asked for.
        for options in [VethOptions::default(), VethOptions::default().macs(Some(macs))] {
            let (left, right) = (Netns::unnamed().unwrap(), Netns::unnamed().unwrap());
            let (one, other) = ("one".parse().unwrap(), "other".parse().unwrap());
            let addrs = ["10.0.0.1/24", "10.0.0.2/24", "fd00::1/64"].map(|addr| addr.parse().unwrap());
            let ends = [VethEnd::new(&left, &one).addrs(&addrs), VethEnd::new(&right, &other).addrs(&addrs)];
            let mut times = 1;
            while poll_times(veth::create(&ends, &options), times).await.is_none() {
                // Whatever the runtime still had to do for it gets done between these questions.
                for _ in 0..3 {
                    assert_eq!(links(&left).await, ["lo"], "{options:?}, dropped after {times} steps");
                    assert_eq!(links(&right).await, ["lo"], "{options:?}, dropped after {times} steps");
                }
                times += 1;
            }
            assert!(times > 5, "it was done after {times} steps");
            assert_eq!(links(&left).await, ["lo", "one"]);
            assert_eq!(links(&right).await, ["lo", "other"]);
        }
    });
}

// ---- the public face ----

#[test]
fn no_type_of_a_netlink_crate_is_public() {
    let foreign = ["rtnetlink", "netlink_packet", "netlink_proto", "netlink_sys", "RouteNetlinkMessage", "LinkMessage"];
    let mut shown = Vec::new();
    for (file, code) in crate::rooms::sources() {
        if file.starts_with("bin/") {
            continue;
        }
        let mut lines = code.lines().peekable();
        while let Some(line) = lines.next() {
            let start = line.trim_start();
            if !["pub ", "impl From<", "impl TryFrom<"].iter().any(|word| start.starts_with(word)) {
                continue;
            }
            // To the end of the signature.
            let mut signature = start.to_owned();
            while !signature.contains(['{', ';', ',']) && lines.peek().is_some() {
                signature += lines.next().unwrap_or_default();
            }
            if foreign.iter().any(|word| signature.contains(word)) {
                shown.push(format!("{file}: {signature}"));
            }
        }
    }
    assert!(shown.is_empty(), "{shown:#?}");
}
