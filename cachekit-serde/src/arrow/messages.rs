//! The messages of a stream, each checked before Arrow reads it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::reader::{RecordBatchDecoder, read_dictionary};
use arrow_ipc::{DictionaryBatch, Endianness, Message, MessageHeader, MetadataVersion, root_as_message_with_opts};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use flatbuffers::VerifierOptions;

use super::{ALIGNMENT, MAX_DEPTH, columns};

/// What is wrong with a stream, and where the message begins in which it is.
pub(super) struct Fault {
    pub(super) offset: usize,
    pub(super) problem: &'static str,
}

/// What is wrong with a message.
pub(super) type Problem = &'static str;

/// The batches of the one stream that `bytes` are.
pub(super) fn read(bytes: &Buffer) -> Result<Vec<RecordBatch>, Fault> {
    let mut stream = Stream::default();
    let mut at = 0;
    loop {
        let fault = |problem| Fault { offset: at, problem };
        let Some((metadata, body)) = metadata(bytes, at).map_err(fault)? else { break };
        let message = verified(&bytes[at + PREFIX..at + PREFIX + metadata]).map_err(fault)?;
        let left = bytes.len() - body;
        let length = usize::try_from(message.bodyLength()).ok().filter(|&length| length <= left);
        let length = length.ok_or_else(|| fault("a body past the end"))?;
        if !(metadata.is_multiple_of(ALIGNMENT) && length.is_multiple_of(ALIGNMENT)) {
            return Err(fault("a message that is not aligned to 8 bytes"));
        }
        stream.take(message, &bytes.slice_with_length(body, length)).map_err(fault)?;
        at = body + length;
    }
    let fault = |offset, problem| Err(Fault { offset, problem });
    if stream.schema.is_none() {
        return fault(at, "no schema");
    }
    if at + PREFIX < bytes.len() { fault(at + PREFIX, "bytes follow the end marker") } else { Ok(stream.batches) }
}

/// How long the metadata of the message at `at` are, and where its body begins. `None` at the end marker.
fn metadata(bytes: &[u8], at: usize) -> Result<Option<(usize, usize)>, Problem> {
    let prefix = bytes[at..].first_chunk::<PREFIX>().ok_or("an end without the end marker")?;
    let [0xff, 0xff, 0xff, 0xff, length @ ..] = prefix else { return Err("no message begins here") };
    let length = usize::try_from(i32::from_le_bytes(*length)).map_err(|_| "a negative length")?;
    if length > bytes.len() - at - PREFIX {
        return Err("metadata past the end");
    }
    Ok((length > 0).then_some((length, at + PREFIX + length)))
}

/// The message of which these are the metadata, in bounds wherever they point.
fn verified(metadata: &[u8]) -> Result<Message<'_>, Problem> {
    // A table takes four bytes or more, unless it is pointed to from many places.
    let bounds = VerifierOptions {
        max_depth: MAX_DEPTH + 16,
        max_tables: metadata.len() / 4,
        max_apparent_size: metadata.len().saturating_mul(16),
        ..VerifierOptions::default()
    };
    let message = root_as_message_with_opts(&bounds, metadata).map_err(|_| "metadata that are no message")?;
    if message.version() != MetadataVersion::V5 {
        return Err("another version of the format than 5");
    }
    Ok(message)
}

/// What is known of a stream.
#[derive(Default)]
struct Stream {
    schema: Option<SchemaRef>,
    dictionaries: HashMap<i64, ArrayRef>,
    batches: Vec<RecordBatch>,
}

impl Stream {
    fn take(&mut self, message: Message<'_>, body: &Buffer) -> Result<(), Problem> {
        let Some(schema) = &self.schema else {
            self.schema = Some(Arc::new(schema(message)?));
            return Ok(());
        };
        match message.header_type() {
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch().ok_or("a batch that is none")?;
                columns::check(schema.fields().iter().map(|field| &**field), &batch, body.len())?;
                let decoder =
                    RecordBatchDecoder::try_new(body, batch, schema.clone(), &self.dictionaries, &MetadataVersion::V5);
                let batch = decoder.and_then(RecordBatchDecoder::read_record_batch).map_err(|_| INVALID)?;
                self.batches.push(batch);
                Ok(())
            }
            MessageHeader::DictionaryBatch => {
                let dictionary = message.header_as_dictionary_batch().ok_or("a dictionary that is none")?;
                check_dictionary(schema, &dictionary, body.len())?;
                read_dictionary(body, dictionary, schema, &mut self.dictionaries, &MetadataVersion::V5)
                    .map_err(|_| INVALID)
            }
            _ => Err("a message that is neither batch nor dictionary"),
        }
    }
}

fn schema(message: Message<'_>) -> Result<Schema, Problem> {
    let schema = message.header_as_schema().ok_or("a first message that is no schema")?;
    if schema.endianness() != Endianness::Little {
        return Err("another order of bytes than little-endian");
    }
    let schema = try_fb_to_schema(schema).map_err(|_| "a schema that is not valid")?;
    columns::check_types(schema.fields().iter().map(|field| &**field))?;
    Ok(schema)
}

fn check_dictionary(schema: &Schema, dictionary: &DictionaryBatch<'_>, body: usize) -> Result<(), Problem> {
    if dictionary.isDelta() {
        return Err("a delta of a dictionary");
    }
    #[expect(deprecated, reason = "only the stream knows which dictionary is whose")]
    let fields = schema.fields_with_dict_id(dictionary.id());
    let Some(DataType::Dictionary(_, values)) = fields.first().map(|field| field.data_type()) else {
        return Err("a dictionary of no column");
    };
    let batch = dictionary.data().ok_or("a dictionary without values")?;
    let values = Field::new("", (**values).clone(), true);
    columns::check([&values].into_iter(), &batch, body)
}

const INVALID: Problem = "columns that are not valid";

/// The continuation marker, and the length of the metadata.
const PREFIX: usize = 8;
