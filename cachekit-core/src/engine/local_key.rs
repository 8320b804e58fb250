//! [`LocalKey`]: under what a value is found in L1.

use std::hash::{Hash, Hasher};

use quick_cache::Equivalent;
use smallvec::SmallVec;

/// Under what a value is found in L1: the number of its namespace, and its name there.
///
/// Outside of tests it has no `Debug`: a name may hold what identifies a person.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) struct LocalKey {
    namespace: u32,
    name: OwnedName,
}

#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
enum OwnedName {
    Number(u64),
    /// Short ones need no allocation.
    Text(SmallVec<[u8; 24]>),
}

/// What finds a [`LocalKey`].
pub(crate) trait Finds: Hash + Equivalent<LocalKey> {}

impl<Q: Hash + Equivalent<LocalKey>> Finds for Q {}

/// A [`LocalKey`] that is a number, to look up with. A type of its own, so that the whole look-up is compiled for
/// numbers alone, without asking at each step what the key is.
#[derive(Clone, Copy)]
pub(crate) struct NumberKey {
    pub(crate) namespace: u32,
    pub(crate) number: u64,
}

/// Any [`LocalKey`], to look up with.
#[derive(Clone, Copy)]
pub(crate) struct LocalKeyRef<'a> {
    namespace: u32,
    name: Name<'a>,
}

/// The parts of a key, as they are written, after those of the tenant.
///
/// Parts that are the decimal digits of a number and nothing else are that number: it is hashed and compared in one
/// step, and whoever looks up by it need not write the digits.
#[derive(Clone, Copy)]
pub(crate) enum Name<'a> {
    Number(u64),
    Text(&'a [u8]),
}

impl LocalKey {
    pub(crate) fn name(&self) -> Name<'_> {
        match &self.name {
            OwnedName::Number(number) => Name::Number(*number),
            OwnedName::Text(text) => Name::Text(text),
        }
    }

    pub(crate) fn namespace(&self) -> u32 {
        self.namespace
    }

    pub(crate) fn borrowed(&self) -> LocalKeyRef<'_> {
        LocalKeyRef { namespace: self.namespace, name: self.name() }
    }
}

impl<'a> LocalKeyRef<'a> {
    /// The key whose parts are `written`, be they a number or not.
    #[inline]
    pub(crate) fn written(namespace: u32, written: &'a [u8]) -> Self {
        Self { namespace, name: number(written).map_or(Name::Text(written), Name::Number) }
    }

    pub(crate) fn owned(self) -> LocalKey {
        let name = match self.name {
            Name::Number(number) => OwnedName::Number(number),
            Name::Text(text) => OwnedName::Text(SmallVec::from_slice(text)),
        };
        LocalKey { namespace: self.namespace, name }
    }
}

impl Hash for LocalKeyRef<'_> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self.name {
            Name::Number(number) => NumberKey { namespace: self.namespace, number }.hash(state),
            Name::Text(text) => {
                state.write(text);
                state.write_u32(self.namespace);
            }
        }
    }
}

impl Hash for NumberKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.number);
        state.write_u32(self.namespace);
    }
}

impl Hash for LocalKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.borrowed().hash(state);
    }
}

impl Equivalent<LocalKey> for NumberKey {
    #[inline]
    fn equivalent(&self, key: &LocalKey) -> bool {
        self.namespace == key.namespace && matches!(key.name, OwnedName::Number(number) if number == self.number)
    }
}

impl Equivalent<LocalKey> for LocalKeyRef<'_> {
    #[inline]
    fn equivalent(&self, key: &LocalKey) -> bool {
        self.namespace == key.namespace
            && match (self.name, &key.name) {
                (Name::Number(one), OwnedName::Number(other)) => one == *other,
                (Name::Text(one), OwnedName::Text(other)) => one == other.as_slice(),
                _ => false,
            }
    }
}

/// The number whose decimal digits `written` are, as a [`KeyWriter`](crate::KeyWriter) writes them.
#[inline]
fn number(written: &[u8]) -> Option<u64> {
    // Most texts are told from a number by how they begin.
    if written.first()?.is_ascii_digit() { parse(written) } else { None }
}

fn parse(digits: &[u8]) -> Option<u64> {
    // `007` is another key than `7`.
    if digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn only_the_digits_of_a_number_are_one() {
        fn check(written: &str, expected: Option<u64>) {
            assert_eq!(number(written.as_bytes()), expected, "{written:?}");
        }
        check("0", Some(0));
        check("7", Some(7));
        check("18446744073709551615", Some(u64::MAX));
        for text in ["", "00", "007", "18446744073709551616", "-7", "7a", "a7", "7:8", "7.0", "99999999999999999999999"]
        {
            check(text, None);
        }
    }

    #[test]
    fn what_looks_up_and_what_is_kept_agree() {
        let hasher = foldhash::fast::RandomState::default();
        let keys = [
            LocalKeyRef::written(1, b"7"),
            LocalKeyRef::written(2, b"7"),
            LocalKeyRef::written(1, b"8"),
            LocalKeyRef::written(1, b"a"),
            LocalKeyRef::written(2, b"a"),
            LocalKeyRef::written(1, b"07"),
            LocalKeyRef::written(1, &[b'x'; 100]),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert_eq!(hasher.hash_one(one), hasher.hash_one(one.owned()));
            for (other_at, other) in keys.iter().enumerate() {
                assert_eq!(one.equivalent(&other.owned()), at == other_at);
                assert_eq!(one.owned() == other.owned(), at == other_at);
            }
        }
        let seven = NumberKey { namespace: 1, number: 7 };
        assert_eq!(hasher.hash_one(seven), hasher.hash_one(keys[0].owned()));
        for (at, key) in keys.iter().enumerate() {
            assert_eq!(seven.equivalent(&key.owned()), at == 0);
        }
    }
}
