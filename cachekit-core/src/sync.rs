//! The locks and atomics of the engine: std's, or shuttle's where interleavings are explored (feature `_shuttle`).

#[cfg(feature = "_shuttle")]
use shuttle::sync as imp;
#[cfg(not(feature = "_shuttle"))]
use std::sync as imp;
use std::sync::PoisonError;

pub(crate) use imp::{Arc, MutexGuard, atomic};

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
#[cfg(not(feature = "_shuttle"))]
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

#[cfg(all(test, not(feature = "_shuttle")))]
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
