//! [`ArgWriter`]: writes arguments in the one form that all clients hash.

use std::ops::Range;

use cachekit_core::{Error, ErrorCode, Result};

use super::arg::InteropArg;
use super::encode;
use super::pairs::Pairs;

/// Writes an argument in the one form that all clients hash: canonical MessagePack.
///
/// For those who implement [`InteropArg`] by hand. Exactly one value is written for one argument; anything else, and
/// whatever is outside the model, is noted and makes the key an error (E042) that says which argument it was. Nothing
/// panics, and writing goes on, so there is nothing to check in between.
#[derive(Debug)]
pub struct ArgWriter {
    bytes: Vec<u8>,
    /// How many values were written on this level.
    values: usize,
    /// Which argument is being written, from one on, and of how many.
    argument: usize,
    arguments: usize,
    refused: Option<Refused>,
}

/// The first thing that was outside the model.
#[derive(Debug)]
struct Refused {
    argument: usize,
    expected: &'static str,
    got: &'static str,
}

impl ArgWriter {
    pub(super) fn begin(arguments: usize) -> Self {
        let mut bytes = Vec::with_capacity(TYPICAL);
        encode::array(&mut bytes, arguments);
        Self { bytes, values: 0, argument: 0, arguments, refused: None }
    }

    /// Writes the next argument.
    #[doc(hidden)]
    pub fn argument(&mut self, argument: &(impl InteropArg + ?Sized)) {
        self.argument += 1;
        self.one(argument);
    }

    /// What is hashed. E042 for what is outside the model.
    pub(super) fn end(mut self) -> Result<Vec<u8>> {
        if self.argument != self.arguments {
            self.refuse("as many arguments as were announced", "another number");
        }
        match self.refused {
            None => Ok(self.bytes),
            Some(Refused { argument, expected, got }) => Err(Error::invalid(
                ErrorCode::E042,
                format_args!("argument {argument} of {} of an interop key", self.arguments),
                expected,
                got,
            )),
        }
    }

    /// Writes that there is none: Python's `None`.
    pub fn none(&mut self) {
        self.values += 1;
        encode::nil(&mut self.bytes);
    }

    /// Writes `true` or `false`, which differ from one and zero.
    pub fn boolean(&mut self, is: bool) {
        self.values += 1;
        encode::boolean(&mut self.bytes, is);
    }

    /// Writes an integer of up to 64 bits.
    pub fn unsigned(&mut self, number: u128) {
        self.values += 1;
        match u64::try_from(number) {
            Ok(number) => encode::unsigned(&mut self.bytes, number),
            Err(_) => self.refuse(INTEGERS, "a larger one"),
        }
    }

    /// Writes an integer of -2^63 to 2^64 - 1.
    pub fn signed(&mut self, number: i128) {
        match (u128::try_from(number), i64::try_from(number)) {
            (Ok(number), _) => self.unsigned(number),
            (_, Ok(number)) => {
                self.values += 1;
                encode::signed(&mut self.bytes, number);
            }
            _ => {
                self.values += 1;
                self.refuse(INTEGERS, "a smaller one");
            }
        }
    }

    /// Writes a float: as the integer that it is equal to, if it is one of -2^63 to 2^64 - 1 (so `3.0` and `3` name one
    /// entry, and so do `-0.0` and `0`); else as it is. NaN and infinities are refused.
    pub fn float(&mut self, number: f64) {
        if !number.is_finite() {
            self.values += 1;
            return self.refuse("a finite number", if number.is_nan() { "NaN" } else { "an infinite one" });
        }
        // Both bounds are exact: 2^64 - 1 is no float.
        if number.fract() == 0.0 && (-TWO_TO_63..2.0 * TWO_TO_63).contains(&number) {
            if number < 0.0 { self.signed(number as i128) } else { self.unsigned(number as u128) }
        } else {
            self.values += 1;
            encode::float(&mut self.bytes, number);
        }
    }

    /// Writes text, as it is: it is not normalised.
    pub fn text(&mut self, text: &str) {
        self.values += 1;
        if self.check_length(text.len()) {
            encode::text(&mut self.bytes, text);
        }
    }

    /// Writes bytes, which differ from the same bytes as text.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.values += 1;
        if self.check_length(bytes.len()) {
            encode::binary(&mut self.bytes, bytes);
        }
    }

    /// Writes a point in time, given in whole microseconds since 1970 (rounded down): the seconds, as a
    /// [`float`](Self::float) is written. The time zone leaves no trace.
    pub fn timestamp(&mut self, microseconds: i128) {
        // Both steps round as they do in the other clients.
        self.float(microseconds as f64 / 1_000_000.0);
    }

    /// Writes an array of `length` values, which `write` is to write one after the other.
    pub fn array(&mut self, length: usize, write: impl FnOnce(&mut Self)) {
        if self.check_length(length) {
            encode::array(&mut self.bytes, length);
        }
        if self.within(write) != length {
            self.refuse("as many elements as an array announces", "another number");
        }
    }

    /// Writes a map, whose keys are text. In which order they come does not matter.
    pub fn map(&mut self, write: impl FnOnce(&mut MapWriter<'_>)) {
        let mut pairs = Pairs::begin(&self.bytes);
        self.within(|writer| write(&mut MapWriter { writer, pairs: &mut pairs }));
        if !pairs.end(&mut self.bytes) {
            self.refuse("each key of a map once", "one twice");
        }
    }

    /// Writes a set: each distinct value once, in the order of what is written of them. In which order they come does not
    /// matter. On the other side a set and a list of that order are the same.
    pub fn set(&mut self, write: impl FnOnce(&mut SetWriter<'_>)) {
        let start = self.bytes.len();
        let mut elements = Vec::new();
        self.within(|writer| write(&mut SetWriter { writer, elements: &mut elements }));
        let mut sorted: Vec<&[u8]> = elements.into_iter().map(|element| &self.bytes[element]).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut set = Vec::with_capacity(self.bytes.len() - start + 5);
        encode::array(&mut set, sorted.len());
        sorted.iter().for_each(|element| set.extend_from_slice(element));
        self.bytes.truncate(start);
        self.bytes.extend_from_slice(&set);
    }

    /// Notes that a value is outside the model: what was expected and what came, without the value itself.
    pub fn refuse(&mut self, expected: &'static str, got: &'static str) {
        let argument = self.argument;
        self.refused.get_or_insert(Refused { argument, expected, got });
    }

    /// Writes one value.
    fn one(&mut self, value: &(impl InteropArg + ?Sized)) {
        let before = self.values;
        value.write_arg(self);
        if self.values != before + 1 {
            self.values = before + 1;
            self.refuse("an argument that writes one value", "one that writes another number");
        }
    }

    /// Lets `write` write the values within one value, and says how many they were.
    fn within(&mut self, write: impl FnOnce(&mut Self)) -> usize {
        let before = std::mem::take(&mut self.values);
        write(self);
        std::mem::replace(&mut self.values, before + 1)
    }

    fn check_length(&mut self, length: usize) -> bool {
        let fits = length <= encode::LONGEST;
        if !fits {
            self.refuse("less than 4 GiB", "more");
        }
        fits
    }
}

/// Writes the pairs of a map: [`ArgWriter::map`].
#[derive(Debug)]
pub struct MapWriter<'a> {
    writer: &'a mut ArgWriter,
    pairs: &'a mut Pairs,
}

impl MapWriter<'_> {
    /// Writes a pair.
    pub fn entry(&mut self, key: &str, value: &(impl InteropArg + ?Sized)) {
        if self.writer.check_length(key.len()) {
            self.pairs.key(&mut self.writer.bytes, key);
            self.writer.one(value);
        }
    }
}

/// Writes the elements of a set: [`ArgWriter::set`].
#[derive(Debug)]
pub struct SetWriter<'a> {
    writer: &'a mut ArgWriter,
    elements: &'a mut Vec<Range<usize>>,
}

impl SetWriter<'_> {
    /// Writes an element.
    pub fn element(&mut self, element: &(impl InteropArg + ?Sized)) {
        let begin = self.writer.bytes.len();
        self.writer.one(element);
        self.elements.push(begin..self.writer.bytes.len());
    }
}

const INTEGERS: &str = "an integer of -2^63 to 2^64 - 1";
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
/// What is set aside for the arguments of a call before they are known.
const TYPICAL: usize = 128;
