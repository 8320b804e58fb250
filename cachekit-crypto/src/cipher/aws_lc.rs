//! AES-256-GCM by AWS-LC.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::{Aead, KEY, NONCE, Refused, TAG};

/// Without a key only if AWS-LC refused one of the right length, which it does where memory is short. Then nothing is
/// sealed or opened.
pub(super) struct Expanded(Option<LessSafeKey>);

impl Expanded {
    pub(super) fn new(key: &[u8; KEY]) -> Self {
        Self(UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new))
    }

    fn key(&self) -> Result<&LessSafeKey, Refused> {
        self.0.as_ref().ok_or(Refused)
    }
}

impl Aead for Expanded {
    fn seal(&self, nonce: &[u8; NONCE], context: &[u8], text: &mut [u8]) -> Result<[u8; TAG], Refused> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.key()?.seal_in_place_separate_tag(nonce, Aad::from(context), text).map_err(|_| Refused)?;
        tag.as_ref().try_into().map_err(|_| Refused)
    }

    fn open(&self, nonce: &[u8; NONCE], context: &[u8], sealed: &mut [u8]) -> Result<(), Refused> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.key()?.open_in_place(nonce, Aad::from(context), sealed).map(drop).map_err(|_| Refused)
    }
}

impl fmt::Debug for Expanded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsLc(redacted)")
    }
}
