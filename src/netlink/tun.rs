//! Links whose other end is a program. They are made through `/dev/net/tun`, not by netlink.

use std::os::fd::{AsFd, OwnedFd};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

use super::kind::{Kind, Tun};
use crate::{
    error::{Error, ErrorKind},
    name::IfName,
    sys::tun,
};

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

/// Makes one of a kind that is tun or tap, in the namespace of the calling thread.
pub(crate) fn open_kind(name: &IfName, kind: &Kind) -> crate::error::Result<OwnedFd> {
    let (layer, tun) = match kind {
        Kind::Tun(tun) => (Layer::Packets, tun),
        Kind::Tap(tun) => (Layer::Frames, tun),
        _ => return Err(Error::invalid("create", name, "it is neither tun nor tap")),
    };
    open(Some(name), layer, tun).map(|(device, _)| device).map_err(|e| refused(e, kind.op(), name))
}

/// Says what is known of a refusal.
pub(super) fn refused(errno: Errno, op: &'static str, subject: impl std::fmt::Display) -> Error {
    let error = Error::os(op, subject, errno);
    match errno {
        Errno::BUSY | Errno::INVAL => error.because("the name is taken").with_kind(ErrorKind::Exists),
        Errno::NOENT | Errno::NODEV | Errno::NXIO => error
            .because("there is no '/dev/net/tun'; 'modprobe tun' makes it where tun is a module")
            .with_kind(ErrorKind::Unsupported),
        _ => error,
    }
}

/// Lets it live on without the descriptor.
pub(crate) fn persist(device: &OwnedFd) -> Result<(), Errno> {
    tun::persist(device.as_fd())
}
