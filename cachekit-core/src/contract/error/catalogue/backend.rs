//! Backends other than Redis, E060 to E066: CachekitIO over HTTP, and plug-ins.

macro_rules! backend_codes {
    ([$($before:tt)*] $next:ident $($rest:ident)*) => { $next! { [$($before)*

E060: Backend, Authentication, retried: No, trips_breaker: false, Published {
    title: "The backend refused the credentials.",
    meaning: "CachekitIO answered 401 or 403, or a plug-in reported the like. The key is not accepted, or may not do what \
        was asked.",
    causes: [
        "401: `CACHEKIT_API_KEY` is wrong, was revoked, or belongs to another environment.",
        "403: the key is of a class that may not write such entries.",
    ],
    fixes: [
        "Ask the service, without the key on a command line: `printf 'Authorization: Bearer %s\\n' \"$CACHEKIT_API_KEY\" | \
         curl -sS -o /dev/null -w '%{http_code}\\n' -H @- -H 'X-CacheKit-L1-Status: disabled' \
         \"${CACHEKIT_API_URL:-https://api.cachekit.io}/v1/cache/health\"` prints 200 for a good key.",
        "Look for a stray line end or space: `printf %s \"$CACHEKIT_API_KEY\" | tail -c 1 | xxd`.",
        "Set a valid key, and start the process anew: `export CACHEKIT_API_KEY=ck_live_..`.",
    ],
    avoid: "Change API keys by rolling the new one out before the old one is revoked, and raise an alarm on this code.",
    meanwhile: "Functions run uncached. An error-level event comes at once, then one a second with a count.",
}

E061: Backend, Transient, retried: Yes, trips_breaker: true, Published {
    title: "The backend asks for fewer calls.",
    meaning: "CachekitIO answered 429, or a plug-in reported the like: more calls than the plan or the server allows.",
    causes: [
        "Traffic exceeds the rate of the plan.",
        "Keys are finer than need be, or times to live so short that few calls are hits.",
        "The quota is spent: the answer then carries a deny reason, and waiting does not help.",
    ],
    fixes: [
        "Have more calls answered from process memory and fewer misses: `#[cache(io, ttl = \"1h\")]`.",
        "Look for keys that carry what does not change the value, such as a time or a request's number; leave it out with \
         `skip(..)`.",
        "If the quota is spent or the traffic is real, move to a larger plan.",
    ],
    avoid: "Limit the rate in the process, below that of the plan, and watch the share of hits.",
    meanwhile: "The call is repeated after the time that `Retry-After` names, up to a bound, or else with backoff; with a \
        deny reason it is not. Then the function runs uncached. The circuit breaker counts it.",
}

E062: Backend, Transient, retried: Yes, trips_breaker: true, Published {
    title: "The backend failed.",
    meaning: "CachekitIO answered 5xx, or a plug-in reported the like. The fault is on the server's side. Whether a write \
        was carried out is not known.",
    causes: [
        "The service has an outage, or is being deployed.",
        "A gateway or proxy in between got no answer from it: 502, 504.",
        "501, 505: the server does not know what it was asked, as behind a wrong `CACHEKIT_API_URL`.",
    ],
    fixes: [
        "See whether it answers: `curl -sS -o /dev/null -w '%{http_code} %{time_total}s\\n' \
         \"${CACHEKIT_API_URL:-https://api.cachekit.io}/v1/cache/health\"`. Without a key a healthy service prints 401.",
        "See whether you talk to whom you mean: `echo \"${CACHEKIT_API_URL:-https://api.cachekit.io}\"`.",
        "If it goes on, report it to the service with the time and the status.",
    ],
    avoid: "Nothing on your side; keep the circuit breaker on, so that an outage costs no waiting.",
    meanwhile: "The call is repeated with backoff, except after 501 and 505; then the function runs uncached. Repeated \
        failures open the circuit breaker.",
}

E063: Backend, Permanent, retried: No, trips_breaker: false, Published {
    title: "The backend refused the call for good.",
    meaning: "CachekitIO answered 4xx, other than 401, 403 and 429, or the call breaks one of its rules and was not sent. \
        The same call fails again. (404 on a key is a miss, not an error.)",
    causes: [
        "413: the value is larger than the service takes, which is 25 MB.",
        "400: the key or the time to live breaks the service's rules.",
        "A time to live over 30 days was asked for.",
        "The whole key is `.`, `..`, `health`, `ttl` or `lock`: each has another meaning in the service's paths.",
    ],
    fixes: [
        "Read the status or the rule in the message; both name what to change.",
        "Too large: cache the parts one by one, or switch compression on.",
        "Too long: `#[cache(io, ttl = \"30d\")]` is the most.",
    ],
    avoid: "Run one test of each cached function against the service before it goes out.",
    meanwhile: "The function runs uncached, with an error-level event.",
}

E064: Backend, Timeout, retried: Configurable, trips_breaker: true, Published {
    title: "The backend did not answer in time.",
    meaning: "A request took longer than `CACHEKIT_TIMEOUT`, or a plug-in reported the like. Whether a write was carried \
        out is not known.",
    causes: [
        "The network is slow, or the service is under load.",
        "The value is large for the bandwidth there is.",
        "The time allowed is too short for the distance.",
    ],
    fixes: [
        "See where the time goes: `curl -sS -o /dev/null -w 'dns %{time_namelookup} connect %{time_connect} tls \
         %{time_appconnect} total %{time_total}\\n' \"${CACHEKIT_API_URL:-https://api.cachekit.io}/v1/cache/health\"`.",
        "Allow more time, in seconds: `export CACHEKIT_TIMEOUT=10`, or for one function `#[cache(io, timeout = \"10s\")]`.",
    ],
    avoid: "Set the time above the slowest good answer, and keep what is needed often in process memory.",
    meanwhile: "The call is repeated if the retry policy says so; then the function runs uncached, and a local copy that \
        the write may have changed is dropped. Repeated timeouts open the circuit breaker.",
}

E065: Backend, Transient, retried: Yes, trips_breaker: true, Published {
    title: "The backend is not reachable, or the connection broke.",
    meaning: "The name did not resolve, the connection was refused or reset, or there is no way to the network. If it \
        broke in mid-call, whether a write was carried out is not known.",
    causes: [
        "DNS fails, or `CACHEKIT_API_URL` has a wrong host.",
        "A firewall or a proxy does not let outgoing HTTPS pass.",
        "The machine or the container has no network.",
        "The service is down, or cut the connection off.",
    ],
    fixes: [
        "Try the way from the same machine or container: `curl -sSI \"${CACHEKIT_API_URL:-https://api.cachekit.io}\"`. Any \
         HTTP status shows that the way is open.",
        "Check the name: `getent hosts api.cachekit.io`.",
        "Look for a proxy that is set, or missing: `env | grep -i _proxy | sed -E 's#//.*@#//***@#'`.",
    ],
    avoid: "Allow outgoing HTTPS to the service by name, and try it in the deployment's own readiness check.",
    meanwhile: "The call is repeated with backoff; then the function runs uncached. Repeated failures open the circuit \
        breaker.",
}

E066: Backend, Unknown, retried: No, trips_breaker: false, Addition {
    title: "The backend reported something that fits no other code.",
    meaning: "A backend failed in a way that CacheKit has no word for. Whether trying again is safe or useful is not \
        known, so it is not done.",
    causes: [
        "The server answered with what its protocol does not foresee, or with an error that is new to this version.",
        "The server is not what the URL promises: another service listens there.",
        "A plug-in reported `BackendFault::Unknown`.",
    ],
    fixes: [
        "Read the message and the whole chain of causes.",
        "Check that the server is what it should be, and of a version that is supported: for Redis, \
         `redis-cli -u \"$CACHEKIT_REDIS_URL\" info server`.",
        "If it happens again, report it with the message, so that it gets a code of its own.",
    ],
    avoid: "Keep server and client of matching versions; in a plug-in, map each known trouble to its own `BackendFault`.",
    meanwhile: "The function runs uncached. The circuit breaker does not count it.",
}

    ] $($rest)* } };
}
