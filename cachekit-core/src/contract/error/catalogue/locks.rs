//! Locks, E050 and E051: one process at a time computes a value.

macro_rules! lock_codes {
    ([$($before:tt)*] $next:ident $($rest:ident)*) => { $next! { [$($before)*

E050: Lock, Timeout, retried: No, trips_breaker: false, Published {
    title: "The distributed lock was not acquired in time.",
    meaning: "Another process was computing the same value and had not finished when `lock_timeout` passed.",
    causes: [
        "The value takes longer to compute than `lock_timeout`, which is five seconds unless set.",
        "The holder died or was paused. Its lease, thirty seconds unless set, then has to run out.",
    ],
    fixes: [
        "Compare the time that one computation takes with `lock_timeout`, and allow more: \
         `#[cache(lock_timeout = \"15s\")]`.",
        "For Redis, look for locks that stay: `redis-cli -u \"$CACHEKIT_REDIS_URL\" --scan --pattern '*:lock'`.",
        "See how long one still holds: `redis-cli -u \"$CACHEKIT_REDIS_URL\" pttl KEY`. Leave it to end by itself: \
         removing it by hand lets two processes compute.",
    ],
    avoid: "Keep `lock_timeout` above the usual time of a computation, or refresh values in the background before they end.",
    meanwhile: "The function runs without the lock: more than one process may compute, none fails.",
}

E051: Lock, Transient, retried: No, trips_breaker: false, Addition {
    title: "The distributed lock was lost before the work was done.",
    meaning: "The lease ended while the value was being computed, or a later write or delete of the same key revoked it. \
        The value may be older than what is stored by now, so the store refused it.",
    causes: [
        "The entry was set, deleted or cleared while it was being computed. That is the lock at work.",
        "The process was paused for longer than its lease: no processor time, a suspended machine.",
        "Redis was not reachable when the lease was to be renewed, or a failover lost the lock.",
    ],
    fixes: [
        "If it comes with writes to the same key, do nothing: the newer write won.",
        "Otherwise look for pauses: processor time taken away from the container (`cat /sys/fs/cgroup/cpu.stat`), and \
         blocking code on async threads.",
    ],
    avoid: "Keep async threads free of blocking work, so that leases are renewed in time.",
    meanwhile: "The caller gets its value. It is not stored, and what is stored stays.",
}

    ] $($rest)* } };
}
