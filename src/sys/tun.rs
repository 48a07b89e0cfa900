//! `/dev/net/tun`.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io;

use super::last_error;

/// Of `linux/if_tun.h`; the kernel calls them `int`, and reads the low 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags(libc::c_short);

impl Flags {
    pub(crate) const TUN: Self = Self(0x0001);
    pub(crate) const TAP: Self = Self(0x0002);
    pub(crate) const MULTI_QUEUE: Self = Self(0x0100);
    pub(crate) const NO_PI: Self = Self(0x1000);
    pub(crate) const VNET_HDR: Self = Self(0x4000);
    /// The link must not be there yet.
    const EXCL: Self = Self(0x8000_u16.cast_signed());

    pub(crate) fn set(&mut self, flag: Self, on: bool) {
        if on {
            self.0 |= flag.0;
        }
    }
}

const TUNSETIFF: libc::Ioctl = 0x4004_54ca;
const TUNSETPERSIST: libc::Ioctl = 0x4004_54cb;
const TUNSETOWNER: libc::Ioctl = 0x4004_54cc;
const TUNSETGROUP: libc::Ioctl = 0x4004_54ce;

/// Makes a link of this name, in the namespace of the calling thread; the kernel chooses for the
/// empty one. Returns the name.
pub(crate) fn attach(device: BorrowedFd<'_>, name: &str, flags: Flags) -> io::Result<String> {
    let mut wanted = [0; libc::IFNAMSIZ];
    if name.len() >= wanted.len() {
        return Err(io::Errno::NAMETOOLONG);
    }
    for (to, from) in wanted.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    let ifr_ifru = libc::__c_anonymous_ifr_ifru { ifru_flags: flags.0 | Flags::EXCL.0 };
    let mut request = libc::ifreq { ifr_name: wanted, ifr_ifru };
    // SAFETY: TUNSETIFF reads and writes one ifreq, which outlives the call; the descriptor is borrowed, so it is open.
    match unsafe { libc::ioctl(device.as_raw_fd(), TUNSETIFF, &raw mut request) } {
        -1 => Err(last_error()),
        _ => Ok(request.ifr_name.iter().take_while(|&&c| c != 0).map(|&c| char::from(c.to_ne_bytes()[0])).collect()),
    }
}

/// Lets this user use it.
pub(crate) fn set_owner(device: BorrowedFd<'_>, user: u32) -> io::Result<()> {
    set(device, TUNSETOWNER, user)
}

/// Lets the members of this group use it.
pub(crate) fn set_group(device: BorrowedFd<'_>, group: u32) -> io::Result<()> {
    set(device, TUNSETGROUP, group)
}

/// Lets it live on without a descriptor.
pub(crate) fn persist(device: BorrowedFd<'_>) -> io::Result<()> {
    set(device, TUNSETPERSIST, 1)
}

fn set(device: BorrowedFd<'_>, what: libc::Ioctl, value: u32) -> io::Result<()> {
    // SAFETY: these take a number, not a pointer; the descriptor is borrowed, so it is open.
    match unsafe { libc::ioctl(device.as_raw_fd(), what, libc::c_ulong::from(value)) } {
        -1 => Err(last_error()),
        _ => Ok(()),
    }
}
