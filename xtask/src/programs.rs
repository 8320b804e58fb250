//! Programs that the workshop needs beside Rust: brings one where it is missing.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// A program of Debian.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    package: &'static str,
    /// Arguments with which it succeeds where it is all there.
    probe: &'static [&'static str],
    why: &'static str,
    /// What to ask for elsewhere than on Debian.
    wanted: &'static str,
    /// Whether a service of the package's name comes with it.
    service: bool,
}

pub(crate) const REDIS: Program = Program {
    name: "redis-server",
    package: "redis-server",
    probe: &["--version"],
    why: "the tests start real servers on free ports of 127.0.0.1",
    wanted: "install Redis 7 or newer (macOS: `brew install redis`)",
    service: true,
};
pub(crate) const MEMCACHED: Program = Program {
    name: "memcached",
    package: "memcached",
    wanted: "install memcached 1.6 or newer (macOS: `brew install memcached`)",
    ..REDIS
};
pub(crate) const PYTHON: Program = Program {
    name: "python3",
    package: "python3-venv",
    // Debian has the module `venv` without what it needs to bring pip along.
    probe: &["-c", "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))"],
    why: "CacheKit's Python client runs in a virtual environment",
    wanted: "install Python 3.10 or newer with its modules `venv` and `ensurepip`",
    service: false,
};
pub(crate) const COMPILER: Program = Program {
    name: "c++",
    package: "g++",
    probe: &["--version"],
    why: "libFuzzer is built from C++",
    wanted: "install a C++ compiler (macOS: `xcode-select --install`)",
    service: false,
};

/// Installs the package `$1`, and nothing but the program: if it has a service (`$2`), none runs afterwards, now or
/// after the next start.
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
if [ "$2" = true ] && command -v systemctl > /dev/null; then
    systemctl disable "$1"
fi
"#;

impl Program {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Makes sure that it can be started.
    pub(crate) fn ensure(&self) -> Result<(), String> {
        let Self { name, package, why, wanted, .. } = self;
        if self.answers() {
            return Ok(());
        }
        if !(Path::new("/etc/debian_version").exists() && answers("apt-get", &["--version"])) {
            return Err(format!("{why}, and there is no `{name}` in the PATH that does: {wanted} and try again"));
        }
        let as_root = self.as_root()?;
        eprintln!("    {why}, and `{name}` is missing:");
        eprintln!(
            "    installing Debian's package `{package}`{}{}.",
            if as_root.is_empty() { "" } else { " with sudo" },
            if self.service { "; its service stays off" } else { "" },
        );
        let service = if self.service { "true" } else { "false" };
        let command = [as_root, &["sh", "-c", INSTALL, "sh", package, service]].concat();
        // What is asked for in JSON is to be alone on standard output.
        let status = Command::new(command[0]).args(&command[1..]).stdout(io::stderr()).status();
        let status = status.map_err(|error| format!("`{}` did not start: {error}", command[0]))?;
        match self.answers() {
            true => Ok(()),
            false => Err(format!(
                "the package `{package}` could not be installed ({status}): install it by hand and try again"
            )),
        }
    }

    fn answers(&self) -> bool {
        answers(self.name, self.probe)
    }

    /// What to put before a command so that root runs it.
    fn as_root(&self) -> Result<&'static [&'static str], String> {
        let id = Command::new("id").arg("-u").output().map_err(|error| format!("`id -u` did not start: {error}"))?;
        if id.stdout.trim_ascii() == b"0" {
            Ok(&[])
        } else if answers("sudo", &["--version"]) {
            Ok(&["sudo"])
        } else {
            Err(format!(
                "{}, and `{}` is missing: as root, run `apt-get install --no-install-recommends {}`, and try again",
                self.why, self.name, self.package
            ))
        }
    }
}

fn answers(program: &str, question: &[&str]) -> bool {
    let asked = Command::new(program).args(question).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
