//! No nonce comes twice: over threads, instances, starts of the process, and children that share an instance.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::HashSet;

use cachekit_core::{EntryContext, Format, Key, KeyRing, MasterKey, Transform};
use cachekit_crypto::{Encryption, Keys};

#[test]
fn over_64_threads_with_10_000_each() {
    let encryption = encryption();
    let drawn = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64).map(|_| scope.spawn(|| draw(&encryption, 10_000))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_distinct(drawn, 640_000);
}

/// `cargo xtask soak nonces` does the same with ten times as many.
#[test]
fn over_16_threads_and_100_instances_of_one_key_a_million() {
    let instances: Vec<_> = (0..100).map(|_| encryption()).collect();
    let drawn: Vec<Drawn> = std::thread::scope(|scope| {
        let work = || instances.iter().flat_map(|instance| draw(instance, 625)).collect::<Vec<_>>();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let salts: HashSet<_> = drawn.iter().map(|(salt, _)| *salt).collect();
    assert!(salts.len() >= 100, "each instance has a session of its own");
    // Also over salts: nothing but chance could make a nonce come twice.
    assert_distinct(drawn.iter().map(|(_, nonce)| ([0; 16], *nonce)).collect(), 1_000_000);
}

/// Another process is the same program, told by a variable that it is one.
#[test]
fn over_1_000_starts_of_the_process() {
    let me = std::env::current_exe().unwrap();
    let start = || {
        let mut command = std::process::Command::new(&me);
        command.args(["--exact", "one_start_of_the_process", "--nocapture"]).env(STARTED, "1");
        command.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap()
    };
    let mut drawn = Vec::new();
    for _ in 0..100 {
        let ten: Vec<_> = (0..10).map(|_| start()).collect();
        for child in ten {
            let shown = child.wait_with_output().unwrap().stderr;
            let shown = String::from_utf8(shown).unwrap();
            let line = shown.lines().find_map(|line| line.strip_prefix(STARTED)).unwrap();
            let bytes: Vec<u8> = line.trim().split(' ').map(|byte| byte.parse().unwrap()).collect();
            drawn.push(parts(&bytes));
        }
    }
    assert_distinct(drawn, 1_000);
}

/// What a start of the process does. Run as a test of its own it does nothing.
#[test]
fn one_start_of_the_process() {
    if std::env::vars_os().any(|(name, _)| name == STARTED) {
        let (salt, nonce) = draw(&encryption(), 1)[0];
        let shown: Vec<_> = nonce.iter().chain(&salt).map(u8::to_string).collect();
        std::io::Write::write_all(&mut std::io::stderr(), format!("\n{STARTED}{}\n", shown.join(" ")).as_bytes())
            .unwrap();
    }
}

/// Eight children go on with the instance that their parent made, and with what its thread has just drawn; half of them
/// are the first process of a namespace of their own, so that all of these have the same number.
#[cfg(target_os = "linux")]
#[test]
fn over_8_children_of_a_fork_with_20_000_each() {
    let dir = tempfile::tempdir().unwrap();
    let encryption = encryption();
    let before = draw(&encryption, 100);
    let mut drawn = before;
    let mut children = Vec::new();
    for n in 0..8 {
        let file = dir.path().join(n.to_string());
        let parent = || {
            let mut drawn = draw(&encryption, 3);
            let pid = child(n % 2 == 0, || std::fs::write(&file, flat(&draw(&encryption, 20_000))).is_ok());
            drawn.extend(draw(&encryption, 100));
            (pid, drawn)
        };
        // Only children of the thread that leaves a namespace are born in another.
        let (pid, parents) = std::thread::scope(|scope| scope.spawn(parent).join().unwrap());
        children.push(pid);
        drawn.extend(parents);
    }
    for pid in children {
        assert_eq!(fork::waitpid(pid).unwrap(), 0, "a child failed");
    }
    for n in 0..8 {
        let bytes = std::fs::read(dir.path().join(n.to_string())).unwrap();
        drawn.extend(bytes.chunks_exact(28).map(parts));
    }
    drawn.extend(draw(&encryption, 100));
    let salt = drawn[0].0;
    assert!(drawn.iter().all(|(other, _)| *other == salt), "all go on with one session: that is the hard case");
    assert_distinct(drawn, 161_024);
}

/// A child that does `work` and ends, as the first process of a namespace of its own if asked.
#[cfg(target_os = "linux")]
fn child(namespace: bool, work: impl FnOnce() -> bool) -> i32 {
    use nix::sched::{CloneFlags, unshare};
    // Needs CAP_SYS_ADMIN. Who lacks it still tests eight plain children, and is told.
    let namespace = namespace && unshare(CloneFlags::CLONE_NEWPID).inspect_err(tell).is_ok();
    match fork::fork().unwrap() {
        fork::Fork::Parent(pid) => pid,
        fork::Fork::Child => {
            let right = !namespace || std::process::id() == 1;
            std::process::exit(i32::from(!(right && work())));
        }
    }
}

#[cfg(target_os = "linux")]
fn tell(error: &nix::errno::Errno) {
    let note = format!("no process namespace ({error}): a plain child instead\n");
    std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes()).unwrap();
}

type Drawn = ([u8; 16], [u8; 12]);

/// Salt and nonce of so many entries.
fn draw(encryption: &Encryption, n: usize) -> Vec<Drawn> {
    let key = Key::new("users:42").unwrap();
    let context = EntryContext::new(&key, None, Format::JSON, b"").with_fingerprint(encryption.fingerprint());
    let seal = |_| {
        let mut bytes = Vec::with_capacity(Encryption::OVERHEAD);
        encryption.apply(&context, &mut bytes).unwrap();
        parts(&bytes[16..44])
    };
    (0..n).map(seal).collect()
}

/// The nonce comes first, as in the payload of an entry.
fn parts(bytes: &[u8]) -> Drawn {
    (bytes[12..28].try_into().unwrap(), bytes[..12].try_into().unwrap())
}

#[cfg(target_os = "linux")]
fn flat(drawn: &[Drawn]) -> Vec<u8> {
    drawn.iter().flat_map(|(salt, nonce)| nonce.iter().chain(salt).copied()).collect()
}

fn assert_distinct(mut drawn: Vec<Drawn>, expected: usize) {
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn.len(), expected, "a nonce came twice");
}

fn encryption() -> Encryption {
    Keys::fixed(&KeyRing::new(MasterKey::new(&[7; 32]).unwrap())).encryption()
}

const STARTED: &str = "CACHEKIT_CRYPTO_TEST_START";
