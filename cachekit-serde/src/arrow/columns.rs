//! Holds what a batch says about its columns against its schema and its bytes.
//!
//! Arrow's reader trusts some of it, and panics.

use arrow_ipc::{FieldNode, RecordBatch};
use arrow_schema::{DataType, Field, UnionMode};

use super::messages::Problem;
use super::{ALIGNMENT, MAX_DEPTH, MAX_ROWS, depth};

/// Checks types by themselves: widths, and how deep they nest.
pub(super) fn check_types<'f>(mut fields: impl Iterator<Item = &'f Field>) -> Result<(), Problem> {
    fields.try_for_each(|field| {
        if depth(field.data_type()) > MAX_DEPTH {
            return Err("types nest deeper than 40");
        }
        check_type(field.data_type())
    })
}

fn check_type(ty: &DataType) -> Result<(), Problem> {
    match ty {
        DataType::FixedSizeBinary(width) if *width < 0 => Err("a negative width"),
        DataType::FixedSizeList(_, width) if *width < 0 => Err("a negative width"),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => check_type(field.data_type()),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) if fields.len() == 2 => check_type(entries.data_type()),
            _ => Err("a map whose entries are not pairs"),
        },
        DataType::Struct(fields) => fields.iter().try_for_each(|field| check_type(field.data_type())),
        DataType::Union(fields, _) => fields.iter().try_for_each(|(_, field)| check_type(field.data_type())),
        DataType::RunEndEncoded(ends, values) => {
            if !matches!(ends.data_type(), DataType::Int16 | DataType::Int32 | DataType::Int64) {
                return Err("ends of runs that are no numbers");
            }
            check_type(values.data_type())
        }
        DataType::Dictionary(keys, values) => {
            if !keys.is_dictionary_key_type() {
                return Err("keys of a dictionary that are no numbers");
            }
            check_type(values)
        }
        DataType::Decimal32(precision, scale) => check_decimal(*precision, *scale, 9),
        DataType::Decimal64(precision, scale) => check_decimal(*precision, *scale, 18),
        DataType::Decimal128(precision, scale) => check_decimal(*precision, *scale, 38),
        DataType::Decimal256(precision, scale) => check_decimal(*precision, *scale, 76),
        _ => Ok(()),
    }
}

fn check_decimal(precision: u8, scale: i8, most: u8) -> Result<(), Problem> {
    let fits = (1..=most).contains(&precision) && i16::from(scale) <= i16::from(precision);
    if fits { Ok(()) } else { Err("a decimal of impossible precision") }
}

/// Checks that `batch`, with a body of this length, has what columns of these types need, and no more.
pub(super) fn check<'f>(
    mut fields: impl Iterator<Item = &'f Field>,
    batch: &RecordBatch<'_>,
    body: usize,
) -> Result<(), Problem> {
    if batch.compression().is_some() {
        return Err("compressed columns");
    }
    let rows =
        usize::try_from(batch.length()).ok().filter(|&rows| rows <= MAX_ROWS).ok_or("an impossible number of rows")?;
    let mut left = Left {
        nodes: batch.nodes().ok_or("no list of columns")?.iter(),
        buffers: batch.buffers().ok_or("no list of buffers")?.iter(),
        variadic: batch.variadicBufferCounts().map(|counts| counts.iter()),
        body,
    };
    fields.try_for_each(|field| match left.column(field.data_type())? {
        length if length == rows => Ok(()),
        _ => Err("a column of another length than its batch"),
    })?;
    left.nothing()
}

/// What was not yet taken by a column.
struct Left<N, B, V> {
    nodes: N,
    buffers: B,
    variadic: Option<V>,
    body: usize,
}

impl<'b, N, B, V> Left<N, B, V>
where
    N: Iterator<Item = &'b FieldNode>,
    B: Iterator<Item = &'b arrow_ipc::Buffer>,
    V: Iterator<Item = i64>,
{
    /// Takes what a column of this type needs, in the order of the format. Tells its length.
    fn column(&mut self, ty: &DataType) -> Result<usize, Problem> {
        let (length, nulls) = self.node()?;
        match ty {
            DataType::Null => {}
            DataType::Utf8 | DataType::Binary => {
                self.validity(length, nulls)?;
                self.offsets(length, 4)?;
                self.buffer(0)?;
            }
            DataType::LargeUtf8 | DataType::LargeBinary => {
                self.validity(length, nulls)?;
                self.offsets(length, 8)?;
                self.buffer(0)?;
            }
            DataType::Utf8View | DataType::BinaryView => {
                self.validity(length, nulls)?;
                self.numbers(length, 16)?;
                let count = self.variadic.as_mut().and_then(Iterator::next).ok_or("no number of data buffers")?;
                // Ends with the buffers at the latest.
                (0..count).try_for_each(|_| self.buffer(0).map(drop))?;
                if count < 0 {
                    return Err("a negative number of data buffers");
                }
            }
            DataType::List(field) | DataType::Map(field, _) => {
                self.validity(length, nulls)?;
                self.offsets(length, 4)?;
                self.column(field.data_type())?;
            }
            DataType::LargeList(field) => {
                self.validity(length, nulls)?;
                self.offsets(length, 8)?;
                self.column(field.data_type())?;
            }
            DataType::ListView(field) | DataType::LargeListView(field) => {
                let width = if matches!(ty, DataType::ListView(_)) { 4 } else { 8 };
                self.validity(length, nulls)?;
                self.numbers(length, width)?;
                self.numbers(length, width)?;
                self.column(field.data_type())?;
            }
            DataType::FixedSizeList(field, width) => {
                self.validity(length, nulls)?;
                let needed = length.saturating_mul(usize::try_from(*width).map_err(|_| "a negative width")?);
                if self.column(field.data_type())? < needed {
                    return Err("a list with too few elements");
                }
            }
            DataType::Struct(fields) => {
                self.validity(length, nulls)?;
                for field in fields {
                    if self.column(field.data_type())? != length {
                        return Err("a field of another length than its struct");
                    }
                }
            }
            DataType::Union(fields, mode) => {
                self.buffer(length)?;
                if *mode == UnionMode::Dense {
                    self.numbers(length, 4)?;
                }
                for (_, field) in fields.iter() {
                    let of_child = self.column(field.data_type())?;
                    if *mode == UnionMode::Sparse && of_child != length {
                        return Err("a field of another length than its union");
                    }
                }
            }
            DataType::RunEndEncoded(ends, values) => {
                if self.column(ends.data_type())? != self.column(values.data_type())? {
                    return Err("runs without value");
                }
            }
            DataType::Dictionary(keys, _) => {
                self.validity(length, nulls)?;
                self.numbers(length, keys.primitive_width().ok_or("keys that are no numbers")?)?;
            }
            DataType::Boolean => {
                self.validity(length, nulls)?;
                self.buffer(length.div_ceil(8))?;
            }
            DataType::FixedSizeBinary(width) => {
                self.validity(length, nulls)?;
                self.buffer(length.saturating_mul(usize::try_from(*width).map_err(|_| "a negative width")?))?;
            }
            _ => {
                self.validity(length, nulls)?;
                self.numbers(length, ty.primitive_width().ok_or("a column of unknown type")?)?;
            }
        }
        Ok(length)
    }

    /// The length of the next column, and how many nulls it has.
    fn node(&mut self) -> Result<(usize, usize), Problem> {
        let node = self.nodes.next().ok_or("fewer columns than the schema has")?;
        let length = usize::try_from(node.length()).ok().filter(|&length| length <= MAX_ROWS);
        let nulls = usize::try_from(node.null_count()).ok();
        match (length, nulls) {
            (Some(length), Some(nulls)) if nulls <= length => Ok((length, nulls)),
            _ => Err("a column of impossible length"),
        }
    }

    /// The next buffer, of `count` numbers of this width or more.
    fn numbers(&mut self, count: usize, width: usize) -> Result<(), Problem> {
        let length = self.buffer(count.saturating_mul(width))?;
        if length.is_multiple_of(width) { Ok(()) } else { Err("a buffer that ends within a number") }
    }

    /// The next buffer, of `least` bytes or more. Tells how many it has.
    fn buffer(&mut self, least: usize) -> Result<usize, Problem> {
        let buffer = self.buffers.next().ok_or("fewer buffers than the columns need")?;
        let start = usize::try_from(buffer.offset()).map_err(|_| "a negative offset")?;
        let length = usize::try_from(buffer.length()).map_err(|_| "a negative length")?;
        if start.checked_add(length).is_none_or(|end| end > self.body) {
            return Err("a buffer past the end of its message");
        }
        if !start.is_multiple_of(ALIGNMENT) {
            return Err("a buffer that is not aligned to 8 bytes");
        }
        if length < least { Err("a buffer that is too short for its column") } else { Ok(length) }
    }

    fn validity(&mut self, length: usize, nulls: usize) -> Result<(), Problem> {
        self.buffer(if nulls > 0 { length.div_ceil(8) } else { 0 })?;
        Ok(())
    }

    fn offsets(&mut self, length: usize, width: usize) -> Result<(), Problem> {
        // Of no elements there may be no offset either.
        self.numbers(if length > 0 { length + 1 } else { 0 }, width)
    }

    fn nothing(mut self) -> Result<(), Problem> {
        let more = self.nodes.next().is_some()
            || self.buffers.next().is_some()
            || self.variadic.is_some_and(|mut counts| counts.next().is_some());
        if more { Err("more columns or buffers than the schema has") } else { Ok(()) }
    }
}
