//! `cargo xtask conformance`: runs the suites over what this repository has, and every error's drills, and writes reports.
//!
//! A program of its own, so that the rest of the workshop builds without what is under test.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program talks to its terminal")]

mod backends;
mod flags;
mod page;
mod parts;
mod text;
mod whole;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use cachekit_testkit::{conformance, drills};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use backends::Backend;
use flags::{Asked, Command, Suite};
use whole::{Subject, Whole};

fn main() -> ExitCode {
    let asked = match flags::parse(lexopt::Parser::from_env()) {
        Ok(Command::Run(asked)) => asked,
        Ok(Command::Help) => {
            println!("{}", flags::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => return refuse(&error.to_string()),
    };
    let chosen = chosen(&asked);
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

/// Whether every MUST is kept, and no drill failed.
fn run(asked: &Asked) -> Result<bool, String> {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.enable_all().build().map_err(|error| format!("no runtime: {error}"))?;
    let seed = asked.seed.unwrap_or_else(|| conformance::Suite::new().seed());
    let mut whole =
        Whole { suites: asked.suites.clone(), profile: asked.profile, seed, subjects: Vec::new(), drills: Vec::new() };
    for &suite in &asked.suites {
        match suite {
            Suite::Backend => whole.subjects.extend(backends(&runtime, asked, seed)),
            Suite::Errors => whole.drills = drilled(&asked.rules),
            suite => whole.subjects.extend(parts(&runtime, suite, asked, seed)),
        }
    }

    let json = whole.to_json();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/conformance");
    let written = fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("report.json"), format!("{json:#}\n")))
        .and_then(|()| fs::write(folder.join("report.html"), page::render(&whole)));
    written.map_err(|error| format!("the reports could not be written to {}: {error}", folder.display()))?;
    match asked.json {
        true => println!("{json:#}"),
        false => {
            println!("{whole}\n\ntarget/conformance/report.html shows it, target/conformance/report.json holds it")
        }
    }
    Ok(whole.passed())
}

fn backends(runtime: &Runtime, asked: &Asked, seed: u64) -> Vec<Subject> {
    let run = |backend: &Backend| {
        Subject::backends(runtime.block_on(backend.run(suite(*backend, asked, seed), asked.profile)))
    };
    asked.backends.iter().flat_map(run).collect()
}

fn suite(backend: Backend, asked: &Asked, seed: u64) -> conformance::Suite {
    // One server for each rule that runs: more at once than processors only makes each slow.
    let at_once = std::thread::available_parallelism().map_or(2, usize::from).max(2);
    conformance::Suite::new()
        .with_seed(seed)
        .with_rules(asked.rules.clone())
        .with_rules_at_once(at_once)
        .with_progress(move |finding| eprintln!("{}: {finding}", backend.name()))
}

fn parts(runtime: &Runtime, suite: Suite, asked: &Asked, seed: u64) -> Vec<Subject> {
    let run = |part: &parts::Part| {
        let subject = Subject::part(suite, runtime.block_on(part.run(seed, &asked.rules)));
        for found in &subject.findings {
            eprintln!("{}: {} {}", subject.name, found.status.as_str(), found.asked.id);
        }
        subject
    };
    parts::ALL.iter().filter(|part| part.suite == suite).map(run).collect()
}

fn drilled(pattern: &str) -> Vec<drills::DrillReport> {
    drills::run_matching(pattern, |drill| {
        eprintln!("errors: {} {}: {}", drill.status.as_str(), text::drill_id(drill), drill.observed);
    })
}

/// The rules and drills that were asked for, as they are listed.
fn chosen(asked: &Asked) -> Vec<Listed> {
    let mut listed = Vec::new();
    for &suite in &asked.suites {
        listed.extend(whole::Asked::all(suite, &asked.rules).into_iter().map(|rule| Listed {
            id: rule.id.to_owned(),
            level: rule.level.as_str(),
            codes: rule.codes.iter().map(|code| code.as_str()).collect(),
            sentence: rule.sentence,
            clause: rule.clause,
        }));
    }
    if asked.suites.contains(&Suite::Errors) {
        listed.extend(drills::all_matching(&asked.rules).into_iter().map(|drill| Listed {
            id: drill.id(),
            level: "MUST",
            codes: vec![drill.code().as_str()],
            sentence: drill.code().title(),
            clause: "",
        }));
    }
    listed
}

struct Listed {
    id: String,
    level: &'static str,
    codes: Vec<&'static str>,
    sentence: &'static str,
    clause: &'static str,
}

fn list(chosen: &[Listed], json: bool) {
    if json {
        let rule = |Listed { id, level, codes, sentence, clause }: &Listed| json!({ "id": id, "level": level, "codes": codes, "sentence": sentence, "clause": clause });
        println!("{:#}", Value::from(chosen.iter().map(rule).collect::<Vec<_>>()));
        return;
    }
    let width = chosen.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    for Listed { id, level, codes, sentence, .. } in chosen {
        let codes = if codes.is_empty() { String::new() } else { format!(" ({})", codes.join(", ")) };
        println!("{id:width$}  {level:6}  {sentence}{codes}");
    }
}
