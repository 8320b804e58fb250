//! The rules for a serializer, as functions.

use std::fmt::{Debug, Display};

use cachekit_core::{ErrorCode, Serializer};

use super::hostile;
use super::{Outcome, SerializerFixture};
use crate::conformance::outcome::{Unmet, ensure, equal};
use crate::conformance::part::calm;
use crate::redaction::everything_shown;

pub(super) trait Value: Debug + PartialEq + Send + Sync + 'static {}

impl<T: Debug + PartialEq + Send + Sync + 'static> Value for T {}

type Fixture<S, T> = SerializerFixture<S, T>;

pub(super) fn serializer_1_what_is_written_is_read<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    fixture.samples.iter().enumerate().try_for_each(|(n, sample)| comes_back(fixture, n, sample))
}

pub(super) fn serializer_2_what_cannot_be_held_is_refused<S: Serializer<T>, T: Value>(
    fixture: &Fixture<S, T>,
) -> Outcome {
    for n in 0..unholdable(fixture)? {
        refusal(fixture, n)?;
    }
    Ok(())
}

pub(super) fn serializer_2_a_refusal_names_the_field<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    let mut known = false;
    for (n, (_, path)) in fixture.unholdable.iter().enumerate() {
        let Some(path) = path else { continue };
        known = true;
        let message = refusal(fixture, n)?;
        ensure(message.contains(path), format_args!("the path {path} in the refusal"), || message.clone())?;
    }
    if known { Ok(()) } else { Err(Unmet::skipped("the fixture has no value that cannot be held with a known path")) }
}

pub(super) fn serializer_3_bytes_that_follow_are_refused<S: Serializer<T>, T: Value>(
    fixture: &Fixture<S, T>,
) -> Outcome {
    for (n, document) in documents(fixture)?.iter().enumerate() {
        for more in [&[0][..], &[0xff], &[0xc0], b"x", b"null", &[0; 64], document] {
            if more.is_empty() {
                continue; // A document of no bytes twice is still one.
            }
            let read = fixture.serializer.deserialize(&[document, more].concat());
            let expected = format!("E021 for sample {n} with {} bytes behind its document", more.len());
            match read {
                Err(error) if error.code() == ErrorCode::E021 => {}
                Err(error) => return Err(Unmet::deviates(expected, error)),
                Ok(_) => return Err(Unmet::deviates(expected, "a value")),
            }
        }
    }
    Ok(())
}

pub(super) fn serializer_4_cut_documents_are_survived<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    for (n, document) in documents(fixture)?.iter().enumerate() {
        for at in hostile::places(document.len(), fixture.seed) {
            survives(fixture, format_args!("sample {n} cut at byte {at}"), &document[..at])?;
        }
    }
    Ok(())
}

pub(super) fn serializer_4_flipped_bits_are_survived<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    for (n, mut document) in documents(fixture)?.into_iter().enumerate() {
        for at in hostile::places(document.len(), fixture.seed) {
            for bit in 0..8 {
                document[at] ^= 1 << bit;
                survives(fixture, format_args!("sample {n} with bit {bit} of byte {at} flipped"), &document)?;
                document[at] ^= 1 << bit;
            }
        }
    }
    Ok(())
}

pub(super) fn serializer_4_foreign_bytes_are_survived<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    all_survived(fixture, "foreign", hostile::foreign())
}

pub(super) fn serializer_4_random_bytes_are_survived<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    let seed = fixture.seed;
    all_survived(fixture, &format!("seed {seed}'s"), (0..4_096).map(|n| hostile::random(seed, n)))
}

pub(super) fn serializer_4_lengths_that_lie_are_survived<S: Serializer<T>, T: Value>(
    fixture: &Fixture<S, T>,
) -> Outcome {
    all_survived(fixture, "lying", hostile::liars())?;
    for (n, document) in documents(fixture)?.iter().enumerate() {
        for at in hostile::places(document.len(), fixture.seed) {
            for lie in [&[0xff; 4][..], &[0x7f, 0xff, 0xff, 0xff], &[0xff; 8]] {
                let mut lying = document.clone();
                let end = (at + lie.len()).min(lying.len());
                lying.splice(at..end, lie.iter().copied());
                survives(fixture, format_args!("sample {n} with {lie:x?} at byte {at}"), &lying)?;
            }
        }
    }
    Ok(())
}

pub(super) fn serializer_4_depth_is_bounded<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    all_survived(fixture, "nested", hostile::nests())?;
    for (n, bomb) in fixture.bombs.iter().enumerate() {
        let what = format!("the fixture's bomb {n}");
        ensure(!survives(fixture, &what, bomb)?, format_args!("E021 for {what}"), || "a value".to_owned())?;
    }
    if fixture.bombs.is_empty() {
        return Err(Unmet::skipped("the fixture has no bomb; nests of other formats were survived"));
    }
    Ok(())
}

pub(super) fn serializer_4_allocation_is_bounded<S: Serializer<T>, T: Value>(_: &Fixture<S, T>) -> Outcome {
    Err(Unmet::skipped("what is allocated shows only to an allocator of the test program's own"))
}

pub(super) fn serializer_5_the_same_bytes_each_time<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    let first = documents(fixture)?;
    for _ in 0..4 {
        for (n, (again, first)) in documents(fixture)?.iter().zip(&first).enumerate() {
            ensure(again == first, format_args!("sample {n} to be written as before"), || "other bytes".to_owned())?;
        }
    }
    Ok(())
}

pub(super) fn serializer_5_failures_leave_no_trace<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    let before = documents(fixture)?;
    for bytes in hostile::foreign() {
        // Only what comes afterwards matters here.
        let _ = calm("with foreign bytes", || fixture.serializer.deserialize(&bytes));
    }
    for (n, (after, before)) in documents(fixture)?.iter().zip(&before).enumerate() {
        ensure(after == before, format_args!("sample {n} to be written as before"), || "other bytes".to_owned())?;
    }
    fixture.samples.iter().enumerate().try_for_each(|(n, sample)| comes_back(fixture, n, sample))
}

pub(super) fn serializer_5_many_at_once<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    std::thread::scope(|scope| {
        let trips = || (0..32).try_for_each(|_| serializer_1_what_is_written_is_read(fixture));
        let running: Vec<_> = (0..4).map(|_| scope.spawn(trips)).collect();
        running.into_iter().try_for_each(|trips| {
            trips.join().unwrap_or_else(|_| Err(Unmet::deviates("no panic", "a panic in one of 4 threads")))
        })
    })
}

pub(super) fn serializer_errors_no_value_shows<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    if fixture.marked.is_empty() {
        return Err(Unmet::skipped("the fixture has no value with a secret in it"));
    }
    for (value, secret) in &fixture.marked {
        let mut document = Vec::new();
        fixture.serializer.serialize(value, &mut document)?;
        let places = hostile::places(document.len(), fixture.seed);
        let cut = places.iter().map(|&at| document[..at].to_vec());
        let altered = places.iter().flat_map(|&at| {
            [0, 0x7f, 0xff].map(|byte| {
                let mut altered = document.clone();
                altered[at] = byte;
                altered
            })
        });
        for bytes in cut.chain(altered).chain([[&document[..], b"x"].concat()]) {
            // A panic is caught by the rules that are about it.
            let read = calm("reading what was altered", || fixture.serializer.deserialize(&bytes));
            let Ok(Err(error)) = read else { continue };
            let shown = everything_shown(&error).into_iter().find(|(_, text)| text.contains(secret.as_str()));
            if let Some((place, _)) = shown {
                return Err(Unmet::deviates("errors without the value", format_args!("it shows in {place}")));
            }
        }
    }
    Ok(())
}

pub(super) fn serializer_format_stays_the_same<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    let format = fixture.serializer.format();
    for document in documents(fixture)? {
        equal("the format after writing", &fixture.serializer.format(), &format)?;
        let _ = fixture.serializer.deserialize(&document);
        let _ = fixture.serializer.deserialize(&document[..document.len() / 2]);
        equal("the format after reading", &fixture.serializer.format(), &format)?;
    }
    Ok(())
}

pub(super) fn serializer_format_is_named<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    let format = fixture.serializer.format();
    let named = format.id > 0 && (1..=32).contains(&format.name.len()) && !format.name.contains(char::is_control);
    ensure(named, "a number above zero and a name of 1 to 32 bytes", || format!("{format:?}"))
}

pub(super) fn serializer_serialize_only_appends<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome {
    for (n, (sample, document)) in fixture.samples.iter().zip(documents(fixture)?).enumerate() {
        let mut bytes = BEFORE.to_vec();
        fixture.serializer.serialize(sample, &mut bytes)?;
        let appended = bytes.strip_prefix(BEFORE) == Some(&document[..]);
        ensure(appended, format_args!("what was there, then the document of sample {n}"), || "other bytes".to_owned())?;
    }
    Ok(())
}

pub(super) fn serializer_serialize_a_refusal_leaves_what_was_there<S: Serializer<T>, T: Value>(
    fixture: &Fixture<S, T>,
) -> Outcome {
    for n in 0..unholdable(fixture)? {
        let mut bytes = BEFORE.to_vec();
        // Whether it is refused at all is another rule's.
        let _ = fixture.serializer.serialize(&fixture.unholdable[n].0, &mut bytes);
        ensure(bytes.starts_with(BEFORE), "what was there before a refusal", || "other bytes".to_owned())?;
    }
    Ok(())
}

const BEFORE: &[u8] = b"what was there";

fn documents<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>) -> Outcome<Vec<Vec<u8>>> {
    let document = |sample| {
        let mut bytes = Vec::new();
        fixture.serializer.serialize(sample, &mut bytes)?;
        Ok(bytes)
    };
    fixture.samples.iter().map(document).collect()
}

fn comes_back<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>, n: usize, sample: &T) -> Outcome {
    let mut document = Vec::new();
    fixture.serializer.serialize(sample, &mut document)?;
    let back = fixture.serializer.deserialize(&document)?;
    ensure(back == *sample, format_args!("sample {n} to come back as it was"), || "another value".to_owned())
}

fn unholdable<S, T>(fixture: &Fixture<S, T>) -> Outcome<usize> {
    match fixture.unholdable.len() {
        0 => Err(Unmet::skipped("the fixture has no value that the format cannot hold")),
        count => Ok(count),
    }
}

/// What the refusal of the `n`-th value that cannot be held says.
fn refusal<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>, n: usize) -> Outcome<String> {
    let expected = format!("E020 for value {n} of those that cannot be held");
    match fixture.serializer.serialize(&fixture.unholdable[n].0, &mut Vec::new()) {
        Err(error) if error.code() == ErrorCode::E020 => Ok(error.message().to_owned()),
        Err(error) => Err(Unmet::deviates(expected, error)),
        Ok(()) => Err(Unmet::deviates(expected, "a document")),
    }
}

fn all_survived<S: Serializer<T>, T: Value>(
    fixture: &Fixture<S, T>,
    kind: &str,
    corpus: impl IntoIterator<Item = Vec<u8>>,
) -> Outcome {
    for (n, bytes) in corpus.into_iter().enumerate() {
        let begin = &bytes[..bytes.len().min(16)];
        survives(fixture, format_args!("{kind} bytes {n}, {} of them, from {begin:02x?}", bytes.len()), &bytes)?;
    }
    Ok(())
}

/// Whether some value came.
fn survives<S: Serializer<T>, T: Value>(fixture: &Fixture<S, T>, what: impl Display, bytes: &[u8]) -> Outcome<bool> {
    match calm(format_args!("reading {what}"), || fixture.serializer.deserialize(bytes))? {
        Ok(_) => Ok(true),
        Err(error) if error.code() == ErrorCode::E021 => Ok(false),
        Err(error) => Err(Unmet::deviates(format_args!("E021 or a value, reading {what}"), error)),
    }
}
