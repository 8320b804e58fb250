//! [`FakeTransform`]: a transform that fails on cue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cachekit_core::{Applied, EntryContext, Error, ErrorCode, Result, Transform, TransformKind};

use super::Cue;

/// A transform that keeps its contract and protects nothing: it scrambles bytes and appends a digest of their context. It fails on
/// cue. Clones share the cues.
///
/// As [`TransformKind::Encryption`] it refuses, with E003, an entry that was altered, or found under another key, tenant or header.
#[derive(Clone, Debug)]
pub struct FakeTransform {
    kind: TransformKind,
    apply: Cue,
    reverse: Cue,
    declines: Arc<AtomicBool>,
}

impl FakeTransform {
    /// A transform of this kind.
    #[must_use]
    pub fn new(kind: TransformKind) -> Self {
        Self { kind, apply: Cue::default(), reverse: Cue::default(), declines: Arc::default() }
    }

    /// The cue of [`Transform::apply`].
    #[must_use]
    pub fn on_apply(&self) -> &Cue {
        &self.apply
    }

    /// The cue of [`Transform::reverse`].
    #[must_use]
    pub fn on_reverse(&self) -> &Cue {
        &self.reverse
    }

    /// From now on, says whether it declines to change what it is given. An encryption must not.
    pub fn decline(&self, declines: bool) {
        self.declines.store(declines, Ordering::SeqCst);
    }
}

impl Transform for FakeTransform {
    fn kind(&self) -> TransformKind {
        self.kind
    }

    fn fingerprint(&self) -> Option<[u8; 16]> {
        (self.kind == TransformKind::Encryption).then_some(FINGERPRINT)
    }

    fn knows(&self, fingerprint: &[u8; 16]) -> bool {
        *fingerprint == FINGERPRINT
    }

    fn apply(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<Applied> {
        self.apply.check("apply")?;
        if self.declines.load(Ordering::SeqCst) {
            return Ok(Applied::Declined);
        }
        scramble(bytes);
        let tag = self.tag(context, bytes);
        bytes.extend_from_slice(&tag);
        Ok(Applied::Yes)
    }

    fn reverse(&self, context: &EntryContext<'_>, bytes: &mut Vec<u8>) -> Result<()> {
        let refused = self.reverse.check("reverse").and_then(|()| {
            let tag = bytes.len().checked_sub(TAG).map(|at| bytes.split_off(at));
            if tag.is_some_and(|tag| tag == self.tag(context, bytes)) {
                return Ok(());
            }
            let (code, what) = match self.kind {
                TransformKind::Encryption => (ErrorCode::E003, "the entry does not authenticate"),
                _ => (ErrorCode::E021, "the entry is damaged"),
            };
            Err(Error::new(code, format!("fake transform: {what}")))
        });
        if refused.is_err() {
            bytes.clear();
        }
        refused?;
        scramble(bytes);
        Ok(())
    }
}

impl FakeTransform {
    /// FNV-1a of the scrambled bytes, and of an encryption's context.
    fn tag(&self, context: &EntryContext<'_>, scrambled: &[u8]) -> [u8; TAG] {
        let bound: [&[u8]; 3] = match self.kind {
            TransformKind::Encryption => {
                [context.key.as_str().as_bytes(), context.tenant.unwrap_or_default().as_bytes(), context.header]
            }
            _ => [&[]; 3],
        };
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        for part in bound.into_iter().chain([scrambled]) {
            // The length first, so that parts do not run into each other.
            for byte in part.len().to_be_bytes().iter().chain(part) {
                digest = (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        digest.to_be_bytes()
    }
}

fn scramble(bytes: &mut [u8]) {
    bytes.iter_mut().for_each(|byte| *byte ^= 0x5a);
}

const TAG: usize = 8;
const FINGERPRINT: [u8; 16] = *b"fake fingerprint";
