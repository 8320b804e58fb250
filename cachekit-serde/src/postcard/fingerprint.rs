//! The fingerprint of a schema: 64 bits that change with whatever changes the meaning of the bytes.

use postcard_schema::schema::{DataModelType, DataModelVariant, NamedType, NamedValue};

/// The fingerprint of `schema`, never zero.
///
/// FNV-1a over a form in which every list is preceded by its length. `postcard_schema`'s own key runs lists together:
/// there a field that moves from a struct into its last member leaves the key as it was. Names of types do not count, so
/// they can be renamed; names of fields and variants do.
pub(super) const fn of(schema: &NamedType) -> u64 {
    let hash = named(BASIS, schema);
    if hash == 0 { 1 } else { hash }
}

const fn named(hash: u64, schema: &NamedType) -> u64 {
    match schema.ty {
        DataModelType::Bool => byte(hash, 1),
        DataModelType::I8 => byte(hash, 2),
        DataModelType::U8 => byte(hash, 3),
        DataModelType::I16 => byte(hash, 4),
        DataModelType::I32 => byte(hash, 5),
        DataModelType::I64 => byte(hash, 6),
        DataModelType::I128 => byte(hash, 7),
        DataModelType::U16 => byte(hash, 8),
        DataModelType::U32 => byte(hash, 9),
        DataModelType::U64 => byte(hash, 10),
        DataModelType::U128 => byte(hash, 11),
        DataModelType::Usize => byte(hash, 12),
        DataModelType::Isize => byte(hash, 13),
        DataModelType::F32 => byte(hash, 14),
        DataModelType::F64 => byte(hash, 15),
        DataModelType::Char => byte(hash, 16),
        DataModelType::String => byte(hash, 17),
        DataModelType::ByteArray => byte(hash, 18),
        DataModelType::Option(inner) => named(byte(hash, 19), inner),
        DataModelType::Unit => byte(hash, 20),
        DataModelType::UnitStruct => byte(hash, 21),
        DataModelType::NewtypeStruct(inner) => named(byte(hash, 22), inner),
        DataModelType::Seq(inner) => named(byte(hash, 23), inner),
        DataModelType::Tuple(members) => list(byte(hash, 24), members),
        DataModelType::TupleStruct(members) => list(byte(hash, 25), members),
        DataModelType::Map { key, val } => named(named(byte(hash, 26), key), val),
        DataModelType::Struct(members) => fields(byte(hash, 27), members),
        DataModelType::Enum(variants) => {
            let mut hash = number(byte(hash, 28), variants.len());
            let mut at = 0;
            while at < variants.len() {
                hash = text(hash, variants[at].name);
                hash = match variants[at].ty {
                    DataModelVariant::UnitVariant => byte(hash, 1),
                    DataModelVariant::NewtypeVariant(inner) => named(byte(hash, 2), inner),
                    DataModelVariant::TupleVariant(members) => list(byte(hash, 3), members),
                    DataModelVariant::StructVariant(members) => fields(byte(hash, 4), members),
                };
                at += 1;
            }
            hash
        }
        DataModelType::Schema => byte(hash, 29),
    }
}

const fn list(hash: u64, members: &[&NamedType]) -> u64 {
    let mut hash = number(hash, members.len());
    let mut at = 0;
    while at < members.len() {
        hash = named(hash, members[at]);
        at += 1;
    }
    hash
}

const fn fields(hash: u64, members: &[&NamedValue]) -> u64 {
    let mut hash = number(hash, members.len());
    let mut at = 0;
    while at < members.len() {
        hash = named(text(hash, members[at].name), members[at].ty);
        at += 1;
    }
    hash
}

const fn text(hash: u64, text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = number(hash, bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        hash = byte(hash, bytes[at]);
        at += 1;
    }
    hash
}

const fn number(hash: u64, number: usize) -> u64 {
    let bytes = (number as u64).to_le_bytes();
    let mut hash = hash;
    let mut at = 0;
    while at < bytes.len() {
        hash = byte(hash, bytes[at]);
        at += 1;
    }
    hash
}

const fn byte(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(PRIME)
}

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;
