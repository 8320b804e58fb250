//! The result, for people and for programs.

use std::fmt::Write;

use crate::harness::Row;
use crate::machine::Machine;

pub fn table(machine: &Machine, rows: &[Row]) -> String {
    let Machine { cpu, cores, allocator, rustc, commit, date } = machine;
    let mut out = format!("{cpu}, {cores} cores, {allocator}, {rustc}, commit {commit}, {date}\n");
    let mut case = "";
    for row in rows {
        if row.case != case {
            case = &row.case;
            let title = format!("{}: {case}", row.bench);
            _ = writeln!(
                out,
                "\n{title:<36}{:>12}{:>12}{:>12}{:>12}{:>10}{:>10}",
                "median", "min", "max", "+ floor", "× floor", "× peer"
            );
        }
        let mark = if row.ours { "▶" } else { " " };
        let [median, min, max] = [row.median, row.min, row.max].map(|time| format!("{time:.1} {}", row.unit));
        let over = row.over_floor.map_or("–".into(), |over| format!("{over:+.1} {}", row.unit));
        let [floor, peer] = [row.to_floor, row.to_peer].map(|ratio| ratio.map_or("–".into(), ratio_shown));
        _ = writeln!(out, "{mark} {:<34}{median:>12}{min:>12}{max:>12}{over:>12}{floor:>10}{peer:>10}", row.candidate);
    }
    out
}

pub fn json(machine: &Machine, rows: &[Row]) -> String {
    let result = serde_json::json!({ "machine": machine, "rows": rows });
    serde_json::to_string_pretty(&result).expect("rows of numbers and strings have a JSON form")
}

fn ratio_shown(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.4}") } else { format!("{ratio:.2}") }
}
