//! The quickstart as a user runs it: alone, on a real Redis, and on one that goes away in the middle.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use cachekit_testkit::fixtures::RedisServer;

#[test]
fn alone_it_computes_each_folder_once_and_serves_the_rest_from_memory() {
    let root = sources(12);
    let told = run(root.path(), None);
    assert!(told.contains("12 folders of"), "{told}");
    assert!(told.contains("crate-0007"), "{told}");
    assert!(told.contains("12 computed, 0 from the backend, 12 from L1"), "{told}");
    assert!(told.contains("500 callers of one cold key: 1 execution(s)"), "{told}");
    assert!(told.contains("12 of 12 values right"), "{told}");
}

#[test]
fn a_second_run_finds_on_redis_what_the_first_has_computed() {
    let (root, redis) = (sources(12), RedisServer::start());
    let first = run(root.path(), Some(&redis));
    assert!(first.contains("12 computed, 0 from the backend, 12 from L1"), "{first}");
    let second = run(root.path(), Some(&redis));
    assert!(second.contains("0 computed, 12 from the backend, 12 from L1"), "{second}");
    assert!(second.contains("12 of 12 values right"), "{second}");
}

#[test]
fn redis_gone_in_the_middle_costs_one_warning_and_no_value() {
    // More rows than a pipe holds: the program is still at work when the first ones are read.
    const FOLDERS: usize = 1_200;
    let (root, mut redis) = (sources(FOLDERS), RedisServer::start());
    let mut child = quickstart(root.path(), Some(&redis))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    for _ in 0..10 {
        lines.next().expect("the program goes on").expect("UTF-8");
    }
    redis.kill();
    let rest: Vec<String> = lines.collect::<Result<_, _>>().expect("UTF-8");
    let mut warnings = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut warnings).expect("UTF-8");
    assert!(child.wait().expect("it ends").success(), "{warnings}");
    assert_eq!(warnings.lines().count(), 1, "{warnings}");
    assert!(warnings.contains("WARN") && warnings.contains("E010"), "{warnings}");
    let told = rest.join("\n");
    assert!(told.contains(&format!("{FOLDERS} of {FOLDERS} values right")), "{told}");
    assert!(told.contains("degraded, redis"), "{told}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let output = quickstart(Path::new("/nowhere/at/all"), None).output().expect("the program runs");
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("quickstart: /nowhere/at/all: "), "{stderr}");
}

fn run(folder: &Path, redis: Option<&RedisServer>) -> String {
    let Output { status, stdout, stderr } = quickstart(folder, redis).output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (stdout, stderr) = (text(stdout), text(stderr));
    assert!(status.success(), "{stdout}\n{stderr}");
    assert_eq!(stderr, "");
    stdout
}

/// The program without the environment of whoever runs the tests.
fn quickstart(folder: &Path, redis: Option<&RedisServer>) -> Command {
    // Cargo builds examples together with tests, but tells their place to nobody.
    let test = std::env::current_exe().expect("this test is a file");
    let built = test.parent().and_then(Path::parent).expect("cargo's layout: deps below the profile's folder");
    let program: PathBuf = built.join("examples").join(format!("quickstart{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(program);
    command.arg(folder).env_remove("REDIS_URL").env_remove("CACHEKIT_REDIS_URL").env("NO_COLOR", "1");
    if let Some(redis) = redis {
        command.env("CACHEKIT_REDIS_URL", redis.url());
    }
    command
}

fn sources(folders: usize) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder for the test");
    for number in 0..folders {
        let folder = root.path().join(format!("crate-{number:04}"));
        std::fs::create_dir_all(folder.join("src")).expect("a new folder");
        std::fs::write(folder.join("src").join("lib.rs"), format!("// {number}\nfn f() {{}}\n")).expect("a new file");
        std::fs::write(folder.join("Cargo.toml"), "[package]\n").expect("a new file");
    }
    root
}
