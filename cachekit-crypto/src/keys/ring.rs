//! [`Ring`]: the master keys of one moment, at work.

use std::sync::Arc;

use cachekit_core::{KeyRing, MasterKey};

use super::KeyUse;
use crate::derivation::FINGERPRINT;
use crate::master::{Master, Use};

/// The master keys of one moment, each once, the current one first.
#[derive(Debug)]
pub(crate) struct Ring {
    pub(super) masters: Vec<Arc<Master>>,
    current: Arc<Master>,
}

impl Ring {
    /// `keys` at work. Those that were at work before go on with what they have derived and counted.
    pub(super) fn new(keys: &KeyRing, use_: Use, before: Option<&Self>) -> Self {
        let at_work = |key: &MasterKey| {
            let master = Master::new(key, use_);
            before.and_then(|before| before.find(&master.fingerprint)).map_or_else(|| Arc::new(master), Arc::clone)
        };
        let current = at_work(keys.current());
        let mut masters = vec![Arc::clone(&current)];
        for key in keys.previous() {
            let master = at_work(key);
            if !masters.iter().any(|known| known.fingerprint == master.fingerprint) {
                masters.push(master);
            }
        }
        Self { masters, current }
    }

    /// The key that seals.
    pub(crate) fn current(&self) -> &Master {
        &self.current
    }

    /// The key with this fingerprint. There is at most one, and no other is ever tried.
    pub(crate) fn find(&self, fingerprint: &[u8; FINGERPRINT]) -> Option<&Arc<Master>> {
        self.masters.iter().find(|master| master.fingerprint == *fingerprint)
    }

    pub(super) fn uses(&self) -> Vec<KeyUse> {
        let use_of = |(n, master): (usize, &Arc<Master>)| KeyUse {
            fingerprint: master.fingerprint,
            current: n == 0,
            sealed: master.sealed(),
            opened: master.opened(),
        };
        self.masters.iter().enumerate().map(use_of).collect()
    }

    /// Whether both have the same keys in the same order.
    pub(super) fn is(&self, other: &Self) -> bool {
        let names = |ring: &Self| ring.masters.iter().map(|master| master.fingerprint).collect::<Vec<_>>();
        names(self) == names(other)
    }
}
