//! The clauses of the contracts that the suite's rules ask for, word for word.

/// The clause that a rule named `rule` asks for, as the contract has it: "An entry whose time to live has passed …".
///
/// `None` if there is no such clause.
#[must_use]
pub fn clause(rule: &str) -> Option<&'static str> {
    let (id, _) = rule.rsplit_once('.')?;
    CLAUSES.iter().find(|(known, _)| *known == id).map(|(_, text)| *text)
}

/// Every clause: its name, as in "backend.2", and its text. A test compares them with the contracts' documentation.
#[doc(hidden)]
pub const CLAUSES: &[(&str, &str)] = &[
    (
        "key.1",
        "1 to `Key::MAX_LEN` bytes, each one of `A-Z a-z 0-9 _ . : -`. No white space, no control bytes, no braces \
         (a Redis Cluster would hash only what is between them).",
    ),
    ("key.2", "It never ends in `:lock`, so that name is free for a backend's own locks."),
    ("key.3", "Keys compare byte for byte; there is no normalisation."),
    (
        "backend.1",
        "After an acknowledged `set`, `get` yields that value or a later one, until the entry ends, is deleted or \
         evicted. A backend may evict whatever it likes at any time, but never goes back to an older value.",
    ),
    (
        "backend.2",
        "An entry whose time to live has passed is not returned. A time to live is rounded up to the resolution, \
         never down, and `Ttl::Never` never ends by time.",
    ),
    ("backend.3", "A missing entry is `Ok(None)`, never an error, and deleting one is a success."),
    ("backend.4", "Values return byte for byte, the empty one too; a backend neither inspects nor re-encodes them."),
    ("backend.5", "After an acknowledged `delete`, `get` yields nothing until a later `set`."),
    (
        "backend.6",
        "What `Entry::remaining` says is true when the request is answered, within the resolution: known, never, or \
         honestly unknown.",
    ),
    (
        "backend.7",
        "Batches answer for each element in the order asked, duplicates included; one bad element does not spoil the \
         rest.",
    ),
    ("backend.8", "Clones and reopened handles see the same entries."),
    (
        "backend.9",
        "No call waits without bound: a backend has time limits of its own, and says so in its documentation.",
    ),
    (
        "backend.errors",
        "Each with a code: `Error::backend` finds it from the kind of trouble. A value over `Limits::max_value` is \
         E022, before anything is sent. Neither `Debug` nor an error shows values, credentials, or keys in full.",
    ),
    (
        "backend.cancellation",
        "Every future may be dropped at any await. A dropped write leaves the old entry or the new one, never part \
         of one, and may still land later.",
    ),
    (
        "backend.concurrency",
        "Any number of callers at once. No order is promised between keys, nor between overlapping calls on one key; \
         a call that begins after another on the same key was acknowledged comes after it.",
    ),
    ("backend.name", "A short name for logs, metrics and errors: \"redis\", \"redb\"."),
    ("backend.exists", "Whether there is a live entry under `key`."),
    (
        "backend.health",
        "Looks whether the store answers, with a call of its own that changes nothing. The default body asks for a \
         key that does not exist.",
    ),
    ("backend.limits", "What the store can take. Asked once, when a cache is built."),
    (
        "backend.abilities",
        "What the store can do beyond this trait. Asked once, when a cache is built: the answer does not change.",
    ),
    (
        "backend.close",
        "Ends the connections and what runs in the background. Calls that come later may fail. The second call does \
         nothing.",
    ),
    (
        "fenced.1",
        "While a fence is held, nobody else acquires it. Acquiring again with the same token succeeds and renews.",
    ),
    ("fenced.2", "A fence lapses when its lease has passed without being renewed, and is then free."),
    ("fenced.3", "`renew` and `release` by a token that does not hold the fence do nothing and answer `false`."),
    (
        "fenced.4",
        "`set_fenced` stores only if the token holds the fence in the very step that stores, and ends the fence; \
         otherwise nothing changes and the answer is `false`.",
    ),
    (
        "fenced.5",
        "`set_and_revoke` and `delete_and_revoke` write and end whatever fence there is in one step, so that a load \
         that began earlier cannot store. Plain `set` and `delete` leave fences alone.",
    ),
    ("fenced.6", "`acquire` reads the entry in the same step: a grant says what is stored at that moment."),
    ("fenced.errors", "As for `Backend`. A fence held by another is no error."),
    (
        "fenced.cancellation",
        "Dropping `acquire` may leave a fence that lapses by itself; calling `release` with the same token frees it \
         at once.",
    ),
    (
        "expiring.1",
        "`remaining` is `None` for an entry that is not there, and otherwise true within the resolution; never \
         `Remaining::Unknown`.",
    ),
    (
        "expiring.2",
        "`renew` replaces the time to live, counted from now, and leaves the value; `false` if there is no entry.",
    ),
    (
        "clearable.1",
        "After an acknowledged `clear`, no entry whose `set` was acknowledged before the call began is returned.",
    ),
    ("clearable.2", "Nothing outside the prefix is touched."),
    ("clearable.3", "Fences under the prefix are revoked, as by `delete_and_revoke`."),
    ("clearable.4", "Dropping the future may leave some entries removed and some not."),
    (
        "watchable.1",
        "Every change of an entry that `prefix` covers, made through another handle after `watch` returned (a set, a \
         delete, a clear, an end by time or eviction need not be told), is told once or more, some time after it \
         became visible.",
    ),
    (
        "watchable.2",
        "Before anything may have been missed, or as soon as that is noticed, `Change::SightLost` is told: all that \
         was believed about the prefix is then in doubt. `Change::SightRegained` follows when clause 1 holds again.",
    ),
    (
        "watchable.3",
        "Changes of one key are told in the order in which they became visible, up to merging of equal ones.",
    ),
    (
        "watchable.next",
        "The next change, in order; `None` when the backend is closed, after which nothing more comes. Dropping the \
         future loses nothing.",
    ),
    ("counting.1", "`epoch` is zero before the first `advance`."),
    (
        "counting.2",
        "`advance` raises the number by at least one, atomically, and returns the new one; every later `epoch`, in \
         any process, returns that or more.",
    ),
    ("counting.3", "The number outlives eviction of entries."),
];
