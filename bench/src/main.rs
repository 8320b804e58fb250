//! Measures CacheKit beside its floor and its peers, in turn, and prints the ratios.

mod crypto;
mod entries;
mod harness;
mod l1;
mod machine;
mod policies;
mod record;
mod report;

use std::process::ExitCode;

use harness::Row;
use lexopt::{Arg, ValueExt};

/// Every bench, by the name that the command line takes.
const BENCHES: &[(&str, Bench)] =
    &[("l1", l1::run), ("policies", policies::run), ("crypto", crypto::run), ("serde", entries::run)];

type Bench = fn() -> Vec<Row>;

fn main() -> ExitCode {
    let asked = match parse(lexopt::Parser::from_env()) {
        Ok(asked) => asked,
        Err(error) => {
            let names: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
            eprintln!(
                "error: {error}\n\nUsage: cachekit-bench [NAME] [--format table|json]\nNAME: {}",
                names.join(", ")
            );
            return ExitCode::from(2);
        }
    };
    let machine = machine::describe();
    let wanted = BENCHES.iter().filter(|(name, _)| asked.name.as_deref().is_none_or(|asked| asked == *name));
    let rows: Vec<Row> = wanted.flat_map(|(_, run)| run()).collect();
    println!("{}", if asked.json { report::json(&machine, &rows) } else { report::table(&machine, &rows) });
    ExitCode::SUCCESS
}

#[derive(Default)]
struct Asked {
    name: Option<String>,
    json: bool,
}

fn parse(mut parser: lexopt::Parser) -> Result<Asked, lexopt::Error> {
    let mut asked = Asked::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("format") => {
                asked.json = parser.value()?.parse_with(|format| match format {
                    "table" => Ok(false),
                    "json" => Ok(true),
                    _ => Err("expected `table` or `json`"),
                })?;
            }
            Arg::Value(name) if asked.name.is_none() => {
                let name = name.string()?;
                if !BENCHES.iter().any(|(known, _)| *known == name) {
                    return Err(format!("there is no bench `{name}`").into());
                }
                asked.name = Some(name);
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok(asked)
}
