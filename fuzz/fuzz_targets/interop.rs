//! The interop layout: any bytes give a value or E021, and a value that was read and can be written has one form.
#![no_main]

use std::collections::BTreeMap;
use std::fmt::Debug;

use cachekit_core::{ErrorCode, Serializer};
use cachekit_serde::interop::{InteropValues, datetime};
use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

fuzz_target!(|bytes: &[u8]| {
    check::<Record>(bytes);
    check::<Tree>(bytes);
    check::<Any>(bytes);
    check::<BTreeMap<Option<i16>, Vec<(u8, char)>>>(bytes);
    check::<(i128, u128, f32)>(bytes);
});

fn check<T: Serialize + DeserializeOwned + Debug + 'static>(bytes: &[u8]) {
    let value: T = match InteropValues.deserialize(bytes) {
        Ok(value) => value,
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::E021);
            return;
        }
    };
    assert!(!bytes.starts_with(b"CK"), "{value:?}");
    let mut written = Vec::new();
    if let Err(error) = InteropValues.serialize(&value, &mut written) {
        assert_eq!(error.code(), ErrorCode::E020, "{value:?}");
        return;
    }
    let again: T = InteropValues.deserialize(&written).expect("what was written can be read");
    assert_eq!(format!("{again:?}"), format!("{value:?}"));
    let mut twice = Vec::new();
    InteropValues.serialize(&again, &mut twice).expect("what was written once can be written again");
    assert_eq!(twice, written, "{value:?}");
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(with = "datetime::option", default)]
    placed: Option<String>,
    #[serde(flatten)]
    rest: BTreeMap<String, Any>,
}

#[derive(Debug, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Number(i64),
    Pair(Box<Tree>, Box<Tree>),
    Branch { children: Vec<Tree>, label: Option<String> },
    Map(BTreeMap<String, Tree>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Any {
    Nothing,
    Flag(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    List(Vec<Any>),
    Map(BTreeMap<String, Any>),
}
