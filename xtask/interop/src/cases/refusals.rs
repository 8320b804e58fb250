//! Refusals: what is no entry of this layout is a miss or an error on both sides, and never a value.

use cachekit::ErrorCode;
use cachekit::interop::InteropKey;
use serde_json::json;

use crate::outcome::{Failure, Outcome};
use crate::sides::{Sides, call, operations, ran};
use crate::table::Table;

const GROUP: &str = "what both refuse";

pub(super) async fn run(sides: &Sides, table: &mut Table) {
    let deep = [vec![0x91; 2_000], vec![0xc0]].concat();
    let documents: &[(&str, &[u8])] = &[
        ("nothing", b""),
        ("a byte after the document", b"\x07\x00"),
        ("a second document", b"\x07\x07"),
        ("an entry of Python's own", b"CK\x03\x00\x00\x00\x02{}\xc0"),
        ("a document cut short", b"\xa3ab"),
        ("the reserved byte", b"\xc1"),
        ("a list that promises too much", b"\xdd\xff\xff\xff\xff\xc0"),
        ("text that is not UTF-8", b"\xa2\xc3\x28"),
        ("2,000 lists, each in another", &deep),
    ];
    for (name, document) in documents {
        let (for_rust, for_python) = operations("refused", name);
        let to_rust = async {
            let key = InteropKey::of(&())?;
            sides.store(&for_rust, &key, document.to_vec()).await?;
            refused(sides.plain::<serde_json::Value>(&for_rust)?.get(key).await, ErrorCode::E021)
        };
        let to_python = async {
            sides.store(&for_python, &InteropKey::of(&())?, document.to_vec()).await?;
            ran(&sides.python.call(&call(&for_python, "none", &json!([])), &json!(1)).await?)
        };
        table.add(GROUP, name, to_rust, to_python).await;
    }
}

/// Whether this is the error with that code.
pub(super) fn refused<T: std::fmt::Debug>(read: cachekit::Result<T>, code: ErrorCode) -> Outcome {
    match read {
        Err(error) if error.code() == code => Ok(()),
        Err(error) => Err(Failure(format!("expected {code}, seen {error}"))),
        Ok(value) => Err(Failure(format!("expected {code}, seen {value:?}"))),
    }
}
