//! The memory that reads go into: the only unsafe code of the project.
//!
//! Each connection owns an [`IoArena`]. A read leases a [`SlabMut`] from it, which is moved into
//! the kernel and back and then frozen: the bytes that the kernel wrote become [`Bytes`], the rest
//! goes back to the arena. Memory is never zeroed, and used again while it is still in the cache.
//! This file knows neither streams nor pumps nor protocols.
//!
//! # Invariants
//!
//! - **A** Memory neither moves nor ends while the kernel or a `Bytes` may see it: every view holds
//!   a reference to its page.
//! - **B** At most one mutable view of a region exists, and it is moved, not shared: an arena
//!   leases only the part of a page after all that it has leased before.
//! - **C** Only written bytes become visible: a frozen piece covers the filled front of its slab,
//!   and no more.
//! - **D** Frozen bytes are never written: a page is started again only when nothing else refers to
//!   it.
//!
//! # Retention
//!
//! Pages are as large as reads ask for, in powers of two from 4 to 128 KiB, so that an idle
//! connection holds one small page. Up to four pages that are in use elsewhere are kept, to be used
//! again once they are free. They are released when the connection gets idle: one by each lease
//! that finds the current page free (one page is enough then), and all when reads ask for pages of
//! another size. A piece has memory of its own, which [grows](SlabMut::grow) in place. One such
//! piece, of 64 KiB to 4 MiB, is kept when two in a row have ended with the same size, until
//! another size follows, or eight ordinary leases do.
//!
//! # The id of this process
//!
//! [`process_id`] keeps its answer in a page that the kernel wipes in a forked child, so that the
//! child asks again. This detects the use of the parent's objects in a child at the price of a
//! load.
#![expect(unsafe_code, reason = "memory that the kernel fills while its pages are shared with frozen pieces")]

use std::collections::VecDeque;
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use compio::buf::{IoBuf, IoBufMut, SetLen};
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};

use crate::SegmentedBuffer;

/// The read memory of one connection: a bump arena of pages that are shared with what was read.
#[derive(Default)]
pub(crate) struct IoArena {
    /// The page that is leased from, free from `next` on.
    page: Option<Arc<Page>>,
    next: usize,
    /// The size of each of the `retired` pages.
    size: usize,
    retired: VecDeque<Arc<Page>>,
    large: Large,
}

impl IoArena {
    /// An arena that holds no memory yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Releases all pages but the current one.
    pub(crate) fn shrink(&mut self) {
        self.retired = VecDeque::new();
        self.large = Large::default();
    }

    /// Returns true if it keeps no more than the current page.
    pub(crate) fn is_shrunk(&self) -> bool {
        self.retired.is_empty() && self.large.kept.is_none()
    }

    /// Returns true if `slab` is of the current page.
    pub(crate) fn owns(&self, slab: &SlabMut) -> bool {
        self.page.as_ref().is_some_and(|page| Arc::ptr_eq(page, &slab.page))
    }

    /// Returns true if it keeps no memory.
    pub(crate) fn is_empty(&self) -> bool {
        self.page.is_none() && self.is_shrunk()
    }

    /// Leases a region of at least `min` bytes (at least one) and at most `want` bytes (at least
    /// `min`).
    ///
    /// It is the rest of the current page if that has `min` bytes, else the front of another page.
    /// More than 128 KiB is a [piece](Self::piece).
    pub(crate) fn lease(&mut self, min: usize, want: usize) -> SlabMut {
        let min = min.max(1);
        let want = want.max(min);
        if want > PAGE_MAX {
            return Self::piece(want);
        }
        self.large.count_lease();
        let page = self.page_with(min, want.next_power_of_two().max(PAGE_MIN));
        let start = self.next;
        let capacity = want.min(page.len() - start);
        self.next = start + capacity;
        SlabMut { page, start, capacity, filled: 0 }
    }

    /// Allocates a region of exactly `size` bytes with memory of its own. The caller bounds sizes
    /// that come from a peer.
    pub(crate) fn piece(size: usize) -> SlabMut {
        SlabMut { page: Page::new(size), start: 0, capacity: size, filled: 0 }
    }

    /// Returns the kept piece of `size` bytes, if there is one and it is free again.
    pub(crate) fn kept_piece(&mut self, size: usize) -> Option<SlabMut> {
        let page = self.large.take(size)?;
        Some(SlabMut { page, start: 0, capacity: size, filled: 0 })
    }

    /// Makes the filled part of `slab` visible. The rest is leased again if the slab was the last
    /// one leased.
    pub(crate) fn freeze(&mut self, slab: SlabMut) -> Bytes {
        let SlabMut { page, start, capacity, filled } = slab;
        let current = self.page.as_ref().is_some_and(|current| Arc::ptr_eq(current, &page));
        if !current && filled == page.len() {
            self.large.note_filled(&page);
        }
        // Invariant B: nothing was leased behind this slab, and the slab itself is gone.
        if current && start + capacity == self.next {
            self.next = start + filled;
        }
        if filled == 0 {
            return Bytes::new();
        }
        Bytes::from_owner(IoBytes { page, start, len: filled })
    }

    /// Returns the current page if it has `min` bytes left, else the next one, of `size` bytes.
    fn page_with(&mut self, min: usize, size: usize) -> Arc<Page> {
        if size != self.size {
            self.size = size;
            self.retired.clear();
        }
        let free = self.page.as_mut().is_some_and(PageExt::is_free);
        let usable = match self.page.take() {
            Some(page) if free => {
                self.next = 0;
                self.retired.pop_front();
                Some(page).filter(|page| page.len() == size)
            }
            Some(page) if page.len() - self.next >= min => Some(page),
            Some(page) => self.swap_retired(page),
            None => None,
        };
        let page = usable.unwrap_or_else(|| {
            self.next = 0;
            Page::new(size)
        });
        self.page = Some(page.clone());
        page
    }

    /// Retires `page`, which is in use elsewhere, and returns a retired page that is free again.
    fn swap_retired(&mut self, page: Arc<Page>) -> Option<Arc<Page>> {
        let free = self.retired.iter_mut().position(PageExt::is_free);
        let free = free.and_then(|at| self.retired.remove(at));
        if page.len() == self.size {
            if self.retired.len() == RETIRED_MAX {
                self.retired.pop_front();
            }
            self.retired.push_back(page);
        }
        self.next = 0;
        free
    }
}

impl fmt::Debug for IoArena {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoArena")
            .field("page", &self.page.as_ref().map(|page| page.len()))
            .field("leased", &self.next)
            .field("retired", &self.retired.len())
            .field("large", &self.large.kept.as_ref().map(|page| page.len()))
            .finish()
    }
}

/// Memory for one read: owned, moved into the kernel and back, then [frozen](IoArena::freeze).
///
/// A read after the filled part takes `slab.slice(slab.filled()..)`. Dropping the slab gives its
/// memory up with the page.
pub(crate) struct SlabMut {
    page: Arc<Page>,
    start: usize,
    capacity: usize,
    filled: usize,
}

impl SlabMut {
    /// Returns how many bytes it can hold.
    #[inline]
    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Returns how many bytes it holds.
    #[inline]
    pub(crate) const fn filled(&self) -> usize {
        self.filled
    }

    /// Returns how many more bytes it can hold.
    #[inline]
    pub(crate) const fn remaining(&self) -> usize {
        self.capacity - self.filled
    }

    /// Makes room for `capacity` bytes in all, in memory of its own. Filled bytes stay; they are
    /// not copied if the memory is its own already and the system can extend it.
    pub(crate) fn grow(&mut self, capacity: usize) {
        let capacity = capacity.max(self.filled);
        if self.start == 0
            && self.capacity == self.page.len()
            && let Some(page) = Arc::get_mut(&mut self.page)
        {
            page.resize(capacity);
        } else {
            let before = std::mem::replace(self, IoArena::piece(capacity));
            #[expect(clippy::indexing_slicing, reason = "the capacity is at least what is filled")]
            self.as_uninit()[..before.filled].write_copy_of_slice(before.as_init());
            self.filled = before.filled;
        }
        self.capacity = capacity;
    }

    /// Moves bytes out of `buffer` behind the filled part, as far as there is room, and returns how
    /// many.
    ///
    /// So a large piece whose front has been read ends up in one place.
    #[expect(clippy::indexing_slicing, reason = "as much as there is room for, of a chunk that is as long")]
    pub(crate) fn fill_front(&mut self, buffer: &mut SegmentedBuffer) -> usize {
        let before = self.filled;
        while self.remaining() > 0 && !buffer.is_empty() {
            let chunk = buffer.chunk();
            let n = chunk.len().min(self.remaining());
            let filled = self.filled;
            self.as_uninit()[filled..filled + n].write_copy_of_slice(&chunk[..n]);
            self.filled += n;
            buffer.advance(n);
        }
        self.filled - before
    }
}

impl SlabMut {
    /// Fills more of it: `fill` gets the part that is not filled, and returns the front of it that
    /// it has written.
    #[expect(clippy::indexing_slicing, reason = "what is filled is within the region")]
    pub(crate) fn fill_with<E>(
        &mut self,
        fill: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<&mut [u8], E>,
    ) -> Result<usize, E> {
        let filled = self.filled;
        let rest = &mut self.as_uninit()[filled..];
        let (front, room) = (rest.as_ptr().cast(), rest.len());
        let written = fill(rest)?;
        assert!(written.as_ptr() == front && written.len() <= room, "`fill` returned another slice");
        let n = written.len();
        self.filled += n;
        Ok(n)
    }
}

impl IoBuf for SlabMut {
    fn as_init(&self) -> &[u8] {
        let data = self.page.at(self.start, self.filled).cast().as_ptr();
        // SAFETY: the region lies within the page, which `self` keeps alive (A); its first `filled`
        // bytes were written (C); there is no other view of it (B).
        unsafe { slice::from_raw_parts(data, self.filled) }
    }
}

impl IoBufMut for SlabMut {
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        let data = self.page.at(self.start, self.capacity).as_ptr();
        // SAFETY: the region lies within the page, which `self` keeps alive (A); there is no other
        // view of it, and `self` is borrowed mutably (B).
        unsafe { slice::from_raw_parts_mut(data, self.capacity) }
    }
}

impl SetLen for SlabMut {
    // SAFETY: the caller promises that `len` bytes were written, as invariant C requires.
    unsafe fn set_len(&mut self, len: usize) {
        assert!(len <= self.capacity, "a slab of {} bytes was filled with {len}", self.capacity);
        self.filled = len;
    }
}

impl fmt::Debug for SlabMut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SlabMut").field("capacity", &self.capacity).field("filled", &self.filled).finish()
    }
}

/// Bytes that were read, and are never written again: the owner in the `Bytes` of
/// [`IoArena::freeze`].
struct IoBytes {
    page: Arc<Page>,
    start: usize,
    len: usize,
}

impl AsRef<[u8]> for IoBytes {
    fn as_ref(&self) -> &[u8] {
        let data = self.page.at(self.start, self.len).cast().as_ptr();
        // SAFETY: the region lies within the page, which `self` keeps alive (A); all of it was
        // written before it was frozen (C) and it is not written again while `self` refers to the
        // page (D).
        unsafe { slice::from_raw_parts(data, self.len) }
    }
}

/// The piece that is kept for a stream of large messages of one size.
#[derive(Default)]
struct Large {
    /// The size of the last piece that was filled; 0 if there is none.
    size: usize,
    kept: Option<Arc<Page>>,
    /// The number of ordinary leases since.
    leases_since: u8,
}

impl Large {
    /// Returns the kept piece, if it has that size and is free.
    fn take(&mut self, size: usize) -> Option<Arc<Page>> {
        self.leases_since = 0;
        let kept = self.kept.as_mut().filter(|page| page.len() == size)?;
        kept.is_free().then(|| kept.clone())
    }

    /// Notes that a piece was filled to its end.
    fn note_filled(&mut self, page: &Arc<Page>) {
        let size = page.len();
        if !(LARGE_MIN..=LARGE_MAX).contains(&size) {
            return;
        }
        self.leases_since = 0;
        if size != self.size {
            *self = Self { size, ..Self::default() };
        } else if self.kept.is_none() {
            self.kept = Some(page.clone());
        }
    }

    /// Counts an ordinary lease.
    fn count_lease(&mut self) {
        if self.size > 0 {
            self.leases_since += 1;
            if self.leases_since == LARGE_MAX_LEASES {
                *self = Self::default();
            }
        }
    }
}

/// Uninitialised memory of a fixed size.
///
/// Only the views, [`SlabMut`] and [`IoBytes`], give access to their regions of it.
struct Page {
    memory: NonNull<[MaybeUninit<u8>]>,
}

impl Page {
    fn new(size: usize) -> Arc<Self> {
        Arc::new(Self { memory: NonNull::from(Box::leak(Box::new_uninit_slice(size))) })
    }

    fn len(&self) -> usize {
        self.memory.len()
    }

    /// Makes it `size` bytes long. Bytes within that stay.
    ///
    /// The caller has the only reference, and so the only view (A).
    fn resize(&mut self, size: usize) {
        // SAFETY: the memory was a box in `new`, and no other view of it is left.
        let memory = unsafe { Box::from_raw(self.memory.as_ptr()) };
        let mut memory = memory.into_vec();
        let before = memory.len();
        if size > before {
            memory.reserve_exact(size - before);
            // SAFETY: there is room for `size`, and `MaybeUninit` needs no value.
            unsafe { memory.set_len(size) };
        } else {
            memory.truncate(size);
        }
        self.memory = NonNull::from(Box::leak(memory.into_boxed_slice()));
    }

    /// Returns the start of the region of `len` bytes at `start`.
    fn at(&self, start: usize, len: usize) -> NonNull<MaybeUninit<u8>> {
        debug_assert!(start + len <= self.len(), "a region ends within its page");
        // SAFETY: regions are cut from `0..self.len()` in `IoArena::lease` only, so `start` is
        // within the allocation.
        unsafe { self.memory.cast().add(start) }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: the memory was a box in `new`, and no view is left, for each holds a reference to
        // the page (A).
        drop(unsafe { Box::from_raw(self.memory.as_ptr()) });
    }
}

// SAFETY: a page owns its memory, which is plain bytes; any thread may free it.
unsafe impl Send for Page {}

// SAFETY: only the views reach the memory of a shared page: a view that writes is alone with its
// region (B), a view that reads sees bytes that are not written any more (C, D).
unsafe impl Sync for Page {}

trait PageExt {
    /// Returns true if nothing else refers to the page, and all reads of others happened before
    /// (D).
    fn is_free(&mut self) -> bool;
}

impl PageExt for Arc<Page> {
    fn is_free(&mut self) -> bool {
        // Not `strong_count`, which orders nothing: our next write could overtake a read of another
        // thread.
        Self::get_mut(self).is_some()
    }
}

/// Returns the id of this process; in a forked child, that of the child.
#[inline]
pub fn process_id() -> u32 {
    static WORD: OnceLock<Option<WipeOnForkWord>> = OnceLock::new();
    let Some(word) = WORD.get_or_init(WipeOnForkWord::new) else { return std::process::id() };
    match word.get().load(Ordering::Relaxed) {
        0 => {
            let id = std::process::id();
            word.get().store(id, Ordering::Relaxed);
            id
        }
        id => id,
    }
}

/// A word that is zero in a forked child. It is never unmapped.
#[derive(Debug)]
struct WipeOnForkWord(NonNull<AtomicU32>);

impl WipeOnForkWord {
    /// `None` where the system has no such memory.
    fn new() -> Option<Self> {
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new mapping at an address that the kernel chooses touches no existing memory.
        let page = unsafe { mmap_anonymous(std::ptr::null_mut(), SYSTEM_PAGE, access, flags) }.ok()?;
        // SAFETY: the page was just mapped, and has no other reference. The advice concerns forked
        // children only, which find zeros in it: a valid value of the one word that is used.
        let wiped = unsafe { madvise(page, SYSTEM_PAGE, Advice::LinuxWipeOnFork) };
        wiped.ok()?;
        Some(Self(NonNull::new(page.cast())?))
    }

    fn get(&self) -> &AtomicU32 {
        // SAFETY: the page is mapped as long as the process lives, is aligned, and holds zeros or
        // the value that was stored here.
        unsafe { self.0.as_ref() }
    }
}

// SAFETY: all access goes through an atomic.
unsafe impl Send for WipeOnForkWord {}

// SAFETY: as above.
unsafe impl Sync for WipeOnForkWord {}

/// The mapped length, in bytes: mappings are whole pages.
const SYSTEM_PAGE: usize = 4096;
/// The smallest page: the rest of a connection takes more than smaller ones would save.
const PAGE_MIN: usize = 4 * 1024;
/// The largest page. Larger reads gave nothing for small messages, and cost cache.
const PAGE_MAX: usize = 128 * 1024;
/// The most retired pages: enough for a receiver that is a few reads behind.
const RETIRED_MAX: usize = 4;
/// The smallest and the largest piece that is kept. Beyond that, copying costs more than memory.
const LARGE_MIN: usize = 64 * 1024;
const LARGE_MAX: usize = 4 * 1024 * 1024;
/// The number of ordinary leases that releases a kept piece: between two messages of a stream there
/// are one or two.
const LARGE_MAX_LEASES: u8 = 8;

#[cfg(test)]
mod tests {
    use compio::buf::{BufResult, IntoInner};
    use compio::io::{AsyncRead, AsyncWriteExt};
    use compio::net::{TcpListener, TcpStream, UnixStream};
    use proptest::prelude::*;

    use super::*;

    const KIB: usize = 1024;

    fn fill(slab: &mut SlabMut, bytes: &[u8]) {
        slab.extend_from_slice(bytes).expect("it fits");
    }

    /// Leases `want` bytes and freezes a piece of `n` bytes of value `byte`.
    fn read(arena: &mut IoArena, want: usize, n: usize, byte: u8) -> Bytes {
        let mut slab = arena.lease(n, want);
        fill(&mut slab, &vec![byte; n]);
        arena.freeze(slab)
    }

    fn end(bytes: &Bytes) -> *const u8 {
        bytes.as_ptr_range().end
    }

    #[test]
    fn lease_has_requested_capacity() {
        let mut arena = IoArena::new();
        assert_eq!(arena.lease(0, 0).capacity(), 1);
        assert_eq!(arena.lease(10, 5).capacity(), 10);
        assert_eq!(arena.lease(1, 8 * KIB).capacity(), 8 * KIB);
        assert_eq!(arena.lease(1, 128 * KIB).capacity(), 128 * KIB);
        assert_eq!(arena.page.as_ref().expect("a page").len(), 128 * KIB);
    }

    #[test]
    fn oversize_lease_has_own_memory() {
        let mut arena = IoArena::new();
        let before = read(&mut arena, 4 * KIB, 10, 1);
        let size = 128 * KIB + 1;
        let mut slab = arena.lease(1, size);
        assert_eq!((slab.capacity(), slab.remaining()), (size, size));
        fill(&mut slab, &vec![2; size]);
        assert!(slab.extend_from_slice(&[3]).is_err(), "it does not grow");
        let large = arena.freeze(slab);
        let after = read(&mut arena, 4 * KIB, 10, 4);
        assert_eq!(after.as_ptr(), end(&before), "the current page goes on");
        drop(arena);
        assert_eq!(large, vec![2; size]);
        assert_eq!(before, vec![1; 10]);
    }

    #[test]
    #[should_panic(expected = "a slab of 4 bytes was filled with 5")]
    fn set_len_beyond_capacity_panics() {
        let mut slab = IoArena::new().lease(4, 4);
        slab.as_uninit().fill(MaybeUninit::new(0));
        // SAFETY: that it breaks its promise of `len` is the test; it panics before it has an
        // effect.
        unsafe { slab.set_len(5) };
    }

    #[test]
    fn unfilled_rest_is_leased_again() {
        let mut arena = IoArena::new();
        let mut slab = arena.lease(1, 8 * KIB);
        fill(&mut slab, b"abc");
        let first = arena.freeze(slab);
        assert_eq!(first, "abc");
        let mut slab = arena.lease(1, 8 * KIB);
        assert_eq!(slab.capacity(), 8 * KIB - 3, "the rest of the page");
        fill(&mut slab, b"def");
        let second = arena.freeze(slab);
        assert_eq!(second.as_ptr(), end(&first));
        assert_eq!((first, second), ("abc".into(), "def".into()));
    }

    #[test]
    fn small_rest_starts_new_page() {
        let mut arena = IoArena::new();
        let first = read(&mut arena, 4 * KIB, 4000, 1);
        let slab = arena.lease(97, 4 * KIB);
        assert_eq!(slab.capacity(), 4 * KIB, "another page");
        drop(slab);
        assert_eq!(first, vec![1; 4000]);
    }

    #[test]
    fn empty_bytes_hold_no_page() {
        let mut arena = IoArena::new();
        let slab = arena.lease(1, 4 * KIB);
        let empty = arena.freeze(slab);
        assert!(empty.is_empty());
        assert!(arena.page.as_mut().expect("a page").is_free());
    }

    #[test]
    fn page_restarts_after_last_reference() {
        let mut arena = IoArena::new();
        let first = read(&mut arena, 4 * KIB, 100, 1);
        let start = first.as_ptr();
        let (slice, clone) = (Bytes::slice(&first, 50..), first.clone());
        drop(first);
        drop(clone);
        let second = read(&mut arena, 4 * KIB, 100, 2);
        assert_eq!(second.as_ptr(), end(&slice), "a slice still refers to the page");
        drop(second);
        assert_eq!(slice, vec![1; 50]);
        drop(slice);
        assert_eq!(read(&mut arena, 4 * KIB, 100, 3).as_ptr(), start);
    }

    #[test]
    fn reference_on_other_thread_blocks_reuse() {
        let mut arena = IoArena::new();
        let first = read(&mut arena, 4 * KIB, 4 * KIB, 1);
        let start = first.as_ptr();
        let (end_it, ended) = std::sync::mpsc::channel::<()>();
        let holder = std::thread::spawn(move || {
            ended.recv().expect("asked to end");
            assert_eq!(first, vec![1; 4 * KIB]);
        });
        let second = read(&mut arena, 4 * KIB, 4 * KIB, 2);
        assert_ne!(second.as_ptr(), start);
        end_it.send(()).expect("the holder waits");
        holder.join().expect("the content was kept");
        let third = read(&mut arena, 4 * KIB, 4 * KIB, 3);
        assert_eq!(third.as_ptr(), start, "the retired page is used again");
        assert_eq!(second, vec![2; 4 * KIB]);
    }

    #[test]
    fn pages_sent_across_threads_stay_intact() {
        let mut arena = IoArena::new();
        let (sender, receiver) = std::sync::mpsc::sync_channel::<(u8, Bytes)>(3);
        let reader = std::thread::spawn(move || {
            receiver.iter().all(|(byte, bytes)| bytes.iter().all(|found| *found == byte))
        });
        for byte in (0..=255).cycle().take(if cfg!(miri) { 50 } else { 5000 }) {
            let bytes = read(&mut arena, 4 * KIB, 1500, byte);
            sender.send((byte, bytes)).expect("the reader lives");
        }
        drop(sender);
        assert!(reader.join().expect("no panic"), "a page was written while it was read");
    }

    #[test]
    fn outstanding_leases_do_not_overlap() {
        let mut arena = IoArena::new();
        let mut first = arena.lease(KIB, KIB);
        let mut second = arena.lease(KIB, KIB);
        drop(arena.lease(KIB, KIB));
        fill(&mut second, b"second");
        fill(&mut first, b"first");
        let second = arena.freeze(second);
        let first = arena.freeze(first);
        let third = read(&mut arena, KIB, KIB, 3);
        assert_eq!((first, second), ("first".into(), "second".into()));
        assert_eq!(third, vec![3; KIB]);
    }

    #[test]
    fn reverse_freeze_reclaims_rest() {
        let mut arena = IoArena::new();
        let mut first = arena.lease(KIB, KIB);
        let second = arena.lease(KIB, KIB);
        fill(&mut first, b"first");
        arena.freeze(second);
        let first = arena.freeze(first);
        assert_eq!(read(&mut arena, KIB, 1, 2).as_ptr(), end(&first));
    }

    #[test]
    fn foreign_slab_leaves_page_position() {
        let (mut ours, mut theirs) = (IoArena::new(), IoArena::new());
        let mine = read(&mut ours, 4 * KIB, 10, 1);
        let mut foreign = theirs.lease(1, 10);
        fill(&mut foreign, b"foreign");
        let foreign = ours.freeze(foreign);
        assert_eq!(read(&mut ours, 4 * KIB, 10, 2).as_ptr(), end(&mine));
        drop(theirs);
        assert_eq!(foreign, "foreign");
    }

    #[test]
    fn retired_pages_are_bounded_then_released() {
        let mut arena = IoArena::new();
        let mut held: Vec<_> = (0..20).map(|byte| read(&mut arena, 64 * KIB, 64 * KIB, byte)).collect();
        assert_eq!(arena.retired.len(), RETIRED_MAX);
        assert!(held.iter().enumerate().all(|(byte, bytes)| *bytes == vec![byte as u8; 64 * KIB]));
        held.clear();
        for left in (0..RETIRED_MAX).rev() {
            drop(read(&mut arena, 64 * KIB, 10, 0));
            assert_eq!(arena.retired.len(), left, "one is let go by each quiet lease");
        }
        drop(read(&mut arena, 8 * KIB, 10, 0));
        assert_eq!(arena.page.as_ref().expect("a page").len(), 8 * KIB);
    }

    #[test]
    fn page_size_change_drops_retired_pages() {
        let mut arena = IoArena::new();
        let held: Vec<_> = (0..5).map(|byte| read(&mut arena, 32 * KIB, 32 * KIB, byte)).collect();
        assert_eq!(arena.retired.len(), RETIRED_MAX);
        let small = read(&mut arena, 8 * KIB, 8 * KIB, 9);
        assert!(arena.retired.is_empty());
        assert_eq!(held[0], vec![0; 32 * KIB]);
        drop((held, small));
    }

    #[test]
    fn retired_page_is_reused() {
        let mut arena = IoArena::new();
        let mut held: VecDeque<_> = (0..3).map(|byte| read(&mut arena, 4 * KIB, 4 * KIB, byte)).collect();
        let pages: Vec<_> = held.iter().map(|bytes| bytes.as_ptr()).collect();
        for byte in 3..100 {
            let oldest = held.pop_front().expect("three are held");
            assert_eq!(oldest, vec![byte - 3; 4 * KIB]);
            drop(oldest);
            held.push_back(read(&mut arena, 4 * KIB, 4 * KIB, byte));
            assert_eq!(held[2].as_ptr(), pages[usize::from(byte) % 3]);
        }
    }

    /// Fills a piece of `size` bytes to its end: the kept one if there is one.
    fn piece(arena: &mut IoArena, size: usize, byte: u8) -> Bytes {
        let mut slab = arena.kept_piece(size).unwrap_or_else(|| IoArena::piece(size));
        fill(&mut slab, &vec![byte; size]);
        arena.freeze(slab)
    }

    #[test]
    fn large_piece_reused_at_same_size() {
        let size = 256 * KIB;
        let mut arena = IoArena::new();
        drop(piece(&mut arena, size, 0));
        assert!(arena.large.kept.is_none(), "a lone large message leaves nothing behind");
        let first = piece(&mut arena, size, 1);
        assert!(arena.kept_piece(size).is_none(), "the kept one is in use");
        let at = first.as_ptr();
        assert_eq!(first, vec![1; size]);
        drop(first);
        drop(read(&mut arena, 8 * KIB, 10, 3));
        let second = piece(&mut arena, size, 4);
        assert_eq!(second.as_ptr(), at);
        drop(second);
        drop(piece(&mut arena, size + 1, 5));
        assert!(arena.large.kept.is_none(), "another size");
    }

    #[test]
    fn unused_large_piece_is_released() {
        let mut arena = IoArena::new();
        (0..2).for_each(|byte| drop(piece(&mut arena, 256 * KIB, byte)));
        for _ in 0..LARGE_MAX_LEASES {
            assert!(arena.large.kept.is_some());
            drop(read(&mut arena, 4 * KIB, 10, 0));
        }
        assert!(arena.large.kept.is_none());
        for size in [LARGE_MIN - 1, LARGE_MAX + 1] {
            (0..3).for_each(|byte| drop(piece(&mut arena, size, byte)));
            assert!(arena.large.kept.is_none(), "{size} bytes are not kept");
        }
    }

    #[test]
    fn grown_slab_keeps_filled_bytes() {
        let mut arena = IoArena::new();
        for slab in [IoArena::piece(10), arena.lease(10, 10)] {
            let mut slab = slab;
            fill(&mut slab, b"0123456789");
            for capacity in [20, 300 * KIB, 11, 10, 5] {
                slab.grow(capacity);
                assert_eq!((slab.capacity(), slab.as_init()), (capacity.max(10), &b"0123456789"[..]));
            }
            slab.grow(11);
            fill(&mut slab, b"x");
            assert_eq!(arena.freeze(slab), "0123456789x");
        }
    }

    #[test]
    fn slab_growth_preserves_other_views() {
        let mut arena = IoArena::new();
        let before = read(&mut arena, 4 * KIB, 10, 1);
        let mut slab = arena.lease(10, 10);
        fill(&mut slab, &[2; 10]);
        slab.grow(8 * KIB);
        let after = read(&mut arena, 4 * KIB, 10, 3);
        fill(&mut slab, &vec![2; 8 * KIB - 10]);
        assert_eq!(arena.freeze(slab), vec![2; 8 * KIB]);
        assert_eq!((before, after), (vec![1; 10].into(), vec![3; 10].into()));
    }

    #[test]
    fn fill_front_takes_buffered_bytes() {
        let mut buffer = SegmentedBuffer::new();
        ["ab", "cd", "ef"].into_iter().for_each(|segment| buffer.push(segment.into()));
        let mut arena = IoArena::new();
        let mut slab = arena.lease(5, 5);
        assert_eq!(slab.fill_front(&mut buffer), 5);
        assert_eq!((slab.as_init(), slab.remaining(), buffer.chunk()), (&b"abcde"[..], 0, &b"f"[..]));
        assert_eq!(slab.fill_front(&mut buffer), 0);
        let mut slab = arena.lease(5, 5);
        assert_eq!(slab.fill_front(&mut buffer), 1);
        assert_eq!((slab.filled(), slab.fill_front(&mut buffer)), (1, 0));
    }

    #[test]
    fn fill_with_reports_written_len() {
        let mut arena = IoArena::new();
        let mut slab = arena.lease(8, 8);
        for (free, bytes) in [(8, &b"abc"[..]), (5, b""), (5, b"de"), (3, b"fgh"), (0, b"")] {
            let filled = slab.fill_with(|room| {
                assert_eq!(room.len(), free);
                Ok::<_, ()>(room[..bytes.len()].write_copy_of_slice(bytes))
            });
            assert_eq!(filled, Ok(bytes.len()));
        }
        assert_eq!((slab.remaining(), slab.as_init()), (0, &b"abcdefgh"[..]));
        let mut slab = arena.lease(4, 4);
        fill(&mut slab, b"a");
        let failed = slab.fill_with(|room| {
            room[..2].write_copy_of_slice(b"xy");
            Err("failed")
        });
        assert_eq!((failed, slab.as_init()), (Err("failed"), &b"a"[..]));
        assert_eq!(arena.freeze(slab), "a");
    }

    #[test]
    #[should_panic(expected = "`fill` returned another slice")]
    fn fill_with_foreign_slice_panics() {
        let _refused = IoArena::new().lease(8, 8).fill_with(|_| Ok::<_, ()>(&mut []));
    }

    #[test]
    #[should_panic(expected = "`fill` returned another slice")]
    fn fill_with_gap_panics() {
        let mut slab = IoArena::new().lease(8, 8);
        let _refused = slab.fill_with(|room| Ok::<_, ()>(room[1..3].write_copy_of_slice(b"ab")));
    }

    #[test]
    fn process_id_matches_std() {
        assert_eq!(process_id(), std::process::id());
        assert_eq!(process_id(), std::process::id());
    }

    #[test]
    fn arena_and_slabs_are_send() {
        fn send<T: Send + 'static>() {}
        send::<IoArena>();
        send::<SlabMut>();
        send::<IoBytes>();
        let mut slab = IoArena::new().lease(1, 1);
        let slab = std::thread::spawn(move || {
            fill(&mut slab, b"x");
            slab
        });
        assert_eq!(slab.join().expect("filled").as_init(), b"x");
    }

    /// Reads from `stream` until two messages, sent apart, are in one slab.
    async fn reads_behind_what_is_filled<S: AsyncRead>(mut stream: S, sender: impl AsyncWriteExt) {
        let mut sender = sender;
        sender.write_all("hello ").await.0.expect("sent");
        let mut arena = IoArena::new();
        let slab = arena.lease(11, 4 * KIB);
        let BufResult(result, slab) = stream.read(slab).await;
        assert_eq!((result.expect("read"), slab.as_init()), (6, &b"hello "[..]));
        sender.write_all("world").await.0.expect("sent");
        let filled = slab.filled();
        let BufResult(result, slab) = stream.read(slab.slice(filled..)).await;
        assert_eq!(result.expect("read"), 5);
        let bytes = arena.freeze(slab.into_inner());
        assert_eq!(bytes, "hello world");
        drop(arena);
        assert_eq!(bytes, "hello world");
    }

    #[test]
    #[cfg_attr(miri, ignore = "needs sockets")]
    fn kernel_reads_into_slab() {
        let run = async {
            let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair");
            let (ours, theirs) = (UnixStream::from_std(ours), UnixStream::from_std(theirs));
            reads_behind_what_is_filled(ours.expect("attached"), theirs.expect("attached")).await;

            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
            let address = listener.local_addr().expect("bound");
            let (ours, theirs) = futures_util::join!(TcpStream::connect(address), listener.accept());
            reads_behind_what_is_filled(ours.expect("connected"), theirs.expect("accepted").0).await;
        };
        compio::runtime::Runtime::new().expect("a runtime").block_on(run);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Lease(usize, usize),
        Piece(usize),
        Grow(usize, usize),
        Fill(usize, usize),
        Freeze(usize),
        DropSlab(usize),
        DropBytes(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let size = prop_oneof![0..200_usize, 0..10_000_usize, 0..200_000_usize];
        prop_oneof![
            3 => (0..5000_usize, size.clone()).prop_map(|(min, want)| Step::Lease(min, want)),
            1 => size.clone().prop_map(Step::Piece),
            2 => (any::<usize>(), size.clone()).prop_map(|(at, n)| Step::Grow(at, n)),
            2 => (any::<usize>(), size).prop_map(|(at, n)| Step::Fill(at, n)),
            3 => any::<usize>().prop_map(Step::Freeze),
            1 => any::<usize>().prop_map(Step::DropSlab),
            2 => any::<usize>().prop_map(Step::DropBytes),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 5 } else { 256 }))]
        /// Every slab and every piece has a value of its own, which no step on another one may
        /// change.
        #[test]
        fn memory_regions_never_alias(steps in prop::collection::vec(step(), 1..80)) {
            let mut arena = IoArena::new();
            let (mut slabs, mut pieces) = (Vec::<(u8, SlabMut)>::new(), Vec::<(u8, Bytes)>::new());
            for (n, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Lease(min, want) => {
                        let slab = arena.lease(min, want);
                        prop_assert!(slab.capacity() >= min.max(1) && slab.capacity() <= want.max(min).max(1));
                        slabs.push((n as u8, slab));
                    }
                    Step::Piece(size) => {
                        let kept = arena.kept_piece(size);
                        slabs.push((n as u8, kept.unwrap_or_else(|| IoArena::piece(size))));
                    }
                    Step::Grow(at, n) if !slabs.is_empty() => {
                        let at = at % slabs.len();
                        let filled = slabs[at].1.filled();
                        slabs[at].1.grow(n);
                        prop_assert_eq!(slabs[at].1.capacity(), n.max(filled));
                    }
                    Step::Fill(at, n) if !slabs.is_empty() => {
                        let at = at % slabs.len();
                        let (byte, slab) = &mut slabs[at];
                        let n = n.min(slab.remaining());
                        fill(slab, &vec![*byte; n]);
                    }
                    Step::Freeze(at) if !slabs.is_empty() => {
                        let (byte, slab) = slabs.swap_remove(at % slabs.len());
                        let filled = slab.filled();
                        pieces.push((byte, arena.freeze(slab)));
                        prop_assert_eq!(pieces.last().expect("pushed").1.len(), filled);
                    }
                    Step::DropSlab(at) if !slabs.is_empty() => drop(slabs.swap_remove(at % slabs.len())),
                    Step::DropBytes(at) if !pieces.is_empty() => drop(pieces.swap_remove(at % pieces.len())),
                    _ => {}
                }
                for (byte, slab) in &slabs {
                    prop_assert!(slab.as_init().iter().all(|found| found == byte));
                }
                for (byte, bytes) in &pieces {
                    prop_assert!(bytes.iter().all(|found| found == byte));
                }
            }
        }
    }
}
