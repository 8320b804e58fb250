//! MessagePack of each kind in its shortest form, as all clients write it.

pub(super) fn nil(bytes: &mut Vec<u8>) {
    bytes.push(0xc0);
}

pub(super) fn boolean(bytes: &mut Vec<u8>, is: bool) {
    bytes.push(0xc2 | u8::from(is));
}

pub(super) fn unsigned(bytes: &mut Vec<u8>, number: u64) {
    match (u8::try_from(number), u16::try_from(number), u32::try_from(number)) {
        (Ok(small @ 0..=0x7f), ..) => bytes.push(small),
        (Ok(small), ..) => put(bytes, 0xcc, &[small]),
        (_, Ok(small), _) => put(bytes, 0xcd, &small.to_be_bytes()),
        (_, _, Ok(small)) => put(bytes, 0xce, &small.to_be_bytes()),
        _ => put(bytes, 0xcf, &number.to_be_bytes()),
    }
}

/// What is not negative is written as [`unsigned`] does.
pub(super) fn signed(bytes: &mut Vec<u8>, number: i64) {
    if let Ok(number) = u64::try_from(number) {
        return unsigned(bytes, number);
    }
    match (i8::try_from(number), i16::try_from(number), i32::try_from(number)) {
        (Ok(small @ -32..=-1), ..) => bytes.extend_from_slice(&small.to_be_bytes()),
        (Ok(small), ..) => put(bytes, 0xd0, &small.to_be_bytes()),
        (_, Ok(small), _) => put(bytes, 0xd1, &small.to_be_bytes()),
        (_, _, Ok(small)) => put(bytes, 0xd2, &small.to_be_bytes()),
        _ => put(bytes, 0xd3, &number.to_be_bytes()),
    }
}

/// A float is always one of 64 bits.
pub(super) fn float(bytes: &mut Vec<u8>, number: f64) {
    put(bytes, 0xcb, &number.to_be_bytes());
}

pub(super) fn text(bytes: &mut Vec<u8>, text: &str) {
    match u8::try_from(text.len()) {
        Ok(length @ 0..=31) => bytes.push(0xa0 | length),
        _ => header(bytes, [Some(0xd9), Some(0xda), Some(0xdb)], text.len()),
    }
    bytes.extend_from_slice(text.as_bytes());
}

pub(super) fn binary(bytes: &mut Vec<u8>, binary: &[u8]) {
    header(bytes, [Some(0xc4), Some(0xc5), Some(0xc6)], binary.len());
    bytes.extend_from_slice(binary);
}

pub(super) fn array(bytes: &mut Vec<u8>, elements: usize) {
    match u8::try_from(elements) {
        Ok(length @ 0..=15) => bytes.push(0x90 | length),
        _ => header(bytes, [None, Some(0xdc), Some(0xdd)], elements),
    }
}

pub(super) fn map(bytes: &mut Vec<u8>, pairs: usize) {
    match u8::try_from(pairs) {
        Ok(length @ 0..=15) => bytes.push(0x80 | length),
        _ => header(bytes, [None, Some(0xde), Some(0xdf)], pairs),
    }
}

/// The longest text, binary, array and map.
pub(super) const LONGEST: usize = u32::MAX as usize;

/// A length with the marker of one, two or four bytes. Callers see to it that none is above [`LONGEST`].
fn header(bytes: &mut Vec<u8>, [one, two, four]: [Option<u8>; 3], length: usize) {
    match (one, u8::try_from(length), two, u16::try_from(length), four) {
        (Some(marker), Ok(length), ..) => put(bytes, marker, &[length]),
        (_, _, Some(marker), Ok(length), _) => put(bytes, marker, &length.to_be_bytes()),
        (.., four) => put(bytes, four.unwrap_or(0xc1), &(length as u32).to_be_bytes()),
    }
}

fn put(bytes: &mut Vec<u8>, marker: u8, rest: &[u8]) {
    bytes.push(marker);
    bytes.extend_from_slice(rest);
}
