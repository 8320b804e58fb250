//! [`Place`]: where the entries of a namespace, or of one tenant in it, are found.

use sha2::{Digest, Sha256};

use super::local_key::{LocalKey, LocalKeyRef, Name, NumberKey};
use crate::contract::key::{SinglePart, are_plain};
use crate::{Error, ErrorCode, IntoKey, Key, KeyPrefix, KeyWriter, Layout, Result};

/// Where the entries of a namespace, or of one tenant in it, are found: what their keys begin with, in L1 and in the
/// backend.
///
/// Both keys of an entry end alike, so each can be had from the other:
///
/// - In L1: the namespace's number, `{tenant}:` where it is divided by tenant, then the parts.
/// - In the backend: `[t:{tenant}:]{namespace}:`, then the parts.
///
/// Parts that would make the stored key longer than [`Key::MAX_LEN`] are cut and end in `_h` and the SHA-256 digest of
/// them all; parts that end in `:lock` get a `_k`. No parts are ever written so by a [`KeyWriter`].
///
/// In the interop layout the stored key is `{namespace}:{operation}:` and 64 digits, and nothing else is a key.
#[derive(Debug)]
pub(crate) struct Place {
    /// The number of the namespace.
    namespace: u32,
    /// What the names of a tenant's entries begin with in L1: `{tenant}:`, or nothing.
    local: String,
    stored: String,
    tenant: Option<String>,
    layout: Layout,
}

impl Place {
    /// The place of a namespace, whose number is `id`.
    #[cfg(test)]
    pub(crate) fn of_namespace(id: u32, name: &str) -> Self {
        Self::laid_out(Layout::Native, id, name)
    }

    /// The place of a namespace in `layout`, whose number is `id`. The name of one in the interop layout is
    /// `{namespace}:{operation}`.
    pub(crate) fn laid_out(layout: Layout, id: u32, name: &str) -> Self {
        Self { namespace: id, local: String::new(), stored: format!("{name}:"), tenant: None, layout }
    }

    /// The place of `tenant` in a namespace, whose number is `id`.
    ///
    /// E042 for a tenant that is empty or too long.
    pub(crate) fn of_tenant(id: u32, name: &str, tenant: &str) -> Result<Self> {
        let mut writer = KeyWriter::new(&[]);
        writer.text(tenant);
        let escaped = String::from_utf8_lossy(writer.as_bytes()).into_owned();
        if tenant.is_empty() || escaped.len() > MAX_TENANT {
            return Err(Error::invalid(
                ErrorCode::E042,
                "tenant",
                format_args!("1 to {MAX_TENANT} bytes, where all but A-Z a-z 0-9 . - count three"),
                format_args!("{} bytes", if tenant.is_empty() { 0 } else { escaped.len() }),
            ));
        }
        Ok(Self {
            namespace: id,
            local: format!("{escaped}:"),
            stored: format!("t:{escaped}:{name}:"),
            tenant: Some(tenant.to_owned()),
            layout: Layout::Native,
        })
    }

    /// Refuses what is no key in the layout of the place.
    ///
    /// E042 in the interop layout for anything but 64 lowercase hexadecimal digits.
    pub(crate) fn check(&self, local: &LocalKey) -> Result<()> {
        let Layout::Interop = self.layout else { return Ok(()) };
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let got = match local.name() {
            Name::Text(text) if text.len() == INTEROP_DIGITS && text.iter().all(is_digit) => return Ok(()),
            Name::Text(text) => format!("{} bytes that are none", text.len()),
            Name::Number(_) => "a number".to_owned(),
        };
        let expected = format_args!("the {INTEROP_DIGITS} lowercase hexadecimal digits of an `InteropKey`");
        Err(Error::invalid(ErrorCode::E042, "key in the interop layout", expected, got))
    }

    pub(crate) fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Whether the entry whose key in L1 is `local` is one of this place.
    pub(crate) fn covers(&self, local: &LocalKey) -> bool {
        let ours = match local.name() {
            Name::Number(_) => self.local.is_empty(),
            Name::Text(text) => text.starts_with(self.local.as_bytes()),
        };
        ours && local.namespace() == self.namespace
    }

    /// What all keys of this place in the backend begin with.
    pub(crate) fn stored_prefix(&self) -> Result<KeyPrefix> {
        KeyPrefix::new(&self.stored)
    }

    /// The key of an entry in L1, where it is known without being written.
    #[inline]
    pub(crate) fn unwritten_key<'a, K: IntoKey + ?Sized>(&self, key: &'a K) -> Option<Unwritten<'a>> {
        if !self.local.is_empty() {
            return None;
        }
        let namespace = self.namespace;
        match key.single_part()? {
            SinglePart::Number(number) => Some(Unwritten::Number(NumberKey { namespace, number })),
            SinglePart::Text(text) => {
                let text = text.as_bytes();
                let as_it_is = !text.is_empty() && are_plain(text) && !self.is_mended(text);
                as_it_is.then(|| Unwritten::Text(LocalKeyRef::written(namespace, text)))
            }
        }
    }

    /// Hands `look` the key of an entry in L1, built on the stack: a look-up pays for each time that it is moved.
    pub(crate) fn with_written_key<K, R>(&self, key: &K, look: impl FnOnce(LocalKeyRef<'_>) -> R) -> R
    where
        K: IntoKey + ?Sized,
    {
        let mut writer = KeyWriter::empty();
        writer.begin(self.local.as_bytes());
        key.write_key(&mut writer);
        let local = writer.as_bytes();
        let parts = &local[self.local.len()..];
        if self.is_mended(parts) {
            return look(LocalKeyRef::written(self.namespace, &self.mended(parts)));
        }
        look(LocalKeyRef::written(self.namespace, local))
    }

    /// The key of an entry in L1.
    pub(crate) fn local_key<K: IntoKey + ?Sized>(&self, key: &K) -> LocalKey {
        self.with_written_key(key, |local| local.owned())
    }

    /// The key in the backend of the entry whose key in L1 is `local`.
    pub(crate) fn stored_key(&self, local: &LocalKey) -> Result<Key> {
        self.check(local)?;
        let stored = &self.stored;
        match local.name() {
            Name::Number(number) => Key::new(&format!("{stored}{number}")),
            Name::Text(text) => Key::new(&format!("{stored}{}", String::from_utf8_lossy(&text[self.local.len()..]))),
        }
    }

    /// The key in L1 of the entry that is stored under `key`, if it belongs here.
    pub(crate) fn local_of_stored(&self, key: &Key) -> Option<LocalKey> {
        let parts = key.as_str().strip_prefix(&self.stored)?;
        Some(LocalKeyRef::written(self.namespace, format!("{}{parts}", self.local).as_bytes()).owned())
    }

    /// Whether `parts` cannot stand in a key as they are, or might not.
    #[inline]
    fn is_mended(&self, parts: &[u8]) -> bool {
        parts.len() > Key::MAX_LEN - self.stored.len() || parts.ends_with(b"lock")
    }

    #[cold]
    fn mended(&self, parts: &[u8]) -> Vec<u8> {
        let room = Key::MAX_LEN - self.stored.len();
        let mut bytes = self.local.clone().into_bytes();
        if parts.len() > room {
            bytes.extend_from_slice(&parts[..room - DIGEST]);
            bytes.extend_from_slice(b"_h");
            bytes.extend(
                Sha256::digest(parts)
                    .iter()
                    .flat_map(|byte| [byte >> 4, byte & 15].map(|nibble| b"0123456789abcdef"[usize::from(nibble)])),
            );
        } else {
            bytes.extend_from_slice(parts);
            if parts == b"lock" || parts.ends_with(b":lock") {
                bytes.extend_from_slice(b"_k");
            }
        }
        bytes
    }
}

/// A key in L1 that was not written to be known.
pub(crate) enum Unwritten<'a> {
    Number(NumberKey),
    Text(LocalKeyRef<'a>),
}

/// Checks the name of a namespace: it must stand in every key, be found again by people, and leave room for the rest.
///
/// E042 otherwise.
pub(crate) fn check_namespace(name: &str) -> Result<()> {
    let fits = (1..=MAX_NAMESPACE).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if !fits || name == "t" {
        return Err(Error::invalid(
            ErrorCode::E042,
            "namespace",
            format_args!("1 to {MAX_NAMESPACE} of A-Z a-z 0-9 _ . - (and not \"t\", which begins the keys of tenants)"),
            format_args!("{name:?}"),
        ));
    }
    Ok(())
}

/// Checks one of the two names that keys in the interop layout begin with, `what` it is: the grammar is that of the other
/// clients.
///
/// E042 otherwise.
pub(crate) fn check_segment(what: &str, name: &str) -> Result<()> {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let reserved = what == "namespace" && matches!(name, "ns" | "nsapi");
    if begins && name.len() <= MAX_NAMESPACE && name.bytes().all(is_inner) && !name.contains("..") && !reserved {
        return Ok(());
    }
    let reserved = if what == "namespace" { ", and not \"ns\" or \"nsapi\"" } else { "" };
    let expected = format_args!(
        "1 to {MAX_NAMESPACE} of a-z 0-9 . _ - in the interop layout, beginning with a letter or a digit, without \"..\"\
         {reserved}"
    );
    Err(Error::invalid(ErrorCode::E042, what, expected, format_args!("{name:?}")))
}

const MAX_NAMESPACE: usize = 64;
const MAX_TENANT: usize = 96;
/// `_h` and 64 digits.
const DIGEST: usize = 66;
/// Of BLAKE2b with 32 bytes.
const INTEROP_DIGITS: usize = 64;

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::hash::BuildHasher;
    use std::num::NonZeroU8;

    use quick_cache::Equivalent;

    use super::*;

    fn stored(place: &Place, key: impl IntoKey) -> String {
        place.stored_key(&place.local_key(&key)).unwrap().as_str().to_owned()
    }

    #[test]
    fn keys_are_what_the_documentation_says() {
        let users = Place::of_namespace(1, "users");
        assert_eq!(stored(&users, 42), "users:42");
        assert_eq!(stored(&users, ("a b", 7)), "users:a_20b:7");
        assert_eq!(stored(&users, ()), "users:");
        let acme = Place::of_tenant(1, "users", "acme/eu").unwrap();
        assert_eq!(stored(&acme, 42), "t:acme_2feu:users:42");
    }

    #[test]
    fn an_end_in_lock_is_no_key_of_a_backends_own() {
        let users = Place::of_namespace(1, "users");
        assert_eq!(stored(&users, "lock"), "users:lock_k");
        assert_eq!(stored(&users, ("a", "lock")), "users:a:lock_k");
        assert_eq!(stored(&users, "block"), "users:block");
    }

    #[test]
    fn long_keys_end_in_a_digest_of_all_parts() {
        let users = Place::of_namespace(1, "users");
        let (one, other) = ("x".repeat(300), format!("{}y", "x".repeat(299)));
        let (one, other) = (stored(&users, one), stored(&users, other));
        assert_eq!(one.len(), Key::MAX_LEN);
        assert_ne!(one, other);
        assert_eq!(
            stored(&users, "x".repeat(244)),
            format!("users:{}", "x".repeat(244)),
            "the longest that fits stays"
        );
    }

    #[test]
    fn the_longest_tenant_and_namespace_leave_room_for_a_digest() {
        let place = Place::of_tenant(1, &"n".repeat(MAX_NAMESPACE), &"t".repeat(MAX_TENANT)).unwrap();
        assert_eq!(stored(&place, "x".repeat(500)).len(), Key::MAX_LEN);
    }

    #[test]
    fn a_local_key_is_had_back_from_the_stored_one() {
        for place in [Place::of_namespace(7, "users"), Place::of_tenant(7, "users", "acme").unwrap()] {
            let local = place.local_key(&("a", "lock"));
            let key = place.stored_key(&local).unwrap();
            assert_eq!(place.local_of_stored(&key).unwrap(), local);
        }
    }

    #[test]
    fn a_key_is_the_same_written_and_unwritten() {
        fn check<K: IntoKey>(place: &Place, key: K, shortcut: bool) {
            let unwritten = place.unwritten_key(&key);
            assert_eq!(unwritten.is_some(), shortcut);
            let hasher = foldhash::fast::RandomState::default();
            place.with_written_key(&key, |written| {
                let owned = written.owned();
                let alike = |finds: &dyn Fn(&LocalKey) -> bool, hash| finds(&owned) && hash == hasher.hash_one(&owned);
                assert!(match unwritten {
                    Some(Unwritten::Number(key)) => alike(&|owned| key.equivalent(owned), hasher.hash_one(key)),
                    Some(Unwritten::Text(key)) => alike(&|owned| key.equivalent(owned), hasher.hash_one(key)),
                    None => true,
                });
            });
        }
        let users = Place::of_namespace(1, "users");
        for number in [0, 9, 10, u64::MAX] {
            check(&users, number, true);
            check(&users, Box::new(Some(number)), true);
            check(&users, u128::from(number), true);
            check(&users, number.to_string(), true);
        }
        check(&users, 7_i8, true);
        check(&users, NonZeroU8::new(7).unwrap(), true);
        check(&users, -7_i64, false);
        check(&users, None::<u8>, false);
        check(&users, u128::from(u64::MAX) + 1, false);
        let longest = "x".repeat(244);
        for text in ["plain", "007", "7a", "-7", "18446744073709551616", &longest] {
            check(&users, text, true);
            check(&users, Cow::Borrowed(text), true);
            check(&users, Some(text.to_owned()), true);
        }
        for text in ["", "a b", "a_b", "lock", "block", &format!("{longest}x")] {
            check(&users, text, false);
        }
        check(&Place::of_tenant(1, "users", "acme").unwrap(), 7, false);
    }

    #[test]
    fn a_place_covers_its_own_keys() {
        let users = Place::of_namespace(1, "users");
        let acme = Place::of_tenant(1, "users", "acme").unwrap();
        let orders = Place::of_namespace(2, "orders");
        for key in ["7", "acme", "x"] {
            assert!(users.covers(&users.local_key(key)));
            assert!(acme.covers(&acme.local_key(key)));
            assert!(!orders.covers(&users.local_key(key)));
            assert!(!acme.covers(&users.local_key(key)));
        }
    }

    #[test]
    fn in_the_interop_layout_only_64_digits_are_a_key() {
        let find = Place::laid_out(Layout::Interop, 1, "orders:find");
        let digits = "0123456789abcdef".repeat(4);
        assert_eq!(stored(&find, &digits), format!("orders:find:{digits}"));
        assert_eq!(stored(&find, "7".repeat(64)).len(), "orders:find:".len() + 64);
        let upper = digits.to_uppercase();
        let bad: [&str; 7] =
            ["", "7", "lock", &upper, &digits[1..], &format!("{digits}0"), &format!("a:{}", &digits[2..])];
        for key in bad {
            assert_eq!(find.stored_key(&find.local_key(key)).unwrap_err().code(), ErrorCode::E042, "{key:?}");
        }
        assert!(find.stored_key(&find.local_key(&7)).is_err());
        assert!(find.stored_key(&find.local_key(&("a", 7))).is_err());
    }

    #[test]
    fn the_names_of_the_interop_layout_have_a_grammar_of_their_own() {
        for name in ["n", "9", "a.b-c_d", "0op", "a.", &"x".repeat(64)] {
            check_segment("namespace", name).unwrap();
            check_segment("operation", name).unwrap();
        }
        check_segment("operation", "ns").unwrap();
        for name in
            ["", "Orders", "a:b", "a b", "a/b", "a\n", ".a", "-a", "_a", "a..b", "café", "a%20", "a~", "\u{ff46}a"]
        {
            for what in ["namespace", "operation"] {
                let error = check_segment(what, name).unwrap_err();
                assert_eq!(error.code(), ErrorCode::E042);
                assert!(error.to_string().contains(what), "{error}");
            }
        }
        for name in ["ns", "nsapi", &"x".repeat(65)] {
            check_segment("namespace", name).unwrap_err();
        }
    }

    #[test]
    fn tenants_do_not_meet() {
        let one = Place::of_tenant(1, "users", "a").unwrap();
        let other = Place::of_tenant(1, "users", "a:b").unwrap();
        assert_ne!(one.local_key(&("b", 1)), other.local_key(&1));
        assert_ne!(stored(&one, ("b", 1)), stored(&other, 1));
    }

    #[test]
    fn bad_names_are_refused() {
        for name in ["", "t", "a:b", "a b", "{a}", "ü", &"x".repeat(65)] {
            assert_eq!(check_namespace(name).unwrap_err().code(), ErrorCode::E042, "{name:?}");
        }
        for tenant in ["", &"x".repeat(97), &"ü".repeat(17)] {
            assert_eq!(Place::of_tenant(1, "users", tenant).unwrap_err().code(), ErrorCode::E042, "{tenant:?}");
        }
    }
}
