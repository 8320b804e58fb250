//! [`Tally`]: a number that a process and all that is forked from it count together.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that a process and all that is forked from it count together, however it was forked and whatever process
/// namespace it lives in: it stands in memory that is shared with a child, where all else is copied.
///
/// Where there is no such memory, each of them counts for itself.
#[derive(Debug)]
pub(crate) struct Tally(Number);

#[derive(Debug)]
enum Number {
    Shared(shared::Page),
    Own(AtomicU64),
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self(shared::Page::new().map_or_else(|| Number::Own(AtomicU64::new(0)), Number::Shared))
    }

    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.0, Number::Shared(_))
    }

    /// Counts one more and returns how many there were before: if it is shared, a number that no relative gets.
    pub(crate) fn count(&self) -> u64 {
        // Cannot overflow within 2^64 calls.
        self.number().fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn counted(&self) -> u64 {
        self.number().load(Ordering::Relaxed)
    }

    fn number(&self) -> &AtomicU64 {
        match &self.0 {
            Number::Shared(page) => page.number(),
            Number::Own(number) => number,
        }
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod shared {
    use std::sync::atomic::AtomicU64;

    use vm_memory::{MmapRegion, VolatileMemory};

    #[derive(Debug)]
    pub(super) struct Page(MmapRegion);

    impl Page {
        pub(super) fn new() -> Option<Self> {
            let access = libc::PROT_READ | libc::PROT_WRITE;
            let kind = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
            let region = MmapRegion::build(None, size_of::<AtomicU64>(), access, kind).ok()?;
            region.get_atomic_ref::<AtomicU64>(0).ok()?;
            Some(Self(region))
        }

        pub(super) fn number(&self) -> &AtomicU64 {
            self.0.get_atomic_ref(0).expect("a page begins with it: `new` has looked")
        }
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
mod shared {
    use std::sync::atomic::AtomicU64;

    #[derive(Debug)]
    pub(super) enum Page {}

    impl Page {
        pub(super) fn new() -> Option<Self> {
            None
        }

        pub(super) fn number(&self) -> &AtomicU64 {
            match *self {}
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use nix::sched::{CloneFlags, unshare};

    use super::*;

    /// Half of the children are the first process of a namespace of their own, if the system allows that.
    #[test]
    fn a_process_and_its_children_never_count_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let tally = Tally::new();
        assert!(tally.is_shared());
        let count = || (0..1_000).flat_map(|_| tally.count().to_be_bytes()).collect::<Vec<u8>>();
        let mut counted = count();
        let file = |n: usize| dir.path().join(n.to_string());
        let child = |n: usize| {
            if n.is_multiple_of(2) {
                _ = unshare(CloneFlags::CLONE_NEWPID);
            }
            match fork::fork().unwrap() {
                fork::Fork::Parent(pid) => pid,
                fork::Fork::Child => std::process::exit(i32::from(std::fs::write(file(n), count()).is_err())),
            }
        };
        // Only children of the thread that leaves a namespace are born in another.
        let children = [0, 1, 2, 3].map(|n| std::thread::scope(|scope| scope.spawn(|| child(n)).join().unwrap()));
        counted.extend(count());
        for (n, pid) in children.into_iter().enumerate() {
            assert_eq!(fork::waitpid(pid).unwrap(), 0, "a child failed");
            counted.extend(std::fs::read(file(n)).unwrap());
        }
        let mut numbers: Vec<&[u8]> = counted.chunks_exact(8).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!((numbers.len(), tally.counted()), (6_000, 6_000));
    }
}
