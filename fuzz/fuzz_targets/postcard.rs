//! postcard: any bytes give a value or E021; a value that was read and can be written comes back as it was.
#![no_main]

use std::collections::BTreeMap;
use std::fmt::Debug;

use cachekit_core::{ErrorCode, Serializer};
use cachekit_serde::Postcard;
use libfuzzer_sys::fuzz_target;
use postcard_schema::Schema;
use postcard_schema::schema::NamedType;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

fuzz_target!(|bytes: &[u8]| {
    check::<Record>(bytes);
    check::<Vec<Shape>>(bytes);
    check::<BTreeMap<Option<i16>, Vec<(u8, char)>>>(bytes);
    check::<(i128, u128, f32)>(bytes);
    check::<Vec<Vec<()>>>(bytes);
    // Its schema is not true, so it can be read only.
    check::<Nest>(bytes);
});

fn check<T: Serialize + DeserializeOwned + Schema + Debug + 'static>(bytes: &[u8]) {
    let value: T = match Postcard.deserialize(bytes) {
        Ok(value) => value,
        Err(error) => {
            assert_eq!(error.code(), ErrorCode::E021);
            return;
        }
    };
    let mut written = Vec::new();
    if let Err(error) = Postcard.serialize(&value, &mut written) {
        assert_eq!(error.code(), ErrorCode::E020, "{value:?}");
        return;
    }
    let again: T = Postcard.deserialize(&written).expect("what was written can be read");
    // By its debug text, in which NaN equals itself.
    assert_eq!(format!("{again:?}"), format!("{value:?}"));
}

#[derive(Debug, Serialize, Deserialize, Schema)]
struct Record {
    id: u64,
    name: Option<String>,
    tags: Vec<String>,
    place: (Option<[u8; 4]>, Option<f64>),
}

#[derive(Debug, Serialize, Deserialize, Schema)]
enum Shape {
    Nothing,
    Circle(f32),
    Line(i16, i16),
    Box { width: u32, note: Option<String> },
}

#[derive(Debug, Serialize, Deserialize)]
struct Nest(Vec<Nest>);

impl Schema for Nest {
    const SCHEMA: &'static NamedType = <Vec<u8>>::SCHEMA;
}
