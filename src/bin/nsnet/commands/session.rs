//! What outlives a command of a batch: the runtime, and a connection for each namespace.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use nsnet::{Change, Error, Netlink, Netns, NsRef};
use tokio::runtime::Runtime;

use super::Failure;
use crate::{Terminals, iproute2::Names};

/// What commands share. It holds the namespaces that it is connected to.
pub struct Session {
    /// What iproute2 calls numbers.
    pub names: Rc<Names>,
    pub terminals: Terminals,
    /// The line of a batch that is at work, where changes may wait for those of the next lines.
    pub pipelined: Option<usize>,
    waiting: Vec<Waiting>,
    failures: Vec<(usize, Error)>,
    runtime: Option<Runtime>,
    places: HashMap<NsRef, Rc<Place>>,
}

/// A change that is yet to be carried out.
struct Waiting {
    line: usize,
    place: Rc<Place>,
    change: Change,
}

/// So many changes wait at most.
const MOST_WAITING: usize = 256;

/// A namespace that was named, and the connection to it.
pub struct Place {
    pub ns: Netns,
    pub netlink: Netlink,
    /// The links that were asked for, until one changes.
    indices: RefCell<HashMap<String, u32>>,
}

impl Place {
    /// The index of the link of this name or altname.
    pub async fn index_of(&self, name: &str) -> nsnet::Result<u32> {
        let known = self.indices.borrow().get(name).copied();
        match known {
            Some(index) => Ok(index),
            None => {
                let index = self.netlink.index_of(name).await?;
                self.indices.borrow_mut().insert(name.to_owned(), index);
                Ok(index)
            }
        }
    }
}

impl Session {
    pub fn new(names: Names, terminals: Terminals) -> Self {
        Self {
            names: names.into(),
            terminals,
            pipelined: None,
            waiting: Vec::new(),
            failures: Vec::new(),
            runtime: None,
            places: HashMap::new(),
        }
    }

    /// Runs async work on this thread.
    pub fn block_on<T>(&mut self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.runtime()?.block_on(work)
    }

    /// Connects to a namespace, or gives the connection that there is.
    pub fn connect(&mut self, ns: &NsRef) -> Result<Rc<Place>, Failure> {
        if let Some(place) = self.places.get(ns) {
            return Ok(Rc::clone(place));
        }
        let opened = Netns::open(ns)?;
        let _inside = self.runtime()?.enter();
        let place = Place { netlink: Netlink::open(&opened)?, ns: opened, indices: RefCell::default() };
        let place = Rc::new(place);
        self.places.insert(ns.clone(), Rc::clone(&place));
        Ok(place)
    }

    /// Carries out a change of addresses, routes, neighbours or rules: at once, or with those of the
    /// next lines.
    pub fn apply(&mut self, place: &Rc<Place>, change: Change) -> Result<(), Failure> {
        let Some(line) = self.pipelined else {
            return self.block_on(async { Ok(place.netlink.apply(change).await?) });
        };
        self.waiting.push(Waiting { line, place: Rc::clone(place), change });
        if self.waiting.len() >= MOST_WAITING { self.settle() } else { Ok(()) }
    }

    /// Carries out the changes that wait.
    pub fn settle(&mut self) -> Result<(), Failure> {
        let mut waiting = std::mem::take(&mut self.waiting).into_iter().peekable();
        while let Some(first) = waiting.next() {
            let place = Rc::clone(&first.place);
            let mut together = vec![first];
            while let Some(next) = waiting.next_if(|next| Rc::ptr_eq(&next.place, &place)) {
                together.push(next);
            }
            let lines: Vec<_> = together.iter().map(|waiting| waiting.line).collect();
            let changes = together.into_iter().map(|waiting| waiting.change).collect();
            let done = self.block_on(async { Ok(place.netlink.apply_all(changes).await) })?;
            let failed = lines.into_iter().zip(done).filter_map(|(line, done)| Some((line, done.err()?)));
            self.failures.extend(failed);
        }
        Ok(())
    }

    /// What failed of the changes that waited, with the line of each.
    pub fn take_failures(&mut self) -> Vec<(usize, Error)> {
        std::mem::take(&mut self.failures)
    }

    /// Lets go of all namespaces: names are about to change.
    pub fn forget(&mut self) {
        self.places.clear();
        // It drives the connections, and holds their sockets.
        self.runtime = None;
    }

    /// Links are about to change: a name may soon be that of another one.
    pub fn forget_links(&mut self) {
        self.places.values().for_each(|place| place.indices.borrow_mut().clear());
    }

    fn runtime(&mut self) -> Result<&Runtime, Failure> {
        if self.runtime.is_none() {
            let made = tokio::runtime::Builder::new_current_thread().enable_all().build();
            self.runtime = Some(made.map_err(|e| Failure::Setup("start the runtime", e))?);
        }
        self.runtime.as_ref().ok_or_else(|| Failure::Usage("there is no runtime".into()))
    }
}
