//! Resilience, E030 to E036: calls that were refused or given up on purpose, and loads that failed.

macro_rules! resilience_codes {
    ([$($before:tt)*] $next:ident $($rest:ident)*) => { $next! { [$($before)*

E030: CircuitBreaker, Transient, retried: No, trips_breaker: false, Published {
    title: "The circuit breaker is open.",
    meaning: "The backend failed so often lately that it is left alone for a while. The call was not sent. After the \
        cool-down a few trial calls go out, and when they succeed the breaker closes by itself.",
    causes: [
        "Failures that count came in a row or at a high rate: E010, E011, E014, E061, E062, E064 and E065.",
        "The backend has recovered, and the cool-down has not passed yet.",
    ],
    fixes: [
        "Find the failures that opened it: they were logged before it, each with a code of its own. Cure that code.",
        "Ask the backend directly: `redis-cli -u \"$CACHEKIT_REDIS_URL\" ping` answers `PONG` when Redis is well.",
        "Then wait: nothing has to be reset or started anew.",
    ],
    avoid: "Nothing to avoid: an open breaker keeps a failing backend from slowing your service down. Raise an alarm on \
        the failures that open it.",
    meanwhile: "Functions run uncached, without an error and without waiting. One warning is logged per opening. A direct \
        call returns this error.",
}

E031: Overload, Transient, retried: No, trips_breaker: false, Addition {
    title: "The call was shed by the rate limit.",
    meaning: "The process made more calls to the backend in a span of time than its own limit allows. This one was not \
        sent. The backend is not to blame.",
    causes: [
        "Traffic exceeds the limit that was configured here.",
        "Many keys missed at once: after a clear, a deployment or the end of many equal times to live.",
    ],
    fixes: [
        "Raise the limit, if the backend can take more.",
        "Have fewer calls go out: longer times to live, and batches instead of single keys.",
    ],
    avoid: "Set the limit from what the backend bears, divided by the number of processes.",
    meanwhile: "The function runs uncached. The circuit breaker does not count it.",
}

E032: Overload, Transient, retried: No, trips_breaker: false, Addition {
    title: "The call was shed by the concurrency limit.",
    meaning: "As many calls to the backend as may be under way were under way, and none ended while this one waited in \
        the queue, or the queue was full. It was not sent.",
    causes: [
        "The backend answers slowly, so that calls pile up.",
        "More callers at once than the limit and its queue were made for.",
    ],
    fixes: [
        "Compare the time that calls take with what is usual, and look into a slow backend first: for Redis, \
         `redis-cli -u \"$CACHEKIT_REDIS_URL\" --latency-history`.",
        "Raise the limit or the queue, if the backend is well and has room.",
    ],
    avoid: "Bound the number of requests that your service takes on at once, so that the pressure stops at its door.",
    meanwhile: "The function runs uncached. The circuit breaker does not count the shed call.",
}

E033: Timeout, Timeout, retried: No, trips_breaker: false, Addition {
    title: "The time for the whole call is spent.",
    meaning: "All attempts of one call, with the waits between them, took longer than the call may take. What the last \
        attempt did is not known. Failed attempts were counted by the breaker one by one.",
    causes: [
        "The backend fails or stalls, and retries used the time up.",
        "The server asked to be left alone for longer than was left (`Retry-After`).",
        "The time for the whole call is shorter than that of a single attempt.",
    ],
    fixes: [
        "Walk the chain of causes: the last attempt's error has a code of its own. Cure that one.",
        "If single attempts succeed and are merely slow, allow the call more time: `#[cache(timeout = \"2s\")]`.",
    ],
    avoid: "Let the whole call have the time of at least two attempts, and of less than your own caller waits.",
    meanwhile: "The function runs uncached; a local copy that a write may have changed is dropped.",
}

E034: Load, Timeout, retried: No, trips_breaker: false, Addition {
    title: "The loader did not finish in time.",
    meaning: "The function or closure that computes the value ran longer than `load_timeout`, and there was no older \
        value to serve instead. It was given up. The cache and its backend are not to blame.",
    causes: [
        "What the loader asks (a database, another service) is slow or does not answer.",
        "The loader waits for itself: directly or through others, it asks for the key that it is loading.",
        "The loader blocks its thread, so that it cannot make progress.",
    ],
    fixes: [
        "Give the loader's own calls time limits that are shorter than `load_timeout`: they say which one is slow.",
        "If the work does take so long, allow it: `#[cache(load_timeout = \"60s\")]`.",
        "If an older value will do, keep it: `#[cache(stale_for = \"1h\")]`; with `background` the load even goes on.",
        "Move work that blocks into `tokio::task::spawn_blocking`.",
    ],
    avoid: "Measure how long loads take, and set `load_timeout` well above the slowest good one.",
    meanwhile: "The caller, and all who waited for this load, get `LoadError::TimedOut`. Nothing is stored.",
}

E035: Load, Unknown, retried: No, trips_breaker: false, Addition {
    title: "The loader panicked.",
    meaning: "The function or closure that computes the value panicked. The panic was caught, so that those who waited for \
        the same value are told.",
    causes: [
        "A bug in the loader: an `unwrap`, an index, an overflow, an assertion.",
    ],
    fixes: [
        "Read the panic's own message and place, which were printed when it happened; for the way there start the process \
         with `RUST_BACKTRACE=1`.",
        "Have the loader return an error for what can go wrong.",
    ],
    avoid: "Keep `unwrap` out of loaders: clippy's `unwrap_used` finds them.",
    meanwhile: "The caller and all who waited get `LoadError::Panicked`; a cached function that returns a plain value \
        resumes the panic. Nothing is stored.",
}

E036: Closed, Permanent, retried: No, trips_breaker: false, Addition {
    title: "The cache is closed.",
    meaning: "`close()` was called on this cache or its backend, and a call came after it.",
    causes: [
        "The program is shutting down, and a task still works.",
        "One part of the program closed a cache that another part shares: clones are handles to the same cache.",
    ],
    fixes: [
        "Close the cache last, after the tasks that use it have ended.",
        "If it was closed by mistake, make a new one: a closed cache does not open again.",
    ],
    avoid: "Let one owner close it, at the end of `main`.",
    meanwhile: "Functions run uncached.",
}

    ] $($rest)* } };
}
