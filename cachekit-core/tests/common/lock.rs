//! [`Lock`]: an encryption that anybody could break, but that is bound to place and key as a real one is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cachekit_core::{Applied, EntryContext, Error, ErrorCode, Result, Transform, TransformKind};

/// Locks with the first of its keys, and opens with all of them. Clones share the keys.
#[derive(Clone, Debug)]
pub struct Lock {
    keys: Arc<Mutex<Vec<u8>>>,
    opened: Arc<AtomicUsize>,
}

impl Lock {
    pub fn new(keys: &[u8]) -> Self {
        Self { keys: Arc::new(Mutex::new(keys.to_vec())), opened: Arc::default() }
    }

    /// Has these keys from now on.
    pub fn rotate(&self, keys: &[u8]) {
        *self.keys.lock().unwrap() = keys.to_vec();
    }

    /// How often something was opened.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    fn has(&self, fingerprint: [u8; 16]) -> bool {
        self.keys.lock().unwrap().iter().any(|&key| [key; 16] == fingerprint)
    }
}

impl Transform for Lock {
    fn kind(&self) -> TransformKind {
        TransformKind::Encryption
    }

    fn fingerprint(&self) -> Option<[u8; 16]> {
        Some([self.keys.lock().unwrap()[0]; 16])
    }

    fn knows(&self, fingerprint: &[u8; 16]) -> bool {
        self.has(*fingerprint)
    }

    fn apply(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<Applied> {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
        bytes.extend_from_slice(&tag(context, bytes));
        Ok(Applied::Yes)
    }

    fn reverse(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<()> {
        let tagged = bytes.len().checked_sub(8).map(|at| bytes.split_off(at));
        let opens = context.fingerprint.is_some_and(|named| self.has(named))
            && tagged.is_some_and(|tagged| tagged == tag(context, bytes));
        if !opens {
            bytes.clear();
            return Err(Error::new(ErrorCode::E003, "lock: does not open"));
        }
        self.opened.fetch_add(1, Ordering::SeqCst);
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
        Ok(())
    }
}

/// FNV-1a over all that is bound.
fn tag(context: &EntryContext<'_>, bytes: &[u8]) -> [u8; 8] {
    let fingerprint = context.fingerprint.unwrap_or_default();
    let parts: [&[u8]; 5] = [
        context.key.as_str().as_bytes(),
        context.tenant.unwrap_or_default().as_bytes(),
        context.header,
        &fingerprint,
        bytes,
    ];
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    for byte in parts.into_iter().flatten() {
        digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    digest.to_be_bytes()
}
