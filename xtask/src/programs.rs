//! Programs that the workshop needs besides Rust: brings one where it is missing.

use std::path::Path;
use std::process::{Command, Stdio};

/// A program, and where it comes from.
#[derive(Debug)]
pub(crate) struct Program {
    name: &'static str,
    /// Debian's package.
    package: &'static str,
    /// Whether the package brings a service of its own name, which is to stay off.
    is_service: bool,
    /// Who needs it, as the beginning of a sentence.
    need: &'static str,
    /// What to ask for elsewhere than on Debian.
    wanted: &'static str,
}

pub(crate) const REDIS: Program = server("redis-server", "install Redis 7 or newer (macOS: `brew install redis`)");
pub(crate) const MEMCACHED: Program =
    server("memcached", "install memcached 1.6 or newer (macOS: `brew install memcached`)");
pub(crate) const COMPILER: Program = Program {
    name: "c++",
    package: "g++",
    is_service: false,
    need: "libFuzzer is built from C++",
    wanted: "install a C++ compiler (macOS: `xcode-select --install`)",
};

const fn server(name: &'static str, wanted: &'static str) -> Program {
    let need = "the tests start servers of their own on free ports of 127.0.0.1";
    Program { name, package: name, is_service: true, need, wanted }
}

/// Installs the package `$1`, and nothing but the program: no service runs afterwards, now or after the next start. `$2`
/// says whether it brings one.
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
        let Self { name, package, need, wanted, .. } = self;
        if answers(name, "--version") {
            return Ok(());
        }
        if !(Path::new("/etc/debian_version").exists() && answers("apt-get", "--version")) {
            return Err(format!("{need}, and `{name}` is not in the PATH: {wanted} and try again"));
        }
        let as_root = self.as_root()?;
        let by = if as_root.is_empty() { "" } else { " with sudo" };
        let service = if self.is_service { "; its service stays off" } else { "" };
        println!("    `{name}` is missing, and {need}:\n    installing Debian's package `{package}`{by}{service}.");
        let is_service = self.is_service.to_string();
        let command = [as_root, &["sh", "-c", INSTALL, "sh", package, &is_service]].concat();
        let status = Command::new(command[0]).args(&command[1..]).status();
        let status = status.map_err(|error| format!("`{}` did not start: {error}", command[0]))?;
        match answers(name, "--version") {
            true => Ok(()),
            false => Err(format!(
                "the package `{package}` could not be installed ({status}): install it by hand and try again"
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
                "{need}, and `{name}` is missing: \
                 as root, run `apt-get install --no-install-recommends {package}`, and try again",
                need = self.need,
                name = self.name,
                package = self.package
            ))
        }
    }
}

fn answers(program: &str, question: &str) -> bool {
    let asked = Command::new(program).arg(question).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
