//! The list of drills: what is promised of each code, a fake drill, and a real one or what it waits for.

use cachekit::{ErrorCode, ErrorKind};

use super::{Body, Drill, DrillKind, Expected, Meanwhile, Part, fake, real};

/// All drills, in the order of the codes.
pub(super) fn drills() -> Vec<Drill> {
    let both = |row: &Row| {
        let (code, expected) = (row.code, row.expected);
        [(DrillKind::Fake, row.fake), (DrillKind::Real, row.real)].map(|(kind, part)| Drill {
            code,
            kind,
            expected,
            part,
        })
    };
    ROWS.iter().flat_map(both).collect()
}

/// What the list says of one code. The promises are written here once more, and not taken from the catalogue that is checked by
/// them.
struct Row {
    code: ErrorCode,
    expected: Expected,
    fake: Part,
    real: Part,
}

const fn row(code: ErrorCode, class: &'static str, kind: ErrorKind, flags: Flags, fake: Part, real: Part) -> Row {
    let Flags { retried, trips_breaker, unsent } = flags;
    Row { code, expected: Expected { class, kind, retried, trips_breaker, unsent }, fake, real }
}

/// Whether it is retried, whether the breaker counts it, and whether it says by itself that nothing was sent.
struct Flags {
    retried: bool,
    trips_breaker: bool,
    unsent: bool,
}

const NEITHER: Flags = Flags { retried: false, trips_breaker: false, unsent: false };
const SHED: Flags = Flags { unsent: true, ..NEITHER };
const NO_SLOT: Flags = Flags { retried: true, ..SHED };
const RETRIED_AND_COUNTED: Flags = Flags { retried: true, trips_breaker: true, unsent: false };

/// Values arrive.
const fn value(body: Body) -> Part {
    Part::Runs { body, meanwhile: Meanwhile::OwnValue }
}

/// Nothing is made.
const fn not_made(body: Body) -> Part {
    Part::Runs { body, meanwhile: Meanwhile::NotMade }
}

/// The caller is told.
const fn told(body: Body) -> Part {
    Part::Runs { body, meanwhile: Meanwhile::Told }
}

const RANDOMNESS: Part = Part::Pending("an operating system gives randomness as soon as it runs at all");
const REDIS: Part = Part::Pending("comes with Redis in production grade: TLS, and slots that are bounded");
const IO: Part = Part::Pending("comes with CachekitIO over HTTP");

macro_rules! body {
    ($($path:tt)+) => { |code| Box::pin($($path)+(code)) };
}

#[rustfmt::skip] // a table is read by its columns
const ROWS: &[Row] = &[
    row(ErrorCode::E001, "ConfigurationError", ErrorKind::Permanent, NEITHER, not_made(body!(fake::key_provider)), not_made(body!(real::no_master_key))),
    row(ErrorCode::E002, "ConfigurationError", ErrorKind::Permanent, NEITHER, not_made(body!(fake::key_provider)), not_made(body!(real::short_master_key))),
    row(ErrorCode::E003, "DecryptionError", ErrorKind::Permanent, NEITHER, value(body!(fake::opening)), value(body!(real::tampered))),
    row(ErrorCode::E004, "ConfigurationError", ErrorKind::Permanent, NEITHER, not_made(body!(fake::construction)), not_made(body!(real::no_choice))),
    row(ErrorCode::E005, "DecryptionError", ErrorKind::Permanent, NEITHER, value(body!(fake::plaintext)), value(body!(real::in_the_clear))),
    row(ErrorCode::E006, "EncryptionError", ErrorKind::Permanent, NEITHER, value(body!(fake::sealing)), value(body!(real::key_is_spent))),
    row(ErrorCode::E007, "ConfigurationError", ErrorKind::Permanent, NEITHER, value(body!(fake::one_key)), value(body!(real::no_tenant))),
    row(ErrorCode::E008, "EncryptionError", ErrorKind::Permanent, NEITHER, value(body!(fake::sealing)), RANDOMNESS),
    row(ErrorCode::E010, "ConnectionError", ErrorKind::Transient, RETRIED_AND_COUNTED, value(body!(fake::backend)), value(body!(real::nothing_listens))),
    row(ErrorCode::E011, "TimeoutError", ErrorKind::Timeout, RETRIED_AND_COUNTED, value(body!(fake::late)), value(body!(real::never_answers))),
    row(ErrorCode::E012, "ConnectionPoolError", ErrorKind::Transient, NO_SLOT, value(body!(fake::unsent)), REDIS),
    row(ErrorCode::E013, "ConnectionError", ErrorKind::Authentication, NEITHER, value(body!(fake::backend)), value(body!(real::wrong_password))),
    row(ErrorCode::E014, "ConnectionError", ErrorKind::Transient, RETRIED_AND_COUNTED, value(body!(fake::writes)), value(body!(real::out_of_memory))),
    row(ErrorCode::E015, "ConnectionError", ErrorKind::Permanent, NEITHER, value(body!(fake::backend)), REDIS),
    row(ErrorCode::E020, "SerializationError", ErrorKind::Permanent, NEITHER, value(body!(fake::serializing)), value(body!(real::unserializable))),
    row(ErrorCode::E021, "DeserializationError", ErrorKind::Permanent, NEITHER, value(body!(fake::deserializing)), value(body!(real::undeserializable))),
    row(ErrorCode::E022, "SerializationError", ErrorKind::Permanent, NEITHER, value(body!(fake::writes)), value(body!(real::too_large))),
    row(ErrorCode::E030, "CircuitBreakerError", ErrorKind::Transient, SHED, value(body!(fake::unsent)), value(body!(real::breaker_opens))),
    row(ErrorCode::E031, "OverloadError", ErrorKind::Transient, SHED, value(body!(fake::unsent)), value(body!(real::rate_is_spent))),
    row(ErrorCode::E032, "OverloadError", ErrorKind::Transient, SHED, value(body!(fake::unsent)), value(body!(real::place_is_taken))),
    row(ErrorCode::E033, "TimeoutError", ErrorKind::Timeout, NEITHER, value(body!(fake::never_answers)), value(body!(real::deadline_is_over))),
    row(ErrorCode::E034, "LoadError", ErrorKind::Timeout, NEITHER, told(body!(fake::endless_loader)), told(body!(real::loader_out_of_time))),
    row(ErrorCode::E035, "LoadError", ErrorKind::Unknown, NEITHER, told(body!(fake::panicking_loader)), told(body!(real::panicking_loader))),
    row(ErrorCode::E036, "ClosedError", ErrorKind::Permanent, NEITHER, value(body!(fake::backend)), value(body!(real::closed))),
    row(ErrorCode::E040, "ConfigurationError", ErrorKind::Permanent, NEITHER, not_made(body!(fake::construction)), not_made(body!(real::no_url))),
    row(ErrorCode::E041, "ConfigurationError", ErrorKind::Permanent, NEITHER, not_made(body!(fake::construction)), not_made(body!(real::impossible_variable))),
    row(ErrorCode::E042, "ConfigurationError", ErrorKind::Permanent, NEITHER, value(body!(fake::one_key)), not_made(body!(real::impossible_key))),
    row(ErrorCode::E043, "ConfigurationError", ErrorKind::Permanent, NEITHER, not_made(body!(fake::construction)), not_made(body!(real::impossible_ttl))),
    row(ErrorCode::E044, "ConfigurationError", ErrorKind::Permanent, NEITHER, not_made(body!(fake::construction)), not_made(body!(real::impossible_setting))),
    row(ErrorCode::E045, "ConfigurationError", ErrorKind::Permanent, NEITHER, not_made(body!(fake::construction)), not_made(body!(real::two_backends))),
    row(ErrorCode::E046, "ConfigurationError", ErrorKind::Permanent, NEITHER, not_made(body!(fake::construction)), not_made(body!(real::another_type))),
    row(ErrorCode::E047, "ConfigurationError", ErrorKind::Permanent, NEITHER, value(body!(fake::not_offered)), value(body!(real::not_offered))),
    row(ErrorCode::E050, "LockError", ErrorKind::Timeout, NEITHER, value(body!(fake::fence_not_taken)), value(body!(real::held_fence))),
    row(ErrorCode::E051, "LockError", ErrorKind::Transient, NEITHER, value(body!(fake::fence_lost)), value(body!(real::lost_fence))),
    row(ErrorCode::E060, "BackendError", ErrorKind::Authentication, NEITHER, value(body!(fake::backend)), IO),
    row(ErrorCode::E061, "BackendError", ErrorKind::Transient, RETRIED_AND_COUNTED, value(body!(fake::backend)), IO),
    row(ErrorCode::E062, "BackendError", ErrorKind::Transient, RETRIED_AND_COUNTED, value(body!(fake::backend)), IO),
    row(ErrorCode::E063, "BackendError", ErrorKind::Permanent, NEITHER, value(body!(fake::one_key)), value(body!(real::beyond_counting))),
    row(ErrorCode::E064, "BackendError", ErrorKind::Timeout, RETRIED_AND_COUNTED, value(body!(fake::late)), IO),
    row(ErrorCode::E065, "BackendError", ErrorKind::Transient, RETRIED_AND_COUNTED, value(body!(fake::backend)), IO),
    row(ErrorCode::E066, "BackendError", ErrorKind::Unknown, NEITHER, value(body!(fake::backend)), value(body!(real::unknown_command))),
];

// A code without its row does not compile.
const _: () = {
    assert!(ROWS.len() == ErrorCode::ALL.len(), "every code has one row");
    let mut at = 0;
    while at < ROWS.len() {
        assert!(ROWS[at].code as usize == ErrorCode::ALL[at] as usize, "rows stand in the order of the codes");
        at += 1;
    }
};
