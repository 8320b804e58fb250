//! [`Table`]: what each side made of what the other one wrote.

use std::fmt;

use serde_json::{Value, json};

use crate::outcome::{Failure, Outcome};

/// What each side made of what the other one wrote, case by case.
#[derive(Debug)]
pub(crate) struct Table {
    /// Only cases whose group or name holds this.
    asked: String,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    group: &'static str,
    case: String,
    /// What was written by Python and seen by Rust, and the other way round. `None`: there is nothing of the kind.
    cells: [Option<Outcome>; 2],
}

impl Table {
    pub(crate) fn of(asked: &str) -> Self {
        Self { asked: asked.to_owned(), rows: Vec::new() }
    }

    /// Whether a case was asked for.
    pub(crate) fn wants(&self, group: &str, case: &str) -> bool {
        group.contains(&self.asked) || case.contains(&self.asked)
    }

    /// Adds a case, unless it was not asked for: what Rust made of it, then what Python did.
    pub(crate) async fn add(
        &mut self,
        group: &'static str,
        case: &str,
        to_rust: impl Future<Output = Outcome>,
        to_python: impl Future<Output = Outcome>,
    ) {
        if self.wants(group, case) {
            let cells = [Some(to_rust.await), Some(to_python.await)];
            self.rows.push(Row { group, case: case.to_owned(), cells });
        }
    }

    /// Adds a case that only Python can be asked about.
    pub(crate) async fn add_for_python(
        &mut self,
        group: &'static str,
        case: &str,
        to_python: impl Future<Output = Outcome>,
    ) {
        if self.wants(group, case) {
            self.rows.push(Row { group, case: case.to_owned(), cells: [None, Some(to_python.await)] });
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(crate) fn passed(&self) -> bool {
        self.failures().next().is_none()
    }

    fn failures(&self) -> impl Iterator<Item = (&Row, &'static str, &Failure)> {
        let of = |row| {
            let Row { cells, .. }: &Row = row;
            cells.iter().zip(WAYS).filter_map(move |(cell, way)| match cell {
                Some(Err(failure)) => Some((row, way, failure)),
                _ => None,
            })
        };
        self.rows.iter().flat_map(of)
    }

    pub(crate) fn to_json(&self) -> Value {
        let cell = |cell: &Option<Outcome>| match cell {
            None => Value::Null,
            Some(Ok(())) => json!({ "holds": true }),
            Some(Err(Failure(why))) => json!({ "holds": false, "why": why }),
        };
        let row = |Row { group, case, cells: [to_rust, to_python] }: &Row| json!({ "group": group, "case": case, "to_rust": cell(to_rust), "to_python": cell(to_python) });
        json!({ "passed": self.passed(), "rows": self.rows.iter().map(row).collect::<Vec<_>>() })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.case.chars().count()).max().unwrap_or(0).max(24);
        let mut group = "";
        for row in &self.rows {
            if row.group != group {
                group = row.group;
                writeln!(f, "\n{group:width$}  {:14}  {:14}", WAYS[0], WAYS[1])?;
            }
            let [to_rust, to_python] = row.cells.each_ref().map(|cell| match cell {
                None => "–",
                Some(Ok(())) => "ok",
                Some(Err(_)) => "FAIL",
            });
            writeln!(f, "{:width$}  {to_rust:14}  {to_python:14}", row.case)?;
        }
        for (row, way, Failure(why)) in self.failures() {
            writeln!(f, "\n{}, {}, {way}:\n  {why}", row.group, row.case)?;
        }
        let cells = self.rows.iter().flat_map(|row| &row.cells).flatten().count();
        write!(f, "\n{} cases, {cells} cells, {} failed", self.rows.len(), self.failures().count())
    }
}

const WAYS: [&str; 2] = ["Python → Rust", "Rust → Python"];

#[cfg(test)]
mod tests {
    use super::*;

    async fn table() -> Table {
        let mut table = Table::of("");
        table.add("values", "null", async { Ok(()) }, async { Ok(()) }).await;
        table.add("values", "float", async { Ok(()) }, async { Err(Failure("2, not 2.0".to_owned())) }).await;
        table.add_for_python("lives", "none", async { Ok(()) }).await;
        table
    }

    #[tokio::test]
    async fn one_cell_that_fails_is_told_and_fails_all() {
        let table = table().await;
        assert!(!table.passed());
        let text = table.to_string();
        assert!(text.contains("values, float, Rust → Python:\n  2, not 2.0"), "{text}");
        assert!(text.ends_with("3 cases, 5 cells, 1 failed"), "{text}");
        assert_eq!(table.to_json()["rows"][1]["to_python"]["why"], "2, not 2.0");
        assert_eq!(table.to_json()["rows"][2]["to_rust"], Value::Null);
    }

    #[tokio::test]
    async fn what_was_not_asked_for_does_not_run() {
        let mut table = Table::of("null");
        table.add("values", "float", async { unreachable!() }, async { unreachable!() }).await;
        table.add("values", "null", async { Ok(()) }, async { Ok(()) }).await;
        assert!(table.passed() && table.to_string().contains("1 cases"));
    }
}
