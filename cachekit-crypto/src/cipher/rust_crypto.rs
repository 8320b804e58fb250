//! AES-256-GCM by the crate `aes-gcm`.

use std::fmt;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};

use super::{Aead, KEY, NONCE, Refused, TAG};

pub(super) struct Expanded(Aes256Gcm);

impl Expanded {
    pub(super) fn new(key: &[u8; KEY]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }
}

impl Aead for Expanded {
    fn seal(&self, nonce: &[u8; NONCE], context: &[u8], text: &mut [u8]) -> Result<[u8; TAG], Refused> {
        let tag = self.0.encrypt_inout_detached(nonce.into(), context, text.into()).map_err(|_| Refused)?;
        Ok(tag.into())
    }

    fn open(&self, nonce: &[u8; NONCE], context: &[u8], sealed: &mut [u8]) -> Result<(), Refused> {
        let (text, tag) = sealed.split_last_chunk_mut::<TAG>().ok_or(Refused)?;
        self.0.decrypt_inout_detached(nonce.into(), context, text.into(), (&*tag).into()).map_err(|_| Refused)
    }
}

impl fmt::Debug for Expanded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RustCrypto(redacted)")
    }
}
