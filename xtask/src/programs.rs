//! The real servers that the tests start for themselves: brings a program where it is missing.

use std::path::Path;
use std::process::{Command, Stdio};

/// A server that tests start. Debian's package and the service in it are named as the program is.
#[derive(Debug)]
pub(crate) struct Server {
    program: &'static str,
    /// What to ask for elsewhere than on Debian.
    wanted: &'static str,
}

pub(crate) const REDIS: Server =
    Server { program: "redis-server", wanted: "install Redis 7 or newer (macOS: `brew install redis`)" };
pub(crate) const MEMCACHED: Server =
    Server { program: "memcached", wanted: "install memcached 1.6 or newer (macOS: `brew install memcached`)" };

/// Installs the package `$1`, and nothing but the program: no service runs afterwards, now or after the next start.
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
apt-get install -y --no-install-recommends "$1"
if command -v systemctl > /dev/null; then
    systemctl disable "$1"
fi
"#;

impl Server {
    pub(crate) fn program(&self) -> &'static str {
        self.program
    }

    /// Makes sure that it can be started.
    pub(crate) fn ensure(&self) -> Result<(), String> {
        let Self { program, wanted } = self;
        if answers(program, "--version") {
            return Ok(());
        }
        if !(Path::new("/etc/debian_version").exists() && answers("apt-get", "--version")) {
            return Err(format!(
                "the tests start real servers, and `{program}` is not in the PATH: {wanted} and try again"
            ));
        }
        let as_root = self.as_root()?;
        println!("    `{program}` is missing, and the tests start servers of their own on free ports of 127.0.0.1:");
        println!(
            "    installing Debian's package `{program}`{}; its service stays off.",
            if as_root.is_empty() { "" } else { " with sudo" }
        );
        let command = [as_root, &["sh", "-c", INSTALL, "sh", program]].concat();
        let status = Command::new(command[0]).args(&command[1..]).status();
        let status = status.map_err(|error| format!("`{}` did not start: {error}", command[0]))?;
        match answers(program, "--version") {
            true => Ok(()),
            false => Err(format!(
                "the package `{program}` could not be installed ({status}): install it by hand and try again"
            )),
        }
    }

    /// What to put before a command so that root runs it.
    fn as_root(&self) -> Result<&'static [&'static str], String> {
        let id = Command::new("id").arg("-u").output().map_err(|error| format!("`id -u` did not start: {error}"))?;
        if id.stdout.trim_ascii() == b"0" {
            Ok(&[])
        } else if answers("sudo", "--version") {
            Ok(&["sudo"])
        } else {
            Err(format!(
                "the tests start real servers, and `{program}` is missing: \
                 as root, run `apt-get install --no-install-recommends {program}`, and try again",
                program = self.program
            ))
        }
    }
}

fn answers(program: &str, question: &str) -> bool {
    let asked = Command::new(program).arg(question).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
