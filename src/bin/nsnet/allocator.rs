//! The memory of the static binary.
//!
//! musl's own allocator asks the kernel for every few pages and gives each of them back at once, which is half of all
//! system calls of a short command. dlmalloc's own lock is a mutex of musl's: once a thread has slept on that, each
//! allocation of the others calls the kernel until the sleeper has run, thousands of times where a lab is looked at.
#![expect(unsafe_code, reason = "what an allocator is told, and tells, is raw memory")]

use std::{
    alloc::{GlobalAlloc, Layout},
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use dlmalloc::Dlmalloc;
use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap_anonymous, mremap, munmap};

/// What is asked for at once, up to this, is touched soon; in bytes. dlmalloc asks for multiples of 64 KiB, as many as the
/// next piece needs.
const TOUCHED_SOON: usize = 128 << 10;

pub struct Allocator(Mutex<Dlmalloc<Pages>>);

impl Allocator {
    pub const fn new() -> Self {
        Self(Mutex::new(Dlmalloc::new_with_allocator(Pages)))
    }

    /// Nothing panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, Dlmalloc<Pages>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// SAFETY: dlmalloc gives memory of the size and alignment asked for, which is nobody else's until it is given back. It
// is asked by one thread at a time, and the lock allocates nothing.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the promises of `GlobalAlloc`, which are those of dlmalloc.
        unsafe { self.lock().malloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above; the memory is of this allocator, and of this layout.
        unsafe { self.lock().free(memory, layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as `alloc`.
        unsafe { self.lock().calloc(layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as `dealloc`.
        unsafe { self.lock().realloc(memory, layout.size(), layout.align(), new_size) }
    }
}

/// The kernel's pages.
struct Pages;

// SAFETY: what the kernel maps is nobody else's, and is zero.
unsafe impl dlmalloc::Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        // A page that is there at once takes a tenth of the time of one that is asked for by a fault.
        let flags = MapFlags::PRIVATE | if size <= TOUCHED_SOON { MapFlags::POPULATE } else { MapFlags::empty() };
        // SAFETY: the kernel chooses a place where nothing is.
        let mapped = unsafe { mmap_anonymous(ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, flags) };
        mapped.map_or((ptr::null_mut(), 0, 0), |at| (at.cast(), size, 0))
    }

    fn remap(&self, at: *mut u8, old: usize, new: usize, can_move: bool) -> *mut u8 {
        let flags = if can_move { MremapFlags::MAYMOVE } else { MremapFlags::empty() };
        // SAFETY: dlmalloc names what it was given, and forgets where it was.
        let moved = unsafe { mremap(at.cast(), old, new, flags) };
        moved.map_or(ptr::null_mut(), <*mut _>::cast)
    }

    fn free_part(&self, at: *mut u8, old: usize, new: usize) -> bool {
        self.free(at.wrapping_add(new), old - new)
    }

    fn free(&self, at: *mut u8, size: usize) -> bool {
        // SAFETY: dlmalloc names what it was given, and has no use for it.
        unsafe { munmap(at.cast(), size) }.is_ok()
    }

    fn can_release_part(&self, _: u32) -> bool {
        true
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        // As dlmalloc's own source says on every machine. To ask for the real one may allocate, and the lock is held here.
        4096
    }
}
