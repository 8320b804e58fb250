//! Ten million nonces of a hundred instances over sixteen threads: does one come twice?

use std::collections::HashSet;
use std::thread;

use cachekit::Key;
use cachekit::core::{EntryContext, Format, KeyRing, MasterKey, Transform};
use cachekit_crypto::{Cipher, Encryption, Keys};

use crate::verdict::Verdicts;
use crate::{Asked, now, since};

const THREADS: usize = 16;
const INSTANCES: usize = 100;
const NONCES: usize = 10_000_000;

pub(crate) fn run(asked: &Asked) -> Verdicts {
    let mut verdicts = Verdicts::default();
    for (case, cipher) in [("aws-lc", Cipher::AwsLc), ("rust-crypto", Cipher::RustCrypto)] {
        if !case.contains(&asked.case) {
            continue;
        }
        println!("  {case}: {NONCES} nonces of {INSTANCES} instances over {THREADS} threads");
        let began = now();
        let (nonces, sessions) = draw(cipher);
        let drawn = nonces.len();
        let took = since(began);
        let twice = repeated(nonces);
        verdicts.add(case, "no nonce comes twice", format!("{twice} of {drawn} in {took:.1?}"), twice == 0);
        verdicts.add(case, "each instance has a session of its own", sessions, sessions >= INSTANCES);
    }
    verdicts
}

/// Nonces as they stand in entries, and the number of different sessions.
fn draw(cipher: Cipher) -> (Vec<[u8; 12]>, usize) {
    let ring = KeyRing::new(MasterKey::new(&[7; 32]).expect("32 bytes"));
    let instances: Vec<Encryption> =
        (0..INSTANCES).map(|_| Keys::builder().cipher(cipher).fixed(&ring).encryption()).collect();
    let key = Key::new("users:42").expect("a valid key");
    let work = || {
        let (mut nonces, mut salts) = (Vec::with_capacity(NONCES / THREADS), HashSet::new());
        for instance in &instances {
            let context = EntryContext::new(&key, None, Format::JSON, b"").with_fingerprint(instance.fingerprint());
            let mut entry = Vec::with_capacity(Encryption::OVERHEAD);
            for _ in 0..NONCES / THREADS / INSTANCES {
                entry.clear();
                instance.apply(&context, &mut entry).expect("keys that may seal");
                // Of nothing but the tag, nonce and salt come next.
                nonces.push(<[u8; 12]>::try_from(&entry[16..28]).expect("12 bytes"));
                salts.insert(<[u8; 16]>::try_from(&entry[28..44]).expect("16 bytes"));
            }
        }
        (nonces, salts)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        let (mut nonces, mut salts) = (Vec::with_capacity(NONCES), HashSet::new());
        for thread in threads {
            let (some, of) = thread.join().expect("no thread panics");
            nonces.extend(some);
            salts.extend(of);
        }
        (nonces, salts.len())
    })
}

fn repeated(mut nonces: Vec<[u8; 12]>) -> usize {
    let drawn = nonces.len();
    nonces.sort_unstable();
    nonces.dedup();
    drawn - nonces.len()
}
