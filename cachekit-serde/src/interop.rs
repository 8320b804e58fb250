//! Entries that CacheKit's other clients read and write, too: keys, values and dates.
//!
//! [`InteropKey`] makes the key of a call from its arguments, [`InteropValues`] writes and reads the values, and
//! [`datetime`], [`date`] and [`time`] give dates the form that the Python client gives its own. All bytes are those of
//! the protocol `interop/v1`; `docs/interop.md` tells how the two sides meet.

mod arg;
mod args;
mod canonical;
mod dates;
mod duplicates;
mod encode;
mod iso;
mod key;
mod pairs;
mod values;
mod writer;

pub(crate) use self::canonical::{TOO_WIDE, TWICE};
pub(crate) use self::dates::NO_DATE;

pub use self::arg::{AsText, Binary, InteropArg};
pub use self::args::InteropArgs;
pub use self::dates::{date, datetime, time};
pub use self::key::InteropKey;
pub use self::values::InteropValues;
pub use self::writer::{ArgWriter, MapWriter, SetWriter};
