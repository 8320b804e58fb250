//! What serde says, without the values that it quotes.

/// Keeps of one of serde's sentences what comes from the type, and leaves out what comes from the data.
pub(crate) fn without_values(text: &str) -> String {
    if text.starts_with("missing field `") || text.starts_with("duplicate field `") {
        return text.to_owned();
    }
    // "invalid type: string \"..\", expected a number": what is expected comes last, whatever the string holds.
    let expected = text.rfind(", expected ").map_or("", |at| &text[at..]);
    for kind in ["invalid type", "invalid value"] {
        if let Some(found) = text.strip_prefix(kind).and_then(|rest| rest.strip_prefix(": ")) {
            let found = found.split(['`', '"', ',']).next().unwrap_or_default().trim_end();
            let named = KINDS.contains(&found);
            return format!("{kind}: {}{expected}", if named { found } else { "something else" });
        }
    }
    for kind in ["invalid length", "unknown variant", "unknown field"] {
        if text.starts_with(kind) {
            return format!("{kind}{expected}");
        }
    }
    "a value that the type refuses".to_owned()
}

/// How serde names what it found.
const KINDS: &[&str] = &[
    "boolean",
    "integer",
    "floating point",
    "character",
    "string",
    "byte array",
    "unit value",
    "Option value",
    "newtype struct",
    "sequence",
    "map",
    "enum",
    "unit variant",
    "newtype variant",
    "tuple variant",
    "struct variant",
    "null",
];
