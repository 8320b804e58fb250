//! Arrow: columns of every type come back, and streams that were cut, altered or made to lie are refused without a panic.
#![cfg(feature = "arrow")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Int32Builder, ListViewBuilder, MapBuilder, StringBuilder};
use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::*;
use arrow_buffer::ScalarBuffer;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{DataType, Field, Schema, UnionFields};
use cachekit_core::{ErrorCode, Serializer};
use cachekit_serde::Arrow;

type Batches = Vec<RecordBatch>;

#[test]
fn columns_of_every_type_come_back() {
    for batch in [every_type(), every_type().slice(1, 3), every_type().slice(4, 0), nulls(0), nulls(1_000)] {
        let bytes = write(&batch);
        let back: RecordBatch = Arrow.deserialize(&bytes).unwrap();
        assert_eq!(back, batch);
        assert_eq!(back.schema(), batch.schema());
    }
    let schema = Schema::new(vec![Field::new("n", DataType::Int32, true)])
        .with_metadata(HashMap::from([("a".to_owned(), "b".to_owned())]));
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int32Array::from(vec![Some(1), None]))]).unwrap();
    let back: RecordBatch = Arrow.deserialize(&write(&batch)).unwrap();
    assert_eq!(back.schema().metadata()["a"], "b");
}

#[test]
fn lists_of_batches_come_back() {
    let batch = every_type();
    for batches in [vec![], vec![batch.clone()], vec![batch.slice(0, 2), batch.slice(2, 0), batch.slice(2, 3)]] {
        let bytes = write(&batches);
        assert_eq!(read(&bytes).unwrap(), batches);
        if batches.len() != 1 {
            let error = Serializer::<RecordBatch>::deserialize(&Arrow, &bytes).unwrap_err();
            assert!(error.message().contains("where one was expected"), "{error}");
        }
    }
}

#[test]
fn nothing_is_copied_but_the_document_as_a_whole() {
    let batch = every_type();
    let back: RecordBatch = Arrow.deserialize(&write(&batch)).unwrap();
    let numbers = back.column(0).as_any().downcast_ref::<Int64Array>().unwrap();
    let texts = back.column(1).as_any().downcast_ref::<StringArray>().unwrap();
    let distance = texts.values().as_ptr().addr().wrapping_sub(numbers.values().as_ptr().addr());
    assert!(distance < 4_096, "both are slices of one document: {distance}");
}

#[test]
fn what_cannot_be_held_is_refused() {
    let deep = |depth| {
        let leaf: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let column = (1..depth).fold(leaf, |within, _| {
            Arc::new(StructArray::from(vec![(Arc::new(Field::new("in", within.data_type().clone(), true)), within)]))
        });
        RecordBatch::try_from_iter([("deep", column)]).unwrap()
    };
    assert_eq!(Serializer::<RecordBatch>::deserialize(&Arrow, &write(&deep(40))).unwrap(), deep(40));
    unholdable(&deep(41), "$.deep: types nest deeper than 40");
    unholdable(&vec![nulls(1), every_type()], "$[1]: a schema that is not that of the first");
    assert_eq!(read(&write(&vec![nulls(i32::MAX as usize)])).unwrap()[0].num_rows(), i32::MAX as usize);
    unholdable(&vec![nulls(1), nulls(1 << 31)], "$[1]: 2^31 rows or more");
}

#[test]
fn wide_and_talkative_schemas_come_back() {
    let column = |n: usize| {
        Field::new(n.to_string(), DataType::Null, true).with_metadata(HashMap::from([("k".to_owned(), "v".to_owned())]))
    };
    let schema = Schema::new((0..3_000).map(column).collect::<Vec<_>>());
    let batch = RecordBatch::new_empty(Arc::new(schema));
    assert_eq!(Serializer::<RecordBatch>::deserialize(&Arrow, &write(&batch)).unwrap(), batch);
}

#[test]
fn exactly_one_stream_is_read() {
    let bytes = write(&every_type());
    for more in [&[0][..], b"x", &[0; 8], &[0xff; 8], &bytes] {
        refused(&[&bytes, more].concat(), "bytes follow the end marker, at byte");
    }
    refused(&bytes[..bytes.len() - 8], "an end without the end marker");
    refused(b"", "an end without the end marker");
    refused(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0], "no schema");
    refused(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], "metadata past the end");
    refused(&[0xff; 8], "a negative length");
    refused(b"{\"id\":1}", "no message begins here, at byte 0 of 8; this looks like JSON");
    refused(b"ARROW1\0\0\xff\xff\xff\xff", "this looks like an Arrow file");
}

/// Written by hand, for our own build of Arrow has no codecs: the message says that its buffers are compressed.
#[test]
fn compressed_columns_are_refused_unread() {
    let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).unwrap();
    let mut bytes = Vec::new();
    let batch = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef)]).unwrap();
    let mut writer = StreamWriter::try_new_with_options(&mut bytes, batch.schema_ref(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    drop(writer);
    refused(&bytes, "compressed columns");
}

#[test]
fn every_cut_is_refused() {
    let bytes = write(&every_type());
    for cut in 0..bytes.len() {
        refused(&bytes[..cut], "");
    }
}

#[test]
fn every_flipped_bit_gives_batches_or_e021() {
    let mut bytes = write(&every_type().slice(0, 1));
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        survive(&bytes);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
}

/// `ARROW_MUTATIONS=1000000 cargo test --release …` for a longer run.
#[test]
fn mutated_streams_give_batches_or_e021() {
    let mutations = option_env!("ARROW_MUTATIONS").map_or(100_000, |count| count.parse().unwrap());
    let streams: Vec<Vec<u8>> = every_type()
        .columns()
        .iter()
        .map(|column| write(&RecordBatch::try_from_iter([("c", column.clone())]).unwrap()))
        .chain([write(&vec![every_type().slice(0, 2), every_type()])])
        .collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut read_as_batches = 0;
    for round in 0..mutations {
        let mut bytes = streams[round % streams.len()].clone();
        for _ in 0..=dice.below(3) {
            dice.mutate(&mut bytes);
        }
        read_as_batches += usize::from(survive(&bytes));
    }
    // Else the mutations are too coarse to get anywhere.
    assert!(read_as_batches > mutations / 50, "{read_as_batches} of {mutations}");
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.roll() % bound.max(1) as u64).unwrap()
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const NUMBERS: [i64; 12] = [0, 1, -1, 2, 4, 7, 8, 64, i32::MAX as i64, i32::MIN as i64, i64::MAX, i64::MIN];
        let at = self.below(bytes.len());
        match self.below(8) {
            0 | 1 => bytes[at] ^= 1 << self.below(8),
            2 => bytes[at] = self.roll().to_le_bytes()[0],
            3 | 4 => {
                let number = NUMBERS[self.below(NUMBERS.len())].to_le_bytes();
                let width = [1, 2, 4, 8][self.below(4)];
                let at = at / width * width;
                let end = (at + width).min(bytes.len());
                bytes[at..end].copy_from_slice(&number[..end - at]);
            }
            5 => bytes[at] = bytes[at].wrapping_add(if self.below(2) == 0 { 1 } else { 0xff }),
            6 => {
                let (to, length) = (self.below(bytes.len()) / 8 * 8, 8 * (1 + self.below(8)));
                let from = at / 8 * 8;
                let length = length.min(bytes.len() - from).min(bytes.len() - to);
                bytes.copy_within(from..from + length, to);
            }
            _ => {
                let end = (at + 1 + self.below(16)).min(bytes.len());
                if self.below(2) == 0 {
                    bytes.drain(at..end)
                } else {
                    bytes.drain(end..end)
                };
            }
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
}

/// Whether the bytes were read; if they were, as batches that can be written again and compared, so that nothing in them
/// is out of bounds.
fn survive(bytes: &[u8]) -> bool {
    match read(bytes) {
        Ok(batches) => {
            for batch in batches.iter().filter(|batch| batch.num_rows() < 10_000) {
                assert!(!format!("{batch:?}").is_empty());
            }
            true
        }
        Err(error) => {
            assert_eq!(error, ErrorCode::E021);
            false
        }
    }
}

fn nulls(rows: usize) -> RecordBatch {
    RecordBatch::try_from_iter([("nothing", Arc::new(NullArray::new(rows)) as ArrayRef)]).unwrap()
}

/// Five rows of one column of each kind that the format knows.
fn every_type() -> RecordBatch {
    let texts = [Some("ä"), None, Some(""), Some("ä text that is too long to stand in a view"), Some("b")];
    let numbers = [Some(1), None, Some(-3), Some(i32::MAX), Some(0)];
    let lists = [Some(vec![Some(1), None]), None, Some(vec![]), Some(vec![Some(2)]), Some(vec![None])];
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    let mut views = ListViewBuilder::new(Int32Builder::new());
    let mut triples = FixedSizeListBuilder::new(Int32Builder::new(), 3);
    for (row, number) in numbers.into_iter().enumerate() {
        for key in 0..row {
            maps.keys().append_value(format!("k{key}"));
            maps.values().append_option(number);
            views.values().append_option(number);
        }
        maps.append(row != 1).unwrap();
        views.append(row != 1);
        (0..3).for_each(|_| triples.values().append_option(number));
        triples.append(row != 2);
    }
    let structs = StructArray::from(vec![
        (Arc::new(Field::new("n", DataType::Int32, true)), Arc::new(Int32Array::from_iter(numbers)) as ArrayRef),
        (Arc::new(Field::new("t", DataType::Utf8, true)), Arc::new(StringArray::from_iter(texts))),
    ]);
    let fields = || {
        let fields = [Field::new("n", DataType::Int32, true), Field::new("t", DataType::Utf8, true)];
        UnionFields::try_new([3, 5], fields).unwrap()
    };
    let children =
        || vec![Arc::new(Int32Array::from_iter(numbers)) as ArrayRef, Arc::new(StringArray::from_iter(texts))];
    let kinds = || ScalarBuffer::from(vec![3_i8, 5, 5, 3, 3]);
    let sparse = UnionArray::try_new(fields(), kinds(), None, children()).unwrap();
    let dense =
        UnionArray::try_new(fields(), kinds(), Some(ScalarBuffer::from(vec![0, 0, 1, 1, 2])), children()).unwrap();
    let runs =
        RunArray::<Int32Type>::try_new(&Int32Array::from(vec![2, 5]), &StringArray::from(vec!["a", "b"])).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("long", Arc::new(Int64Array::from(vec![1, 2, 3, 4, i64::MIN]))),
        ("text", Arc::new(StringArray::from_iter(texts))),
        ("large text", Arc::new(LargeStringArray::from_iter(texts))),
        ("text view", Arc::new(StringViewArray::from_iter(texts))),
        ("bytes", Arc::new(BinaryArray::from_iter(texts.map(|text| text.map(str::as_bytes))))),
        ("bytes view", Arc::new(BinaryViewArray::from_iter(texts.map(|text| text.map(str::as_bytes))))),
        ("fixed", Arc::new(FixedSizeBinaryArray::try_from_iter((0..5).map(|n: u8| [n; 3])).unwrap())),
        ("flag", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true), None]))),
        ("float", Arc::new(Float64Array::from(vec![0.5, -0.0, f64::INFINITY, 1e300, 2.0]))),
        ("date", Arc::new(Date32Array::from_iter(numbers))),
        ("stamp", Arc::new(TimestampMicrosecondArray::from(vec![1, 2, 3, 4, 5]).with_timezone("UTC"))),
        ("decimal", Arc::new(Decimal128Array::from(vec![1, -2, 3, 4, 5]).with_precision_and_scale(20, 2).unwrap())),
        ("wide decimal", Arc::new(Decimal256Array::from(vec![arrow_buffer::i256::MAX; 5]))),
        ("names", Arc::new(texts.iter().copied().collect::<DictionaryArray<Int8Type>>())),
        ("list", Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists.clone()))),
        ("large list", Arc::new(LargeListArray::from_iter_primitive::<Int32Type, _, _>(lists))),
        ("list view", Arc::new(views.finish())),
        ("triple", Arc::new(triples.finish())),
        ("struct", Arc::new(structs)),
        ("map", Arc::new(maps.finish())),
        ("sparse", Arc::new(sparse)),
        ("dense", Arc::new(dense)),
        ("runs", Arc::new(runs)),
        ("nothing", Arc::new(NullArray::new(5))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

fn write<T>(value: &T) -> Vec<u8>
where
    Arrow: Serializer<T>,
{
    let mut bytes = Vec::new();
    Arrow.serialize(value, &mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Batches, ErrorCode> {
    Serializer::<Batches>::deserialize(&Arrow, bytes).map_err(|error| error.code())
}

fn unholdable<T>(value: &T, expected: &str)
where
    Arrow: Serializer<T>,
{
    let error = Arrow.serialize(value, &mut Vec::new()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::E020);
    assert!(error.message().contains(expected), "{error}");
}

fn refused(bytes: &[u8], expected: &str) {
    let error = Serializer::<Batches>::deserialize(&Arrow, bytes).unwrap_err();
    assert_eq!(error.code(), ErrorCode::E021);
    assert!(error.message().contains(expected), "{error}");
}
