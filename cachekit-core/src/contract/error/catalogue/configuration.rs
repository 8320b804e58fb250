//! Configuration, E040 to E047: what was set or asked for cannot be.

macro_rules! configuration_codes {
    ([$($before:tt)*] $next:ident $($rest:ident)*) => { $next! { [$($before)*

E040: Configuration, Permanent, retried: No, trips_breaker: false, Published {
    title: "Redis is asked for, but no URL is set.",
    meaning: "Redis was asked for by name, and neither `CACHEKIT_REDIS_URL` nor `REDIS_URL` is set. No address is \
        guessed.",
    causes: [
        "`RedisBackend::from_env()` or `#[cache(redis)]` is used, and this environment has no URL.",
        "The variable is set and blank, which counts as unset.",
        "It is set for another process: not exported, or missing from the container or the unit file.",
    ],
    fixes: [
        "Set it: `export CACHEKIT_REDIS_URL=redis://localhost:6379/0`, or `rediss://USER:PASSWORD@HOST:6379/0` with TLS.",
        "See whether the running process has it: `tr '\\0' '\\n' < /proc/PID/environ | grep -cE \
         '^(CACHEKIT_)?REDIS_URL=.'` prints 1 or more if so.",
        "If process memory will do, do not ask for Redis by name: `Cache::from_env()` without a URL caches locally.",
    ],
    avoid: "Call `Cache::from_env()` at start-up, and list the variable with what a deployment needs.",
    meanwhile: "Construction fails before any I/O. Functions on the process's own cache run uncached after one \
        error-level event.",
}

E041: Configuration, Permanent, retried: No, trips_breaker: false, Published {
    title: "An environment variable has a wrong prefix or an impossible value.",
    meaning: "Either a variable is set under the `CACHE_` prefix, which nobody reads, while its `CACHEKIT_` twin is not \
        set, or a variable has the right name and a value that cannot be. The message says which one, what was expected \
        and what came; of a secret it never shows the content.",
    causes: [
        "`CACHE_REDIS_URL`, `CACHE_MASTER_KEY`, `CACHE_API_KEY` or `CACHE_API_URL` is set in place of the `CACHEKIT_` \
         one. Other names with `CACHE_` belong to other programs and only draw a warning.",
        "A number is not a number, is out of range, or carries a unit.",
        "A number or a boolean is set and empty. (Empty keys and URLs count as unset.)",
        "A URL does not parse, or has another scheme.",
    ],
    fixes: [
        "List the names that are set, without values: `env | grep -oE '^CACHE(KIT)?_[A-Z0-9_]+' | sort`.",
        "Correct the prefix: `export CACHEKIT_REDIS_URL=\"$CACHE_REDIS_URL\"; unset CACHE_REDIS_URL`.",
        "Correct the value to what the message expects; booleans are `true` and `false`.",
        "To have the default, remove the variable rather than leave it empty: `unset CACHEKIT_SOCKET_TIMEOUT`.",
    ],
    avoid: "Heed the warning about unknown `CACHEKIT_` names: it tells the nearest right one.",
    meanwhile: "Construction fails before any I/O. Functions on the process's own cache run uncached after one \
        error-level event.",
}

E042: Configuration, Permanent, retried: No, trips_breaker: false, Addition {
    title: "The key is not valid.",
    meaning: "A stored key has 1 to 250 bytes of `A-Z a-z 0-9 _ . : -` and does not end in `:lock`. Keys made from parts \
        are escaped and shortened to fit; a key, prefix, namespace or tenant that was given as text was not.",
    causes: [
        "A text with spaces, braces or letters beyond ASCII was taken as a key, a namespace or a tenant.",
        "It is empty, too long, or ends in `:lock`, which is kept for locks.",
        "An entry that other clients share was asked for by anything but an `InteropKey`, or an argument of one is outside \
         what they know: NaN, an infinity, an integer beyond 64 bits.",
    ],
    fixes: [
        "Have the key made from its parts, as a namespace and `#[cache(key = \"{id}\")]` do: parts may hold any text.",
        "Give a type of your own `#[derive(cachekit::IntoKey)]` instead of formatting it.",
        "Choose namespaces and tenants of that alphabet, without `:`.",
    ],
    avoid: "Keep namespaces constant in code, and let only parts vary.",
    meanwhile: "A direct call returns the error, before any I/O. A cached function runs uncached.",
}

E043: Configuration, Permanent, retried: No, trips_breaker: false, Addition {
    title: "The time to live is not valid.",
    meaning: "A time to live is above zero, or \"never\", said on purpose. Zero is refused because it could mean either.",
    causes: [
        "Zero, negative or not a time: `ttl = \"0\"`, `ttl = \"-5s\"`, `ttl = \"5 minutes\"`.",
        "It was computed, as the difference of two times, and came out as zero.",
    ],
    fixes: [
        "Write a number of seconds, or a text such as `\"250ms\"`, `\"30s\"`, `\"5m\"`, `\"1h30m\"`, `\"7d\"`.",
        "For entries that do not end, write `\"never\"`.",
        "Not to store a value at all, do not call `set`; to remove one, call `delete`.",
    ],
    avoid: "Keep times to live as `Ttl` constants: `const FRESH: Ttl = Ttl::secs(300)` is checked when it is compiled.",
    meanwhile: "`#[cache]` refuses it at compile time, construction at start-up. A direct call returns the error, before \
        any I/O.",
}

E044: Configuration, Permanent, retried: No, trips_breaker: false, Addition {
    title: "A setting is not valid.",
    meaning: "A value that was given in code, to a builder, in a URL or as an argument cannot be. The message names the \
        setting, what was expected and what came.",
    causes: [
        "A number is out of its range, or zero where that would stop everything.",
        "Two settings exclude each other, or one needs another that is missing.",
        "A URL has an option that is not known, or leaves out a part that is needed.",
        "A URL for a single Redis names one node of a Cluster.",
    ],
    fixes: [
        "Read the message, `NAME: expected .., got ..`, and correct that setting.",
        "Leave the setting out to have its default.",
    ],
    avoid: "Build the cache at start-up and in one test, so that a bad setting never reaches production.",
    meanwhile: "Construction fails before any I/O.",
}

E045: Configuration, Permanent, retried: No, trips_breaker: false, Addition {
    title: "Two backends are selected at once.",
    meaning: "`CACHEKIT_API_KEY` selects CachekitIO and `CACHEKIT_REDIS_URL` selects Redis. Both are set, and the choice \
        is not made for you.",
    causes: [
        "A service moved from one to the other, and the old variable was left behind.",
        "A base image, a shared secret or a file of variables brings the second one along.",
    ],
    fixes: [
        "See which are set, without values: `env | grep -oE '^CACHEKIT_(API_KEY|REDIS_URL)=' | sort`.",
        "Keep Redis: `unset CACHEKIT_API_KEY`.",
        "Keep CachekitIO: `unset CACHEKIT_REDIS_URL`.",
        "If both are meant, make each backend in code and hand each to a cache of its own.",
    ],
    avoid: "Set the variables per service, not for a whole host. The plain `REDIS_URL`, which other programs share, is only \
        the last resort and does not conflict.",
    meanwhile: "Construction fails before any I/O. Functions on the process's own cache run uncached after one \
        error-level event.",
}

E046: Configuration, Permanent, retried: No, trips_breaker: false, Addition {
    title: "The namespace is already open with another type, format or layout.",
    meaning: "Within a process a namespace has one type, one format and one layout. A second one would read the first \
        one's bytes as its own.",
    causes: [
        "Two functions or modules use one namespace for different types.",
        "One opens it with settings that the other does not have: serializer, layout, encryption, tenants.",
    ],
    fixes: [
        "Give each type a namespace of its own: `cache.namespace::<User>(\"users\")`, \
         `cache.namespace::<Invoice>(\"invoices\")`.",
        "For `#[cache]`, say `namespace = \"..\"` or `name = \"..\"` on one of the two.",
        "If they are meant to share it, open it once and hand clones around.",
    ],
    avoid: "Open namespaces in one place, at start-up.",
    meanwhile: "The first one works on. Opening the second one fails; a cached function on it runs uncached.",
}

E047: Configuration, Permanent, retried: No, trips_breaker: false, Addition {
    title: "The backend does not offer this.",
    meaning: "Something was asked for that needs an ability of the backend which this one does not have, such as clearing \
        a namespace, being told of changes, or fences.",
    causes: [
        "The backend was exchanged for one with fewer abilities.",
        "A wrapper around the backend does not offer its abilities through itself.",
        "The namespace is in the interop layout, which cannot carry it.",
    ],
    fixes: [
        "See what is offered: print `backend.abilities()`.",
        "Do without it, or choose a backend that has it.",
    ],
    avoid: "Ask for what the program relies on when the cache is built, not later.",
    meanwhile: "What was asked for is not done, and the call that asked returns the error; all else works.",
}

    ] $($rest)* } };
}
