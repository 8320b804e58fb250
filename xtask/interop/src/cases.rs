//! All cases, group by group.

mod encryption;
mod functions;
mod keys;
mod lives;
mod refusals;
mod values;

use crate::sides::Sides;
use crate::table::Table;

pub(crate) use encryption::FORMER;

pub(crate) async fn run(sides: &Sides, table: &mut Table) {
    keys::run(sides, table).await;
    functions::run(sides, table).await;
    values::run(sides, table).await;
    refusals::run(sides, table).await;
    encryption::run(sides, table).await;
    lives::run(sides, table).await;
}
