//! `cargo xtask conformance`: runs the suite over the backends of this repository, and writes reports.
//!
//! A program of its own, so that the rest of the workshop builds without what is under test.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program talks to its terminal")]

mod backends;
mod flags;
mod page;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use cachekit_testkit::conformance::{Report, Rule, Suite, rules};

use backends::Backend;
use flags::{Asked, Command};

fn main() -> ExitCode {
    let asked = match flags::parse(lexopt::Parser::from_env()) {
        Ok(Command::Run(asked)) => asked,
        Ok(Command::Help) => {
            println!("{}", flags::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => return refuse(&error.to_string()),
    };
    let chosen: Vec<&Rule> = rules().iter().filter(|rule| rule.matches(&asked.rules)).collect();
    if chosen.is_empty() {
        return refuse(&format!("no rule matches `{}`; `--list` shows them all", asked.rules));
    }
    if asked.list {
        list(&chosen, asked.json);
        return ExitCode::SUCCESS;
    }
    match run(&asked) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn refuse(error: &str) -> ExitCode {
    eprintln!("error: {error}\n\n{}", flags::USAGE);
    ExitCode::from(2)
}

/// Whether every MUST is kept.
fn run(asked: &Asked) -> Result<bool, String> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().build().map_err(|error| format!("no runtime: {error}"))?;
    let seed = asked.seed.unwrap_or_else(|| Suite::new().seed());
    let mut report: Option<Report> = None;
    for backend in &asked.backends {
        let found = runtime.block_on(backend.run(suite(*backend, asked, seed), asked.profile));
        report = Some(match report {
            Some(report) => report.and(found),
            None => found,
        });
    }
    let report = report.ok_or("no backend was asked for")?;

    let json = report.to_json();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/conformance");
    let written = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("report.json"), format!("{json:#}\n")))
        .and_then(|()| fs::write(folder.join("report.html"), page::render(&report)));
    written.map_err(|error| format!("the reports could not be written to {}: {error}", folder.display()))?;
    match asked.json {
        true => println!("{json:#}"),
        false => {
            println!("{report}\n\ntarget/conformance/report.html shows it, target/conformance/report.json holds it")
        }
    }
    Ok(report.passed())
}

fn suite(backend: Backend, asked: &Asked, seed: u64) -> Suite {
    // One server for each rule that runs: more at once than processors only makes each slow.
    let at_once = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    Suite::new()
        .with_seed(seed)
        .with_rules(asked.rules.clone())
        .with_rules_at_once(at_once)
        .with_progress(move |finding| eprintln!("{}: {finding}", backend.name()))
}

fn list(rules: &[&Rule], json: bool) {
    if json {
        let rule = |rule: &&Rule| {
            serde_json::json!({
                "id": rule.id,
                "level": rule.level.as_str(),
                "codes": rule.codes.iter().map(|code| code.as_str()).collect::<Vec<_>>(),
                "sentence": rule.sentence,
                "clause": rule.clause(),
            })
        };
        println!("{:#}", serde_json::Value::from(rules.iter().map(rule).collect::<Vec<_>>()));
        return;
    }
    let width = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    for rule in rules {
        let codes: Vec<&str> = rule.codes.iter().map(|code| code.as_str()).collect();
        let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
        println!("{:width$}  {:6}  {}{codes}", rule.id, rule.level.as_str(), rule.sentence);
    }
}
