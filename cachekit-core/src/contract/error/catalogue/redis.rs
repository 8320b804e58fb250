//! Redis, E010 to E015: reaching it, and what it answers.

macro_rules! redis_codes {
    ([$($before:tt)*] $next:ident $($rest:ident)*) => { $next! { [$($before)*

E010: Connection, Transient, retried: Yes, trips_breaker: true, Published {
    title: "Redis is not reachable, or the connection broke.",
    meaning: "No connection to Redis could be made, or one was cut off in mid-call. If it was cut off, a command that \
        had been sent may have been carried out.",
    causes: [
        "Redis is not running, is starting anew or is failing over.",
        "The URL has the wrong host, port or scheme, or the name does not resolve.",
        "A firewall, a security group or a network policy stands in between.",
        "Redis or a proxy closed the connection: idle for too long, `maxclients` reached, or killed.",
    ],
    fixes: [
        "Ask Redis from the same machine or container: `redis-cli -u \"$CACHEKIT_REDIS_URL\" ping` answers `PONG`.",
        "See which of the two variables is set, passwords hidden: `env | grep -E '^(CACHEKIT_)?REDIS_URL=' | sed -E \
         's#//.*@#//***@#'`.",
        "Resolve the name, `getent hosts HOST`, and try the port, `nc -zv HOST 6379`.",
        "If there is no Redis yet, start one: `docker run -d -p 127.0.0.1:6379:6379 redis`.",
        "If it drops connections, see how many it has and may have: `redis-cli -u \"$CACHEKIT_REDIS_URL\" info clients`.",
    ],
    avoid: "Run Redis with a replica and Sentinel, or as a Cluster, and watch it from where your service runs.",
    meanwhile: "The call is repeated within its time; then the function runs uncached. Repeated failures open the circuit \
        breaker, after which nobody waits for Redis.",
}

E011: Timeout, Timeout, retried: Yes, trips_breaker: true, Published {
    title: "Redis did not connect or answer in time.",
    meaning: "A connection was not made within `CACHEKIT_SOCKET_CONNECT_TIMEOUT`, or a command not answered within \
        `CACHEKIT_SOCKET_TIMEOUT`. Whether the command was carried out is not known.",
    causes: [
        "Redis is busy with a slow command, such as `KEYS`, a large `DEL` or a long script: it runs one at a time.",
        "Redis swaps, forks for a snapshot, or has no processor time left.",
        "The network is slow or loses packets, or a firewall drops them without a word.",
        "This process has no time to read the answer: its async threads are held by blocking code.",
    ],
    fixes: [
        "Measure the way there and back: `redis-cli -u \"$CACHEKIT_REDIS_URL\" --latency`.",
        "Look for slow commands: `redis-cli -u \"$CACHEKIT_REDIS_URL\" slowlog get 10`.",
        "Look for forks, swapping and slow disks: as an administrator, `redis-cli -u ADMIN_URL config set \
         latency-monitor-threshold 100`, and after a while `redis-cli -u ADMIN_URL latency doctor`.",
        "If Redis is well and merely far away, allow more seconds: `export CACHEKIT_SOCKET_TIMEOUT=5 \
         CACHEKIT_SOCKET_CONNECT_TIMEOUT=5`.",
    ],
    avoid: "Keep Redis near its callers, keep slow commands off it, and move blocking work to `spawn_blocking`.",
    meanwhile: "The call is repeated within its time; then the function runs uncached, and a local copy that the write \
        may have changed is dropped. Repeated timeouts open the circuit breaker.",
}

E012: ConnectionPool, Transient, retried: Yes, trips_breaker: false, Published {
    title: "No slot came free on any pooled connection in time.",
    meaning: "Every pooled connection had as many commands in flight as it may have, for the whole wait. That says that \
        this process is overloaded, not that the server is ill, so the circuit breaker does not count it.",
    causes: [
        "More callers at once than `CACHEKIT_CONNECTION_POOL_SIZE` connections can serve.",
        "Redis answers slowly, so that slots stay taken for longer.",
        "One task sends great numbers of single calls where a batch would do.",
    ],
    fixes: [
        "First rule out that Redis is slow: `redis-cli -u \"$CACHEKIT_REDIS_URL\" --latency` stays about a millisecond.",
        "Allow more connections: `export CACHEKIT_CONNECTION_POOL_SIZE=50`.",
        "See that Redis accepts so many, counted over all processes: `redis-cli -u \"$CACHEKIT_REDIS_URL\" config get \
         maxclients`.",
        "Read and write many keys in one batch instead of one by one.",
    ],
    avoid: "Size the pool from the peak of concurrent calls, and bound that concurrency where requests come in.",
    meanwhile: "The call is repeated within its time; then the function runs uncached. The breaker stays closed.",
}

E013: Connection, Authentication, retried: No, trips_breaker: false, Addition {
    title: "Redis refused the credentials, or what they may do.",
    meaning: "Redis is there and said no: `NOAUTH`, `WRONGPASS`, `NOPERM` or `DENIED`. Asking again changes nothing; somebody has to \
        look at the user and its rights.",
    causes: [
        "The URL carries no password, the wrong one, or one that was changed since.",
        "A password with `@`, `/`, `:` or `#` stands in the URL unescaped.",
        "The user lacks the right to a command or a key: access control lists (ACLs) name both.",
        "`DENIED`: Redis has no password and is in protected mode, in which it serves its own machine only.",
    ],
    fixes: [
        "Ask who you are: `redis-cli -u \"$CACHEKIT_REDIS_URL\" acl whoami`.",
        "As an administrator, see what was refused and why: `redis-cli -u ADMIN_URL acl log 10`.",
        "As an administrator, see what the user may do: `redis-cli -u ADMIN_URL acl getuser USER`.",
        "Escape the password for the URL: `printf %s \"$PASSWORD\" | jq -sRr @uri`, and write \
         `redis://USER:ESCAPED@HOST:6379/0`.",
    ],
    avoid: "Give the service a Redis user of its own, and change its password by adding the new one before the old goes.",
    meanwhile: "The function runs uncached, and an error-level event says so at once.",
}

E014: Connection, Transient, retried: Yes, trips_breaker: true, Addition {
    title: "Redis answered with a server error that may pass.",
    meaning: "Redis is reachable and cannot do its work now: the message names its word for it, such as `OOM`, \
        `READONLY`, `LOADING`, `MASTERDOWN`, `CLUSTERDOWN`, `TRYAGAIN`, `BUSY` or `MISCONF`.",
    causes: [
        "`LOADING`: Redis has just started and is reading its data.",
        "`READONLY` or `MASTERDOWN`: a failover is going on, or the URL names a replica.",
        "`OOM`: `maxmemory` is reached, and the eviction policy does not let entries go.",
        "`CLUSTERDOWN` or `TRYAGAIN`: slots have no owner, or are being moved.",
        "`BUSY`: a script has been running for too long.",
        "`MISCONF` or `NOREPLICAS`: it takes no writes, since it cannot save them or has too few replicas.",
        "It has as many clients as `maxclients` allows.",
    ],
    fixes: [
        "`OOM`: compare what is used and allowed, `redis-cli -u \"$CACHEKIT_REDIS_URL\" info memory`, then let a cache \
         evict: `redis-cli -u ADMIN_URL config set maxmemory-policy allkeys-lfu`.",
        "`READONLY`: see the role, `redis-cli -u \"$CACHEKIT_REDIS_URL\" info replication`; point the URL at the primary, \
         or use Sentinel, which follows it.",
        "`LOADING`: see how far it is, `redis-cli -u \"$CACHEKIT_REDIS_URL\" info persistence`, and wait.",
        "`CLUSTERDOWN`: see which slots are missing, `redis-cli --cluster check HOST:6379`.",
        "`BUSY`: end the script, `redis-cli -u ADMIN_URL script kill`.",
        "`MISCONF`: look in Redis's own log; usually the disk is full: `df -h`.",
    ],
    avoid: "Set `maxmemory` together with an eviction policy, and reach Redis through something that follows a failover.",
    meanwhile: "The call is repeated where waiting helps; then the function runs uncached. Repeated failures open the \
        circuit breaker.",
}

E015: Connection, Permanent, retried: No, trips_breaker: false, Addition {
    title: "The TLS connection could not be made.",
    meaning: "The server was reached, and the two sides did not agree on TLS. Retrying shows the same certificate again, \
        so it is not retried.",
    causes: [
        "The certificate has expired, or is not valid yet because a clock is wrong.",
        "Its issuer is not trusted here: a private authority whose certificate was not given.",
        "It is made out to another name than the one in the URL.",
        "One side speaks TLS and the other does not: `rediss://` for a plain port, or `redis://` for a TLS port.",
        "The server asks for a client certificate.",
        "A proxy in between shows a certificate of its own.",
    ],
    fixes: [
        "Look at what the server shows: `openssl s_client -connect HOST:6380 -servername HOST </dev/null | openssl x509 \
         -noout -subject -issuer -dates -ext subjectAltName`.",
        "Verify it against your authority: `openssl s_client -connect HOST:6380 -CAfile ca.pem -verify_return_error \
         </dev/null`.",
        "Compare the clock: `date -u`.",
        "Use the name that stands in the certificate, `rediss://` for TLS ports, and give the authority's certificate to \
         the backend.",
    ],
    avoid: "Renew certificates automatically, and raise an alarm some weeks before one ends.",
    meanwhile: "The function runs uncached, and an error-level event says so.",
}

    ] $($rest)* } };
}
