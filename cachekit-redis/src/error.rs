//! From what Redis and the driver report to the codes of the catalogue.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use cachekit_core::{Error, ErrorCode};
use redis::{ErrorKind, RedisError, ServerError, Value};

/// Makes the error of something that went wrong between us and the server at `address`, within the time `limit`.
///
/// What the server wrote is not taken over: it may quote commands, and with them keys, values and users. The word in
/// capitals that it begins with is.
pub(crate) fn from_driver(error: &RedisError, address: &str, limit: Duration) -> Error {
    match error.kind() {
        _ if error.is_timeout() => timed_out(&format!("{address} did not answer"), limit),
        ErrorKind::Server(_) | ErrorKind::Extension => {
            from_reply(error.code().unwrap_or_default(), error.detail(), address)
        }
        ErrorKind::Io => {
            let message = format!("the connection to {address} broke; whether the command ran is not known");
            make(ErrorCode::E010, message).with_source(Cause(error.to_string()))
        }
        ErrorKind::Parse => not_redis(address),
        ErrorKind::AuthenticationFailed => make(ErrorCode::E013, format!("{address} refused the credentials")),
        kind => make(ErrorCode::E066, format!("the driver reported {kind:?} when talking to {address}")),
    }
}

/// [`from_driver`] for an error that the server at `address` answered with.
pub(crate) fn from_server(error: &ServerError, address: &str) -> Error {
    from_reply(error.code(), error.details(), address)
}

/// Makes the error of a network operation that failed while connecting to `address`.
pub(crate) fn from_io(error: &io::Error, address: &str) -> Error {
    make(ErrorCode::E010, format!("cannot connect to {address}")).with_source(Cause(error.to_string()))
}

/// Makes the error of an answer that is not of the protocol.
pub(crate) fn not_redis(address: &str) -> Error {
    make(ErrorCode::E010, format!("what answers at {address} does not speak the Redis protocol"))
}

/// Makes the error of a time limit that passed: `what` did not happen.
pub(crate) fn timed_out(what: &str, limit: Duration) -> Error {
    make(ErrorCode::E011, format!("{what} within {limit:?}"))
}

/// Makes the error of an answer of a kind that the command never has. The connection it came over is not to be trusted.
pub(crate) fn unexpected(value: &Value, address: &str) -> Error {
    let kind = match value {
        Value::Nil => "nothing",
        Value::Int(_) => "an integer",
        Value::BulkString(_) | Value::VerbatimString { .. } => "bytes",
        Value::SimpleString(_) | Value::Okay => "a status",
        Value::Array(_) | Value::Set(_) | Value::Map(_) => "a collection",
        _ => "something else",
    };
    make(ErrorCode::E066, format!("{address} answered with {kind}, which this command never does"))
}

/// The table: the word that a reply begins with, and the code.
fn from_reply(word: &str, detail: Option<&str>, address: &str) -> Error {
    let detail = detail.unwrap_or_default();
    let (code, meaning) = match word {
        "NOAUTH" => (ErrorCode::E013, "asks for a password"),
        "WRONGPASS" => (ErrorCode::E013, "refused user or password"),
        "NOPERM" => (ErrorCode::E013, "does not permit this user to do so"),
        "DENIED" => (ErrorCode::E013, "is in protected mode and takes no connection from elsewhere without a password"),
        "LOADING" => (ErrorCode::E014, "is loading its data"),
        "READONLY" => (ErrorCode::E014, "is a replica and takes no writes"),
        "MASTERDOWN" => (ErrorCode::E014, "is a replica that lost its primary"),
        "CLUSTERDOWN" => (ErrorCode::E014, "is part of a cluster that is down"),
        "TRYAGAIN" => (ErrorCode::E014, "asks to try again"),
        "BUSY" => (ErrorCode::E014, "is busy running a script"),
        "OOM" => (ErrorCode::E014, "is out of memory"),
        "MISCONF" => (ErrorCode::E014, "takes no writes because it cannot save"),
        "NOREPLICAS" => (ErrorCode::E014, "takes no writes because it has too few replicas"),
        "ERR" if detail.starts_with("max number of clients") => (ErrorCode::E014, "has as many clients as it takes"),
        "WRONGTYPE" => (ErrorCode::E021, "holds something else than a string under this key"),
        "MOVED" | "ASK" | "CROSSSLOT" => {
            (ErrorCode::E044, "is a node of a Redis Cluster, which one URL cannot reach whole")
        }
        _ => (ErrorCode::E066, "reported an error"),
    };
    let word =
        if (1..=24).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_uppercase()) { word } else { "no code" };
    make(code, format!("{address} {meaning} ({word})"))
}

fn make(code: ErrorCode, message: String) -> Error {
    Error::new(code, message).with_backend(NAME)
}

/// A cause in the words of the operating system.
#[derive(Debug)]
struct Cause(String);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Cause {}

/// The backend's name in errors, logs and metrics.
pub(crate) const NAME: &str = "redis";

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "cache.internal:6379";
    const LIMIT: Duration = Duration::from_secs(5);

    fn reply(text: &str) -> RedisError {
        let value = redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).unwrap();
        value.extract_error().unwrap_err()
    }

    #[test]
    fn every_reply_has_its_code() {
        let cases = [
            ("NOAUTH Authentication required.", ErrorCode::E013),
            ("WRONGPASS invalid username-password pair or user is disabled.", ErrorCode::E013),
            ("NOPERM User alice has no permissions to run the 'get' command", ErrorCode::E013),
            ("DENIED Redis is running in protected mode", ErrorCode::E013),
            ("LOADING Redis is loading the dataset in memory", ErrorCode::E014),
            ("READONLY You can't write against a read only replica.", ErrorCode::E014),
            ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", ErrorCode::E014),
            ("CLUSTERDOWN The cluster is down", ErrorCode::E014),
            ("TRYAGAIN Multiple keys request during rehashing of slot", ErrorCode::E014),
            ("BUSY Redis is busy running a script.", ErrorCode::E014),
            ("OOM command not allowed when used memory > 'maxmemory'.", ErrorCode::E014),
            ("MISCONF Redis is configured to save RDB snapshots", ErrorCode::E014),
            ("NOREPLICAS Not enough good replicas to write.", ErrorCode::E014),
            ("ERR max number of clients reached", ErrorCode::E014),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", ErrorCode::E021),
            ("MOVED 3999 127.0.0.1:6381", ErrorCode::E044),
            ("ASK 3999 127.0.0.1:6381", ErrorCode::E044),
            ("CROSSSLOT Keys in request don't hash to the same slot", ErrorCode::E044),
            ("ERR syntax error", ErrorCode::E066),
            ("EXECABORT Transaction discarded because of previous errors.", ErrorCode::E066),
            ("NOSCRIPT No matching script. Please use EVAL.", ErrorCode::E066),
            ("SOMETHING new", ErrorCode::E066),
        ];
        for (text, code) in cases {
            let error = from_driver(&reply(text), ADDRESS, LIMIT);
            assert_eq!(error.code(), code, "{text}");
            let word = text.split(' ').next().unwrap();
            assert!(
                error.message().starts_with(ADDRESS) && error.message().ends_with(&format!(" ({word})")),
                "{error}"
            );
            let server = ServerError::try_from(reply(text)).unwrap();
            assert_eq!(from_server(&server, ADDRESS).to_string(), error.to_string());
        }
    }

    #[test]
    fn every_kind_of_the_driver_has_its_code() {
        let io = |kind| RedisError::from(io::Error::from(kind));
        let cases = [
            (io(io::ErrorKind::BrokenPipe), ErrorCode::E010),
            (io(io::ErrorKind::ConnectionReset), ErrorCode::E010),
            (io(io::ErrorKind::UnexpectedEof), ErrorCode::E010),
            (io(io::ErrorKind::TimedOut), ErrorCode::E011),
            ((ErrorKind::Io, "closed").into(), ErrorCode::E010),
            ((ErrorKind::Parse, "garbage").into(), ErrorCode::E010),
            ((ErrorKind::AuthenticationFailed, "no").into(), ErrorCode::E013),
            ((ErrorKind::UnexpectedReturnType, "no").into(), ErrorCode::E066),
            ((ErrorKind::InvalidClientConfig, "no").into(), ErrorCode::E066),
            ((ErrorKind::Client, "no").into(), ErrorCode::E066),
            ((ErrorKind::ClusterConnectionNotFound, "no").into(), ErrorCode::E066),
            ((ErrorKind::RESP3NotSupported, "no").into(), ErrorCode::E066),
        ];
        for (error, code) in cases {
            let made = from_driver(&error, ADDRESS, LIMIT);
            assert_eq!((made.code(), made.backend_name()), (code, Some("redis")), "{error}");
            assert!(made.message().contains(ADDRESS), "{made}");
        }
        let late = from_driver(&io(io::ErrorKind::TimedOut), ADDRESS, LIMIT);
        assert_eq!(late.message(), "cache.internal:6379 did not answer within 5s");
    }

    #[test]
    fn what_the_server_quotes_is_not_shown() {
        for text in [
            "ERR unknown command 'UNLINK', with args beginning with: 'users:alice' 'hunter2' ",
            "NOPERM User alice has no permissions to run the 'get' command",
            "users:alice is not what hunter2 wants",
            "ALICE@EXAMPLE.COM hunter2",
        ] {
            let error = from_driver(&reply(text), ADDRESS, LIMIT);
            let mut shown = format!("{error} {error:?}");
            let mut source = error.source();
            while let Some(cause) = source {
                shown.push_str(&format!("{cause} {cause:?}"));
                source = cause.source();
            }
            let shown = shown.to_lowercase();
            assert!(!shown.contains("alice") && !shown.contains("hunter2"), "{shown}");
        }
    }
}
