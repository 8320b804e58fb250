//! Encryption, E001 to E007: master keys, and entries that are not what they should be.

macro_rules! encryption_codes {
    ([$($before:tt)*] $next:ident $($rest:ident)*) => { $next! { [$($before)*

E001: Configuration, Permanent, retried: No, trips_breaker: false, Published {
    title: "The master key is not set although encryption is asked for.",
    meaning: "Encryption was asked for, and `CACHEKIT_MASTER_KEY` is not set. Without a key nothing can be sealed, and \
        storing plaintext instead would be worse than failing.",
    causes: [
        "`CACHEKIT_MASTER_KEY` is missing from the environment of this very process: set in a shell but not exported, \
         or absent from the unit file, the container or the deployment.",
        "It is set and blank, as a secret that could not be resolved often is. A blank key counts as unset.",
        "The name carries another prefix, such as `MASTER_KEY`.",
    ],
    fixes: [
        "See whether the process has it, without printing it: `tr '\\0' '\\n' < /proc/PID/environ | grep -c \
         '^CACHEKIT_MASTER_KEY=.'` prints 1 if so.",
        "If entries were encrypted before, set the key they were sealed with; a new one makes all of them unreadable.",
        "If there was no key yet, make one and put it where secrets are kept: \
         `export CACHEKIT_MASTER_KEY=\"$(openssl rand -hex 32)\"`.",
    ],
    avoid: "Call `Cache::from_env()` at start-up, so that a deployment without its key fails before it takes traffic.",
    meanwhile: "Construction fails before any I/O. Functions on the process's own cache run uncached after one \
        error-level event; a `secure` one never stores plaintext.",
}

E002: Configuration, Permanent, retried: No, trips_breaker: false, Published {
    title: "The master key is not hexadecimal, or is shorter than 32 bytes.",
    meaning: "A master key is hexadecimal text of at least 32 bytes, which is 64 characters. What was given is something \
        else. The same holds for each of the earlier keys, of which there are at most three.",
    causes: [
        "A passphrase, a UUID or base64 was given instead of hexadecimal digits.",
        "The key has fewer than 64 characters: made with `openssl rand -hex 16`, or cut when it was copied.",
        "Quotation marks or a `0x` prefix were stored along with the key.",
        "`CACHEKIT_PREVIOUS_MASTER_KEYS` holds more than three keys, a malformed one, or the current one.",
    ],
    fixes: [
        "Check its form without printing it: `printf '%s\\n' \"$CACHEKIT_MASTER_KEY\" | grep -Ecx \
         '([0-9A-Fa-f]{2}){32,}'` prints 1 for a good key.",
        "Count its characters: `printf %s \"$CACHEKIT_MASTER_KEY\" | wc -c` prints 64 for a key of 32 bytes.",
        "If it was never good, make another: `export CACHEKIT_MASTER_KEY=\"$(openssl rand -hex 32)\"`.",
        "For earlier keys: hexadecimal, separated by commas, at most three, the current one not among them.",
    ],
    avoid: "Generate keys with `openssl rand -hex 32` and carry them only through a secret store, never by hand.",
    meanwhile: "Construction fails before any I/O. Functions on the process's own cache run uncached after one \
        error-level event; a `secure` one never stores plaintext.",
}

E003: Decryption, Permanent, retried: No, trips_breaker: false, Published {
    title: "The entry does not authenticate: another key, or it was damaged, moved or tampered with.",
    meaning: "The authentication tag of a stored entry does not verify. Which of the reasons it is cannot be told from \
        the bytes; that they are not to be trusted can. No part of the plaintext is released.",
    causes: [
        "The master key was changed, and the one that sealed the entry is not among the earlier ones.",
        "Processes that share a store run with different master keys, as in the middle of a deployment.",
        "The entry was copied to another key, namespace or tenant. It is bound to the place where it was written.",
        "The bytes were changed in the store, by damage or by somebody.",
    ],
    fixes: [
        "After a change of keys, let the former key go on reading: \
         `export CACHEKIT_PREVIOUS_MASTER_KEYS=\"former key in hexadecimal\"` beside the new `CACHEKIT_MASTER_KEY`.",
        "Compare the keys of two processes without showing them: \
         `printf %s \"$CACHEKIT_MASTER_KEY\" | sha256sum | cut -c1-8` must print the same in both.",
        "If the former key is gone, remove the entries that it sealed: `redis-cli -u \"$CACHEKIT_REDIS_URL\" --scan \
         --pattern 'users:*' | xargs -r redis-cli -u \"$CACHEKIT_REDIS_URL\" unlink`, with your namespace for `users`.",
        "If no key was changed, find out who else can write to the store before anything is removed: \
         `redis-cli -u \"$CACHEKIT_REDIS_URL\" client list`.",
    ],
    avoid: "Rotate in two steps: first give the new key as an earlier one everywhere, then make it the current one, and \
        keep the former one among the earlier ones until its last entry has ended.",
    meanwhile: "A direct read returns the error. A cached function treats the entry as a miss, computes and overwrites \
        it, and warns once per key and minute. With `encryption_fail_closed` \
        (`CACHEKIT_ENCRYPTION_FAIL_CLOSED=true`) the error reaches the caller.",
}

E004: Configuration, Permanent, retried: No, trips_breaker: false, Addition {
    title: "A master key is set, but neither encryption nor plaintext was chosen.",
    meaning: "`CACHEKIT_MASTER_KEY` is set, which suggests that entries are to be encrypted, yet the program never says \
        so. A key alone does not switch encryption on, and plaintext is never chosen silently.",
    causes: [
        "The key was added to the environment, and the program was not told to encrypt.",
        "Several programs share one environment, and this one is meant to store plaintext.",
    ],
    fixes: [
        "To encrypt, say so where the cache is made, or function by function with `#[cache(secure)]`.",
        "To store plaintext on purpose, say that where the cache is made.",
        "If this program needs no key at all, take it away from its environment: `unset CACHEKIT_MASTER_KEY`.",
    ],
    avoid: "State the intent in code, and give the key only to the programs that encrypt.",
    meanwhile: "Construction fails before any I/O. Functions on the process's own cache run uncached after one \
        error-level event.",
}

E005: Decryption, Permanent, retried: No, trips_breaker: false, Addition {
    title: "A plaintext entry was found where only encrypted ones are accepted.",
    meaning: "The namespace is encrypted, and the stored entry is not. It is refused: whoever can write to the store \
        could otherwise plant values by leaving the encryption away.",
    causes: [
        "The entry was written before encryption was switched on for this namespace.",
        "Another process, or an older version, still writes the same namespace without encryption.",
        "Somebody with access to the store wrote it.",
    ],
    fixes: [
        "Look for processes that write this namespace in plaintext, and switch encryption on there as well.",
        "Remove what is left from before: `redis-cli -u \"$CACHEKIT_REDIS_URL\" --scan --pattern 'orders:*' | xargs -r \
         redis-cli -u \"$CACHEKIT_REDIS_URL\" unlink`, with your namespace for `orders`.",
        "If neither explains it, treat the store as written to by a stranger, and change its credentials.",
    ],
    avoid: "Give a namespace another name when you switch its encryption on; the old entries then end by themselves.",
    meanwhile: "A direct read returns the error. A cached function treats the entry as a miss, computes and stores an \
        encrypted one; with `encryption_fail_closed` the error reaches the caller.",
}

E006: Encryption, Permanent, retried: No, trips_breaker: false, Addition {
    title: "The key has sealed as many entries as is safe.",
    meaning: "AES-GCM is safe for a bounded number of messages under one key, and this key has reached the bound. It \
        still opens entries, and seals no more.",
    causes: [
        "The same master key was in use for a very long time, or under a very high rate of writes.",
    ],
    fixes: [
        "Make a new key, `openssl rand -hex 32`, and set it as `CACHEKIT_MASTER_KEY`, with the former one in \
         `CACHEKIT_PREVIOUS_MASTER_KEYS`.",
        "Start the processes anew, or let the key provider hand the new key out while they run.",
    ],
    avoid: "Rotate master keys on a schedule, well before the bound: a few times a year for busy services.",
    meanwhile: "Entries that are stored can still be read. New values are returned to the caller and not stored; \
        nothing is written in plaintext instead.",
}

E007: Configuration, Permanent, retried: No, trips_breaker: false, Addition {
    title: "A namespace divided by tenant was used without a tenant.",
    meaning: "The namespace keeps the entries of each tenant apart, so that every call has to name one. This call did \
        not, and guessing could show one tenant what belongs to another.",
    causes: [
        "The call runs outside a request: in a background task, at start-up or in a test.",
        "The tenant was known to the caller and not handed on to the call.",
        "Entries that other clients share are sealed for one tenant, in a namespace whose name does not name it.",
    ],
    fixes: [
        "Name the tenant where the call is made.",
        "If the entries belong to no tenant, keep them in a namespace of their own that is not divided.",
    ],
    avoid: "Take the tenant as a parameter of the function that reads the cache, so that it cannot be forgotten.",
    meanwhile: "Nothing is read or stored. A direct call returns the error; a cached function runs uncached and the \
        error is reported.",
}

    ] $($rest)* } };
}
