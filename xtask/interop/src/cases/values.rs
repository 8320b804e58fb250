//! Values: each side reads what the other one wrote, and both write the same bytes.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use bytes::Bytes;
use cachekit::interop::{self, InteropKey};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::outcome::{Failure, same};
use crate::sides::{Sides, call, hit, operations, ran};
use crate::table::Table;

const GROUP: &str = "values";

/// The values of one group, each added as both sides have it.
struct Values<'a> {
    sides: &'a Sides,
    table: &'a mut Table,
}

pub(super) async fn run(sides: &Sides, table: &mut Table) {
    let mut values = Values { sides, table };
    scalars(&mut values).await;
    collections(&mut values).await;
    records(&mut values).await;
    dates(&mut values).await;
    nothing(sides, values.table).await;
}

async fn scalars(values: &mut Values<'_>) {
    values.add("true", json!(true), true).await;
    values.add("false", json!(false), false).await;
    values.add("u8", json!(200), 200_u8).await;
    values.add("i64", json!(-40), -40_i64).await;
    values.add("u64, the largest", json!({"$int": "18446744073709551615"}), u64::MAX).await;
    values.add("i64, the smallest", json!({"$int": "-9223372036854775808"}), i64::MIN).await;
    values.add("f64 that is whole", json!({"$float": "2.0"}), 2.0_f64).await;
    values.add("f64", json!({"$float": "0.1"}), 0.1_f64).await;
    values.add("f64, negative zero", json!({"$float": "-0.0"}), -0.0_f64).await;
    values.add("f64, the smallest", json!({"$float": "5e-324"}), 5e-324_f64).await;
    values.add("f64, the largest", json!({"$float": "1.7976931348623157e+308"}), f64::MAX).await;
    values.add("f32", json!({"$float": "0.25"}), 0.25_f32).await;
    values.add("text", json!("\u{e4}\u{65e5}\u{1d11e}\u{0}"), "\u{e4}\u{65e5}\u{1d11e}\u{0}".to_owned()).await;
    values.add("text, empty", json!(""), String::new()).await;
    values.add("text of 70,000 bytes", json!("x".repeat(70_000)), "x".repeat(70_000)).await;
    values.add("char", json!("\u{1d11e}"), '\u{1d11e}').await;
    values.add("bytes", json!({"$bytes": "00ff10"}), Bytes::from_static(&[0x00, 0xff, 0x10])).await;
    values.add("bytes, 70,000", json!({"$bytes": "07".repeat(70_000)}), Bytes::from(vec![7; 70_000])).await;
    values.add("uuid, as text", json!(Uuid::from_u128(7).to_string()), Uuid::from_u128(7)).await;
}

async fn collections(values: &mut Values<'_>) {
    values.add("list", json!([1, 2, 3]), vec![1, 2, 3]).await;
    values.add("list, empty", json!([]), Vec::<u8>::new()).await;
    values.add("list of 70,000", json!((0..70_000).collect::<Vec<_>>()), (0..70_000).collect::<Vec<u32>>()).await;
    values.add("list of options", json!([1, null]), vec![Some(1), None]).await;
    values.add("tuple", json!([1, "a", {"$float": "2.0"}]), (1, "a".to_owned(), 2.0)).await;
    let named = [("zeta", 1), ("alpha", 2), ("Mid", 3), ("", 4)].map(|(key, value)| (key.to_owned(), value));
    let spelled = json!({"zeta": 1, "alpha": 2, "Mid": 3, "": 4});
    values.add("map", spelled.clone(), BTreeMap::from(named.clone())).await;
    values.add("map, hashed", spelled, HashMap::from(named)).await;
    let named = [("\u{1f600}".to_owned(), 1), ("\u{ffff}".to_owned(), 2)];
    values.add("map, beyond the basic plane", json!({"\u{1f600}": 1, "\u{ffff}": 2}), HashMap::from(named)).await;
    let nested = json!({"a": [{"b": [[], {}, null]}], "c": "d"});
    values.add("whatever JSON has", nested.clone(), nested).await;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    id: u64,
    customer: Option<String>,
    lines: Vec<Line>,
    total: f64,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    sku: String,
    #[serde(rename = "qty")]
    quantity: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Open,
    Sent { by: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Cents(i64);

async fn records(values: &mut Values<'_>) {
    let line = Line { sku: "A-1".to_owned(), quantity: 2 };
    values.add("struct", json!({"qty": 2, "sku": "A-1"}), line.clone()).await;
    let order = Order { id: 7, customer: None, lines: vec![line], total: 12.0, state: State::Open };
    let spelled = json!({
        "id": 7, "customer": null, "lines": [{"sku": "A-1", "qty": 2}], "total": {"$float": "12.0"}, "state": "open",
    });
    values.add("struct of structs", spelled, order).await;
    values.add("newtype", json!(1999), Cents(1999)).await;
    values.add("enum, plain", json!("open"), State::Open).await;
    values.add("enum with fields", json!({"sent": {"by": "post"}}), State::Sent { by: "post".to_owned() }).await;
}

/// A date in one of the forms that Python gives its own.
macro_rules! dated {
    ($($name:ident: $date:ty as $form:literal)+) => {$(
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        struct $name(#[serde(with = $form)] $date);
    )+};
}

dated! {
    At: DateTime<Utc> as "interop::datetime"
    Abroad: DateTime<FixedOffset> as "interop::datetime"
    Naive: NaiveDateTime as "interop::datetime"
    On: NaiveDate as "interop::date"
    Daily: NaiveTime as "interop::time"
    Perhaps: Option<DateTime<Utc>> as "interop::datetime::option"
}

async fn dates(values: &mut Values<'_>) {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap_or_default();
    values.add("time in UTC", json!({"$datetime": "2024-02-29T12:30:45+00:00"}), At(at("2024-02-29T12:30:45Z"))).await;
    values
        .add(
            "time, microseconds",
            json!({"$datetime": "2024-02-29T12:30:45.000120+00:00"}),
            At(at("2024-02-29T12:30:45.000120Z")),
        )
        .await;
    let abroad = DateTime::parse_from_rfc3339("2024-02-29T12:30:45-03:30").unwrap_or_default();
    values.add("time, elsewhere", json!({"$datetime": "2024-02-29T12:30:45-03:30"}), Abroad(abroad)).await;
    let naive = NaiveDate::from_ymd_opt(2024, 2, 29).unwrap_or_default();
    let noon = NaiveTime::from_hms_micro_opt(12, 30, 45, 120).unwrap_or_default();
    values
        .add("time without a zone", json!({"$datetime": "2024-02-29T12:30:45.000120"}), Naive(naive.and_time(noon)))
        .await;
    values.add("date", json!({"$date": "2024-02-29"}), On(naive)).await;
    values.add("time of day", json!({"$time": "12:30:45.000120"}), Daily(noon)).await;
    values
        .add(
            "time, optional",
            json!({"$datetime": "1969-12-31T23:59:59+00:00"}),
            Perhaps(Some(at("1969-12-31T23:59:59Z"))),
        )
        .await;
    let inside = BTreeMap::from([("since".to_owned(), vec![On(naive)])]);
    values.add("date inside", json!({"since": [{"$date": "2024-02-29"}]}), inside).await;
}

impl Values<'_> {
    async fn add<T>(&mut self, name: &str, spelled: Value, value: T)
    where
        T: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let (by_python, by_rust) = operations(GROUP, name);
        let sides = self.sides;
        let to_rust = async {
            ran(&sides.python.call(&call(&by_python, "none", &json!([])), &spelled).await?)?;
            let found = sides.plain::<T>(&by_python)?.get(InteropKey::of(&())?).await?;
            same(&Some(&value), &found.as_deref())
        };
        let to_python = async {
            let key = InteropKey::of(&())?;
            sides.plain::<T>(&by_rust)?.set(key, value.clone()).await?;
            hit(&sides.python.call(&call(&by_rust, "none", &json!([])), &json!("computed")).await?, &spelled)?;
            // Whoever asks for one case alone still has both entries: the first half of the row has just run.
            let [Some(by_python), Some(by_rust)] =
                [sides.stored(&by_python, &key).await?, sides.stored(&by_rust, &key).await?]
            else {
                return Err(Failure("one of the entries is gone".to_owned()));
            };
            same(&by_python.value, &by_rust.value)
        };
        self.table.add(GROUP, name, to_rust, to_python).await;
    }
}

/// `None`, which the cache on both sides tells from an entry that is not there.
async fn nothing(sides: &Sides, table: &mut Table) {
    let (by_python, by_rust) = operations(GROUP, "none");
    let to_rust = async {
        ran(&sides.python.call(&call(&by_python, "none", &json!([])), &json!(null)).await?)?;
        let load = async || Ok::<_, std::convert::Infallible>(Some("computed".to_owned()));
        let found = sides.plain::<String>(&by_python)?.get_or_load_optional(InteropKey::of(&())?, load).await?;
        same(&None, &found)
    };
    let to_python = async {
        let load = async || Ok::<_, std::convert::Infallible>(None::<String>);
        sides.plain::<String>(&by_rust)?.get_or_load_optional(InteropKey::of(&())?, load).await?;
        hit(&sides.python.call(&call(&by_rust, "none", &json!([])), &json!("computed")).await?, &json!(null))
    };
    table.add(GROUP, "none, known", to_rust, to_python).await;
}
