//! `cargo xtask …`: the workshop of this repository, one file for each command.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program talks to its terminal")]

mod bench;
mod cargo;
mod check;
mod conformance;
mod flags;
mod fuzz;
mod interop;
mod new_backend;
mod programs;
mod python;
mod soak;
mod step;
mod tally;
mod test;
mod tidy;
mod vectors;
mod workspace;

use std::process::ExitCode;

use flags::Command;

fn main() -> ExitCode {
    let done = match flags::parse(lexopt::Parser::from_env()) {
        Ok(Command::Test) => test::run(),
        Ok(Command::Check) => check::run(),
        Ok(Command::Tidy) => tidy::run(),
        Ok(Command::Bench(asked)) => bench::run(&asked),
        Ok(Command::Conformance(asked)) => conformance::run(&asked),
        Ok(Command::Fuzz(asked)) => fuzz::run(&asked),
        Ok(Command::Interop(asked)) => interop::run(&asked),
        Ok(Command::Vectors(asked)) => vectors::run(&asked),
        Ok(Command::Soak(asked)) => soak::run(&asked),
        Ok(Command::NewBackend(asked)) => new_backend::run(&asked),
        Ok(Command::Help) => {
            println!("{}", flags::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{}", flags::USAGE);
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
