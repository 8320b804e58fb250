//! JSON: any bytes give a value or E021; a value that was read and can be written comes back as it was.
#![no_main]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::IpAddr;

use cachekit_core::{ErrorCode, Serializer};
use cachekit_serde::Json;
use libfuzzer_sys::fuzz_target;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

fuzz_target!(|bytes: &[u8]| {
    check::<Record>(bytes);
    check::<Tree>(bytes);
    check::<Untagged>(bytes);
    check::<BTreeMap<Option<i16>, Vec<(u8, char)>>>(bytes);
    check::<(i128, u128, f32)>(bytes);
});

fn check<T: Serialize + DeserializeOwned + Debug + 'static>(bytes: &[u8]) {
    let value: T = match Json.deserialize(bytes) {
        Ok(value) => value,
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::E021);
            return;
        }
    };
    let mut written = Vec::new();
    if let Err(error) = Json.serialize(&value, &mut written) {
        assert_eq!(error.code(), ErrorCode::E020, "{value:?}");
        return;
    }
    let again: T = Json.deserialize(&written).expect("what was written can be read");
    // By its debug text, in which NaN equals itself.
    assert_eq!(format!("{again:?}"), format!("{value:?}"));
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(flatten)]
    place: Place,
}

#[derive(Debug, Serialize, Deserialize)]
struct Place {
    host: Option<IpAddr>,
    score: Option<f64>,
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
enum Untagged {
    Nothing,
    Flag(bool),
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    List(Vec<Untagged>),
    Map(BTreeMap<String, Untagged>),
}
