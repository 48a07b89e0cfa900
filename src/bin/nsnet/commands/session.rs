//! What outlives a command of a batch: the runtime, and a connection for each namespace.

use std::{collections::HashMap, rc::Rc};

use nsnet::{Netlink, Netns, NsRef};
use tokio::runtime::Runtime;

use super::Failure;
use crate::iproute2::Names;

/// What commands share. It holds the namespaces that it is connected to.
pub struct Session {
    /// What iproute2 calls numbers.
    pub names: Rc<Names>,
    runtime: Option<Runtime>,
    places: HashMap<NsRef, Place>,
}

/// A namespace that was named, and the connection to it.
#[derive(Clone)]
pub struct Place {
    pub ns: Rc<Netns>,
    pub netlink: Netlink,
}

impl Session {
    pub fn new(names: Names) -> Self {
        Self { names: names.into(), runtime: None, places: HashMap::new() }
    }

    /// Runs async work on this thread.
    pub fn block_on<T>(&mut self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.runtime()?.block_on(work)
    }

    /// Connects to a namespace, or gives the connection that there is.
    pub fn connect(&mut self, ns: &NsRef) -> Result<Place, Failure> {
        if let Some(place) = self.places.get(ns) {
            return Ok(place.clone());
        }
        let opened = Netns::open(ns)?;
        let _inside = self.runtime()?.enter();
        let place = Place { netlink: Netlink::open(&opened)?, ns: opened.into() };
        self.places.insert(ns.clone(), place.clone());
        Ok(place)
    }

    /// Lets go of all namespaces: names are about to change.
    pub fn forget(&mut self) {
        self.places.clear();
        // It drives the connections, and holds their sockets.
        self.runtime = None;
    }

    fn runtime(&mut self) -> Result<&Runtime, Failure> {
        if self.runtime.is_none() {
            let made = tokio::runtime::Builder::new_current_thread().enable_all().build();
            self.runtime = Some(made.map_err(|e| Failure::Setup("start the runtime", e))?);
        }
        self.runtime.as_ref().ok_or_else(|| Failure::Usage("there is no runtime".into()))
    }
}
