//! Dates in values: those of the Python client, and those of the usual crates.

use cachekit_core::{ErrorCode, Serializer};
use cachekit_serde::interop::{InteropValues, date, datetime, time};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{VALUES, bytes_of, hex, name_of, rows};

macro_rules! dated {
    ($name:ident $with:literal) => {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(bound = "T: Serialize + serde::de::DeserializeOwned")]
        struct $name<T>(#[serde(with = $with)] T);
    };
}

dated!(Moment "datetime");
dated!(Day "date");
dated!(Clock "time");

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    #[serde(with = "datetime")]
    placed: DateTime<Utc>,
    #[serde(with = "datetime::option")]
    paid: Option<jiff::Timestamp>,
    #[serde(with = "date::option", default)]
    due: Option<jiff::civil::Date>,
}

#[test]
fn dates_of_the_python_client_are_read_and_written_the_same() {
    fn check<T: Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug + 'static>(name: &str, value: T) {
        let written = rows(VALUES, "write");
        let row = written.iter().find(|row| name_of(row) == name).unwrap();
        let mut bytes = Vec::new();
        InteropValues.serialize(&value, &mut bytes).unwrap();
        assert_eq!(hex(&bytes), row["bytes_hex"], "{name}");
        let back: T = InteropValues.deserialize(&bytes).unwrap();
        assert_eq!(back, value, "{name}");
    }
    let moment = "2024-02-29T12:30:45.000001Z";
    check("time_one_microsecond", Moment(moment.parse::<DateTime<Utc>>().unwrap()));
    check("time_one_microsecond", Moment(moment.parse::<DateTime<FixedOffset>>().unwrap()));
    check("time_one_microsecond", Moment(moment.parse::<jiff::Timestamp>().unwrap()));
    let abroad = "2024-02-29T00:00:00.123456-12:00";
    check("time_west", Moment(abroad.parse::<DateTime<FixedOffset>>().unwrap()));
    check("naive_time", Moment("2024-02-29T12:30:45".parse::<NaiveDateTime>().unwrap()));
    check("naive_time", Moment("2024-02-29T12:30:45".parse::<jiff::civil::DateTime>().unwrap()));
    check("date", Day("2024-02-29".parse::<NaiveDate>().unwrap()));
    check("date", Day("2024-02-29".parse::<jiff::civil::Date>().unwrap()));
    check("time_of_day", Clock("12:30:45".parse::<NaiveTime>().unwrap()));
    check("time_of_day", Clock("12:30:45".parse::<jiff::civil::Time>().unwrap()));
}

#[test]
fn what_the_python_client_revives_is_a_date_and_nothing_else_is() {
    for row in rows(VALUES, "read_accept").iter().chain(&rows(VALUES, "read_reject")) {
        let name = name_of(row);
        let read: Result<Moment<DateTime<Utc>>, _> = InteropValues.deserialize(&bytes_of(&row["bytes_hex"]));
        match name {
            "time_with_an_offset" => assert_eq!(read.unwrap().0.to_rfc3339(), "2024-02-29T11:30:45+00:00"),
            "time_with_a_z" | "time_whose_value_comes_first" => {
                assert_eq!(read.unwrap().0.to_rfc3339(), "2024-02-29T12:30:45+00:00", "{name}");
            }
            _ => assert_eq!(read.unwrap_err().code(), ErrorCode::E021, "{name}"),
        }
    }
}

#[test]
fn dates_may_be_absent() {
    let full = Order {
        placed: "2026-02-03T04:05:06Z".parse().unwrap(),
        paid: Some("2026-02-03T04:05:06.5Z".parse().unwrap()),
        due: Some("2026-02-03".parse().unwrap()),
    };
    let bare = Order { paid: None, due: None, ..full };
    for order in [&full, &bare] {
        let mut bytes = Vec::new();
        InteropValues.serialize(order, &mut bytes).unwrap();
        let back: Order = InteropValues.deserialize(&bytes).unwrap();
        assert_eq!(back, *order);
    }
}

#[test]
fn what_python_has_no_place_for_is_refused_and_not_cut() {
    fn refused<T: Serialize + serde::de::DeserializeOwned + 'static>(value: T) {
        let error = InteropValues.serialize(&value, &mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::E020);
        assert!(error.to_string().contains("no finer than a microsecond"), "{error}");
    }
    refused(Moment("2026-02-03T04:05:06.789012345Z".parse::<DateTime<Utc>>().unwrap()));
    refused(Moment(time_crate()));
    refused(Moment(7_u8));
    refused(Day("2026-02-03T04:05:06Z".parse::<DateTime<Utc>>().unwrap()));
}

/// Its form for people is one of its own.
fn time_crate() -> ::time::OffsetDateTime {
    ::time::macros::datetime!(2026-02-03 04:05:06 UTC)
}
