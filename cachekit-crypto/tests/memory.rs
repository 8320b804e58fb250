//! Nothing of a key is left in the memory of a process once it has dropped what it did with it.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::process::{ChildStderr, ChildStdin, Command, Stdio};

use cachekit_core::{EntryContext, Format, Key, KeyRing, MasterKey, Transform};
use cachekit_crypto::{Encryption, Keys};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Master keys, roots, tenants' keys and sessions' keys, of a current and of a previous key: this process knows them all,
/// has another one work with them, and looks into that one's memory.
#[test]
fn of_100_processes_none_keeps_anything_of_a_key() {
    for _ in 0..100 {
        let masters = [pattern(), pattern()];
        let mut sought = masters.to_vec();
        let mut told = masters.map(|master| masked(&master)).join(" ");
        for master in &masters {
            let root = derived(WORDS, master, &[b"root"]);
            sought.push(root);
            let encryption = Keys::fixed(&KeyRing::new(MasterKey::new(master).unwrap())).encryption();
            for tenant in TENANTS {
                let entry = sealed(&encryption, tenant);
                let parts: &[&[u8]] = &[b"tenant", tenant.unwrap_or_default().as_bytes()];
                let tenants = derived(WORDS, &root, if tenant.is_some() { parts } else { &[b"no tenant"] });
                // Text, tag and nonce come before the salt.
                let session = derived(&entry[TEXT.len() + 28..][..16], &tenants, &[WORDS, b"session"]);
                sought.extend([tenants, session]);
                told = format!("{told} {}", masked(&entry));
            }
        }
        let mut worker = Worker::start(&told);
        let held = worker.holds(&sought);
        // Where the processor has no instructions for AES, sessions keep their keys in another form.
        assert!(held >= 8, "the search finds what is there: {held} of {}", sought.len());
        worker.go_on();
        assert_eq!(worker.holds(&sought), 0, "of {} keys", sought.len());
    }
}

/// What the other process does. Run as a test of its own it does nothing.
#[test]
fn a_worker() {
    if !std::env::vars_os().any(|(name, _)| name == WORKER) {
        return;
    }
    let say = |text: String| std::io::stderr().write_all(format!("\n{WORKER} {text}\n").as_bytes()).unwrap();
    let mut lines = std::io::stdin().lines();
    let told = lines.next().unwrap().unwrap();
    let bytes = |word: &str| base16ct::lower::decode(word, &mut vec![0; word.len() / 2]).unwrap().to_vec();
    let told: Vec<Vec<u8>> = told.split(' ').map(bytes).collect();
    let mut ring = told[..2].iter().map(|masked| {
        let plain: Zeroizing<Vec<u8>> = Zeroizing::new(masked.iter().map(|byte| byte ^ MASK).collect());
        MasterKey::new(&plain).unwrap()
    });
    let ring = KeyRing::new(ring.next().unwrap()).with_previous(ring.collect()).unwrap();
    let keys = Keys::fixed(&ring);
    let encryption = keys.encryption();
    let names: Vec<_> = keys.uses().iter().map(|key| key.fingerprint).collect();
    for (n, masked) in told[2..].iter().enumerate() {
        let mut entry: Vec<u8> = masked.iter().map(|byte| byte ^ MASK).collect();
        let (key, tenant) = (key(), TENANTS[n % 2]);
        let context = EntryContext::new(&key, tenant, Format::JSON, b"header").with_fingerprint(Some(names[n / 2]));
        encryption.reverse(&context, &mut entry).unwrap();
        assert_eq!(entry, TEXT);
        sealed(&encryption, tenant);
    }
    // The compiler's own copies on the stack are nobody's promise.
    say(format!("{}", (&raw const names).addr()));
    assert!(lines.next().is_some());
    drop((encryption, keys, ring));
    say("done".into());
    assert!(lines.next().is_none());
}

struct Worker {
    child: std::process::Child,
    tell: Option<ChildStdin>,
    says: std::io::Lines<BufReader<ChildStderr>>,
    stack: u64,
}

impl Worker {
    fn start(told: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "a_worker", "--nocapture"]).env(WORKER, "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let says = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut worker = Self { tell: child.stdin.take(), child, says, stack: 0 };
        worker.stack = worker.ask(told).parse().unwrap();
        worker
    }

    fn go_on(&mut self) {
        assert_eq!(self.ask("go on"), "done");
    }

    fn ask(&mut self, line: &str) -> String {
        writeln!(self.tell.as_mut().unwrap(), "{line}").unwrap();
        let mut answers = self.says.by_ref().map(|line| line.unwrap());
        answers.find_map(|line| Some(line.strip_prefix(WORKER)?.trim().to_owned())).unwrap()
    }

    /// How many of these are in its memory, its stack apart. The latter half is searched for: an allocator writes over the
    /// beginning of what it was given back.
    fn holds(&self, sought: &[[u8; 32]]) -> usize {
        let process = format!("/proc/{}", self.child.id());
        let maps = std::fs::read_to_string(format!("{process}/maps")).unwrap();
        let mut memory = File::open(format!("{process}/mem")).unwrap();
        let mut firsts = [false; 256];
        sought.iter().for_each(|key| firsts[usize::from(key[16])] = true);
        let mut found = vec![false; sought.len()];
        for line in maps.lines().filter(|line| line.contains(" rw") && !line.contains("[stack]")) {
            let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
            let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
            memory.seek(SeekFrom::Start(start)).unwrap();
            if (start..end).contains(&self.stack) || memory.read_exact(&mut bytes).is_err() {
                continue;
            }
            for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| firsts[usize::from(**byte)]) {
                for (key, found) in sought.iter().zip(&mut found).filter(|(key, _)| key[16] == *byte) {
                    *found |= bytes[at..].starts_with(&key[16..]);
                }
            }
        }
        found.into_iter().filter(|found| *found).count()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.tell = None;
        _ = self.child.wait();
    }
}

fn sealed(encryption: &Encryption, tenant: Option<&str>) -> Vec<u8> {
    let key = key();
    let context = EntryContext::new(&key, tenant, Format::JSON, b"header").with_fingerprint(encryption.fingerprint());
    let mut bytes = TEXT.to_vec();
    encryption.apply(&context, &mut bytes).unwrap();
    bytes
}

fn key() -> Key {
    Key::new("users:42").unwrap()
}

fn derived(salt: &[u8], from: &[u8], words: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    Hkdf::<Sha256>::new(Some(salt), from).expand_multi_info(words, &mut out).unwrap();
    out
}

/// Bytes that occur nowhere else.
fn pattern() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

/// As it is handed over, so that it is not found where it was read.
fn masked(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{:02x}", byte ^ MASK)).collect()
}

const TENANTS: [Option<&str>; 2] = [None, Some("acme")];
const TEXT: &[u8] = b"value";
const WORDS: &[u8] = b"CacheKit native 1: HKDF-SHA256, AES-256-GCM";
const WORKER: &str = "CACHEKIT_CRYPTO_TEST_WORKER";
const MASK: u8 = 0xa5;
