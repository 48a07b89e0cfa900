//! Links whose other end is a program. They are made through `/dev/net/tun`, not by netlink.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use super::kind::Tun;
use crate::{name::IfName, sys::tun};

/// What such a link carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// IP packets.
    Packets,
    /// Ethernet frames.
    Frames,
}

/// Makes one in the namespace of the calling thread; it ends with the descriptor unless it is made
/// to [`persist`]. Returns its name.
pub(super) fn open(name: Option<&IfName>, layer: Layer, tun: &Tun) -> Result<(OwnedFd, String), Errno> {
    let fd = rustix::fs::open("/dev/net/tun", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    let mut flags = match layer {
        Layer::Packets => tun::Flags::TUN,
        Layer::Frames => tun::Flags::TAP,
    };
    flags.set(tun::Flags::NO_PI, !tun.packet_info);
    flags.set(tun::Flags::VNET_HDR, tun.vnet_hdr);
    flags.set(tun::Flags::MULTI_QUEUE, tun.multi_queue);
    let name = tun::attach(fd.as_fd(), name.map_or("", IfName::as_str), flags)?;
    if let Some(user) = tun.user {
        tun::set_owner(fd.as_fd(), user)?;
    }
    if let Some(group) = tun.group {
        tun::set_group(fd.as_fd(), group)?;
    }
    Ok((fd, name))
}

/// Lets it live on without the descriptor.
pub(super) fn persist(device: &OwnedFd) -> Result<(), Errno> {
    tun::persist(device.as_fd())
}
