//! Where and when the figures were taken: without this they mean nothing.

use std::fs;
use std::process::Command;
use std::thread;

#[derive(Debug, serde::Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub allocator: &'static str,
    pub rustc: String,
    pub commit: String,
    pub date: String,
}

pub fn describe() -> Machine {
    Machine {
        cpu: cpu().unwrap_or_else(|| "unknown".into()),
        cores: thread::available_parallelism().map_or(0, usize::from),
        allocator: if cfg!(target_env = "gnu") { "system (glibc malloc)" } else { "system" },
        rustc: said("rustc", &["--version"]),
        commit: said("git", &["describe", "--always", "--dirty"]),
        date: said("date", &["-u", "+%F"]),
    }
}

fn cpu() -> Option<String> {
    let info = fs::read_to_string("/proc/cpuinfo").ok()?;
    // The hypervisor may hide the name of the model, so its number is told as well.
    let field = |name: &str| {
        let line = info.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    Some(format!("{}, family {} model {}", field("model name")?, field("cpu family")?, field("model")?))
}

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success());
    output.map_or_else(|| "unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
