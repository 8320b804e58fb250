//! Ciphertexts that AES-GCM alone opens under two keys: made here, 1,000 of them, and refused under one or both.

use secrecy::ExposeSecret;

use super::*;
use crate::cipher::{Aead, Cipher};
use crate::derivation::Derived;

#[test]
fn what_aes_gcm_opens_under_two_keys_opens_under_one_at_most_in_any_order_of_the_ring() {
    let key = key();
    let rings = [[1, 2], [2, 1]].map(|order| Keys::fixed(&ring(&order)).encryption());
    let contexts = [1, 2].map(|byte| {
        let named = Keys::fixed(&ring(&[byte])).encryption().fingerprint();
        EntryContext::new(&key, None, Format::JSON, [b"header a", b"header b"][usize::from(byte - 1)])
            .with_fingerprint(named)
    });
    let roots = [1, 2].map(|byte| Derived::root(&[byte; 32]).tenant(None));
    let mut opened = [0, 0, 0];
    for n in 0..1_000_u32 {
        let mut salt = [0; SALT];
        salt[..4].copy_from_slice(&n.to_be_bytes());
        let sessions = roots.each_ref().map(|root| root.session(&salt));
        let aeads = sessions.each_ref().map(|session| Cipher::RustCrypto.expand(session.key.expose_secret()));
        let nonce = [7; NONCE];
        let bounds = contexts.each_ref().map(|context| bound(context, <[u8]>::to_vec));
        let both = under_both([&*aeads[0], &*aeads[1]], &nonce, [&bounds[0], &bounds[1]]);
        for (aead, bound) in aeads.iter().zip(&bounds) {
            aead.open(&nonce, bound, &mut both.clone()).expect("AES-GCM alone opens it under both keys");
        }
        // The commitment is to one of them, to the other, or half to each.
        let [a, b] = sessions.each_ref().map(|session| session.commitment);
        let mut half = a;
        half[16..].copy_from_slice(&b[16..]);
        for (which, commitment) in [a, b, half].iter().enumerate() {
            let entry = [&both[..], &nonce, &salt, commitment, &[SUITE]].concat();
            let opens = rings
                .each_ref()
                .map(|ring| contexts.each_ref().map(|context| ring.reverse(context, &mut entry.clone()).is_ok()));
            assert_eq!(opens[0], opens[1], "the order of the ring changes nothing");
            let under = opens[0].iter().filter(|&&opens| opens).count();
            assert!(under <= 1, "entry {n} opens under both keys");
            opened[which] += under;
        }
    }
    assert_eq!(opened, [1_000, 1_000, 0]);
}

/// Two blocks of ciphertext and a tag that authenticate under both keys, each with its own context.
///
/// A tag is linear in each block: with the last block `x` it is `t + x·h²`, where `t` is the tag for a block of zeros
/// and `h` the hash key. So `x = (t₁ + t₂) / (h₁² + h₂²)` gives the same tag under both.
fn under_both(aeads: [&dyn Aead; 2], nonce: &[u8; NONCE], bounds: [&[u8]; 2]) -> Vec<u8> {
    let first = [0x5a; 16];
    let zeros = [first, [0; 16]].concat();
    let squares = aeads.map(|aead| {
        // Of an empty message the tag is the mask alone; of a block of zeros it is the mask and the length times h.
        let mask = tag_of(aead, nonce, b"", b"");
        let h = multiply(mask ^ tag_of(aead, nonce, b"", &[0; 16]), inverse(128));
        multiply(h, h)
    });
    let tags = [0, 1].map(|n| tag_of(aeads[n], nonce, bounds[n], &zeros));
    let x = multiply(tags[0] ^ tags[1], inverse(squares[0] ^ squares[1]));
    let tag = tags[0] ^ multiply(x, squares[0]);
    [first, x.to_be_bytes(), tag.to_be_bytes()].concat()
}

/// The tag over `ciphertext`, found by sealing what encrypts to it.
fn tag_of(aead: &dyn Aead, nonce: &[u8; NONCE], bound: &[u8], ciphertext: &[u8]) -> u128 {
    let mut stream = vec![0; ciphertext.len()];
    aead.seal(nonce, b"", &mut stream).unwrap();
    let mut text: Vec<u8> = stream.iter().zip(ciphertext).map(|(a, b)| a ^ b).collect();
    let tag = aead.seal(nonce, bound, &mut text).unwrap();
    assert_eq!(text, ciphertext);
    u128::from_be_bytes(tag)
}

/// In GCM's field of 2^128 elements, whose first bit is the highest.
fn multiply(x: u128, y: u128) -> u128 {
    let (mut product, mut shifted) = (0, y);
    for bit in (0..128).rev() {
        if x >> bit & 1 == 1 {
            product ^= shifted;
        }
        let carry = shifted & 1;
        shifted >>= 1;
        if carry == 1 {
            shifted ^= 0xe1 << 120;
        }
    }
    product
}

/// To the power of 2^128 - 2.
fn inverse(x: u128) -> u128 {
    let (mut power, mut inverse) = (x, 1 << 127);
    for _ in 1..128 {
        power = multiply(power, power);
        inverse = multiply(inverse, power);
    }
    inverse
}
