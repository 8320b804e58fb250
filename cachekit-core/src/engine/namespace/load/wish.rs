//! [`Wish`]: what a load is to bring, and what came of it.

use std::any::Any;
use std::sync::Arc;

use super::{LoadFailure, Way};
use crate::engine::loaded::LoadedOption;
use crate::engine::namespace::Namespace;
use crate::engine::namespace::read::Copy;
use crate::engine::staleness::{Loads, Stale};
use crate::engine::traffic::Lead;
use crate::{Key, Moment, Remaining};

/// What a load is to bring.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine::namespace) struct Wish {
    /// Whether the knowledge that there is no value is something.
    pub(in crate::engine::namespace) absent_will_do: bool,
    /// Whether the value is there, and due to be loaded anew.
    pub(in crate::engine::namespace) refresh: bool,
    /// Whether the load can go on when nobody waits for it any more.
    pub(in crate::engine::namespace) owned: bool,
}

/// What came of a load, before anything is stored.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once, and most loads bring the large one")]
pub(super) enum Brought<T: Send + Sync + 'static, E> {
    /// A value that was there: the flight has landed.
    Found(Option<Arc<T>>),
    /// A new one: it is still to be stored, and to land.
    Loaded(Loaded<T>),
    /// Nothing, for this reason, but there is an older value. The flight has landed.
    Stale(Stale<T>, LoadFailure<E>),
    /// Nothing. The flight has landed.
    Failed(LoadFailure<E>),
    /// The loader panicked. The flight has landed.
    Panicked(Box<dyn Any + Send>),
}

/// A value that was loaded, and what is needed to store it and to land.
pub(super) struct Loaded<T: Send + Sync + 'static> {
    pub(super) lead: Lead<T>,
    pub(super) key: Option<Key>,
    pub(super) loaded: LoadedOption<T>,
    pub(super) way: Way,
}

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// Whether nothing more need be done for `wish` than to take `copy`.
    pub(in crate::engine::namespace) fn fulfils(&self, copy: &Copy<T>, wish: Wish) -> bool {
        let due = wish.refresh && self.settings.refresh_after.is_some_and(|after| copy.ages.age >= after);
        (copy.value.is_some() || wish.absent_will_do) && !due
    }

    /// What is kept of `copy` for hard times, if the backend had it at `asked`.
    pub(in crate::engine::namespace) fn stale(&self, copy: &Copy<T>, asked: Moment) -> Stale<T> {
        let until = match copy.ages.kept {
            Remaining::For(left) => asked + left,
            Remaining::Never => Moment::FAR,
            Remaining::Unknown => asked,
        };
        Stale { value: copy.value.clone(), until }
    }
}
