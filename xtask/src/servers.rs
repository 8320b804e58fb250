//! The real Redis that the tests start for themselves: brings the program where it is missing.

use std::path::Path;
use std::process::{Command, Stdio};

/// Installs the package, and nothing but the program: no service runs afterwards, now or after the next start.
///
/// Debian starts a service as it installs it, unless `policy-rc.d` forbids that. A policy that is there already belongs
/// to the machine's owner and stays as it is.
const INSTALL: &str = r#"
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
apt-get update
apt-get install -y --no-install-recommends redis-server
if command -v systemctl > /dev/null; then
    systemctl disable redis-server
fi
"#;

/// Makes sure that `redis-server` can be started.
pub(crate) fn ensure() -> Result<(), String> {
    if answers("redis-server", "--version") {
        return Ok(());
    }
    if !(Path::new("/etc/debian_version").exists() && answers("apt-get", "--version")) {
        return Err("the tests start real Redis servers, and `redis-server` is not in the PATH: \
                    install Redis 7 or newer (macOS: `brew install redis`) and try again"
            .into());
    }
    let (program, args) = installer()?;
    println!("    `redis-server` is missing, and the tests start servers of their own on free ports of 127.0.0.1:");
    println!(
        "    installing Debian's package `redis-server`{}; its service stays off.",
        if program == "sudo" { " with sudo" } else { "" }
    );
    let status = Command::new(program).args(args).status();
    let status = status.map_err(|error| format!("`{program}` did not start: {error}"))?;
    match answers("redis-server", "--version") {
        true => Ok(()),
        false => Err(format!(
            "the package `redis-server` could not be installed ({status}): install it by hand and try again"
        )),
    }
}

fn installer() -> Result<(&'static str, &'static [&'static str]), String> {
    let id = Command::new("id").arg("-u").output().map_err(|error| format!("`id -u` did not start: {error}"))?;
    if id.stdout.trim_ascii() == b"0" {
        Ok(("sh", &["-c", INSTALL]))
    } else if answers("sudo", "--version") {
        Ok(("sudo", &["sh", "-c", INSTALL]))
    } else {
        Err("the tests start real Redis servers, and `redis-server` is missing: \
             as root, run `apt-get install --no-install-recommends redis-server`, and try again"
            .into())
    }
}

fn answers(program: &str, question: &str) -> bool {
    let asked = Command::new(program).arg(question).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
