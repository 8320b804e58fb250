//! The cached value: a struct such as a service has, of a given encoded size.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Record {
    pub id: u64,
    pub name: String,
    pub items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
pub struct Item {
    pub number: u32,
    pub label: String,
    pub price: f64,
    pub open: bool,
}

impl Record {
    /// Returns a record that MessagePack encodes to `bytes`: as many items as fit, the rest is name.
    pub fn new(id: u64, bytes: usize) -> Record {
        let mut record = Record { id, name: String::new(), items: Vec::new() };
        let per_item = Record { items: vec![Item::new(0)], ..record.clone() }.encoded() - record.encoded();
        let items = bytes.saturating_sub(record.encoded() + 8) / per_item;
        record.items = (0..items as u32).map(Item::new).collect();
        while record.encoded() < bytes {
            let missing = bytes - record.encoded();
            record.name.extend(std::iter::repeat_n('n', missing.div_ceil(2)));
        }
        assert_eq!(record.encoded(), bytes, "an entry has the size that its row names");
        record
    }

    fn encoded(&self) -> usize {
        rmp_serde::to_vec(self).expect("a record has a MessagePack form").len()
    }
}

impl Item {
    fn new(number: u32) -> Item {
        Item {
            number: u32::MAX - number,
            label: format!("item {number:011}, as the catalogue describes it"),
            price: 9.95,
            open: true,
        }
    }
}
