//! The locks and atomics of the engine: std's, or where interleavings are explored shuttle's (feature `_shuttle`) or
//! loom's (feature `_loom`).

#[cfg(feature = "_loom")]
use loom::sync as imp;
#[cfg(feature = "_shuttle")]
use shuttle::sync as imp;
#[cfg(not(any(feature = "_shuttle", feature = "_loom")))]
use std::sync as imp;
use std::sync::PoisonError;

#[cfg(not(feature = "_loom"))]
pub(crate) use imp::Arc;
pub(crate) use imp::{MutexGuard, atomic};
// Loom's cannot hold what has no size, and has no weak ones.
#[cfg(feature = "_loom")]
pub(crate) use std::sync::Arc;

/// A mutex that goes on after a panic of its holder: what it guards is kept whole at every step that can panic.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(imp::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(imp::Mutex::new(value))
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A number for the calling thread, small and its own: of threads that come one after the other, one after the other.
#[cfg(not(any(feature = "_shuttle", feature = "_loom")))]
#[inline]
pub(crate) fn thread_number() -> usize {
    use std::cell::Cell;
    static COME: atomic::AtomicUsize = atomic::AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    NUMBER.get().unwrap_or_else(|| {
        let number = COME.fetch_add(1, atomic::Ordering::Relaxed);
        NUMBER.set(Some(number));
        number
    })
}

#[cfg(feature = "_shuttle")]
pub(crate) fn thread_number() -> usize {
    shuttle::current::me().into()
}

/// Loom has a number and shows it to nobody but `Debug`.
#[cfg(feature = "_loom")]
pub(crate) fn thread_number() -> usize {
    let shown = format!("{:?}", loom::thread::current().id());
    shown.bytes().filter(u8::is_ascii_digit).fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

#[cfg(all(test, not(any(feature = "_shuttle", feature = "_loom"))))]
mod tests {
    use super::{Arc, Mutex};

    #[test]
    fn a_panic_of_one_holder_does_not_spoil_the_lock() {
        let shared = Arc::new(Mutex::new(1));
        let other = Arc::clone(&shared);
        let panicked = std::thread::spawn(move || {
            let _guard = other.lock();
            panic!("while holding the lock");
        });
        assert!(panicked.join().is_err());
        assert_eq!(*shared.lock(), 1);
    }
}
