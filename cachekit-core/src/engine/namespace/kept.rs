//! What L1 keeps of a value: the value itself or, where entries are encrypted, the entry as it is stored.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;

use super::Namespace;
use crate::engine::codec::{Ages, Life};
use crate::engine::l1::Slot;
use crate::engine::local_key::LocalKey;
use crate::engine::staleness::Loads;
use crate::{Error, ErrorCode, Key, Moment, Operation, Remaining, Result};

/// In which form L1 keeps a value.
#[derive(Clone)]
pub(crate) enum Form {
    /// As it is. Encoded it takes so many bytes.
    Decoded(usize),
    /// As it is stored, since nothing of it may lie in memory in the clear. Each hit opens it.
    Sealed(Arc<Sealed>),
}

/// An encrypted entry in L1.
pub(crate) struct Sealed {
    /// The key that it is stored under, which is part of what was authenticated.
    key: Key,
    entry: Bytes,
}

/// A value, or the knowledge that there is none.
type Known<T> = Option<Arc<T>>;

impl<T: Send + Sync + 'static, L: Loads> Namespace<T, L> {
    /// The form in which L1 keeps what is stored under `key` as `entry`.
    pub(crate) fn form(&self, key: &Key, entry: &Bytes) -> Form {
        match &self.core.codec {
            Some(codec) if codec.seals() => Form::Sealed(Arc::new(Sealed { key: key.clone(), entry: entry.clone() })),
            _ => Form::Decoded(entry.len()),
        }
    }

    /// The form in which L1 keeps a value that no backend stores. It is encoded for its weight all the same, and so that
    /// what cannot be encoded is found out before there is a backend.
    ///
    /// E020 and E022 for what cannot be encoded, and what encryption reports.
    pub(crate) fn form_alone(&self, local: &LocalKey, value: Option<&T>, life: Life) -> Result<Form> {
        match &self.core.codec {
            None => Ok(Form::Decoded(0)),
            Some(codec) if codec.seals() => {
                let key = self.stored_key(local)?;
                let entry = self.encode(codec, &key, value, life)?;
                Ok(self.form(&key, &entry))
            }
            Some(codec) => codec.measure(value).map(Form::Decoded),
        }
    }

    /// The slot of a value that had these `ages` when the backend was asked, or `None` if it is not for L1.
    pub(crate) fn slot(&self, value: Known<T>, ages: &Ages, asked: Moment, form: &Form) -> Option<Slot> {
        if !self.engine.is_serving() {
            return None;
        }
        let fresh = match (ages.fresh, self.backend()) {
            (Remaining::Never, None) => Moment::FAR,
            (Remaining::For(life), None) => asked + life,
            (Remaining::For(life), Some(_)) if self.core.sight.is_clear_since(asked) => asked + life,
            (Remaining::Never, Some(_)) if self.core.sight.is_clear_since(asked) => Moment::FAR,
            (Remaining::For(life), Some(_)) => asked + life.min(self.settings.l1_ttl),
            (Remaining::Never | Remaining::Unknown, _) => asked + self.settings.l1_ttl,
        };
        let due = self.settings.refresh_after.map_or(Moment::FAR, |after| asked + after.saturating_sub(ages.age));
        let kept = match ages.kept {
            Remaining::Never => Moment::FAR,
            Remaining::For(life) => asked + life,
            Remaining::Unknown => fresh,
        };
        let (value, weight) = match form {
            Form::Decoded(encoded) => {
                let weight = self.weight(value.as_deref(), *encoded);
                (value.map(|value| value as Arc<_>), weight)
            }
            Form::Sealed(sealed) => (value.map(|_| Arc::clone(sealed) as Arc<_>), sealed.weight()),
        };
        Some(Slot { value, ends: fresh.min(due), fresh, kept: kept.max(fresh), weight })
    }

    fn weight(&self, value: Option<&T>, encoded: usize) -> u64 {
        match (&self.core.weigher, value) {
            (Some(weigher), Some(value)) => weigher(value),
            (None, Some(_)) if self.core.codec.is_none() => size_of::<T>() as u64,
            _ => encoded as u64,
        }
    }

    /// What a slot holds. `None` if that is an entry that does not open any more.
    #[inline]
    pub(crate) fn taken_out(&self, value: Option<Arc<dyn Any + Send + Sync>>) -> Option<Known<T>> {
        // A key in L1 begins with the number of its namespace, which holds one type: this, or sealed entries of it.
        match value.map(Arc::downcast::<T>) {
            None => Some(None),
            Some(Ok(value)) => Some(Some(value)),
            Some(Err(sealed)) => self.reopen(&*sealed).ok(),
        }
    }

    /// What a slot holds that L1 has under `local`. An entry that does not open any more leaves L1, and `None` says that
    /// the look-up goes on as if it had not been there.
    ///
    /// E003 where there is nobody else to ask, and the namespace is [closed](Self::refuses) to what does not authenticate.
    pub(crate) fn take_out(
        &self,
        local: &LocalKey,
        value: Option<Arc<dyn Any + Send + Sync>>,
    ) -> Result<Option<Known<T>>> {
        match value.map(Arc::downcast::<T>) {
            None => Ok(Some(None)),
            Some(Ok(value)) => Ok(Some(Some(value))),
            Some(Err(sealed)) => match self.reopen(&*sealed) {
                Ok(value) => Ok(Some(value)),
                Err(error) => self.give_up(local, &sealed, error).map(|()| None),
            },
        }
    }

    /// Opens a sealed entry: a new value at each hit, so that none stays.
    // The plain hit is laid out as if this were not there.
    #[cold]
    #[inline(never)]
    fn reopen(&self, sealed: &(dyn Any + Send + Sync)) -> Result<Known<T>> {
        match (sealed.downcast_ref::<Sealed>(), &self.core.codec) {
            (Some(Sealed { key, entry }), Some(codec)) => {
                Ok(codec.reopen(key, self.place.tenant(), entry)?.map(Arc::new))
            }
            _ => Err(Error::new(ErrorCode::E021, "what L1 keeps is of another type")),
        }
    }

    /// Takes an entry out of L1 that does not open any more: its key has left the ring, as keys do.
    fn give_up(&self, local: &LocalKey, sealed: &Arc<dyn Any + Send + Sync>, error: Error) -> Result<()> {
        self.core.stats.error(error.code());
        let error = error.with_operation(Operation::Get);
        let Some((Sealed { key, entry }, codec)) = sealed.downcast_ref().zip(self.core.codec.as_ref()) else {
            return Ok(());
        };
        let error = error.with_key(key);
        self.engine.outage.bad_entry(&error, key.redacted(), self.now());
        if self.refuses(&error) && self.backend().is_none() && codec.has_key_of(key, entry) {
            return Err(error);
        }
        let is_it = |slot: &Slot| slot.value.as_ref().is_some_and(|value| Arc::ptr_eq(value, sealed));
        self.core.traffic.visit(local).forget(is_it);
        Ok(())
    }

    /// Whether `error` is told to who loads a value, rather than the value computed anew: the namespace is
    /// [closed](crate::NamespaceBuilder::encryption_fail_closed) to entries that are not what was sealed here.
    pub(crate) fn refuses(&self, error: &Error) -> bool {
        self.settings.encryption_fail_closed && matches!(error.code(), ErrorCode::E003 | ErrorCode::E005)
    }
}

impl Sealed {
    fn weight(&self) -> u64 {
        (self.key.as_str().len() + self.entry.len()) as u64
    }
}
