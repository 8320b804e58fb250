//! The interop layout: the vectors of the Python client, and what holds for every value.
#![cfg(all(feature = "interop", feature = "chrono", feature = "uuid"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, also in its helpers")]

mod dates;
mod entries;
mod keys;
mod typed;
mod values;

/// The rows of a list in one of the files under `vectors`, which the Python client made.
fn rows(file: &str, list: &str) -> Vec<serde_json::Value> {
    let file: serde_json::Value = serde_json::from_str(file).unwrap();
    file[list].as_array().unwrap().clone()
}

const KEYS: &str = include_str!("../../../vectors/interop-keys.json");
const VALUES: &str = include_str!("../../../vectors/interop-values.json");
const BINDING: &str = include_str!("../../../vectors/interop-python-binding.json");
const BOUNDS: &str = include_str!("../../../vectors/decode-bounds.json");

fn bytes_of(hex: &serde_json::Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap().as_bytes();
    let nibble = |digit: u8| char::from(digit).to_digit(16).unwrap() as u8;
    hex.chunks(2).map(|digits| nibble(digits[0]) << 4 | nibble(digits[1])).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn name_of(row: &serde_json::Value) -> &str {
    row["name"].as_str().unwrap()
}
