//! What does it cost to make an entry of a document, and to get the document back? And the document of a value?
//!
//! - **encode, decode:** a document of MessagePack into the native layout (header, LZ4 where it pays, checksum) and back,
//!   as a namespace with compression does it. Each candidate first gets a copy of the document, as a serializer would write
//!   it. The floor is LZ4 and the checksum alone, and no compression below 1 KiB, where ours leave it, too.
//! - **write, read:** a value into the document of each format and back, beside the crate that does the work. Sizes are
//!   those of MessagePack. Arrow has its columns ready, and reading them makes no structs: it is no peer of the others.

mod formats;

use std::hint::black_box;

use cachekit::Key;
use cachekit::core::entry::{Content, Header};
use cachekit::core::{Applied, EntryContext, Format, Transform, UnixTime};
use cachekit_core_peer::ByteStorage;
use cachekit_serde::Lz4;
use xxhash_rust::xxh3::xxh3_64;

use crate::harness::{Candidate, Role, Row, compare, time};
use crate::record::Record;

const SIZES: &[(&str, usize)] =
    &[("100 B", 100), ("1 KiB", 1_024), ("10 KiB", 10_240), ("100 KiB", 102_400), ("1 MiB", 1 << 20)];

pub fn run() -> Vec<Row> {
    let mut rows = Vec::new();
    for &(size, bytes) in SIZES {
        let document = rmp_serde::to_vec(&Record::new(7, bytes)).expect("a record has a MessagePack form");
        let encoders = [floor_encode(&document), peer_encode(&document), ours_encode(&document)];
        rows.extend(compare("serde", format!("encode, {size}"), 1, &encoders));
        let decoders = [floor_decode(&document), peer_decode(&document), ours_decode(&document)];
        rows.extend(compare("serde", format!("decode, {size}"), 1, &decoders));
    }
    for &(size, bytes) in &SIZES[..4] {
        let record = Record::new(7, bytes);
        rows.extend(compare("serde", format!("write, {size}"), 1, &formats::writers(&record)));
        rows.extend(compare("serde", format!("read, {size}"), 1, &formats::readers(&record)));
    }
    rows
}

fn floor_encode(document: &[u8]) -> Candidate<'_> {
    Candidate::new("lz4_flex, xxh3", Role::Floor, move |_, operations| {
        time(operations, |_| {
            let document = black_box(document).to_vec();
            let mut entry = pressed(&document).unwrap_or(document);
            let sum = xxh3_64(&entry);
            entry.extend_from_slice(&sum.to_be_bytes());
            black_box(entry);
        })
    })
}

fn floor_decode(document: &[u8]) -> Candidate<'_> {
    let block = pressed(document);
    let entry = block.clone().unwrap_or_else(|| document.to_vec());
    Candidate::new("lz4_flex, xxh3", Role::Floor, move |_, operations| {
        time(operations, |_| {
            let entry = black_box(&entry);
            black_box(xxh3_64(entry));
            if block.is_some() {
                black_box(lz4_flex::block::decompress(entry, document.len()).expect("compressed above"));
            }
        })
    })
}

fn pressed(document: &[u8]) -> Option<Vec<u8>> {
    (document.len() >= 1_024).then(|| lz4_flex::block::compress(document))
}

fn peer_encode(document: &[u8]) -> Candidate<'_> {
    let storage = ByteStorage::new(None);
    Candidate::new("cachekit-core 0.7.4", Role::Peer, move |_, operations| {
        time(operations, |_| {
            let document = black_box(document).to_vec();
            black_box(storage.store(&document, None).expect("not too large"));
        })
    })
}

fn peer_decode(document: &[u8]) -> Candidate<'_> {
    let storage = ByteStorage::new(None);
    let entry = storage.store(document, None).expect("not too large");
    Candidate::new("cachekit-core 0.7.4", Role::Peer, move |_, operations| {
        time(operations, |_| {
            let (read, _) = storage.retrieve(black_box(&entry)).expect("stored above");
            assert_eq!(black_box(read).len(), document.len());
        })
    })
}

fn ours_encode(document: &[u8]) -> Candidate<'_> {
    let key = key();
    Candidate::new("ours", Role::Ours, move |_, operations| {
        time(operations, |_| {
            black_box(encode(&key, black_box(document)));
        })
    })
}

fn ours_decode(document: &[u8]) -> Candidate<'_> {
    let key = key();
    let entry = encode(&key, document);
    Candidate::new("ours", Role::Ours, move |_, operations| {
        time(operations, |_| {
            let view = Header::decode(black_box(&entry), &key).expect("encoded above");
            let read = match view.header.content {
                Content::Compressed => {
                    let mut payload = view.payload.to_vec();
                    let context = EntryContext::new(&key, None, Format::MESSAGE_PACK, view.header_bytes);
                    Lz4::new().reverse(&context, &mut payload).expect("compressed above");
                    black_box(payload).len()
                }
                _ => black_box(view.payload).len(),
            };
            assert_eq!(read, document.len());
        })
    })
}

/// As a namespace with compression does it.
fn encode(key: &Key, document: &[u8]) -> bytes::Bytes {
    let mut header = Header::new(Format::MESSAGE_PACK.id, UnixTime::from_millis(1_790_000_000_000));
    header.expires = Some(UnixTime::from_millis(1_790_000_300_000));
    let mut payload = document.to_vec();
    header.content = Content::Compressed;
    let before = header.to_bytes();
    let context = EntryContext::new(key, None, Format::MESSAGE_PACK, &before);
    if Lz4::new().apply(&context, &mut payload).expect("never fails") == Applied::Declined {
        header.content = Content::Document;
    }
    header.encode(key, &payload)
}

fn key() -> Key {
    Key::new("users:42").expect("a valid key")
}
