//! The cache that nobody made, in an environment with master keys and without. Each case is a process of its own.
#![cfg(all(feature = "crypto", feature = "macros"))]

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use cachekit::{Environment, ProcessStatus, cache, status};

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cache(secure)]
async fn secure() -> u32 {
    RUNS.fetch_add(1, Ordering::SeqCst)
}

#[cache]
async fn unsaid() -> u32 {
    RUNS.fetch_add(1, Ordering::SeqCst)
}

#[test]
fn the_environment_says_what_is_cached_and_how() {
    let good = "5a".repeat(32);
    let check = |variables: &[(&str, &str)], expected: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for name in ["CACHEKIT_MASTER_KEY", "CACHEKIT_REDIS_URL", "REDIS_URL", "CACHEKIT_API_KEY"] {
            command.env_remove(name);
        }
        let command = command.args(["--exact", "one_case", "--nocapture"]).envs(variables.iter().copied());
        let ended = command.env(CASE, "1").output().unwrap();
        let shown = String::from_utf8(ended.stderr).unwrap();
        let seen = shown.lines().find_map(|line| line.strip_prefix(CASE));
        assert_eq!(seen, Some(expected), "{shown}");
        assert!(!shown.contains("5a5a"), "{shown}");
    };
    check(&[], "secure runs twice, unsaid is cached: made");
    check(&[("CACHEKIT_MASTER_KEY", " ")], "secure runs twice, unsaid is cached: made");
    check(&[("CACHEKIT_MASTER_KEY", &good)], "secure is cached, unsaid runs twice: made");
    check(&[("CACHEKIT_MASTER_KEY", &good[1..])], "secure runs twice, unsaid runs twice: E002");
    check(
        &[("CACHEKIT_MASTER_KEY", &good), ("CACHEKIT_PREVIOUS_MASTER_KEYS", "5a5a")],
        "secure runs twice, unsaid runs twice: E002",
    );
    check(&[("CACHEKIT_ENCRYPTION_FAIL_CLOSED", "")], "secure runs twice, unsaid runs twice: E041");
}

/// What a process of its own does. Run as a test of this one it does nothing.
#[tokio::test]
async fn one_case() {
    if Environment::of_process().get(CASE).is_none() {
        return;
    }
    let told = |name: &str, (one, other): (u32, u32)| {
        format!("{name} {}", if one == other { "is cached" } else { "runs twice" })
    };
    let (secure, unsaid) = ((secure().await, secure().await), (unsaid().await, unsaid().await));
    let made = match status() {
        ProcessStatus::Made(_) => "made".to_owned(),
        ProcessStatus::Failed(error) => error.code().to_string(),
        other => format!("{other:?}"),
    };
    let line = format!("\n{CASE}{}, {}: {made}\n", told("secure", secure), told("unsaid", unsaid));
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}

const CASE: &str = "PROCESS_KEYS_CASE";
