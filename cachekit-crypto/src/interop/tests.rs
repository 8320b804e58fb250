//! Entries of the Python client open, those that must not do not, and whatever else is held by every entry.

use cachekit_core::{Format, Key, KeyRing, MasterKey, Serializer};
use cachekit_serde::interop::InteropValues;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::cipher::tests::CIPHERS;
use crate::{Cipher, Keys};

#[test]
fn entries_of_the_python_client_open() {
    for &cipher in CIPHERS {
        let rows = rows("sealed");
        for row in &rows {
            let encryption = of_row(cipher, row, &row["master_key_hex"], &[]);
            let key = text(row, "cache_key");
            assert_eq!(hex(&bound(text(row, "tenant_id"), key)), text(row, "aad_hex"), "{}", text(row, "name"));
            let opened = open(&encryption, key, bytes(&row["stored_hex"])).unwrap();
            assert_eq!(hex(&opened), text(row, "plaintext_hex"), "{}", text(row, "name"));
            // And what is sealed here has the same form.
            let sealed = seal(&encryption, key, &opened);
            assert_eq!(sealed.len(), opened.len() + InteropEncryption::OVERHEAD);
            assert_eq!(open(&encryption, key, sealed).unwrap(), opened);
        }
        assert!(rows.len() >= 16, "{} rows", rows.len());
    }
}

#[test]
fn what_must_not_open_does_not() {
    for &cipher in CIPHERS {
        let rows = rows("must_fail");
        for row in &rows {
            let previous = row["previous_master_keys_hex"].as_array().unwrap();
            let encryption = of_row(cipher, row, &row["master_key_hex"], previous);
            let opened = open(&encryption, text(row, "cache_key"), bytes(&row["stored_hex"]));
            let name = text(row, "name");
            if name.starts_with("sealed_") {
                // It is authentic, and no document.
                let read: Result<u8> = InteropValues.deserialize(&opened.unwrap());
                assert_eq!(read.unwrap_err().code(), ErrorCode::E021, "{name}");
            } else {
                assert_eq!(opened.unwrap_err().code(), ErrorCode::E003, "{name}");
            }
        }
        assert!(rows.len() >= 36, "{} rows", rows.len());
    }
}

#[test]
fn earlier_keys_are_tried_in_their_order() {
    for &cipher in CIPHERS {
        let rows = rows("rotation");
        for row in &rows {
            let previous = row["previous_hex"].as_array().unwrap();
            let keys = keys(cipher, &row["current_hex"], previous);
            let encryption = of_tenant(keys.interop_encryption(), row);
            let opened = open(&encryption, text(row, "cache_key"), bytes(&row["stored_hex"])).unwrap();
            assert_eq!(hex(&opened), text(row, "plaintext_hex"), "{}", text(row, "name"));
            let opened: Vec<u64> = keys.uses().iter().map(|key| key.opened).collect();
            let expected: Vec<u64> = (0..=previous.len()).map(|turn| u64::from(row["opened_by"] == turn)).collect();
            assert_eq!(opened, expected, "hits on earlier keys are counted");
        }
        assert!(rows.len() >= 6, "{} rows", rows.len());
    }
}

#[test]
fn what_was_moved_cut_or_altered_does_not_open() {
    for &cipher in CIPHERS {
        let encryption = Keys::builder().cipher(cipher).fixed(&ring(&[1, 2])).interop_encryption();
        let key = "orders:find:x";
        let sealed = seal(&encryption, key, b"value");
        assert_eq!(open(&encryption, key, sealed.clone()).unwrap(), b"value");
        let refused =
            |key: &str, bytes: Vec<u8>| assert_eq!(open(&encryption, key, bytes).unwrap_err().code(), ErrorCode::E003);
        refused("orders:find:y", sealed.clone());
        refused("orders:finds:x", sealed.clone());
        refused("order:find:x", sealed.clone());
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            refused(key, altered);
        }
        (0..sealed.len()).for_each(|end| refused(key, sealed[..end].to_vec()));
        refused(key, [&sealed[..], &[0]].concat());
    }
}

#[test]
fn nothing_is_left_of_what_does_not_open() {
    let encryption = Keys::fixed(&ring(&[1, 2, 3])).interop_encryption();
    let mut bytes = seal(&encryption, "orders:find:x", b"value");
    bytes[20] ^= 1;
    let key = Key::new("orders:find:x").unwrap();
    let context = EntryContext::new(&key, None, Format::INTEROP, &[]);
    encryption.reverse(&context, &mut bytes).unwrap_err();
    assert!(bytes.is_empty());
}

#[test]
fn a_tenant_is_named_by_the_namespace() {
    let keys = Keys::fixed(&ring(&[1]));
    let acme = keys.interop_encryption().for_tenant("acme").unwrap();
    for namespace in ["acme", "orders-acme", "acme.orders", "a_acme_b"] {
        acme.check(Layout::Interop, namespace).unwrap();
        assert_eq!(
            open(&acme, &format!("{namespace}:x:y"), seal(&acme, &format!("{namespace}:x:y"), b"v")).unwrap(),
            b"v"
        );
    }
    for namespace in ["orders", "orders-acme2", "orders-2acme", "macme", "acm", "orders-acmeacme"] {
        assert_eq!(acme.check(Layout::Interop, namespace).unwrap_err().code(), ErrorCode::E007);
        // Nor where nobody asked at opening; an operation names nobody.
        let key = Key::new(&format!("{namespace}:acme:acme")).unwrap();
        let context = EntryContext::new(&key, None, Format::INTEROP, &[]);
        assert_eq!(acme.apply(&context, &mut vec![7]).unwrap_err().code(), ErrorCode::E007);
        assert_eq!(acme.reverse(&context, &mut vec![7; 40]).unwrap_err().code(), ErrorCode::E007);
    }
    let globex = keys.interop_encryption().for_tenant("globex").unwrap();
    let sealed = seal(&acme, "acme-globex:x:y", b"v");
    assert_eq!(open(&globex, "acme-globex:x:y", sealed.clone()).unwrap_err().code(), ErrorCode::E003);
    assert_eq!(open(&keys.interop_encryption(), "acme-globex:x:y", sealed).unwrap_err().code(), ErrorCode::E003);
    for tenant in ["", "Acme", "a b", "a:b", "ä", &"x".repeat(65)] {
        assert_eq!(keys.interop_encryption().for_tenant(tenant).unwrap_err().code(), ErrorCode::E042, "{tenant:?}");
    }
    for uuid in ["", "acme", "7D9C0F6E-3B1A-4A57-9A0B-0D4A5B6C7D8E", "7d9c0f6e3b1a4a579a0b0d4a5b6c7d8e"] {
        assert_eq!(keys.interop_encryption().for_deployment(uuid).unwrap_err().code(), ErrorCode::E044, "{uuid:?}");
    }
    assert_eq!(acme.check(Layout::Native, "acme").unwrap_err().code(), ErrorCode::E044);
    assert_eq!(keys.encryption().check(Layout::Interop, "acme").unwrap_err().code(), ErrorCode::E044);
}

#[test]
fn a_key_seals_its_limit_and_opens_beyond_it() {
    let keys = Keys::builder().seal_limit(3).fixed(&ring(&[1]));
    let encryption = keys.interop_encryption();
    let sealed: Vec<_> = (0..3).map(|_| seal(&encryption, "orders:find:x", b"v")).collect();
    let key = Key::new("orders:find:x").unwrap();
    let context = EntryContext::new(&key, None, Format::INTEROP, &[]);
    assert_eq!(keys.interop_encryption().apply(&context, &mut vec![7]).unwrap_err().code(), ErrorCode::E006);
    assert_eq!(open(&encryption, "orders:find:x", sealed[0].clone()).unwrap(), b"v");
    // Another tenant's key is another.
    seal(&keys.interop_encryption().for_tenant("orders").unwrap(), "orders:find:x", b"v");
    assert_eq!(keys.uses()[0].sealed, 4);
}

#[test]
fn debug_shows_neither_key_nor_tenant() {
    let encryption = Keys::fixed(&ring(&[7])).interop_encryption().for_tenant("acme").unwrap();
    let shown = format!("{encryption:?}");
    assert!(!shown.contains("acme") && !shown.contains("0707"), "{shown}");
}

proptest! {
    #[test]
    fn foreign_bytes_do_not_open(foreign: Vec<u8>) {
        let encryption = Keys::fixed(&ring(&[1, 2])).interop_encryption();
        prop_assert_eq!(open(&encryption, "orders:find:x", foreign).unwrap_err().code(), ErrorCode::E003);
    }

    #[test]
    fn any_text_comes_back(text: Vec<u8>) {
        let encryption = Keys::fixed(&ring(&[1])).interop_encryption();
        prop_assert_eq!(open(&encryption, "orders:find:x", seal(&encryption, "orders:find:x", &text)).unwrap(), text);
    }
}

fn rows(list: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../../../vectors/encryption.json")).unwrap();
    file[list].as_array().unwrap().clone()
}

fn of_row(cipher: Cipher, row: &Value, current: &Value, previous: &[Value]) -> InteropEncryption {
    of_tenant(keys(cipher, current, previous).interop_encryption(), row)
}

fn of_tenant(encryption: InteropEncryption, row: &Value) -> InteropEncryption {
    match text(row, "tenant_id") {
        "default" => encryption,
        uuid => encryption.for_deployment(uuid).unwrap(),
    }
}

fn keys(cipher: Cipher, current: &Value, previous: &[Value]) -> Keys {
    let key = |hex: &Value| MasterKey::new(&bytes(hex)).unwrap();
    let ring = KeyRing::new(key(current)).with_previous(previous.iter().map(key).collect()).unwrap();
    Keys::builder().cipher(cipher).fixed(&ring)
}

fn ring(bytes: &[u8]) -> KeyRing {
    let mut keys = bytes.iter().map(|byte| MasterKey::new(&[*byte; 32]).unwrap());
    KeyRing::new(keys.next().unwrap()).with_previous(keys.collect()).unwrap()
}

fn seal(encryption: &InteropEncryption, key: &str, text: &[u8]) -> Vec<u8> {
    let (key, mut bytes) = (Key::new(key).unwrap(), text.to_vec());
    let context = EntryContext::new(&key, None, Format::INTEROP, &[]);
    assert_eq!(encryption.apply(&context, &mut bytes).unwrap(), Applied::Yes);
    bytes
}

fn open(encryption: &InteropEncryption, key: &str, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
    let key = Key::new(key).unwrap();
    let context = EntryContext::new(&key, None, Format::INTEROP, &[]);
    encryption.reverse(&context, &mut bytes).map(|()| bytes)
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row[name].as_str().unwrap()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
