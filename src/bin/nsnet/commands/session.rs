//! What outlives a command of a batch: the runtime, and a connection for each namespace.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use nsnet::{Netlink, Netns, NsRef};
use tokio::runtime::Runtime;

use super::Failure;
use crate::iproute2::Names;

/// What commands share. It holds the namespaces that it is connected to.
pub struct Session {
    /// What iproute2 calls numbers.
    pub names: Rc<Names>,
    runtime: Option<Runtime>,
    places: HashMap<NsRef, Rc<Place>>,
}

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
    pub fn new(names: Names) -> Self {
        Self { names: names.into(), runtime: None, places: HashMap::new() }
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
