//! [`Arrow`]: record batches, as an Arrow IPC stream.

mod columns;
mod messages;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Schema};
use cachekit_core::{Error, ErrorCode, Format, Result, Serializer};

use crate::undecodable::undecodable;

/// Columns of [Arrow](https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc),
/// for a [`RecordBatch`] or a list of them with one schema.
///
/// ```
/// # use std::sync::Arc;
/// use arrow_array::{Int64Array, RecordBatch};
/// use cachekit_core::Serializer;
/// use cachekit_serde::Arrow;
///
/// let batch = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from(vec![1, 2, 3])) as _)])?;
/// let mut bytes = Vec::new();
/// Arrow.serialize(&batch, &mut bytes)?;
/// let back: RecordBatch = Arrow.deserialize(&bytes)?;
/// assert_eq!(back, batch);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What is copied
/// Reading copies the document once, into memory that is aligned for every column, and checks it. The columns then are
/// slices of that memory: nothing else is copied, and it stays allocated as long as one of them is used. Programs that
/// align buffers to 8 bytes only have their decimals and views copied once more.
///
/// # What may be held
/// 1. All types of Arrow with their metadata, slices included. Types nest at most 40 deep, and a batch has fewer than
///    2^31 rows: E020 beyond that.
/// 2. The batches of a list have the same schema: E020 otherwise. Of an empty list nothing is known afterwards but that
///    it is empty.
/// 3. Nothing is compressed within; [`Lz4`](crate::Lz4) compresses the whole document.
///
/// # What is read
/// Streams of format version 5 in little-endian order that end with their end marker and with nothing behind it.
/// Everything that they say about lengths is held against the bytes that are there before Arrow reads them, and Arrow
/// validates the columns themselves. Compressed columns are refused unread, and so are deltas of dictionaries.
///
/// # Errors
/// E020 names the batch or the column, such as `$[1]` or `$.price`. E021 says in which message, by its first byte.
/// Neither shows data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrow;

impl Serializer<RecordBatch> for Arrow {
    fn format(&self) -> Format {
        Format::ARROW
    }

    fn serialize(&self, batch: &RecordBatch, bytes: &mut Vec<u8>) -> Result<()> {
        write(batch.schema_ref(), std::slice::from_ref(batch), bytes)
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<RecordBatch> {
        let mut batches = read(bytes)?;
        match (batches.pop(), batches.len()) {
            (Some(batch), 0) => Ok(batch),
            (None, _) => Err(undecodable(Format::ARROW, bytes, bytes.len(), "no batch, where one was expected")),
            _ => Err(undecodable(Format::ARROW, bytes, bytes.len(), "several batches, where one was expected")),
        }
    }
}

impl Serializer<Vec<RecordBatch>> for Arrow {
    fn format(&self) -> Format {
        Format::ARROW
    }

    fn serialize(&self, batches: &Vec<RecordBatch>, bytes: &mut Vec<u8>) -> Result<()> {
        let Some(first) = batches.first() else { return write(&Schema::empty(), &[], bytes) };
        let schema = first.schema_ref();
        if let Some(other) = batches.iter().position(|batch| batch.schema_ref() != schema) {
            return Err(unholdable(&format!("$[{other}]"), "a schema that is not that of the first batch"));
        }
        write(schema, batches, bytes)
    }

    fn deserialize(&self, bytes: &[u8]) -> Result<Vec<RecordBatch>> {
        read(bytes)
    }
}

fn write(schema: &Schema, batches: &[RecordBatch], bytes: &mut Vec<u8>) -> Result<()> {
    if let Some(field) = schema.fields().iter().find(|field| depth(field.data_type()) > MAX_DEPTH) {
        return Err(unholdable(&format!("$.{}", field.name()), "types nest deeper than 40"));
    }
    if let Some(long) = batches.iter().position(|batch| batch.num_rows() > MAX_ROWS) {
        return Err(unholdable(&format!("$[{long}]"), "2^31 rows or more"));
    }
    let written = StreamWriter::try_new(bytes, schema).and_then(|mut writer| {
        batches.iter().try_for_each(|batch| writer.write(batch))?;
        writer.finish()
    });
    // What Arrow says may quote a value.
    written.map_err(|_| unholdable("$", "Arrow refuses to write it"))
}

fn read(bytes: &[u8]) -> Result<Vec<RecordBatch>> {
    let aligned = Buffer::from_slice_ref(bytes);
    messages::read(&aligned).map_err(|fault| undecodable(Format::ARROW, bytes, fault.offset, fault.problem))
}

fn unholdable(path: &str, problem: &str) -> Error {
    Error::new(ErrorCode::E020, format!("Arrow IPC: {path}: {problem}"))
}

/// How many types are in each other.
fn depth(ty: &DataType) -> usize {
    let within = match ty {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => depth(field.data_type()),
        DataType::Struct(fields) => fields.iter().map(|field| depth(field.data_type())).max().unwrap_or(0),
        DataType::Union(fields, _) => fields.iter().map(|(_, field)| depth(field.data_type())).max().unwrap_or(0),
        DataType::RunEndEncoded(ends, values) => depth(ends.data_type()).max(depth(values.data_type())),
        DataType::Dictionary(_, values) => depth(values),
        _ => 0,
    };
    within + 1
}

/// Less than what Arrow's own reader follows, which counts steps around the types, too.
const MAX_DEPTH: usize = 40;

/// What lengths of 32 bits count, so that no product of a length and a width overflows.
const MAX_ROWS: usize = i32::MAX as usize;

/// To how many bytes the format aligns messages, bodies and buffers at least. Arrow panics where some are not.
const ALIGNMENT: usize = 8;
