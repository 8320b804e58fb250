//! The formats beside each other and beside the crates that do their work.

use std::hint::black_box;
use std::sync::Arc;

use arrow_array::{BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array};
use cachekit::core::Serializer;
use cachekit_serde::{Arrow, Json, MessagePack, Postcard};

use crate::harness::{Candidate, Role, time};
use crate::record::Record;

pub fn writers(record: &Record) -> Vec<Candidate<'_>> {
    vec![
        writer("MessagePack", Role::Ours, |buffer| MessagePack.serialize(record, buffer).expect("a valid record")),
        writer("rmp-serde", Role::Other, |buffer| {
            rmp_serde::encode::write_named(buffer, record).expect("a valid record")
        }),
        writer("Json", Role::Ours, |buffer| Json.serialize(record, buffer).expect("a valid record")),
        writer("serde_json", Role::Other, |buffer| serde_json::to_writer(buffer, record).expect("a valid record")),
        writer("Postcard", Role::Ours, |buffer| Postcard.serialize(record, buffer).expect("a valid record")),
        writer("postcard", Role::Other, |buffer| {
            *buffer = postcard::to_extend(record, std::mem::take(buffer)).expect("a valid record");
        }),
        writer("Arrow", Role::Ours, {
            let batch = columns(record);
            move |buffer| Arrow.serialize(&batch, buffer).expect("a valid batch")
        }),
    ]
}

pub fn readers(record: &Record) -> Vec<Candidate<'_>> {
    let document = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = Vec::new();
        write(&mut bytes);
        bytes
    };
    let packed = document(&|bytes| MessagePack.serialize(record, bytes).expect("a valid record"));
    let json = document(&|bytes| Json.serialize(record, bytes).expect("a valid record"));
    let card = document(&|bytes| Postcard.serialize(record, bytes).expect("a valid record"));
    let arrow = document(&|bytes| Arrow.serialize(&columns(record), bytes).expect("a valid batch"));
    vec![
        reader("MessagePack", Role::Ours, packed.clone(), |bytes| MessagePack.deserialize(bytes).expect("written")),
        reader("rmp-serde", Role::Other, packed, |bytes| rmp_serde::from_slice::<Record>(bytes).expect("written")),
        reader("Json", Role::Ours, json.clone(), |bytes| Json.deserialize(bytes).expect("written")),
        reader("serde_json", Role::Other, json, |bytes| serde_json::from_slice::<Record>(bytes).expect("written")),
        reader("Postcard", Role::Ours, card.clone(), |bytes| Postcard.deserialize(bytes).expect("written")),
        reader("postcard", Role::Other, card, |bytes| postcard::from_bytes::<Record>(bytes).expect("written")),
        Candidate::new("Arrow", Role::Ours, move |_, operations| {
            time(operations, |_| {
                let batch: RecordBatch = Arrow.deserialize(black_box(&arrow)).expect("written");
                black_box(batch);
            })
        }),
    ]
}

fn writer<'a>(name: &'static str, role: Role, write: impl Fn(&mut Vec<u8>) + Sync + 'a) -> Candidate<'a> {
    Candidate::new(name, role, move |_, operations| {
        let mut buffer = Vec::new();
        time(operations, |_| {
            buffer.clear();
            write(&mut buffer);
            black_box(&buffer);
        })
    })
}

fn reader<'a>(
    name: &'static str,
    role: Role,
    document: Vec<u8>,
    read: impl Fn(&[u8]) -> Record + Sync + 'a,
) -> Candidate<'a> {
    Candidate::new(name, role, move |_, operations| {
        time(operations, |_| {
            black_box(read(black_box(&document)));
        })
    })
}

/// The items of the record as the columns of one batch.
fn columns(record: &Record) -> RecordBatch {
    let items = &record.items;
    RecordBatch::try_from_iter([
        ("number", Arc::new(UInt32Array::from_iter_values(items.iter().map(|item| item.number))) as _),
        ("label", Arc::new(StringArray::from_iter_values(items.iter().map(|item| &item.label))) as _),
        ("price", Arc::new(Float64Array::from_iter_values(items.iter().map(|item| item.price))) as _),
        ("open", Arc::new(BooleanArray::from_iter(items.iter().map(|item| Some(item.open)))) as _),
    ])
    .expect("columns of the same length")
}
