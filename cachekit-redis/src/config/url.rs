//! [`RedisUrl`]: where the server is and how to log in, read from a URL.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

use cachekit_core::{Error, ErrorCode, Result};

/// Where the server is and how to log in: `redis://[[user]:password@]host[:port][/database]`.
///
/// - User and password are percent-decoded. Whatever stands before the last `@` is taken for user information, and is
///   never shown, neither by `Debug` and `Display` nor by an error.
/// - The port is 6379 and the database 0 where they are not said. An IPv6 address stands in brackets.
/// - Nothing is looked up or connected to.
///
/// ```
/// use cachekit_redis::RedisUrl;
///
/// let url: RedisUrl = "redis://worker:hunter2@cache.internal/3".parse()?;
/// assert_eq!((url.host(), url.port(), url.database()), ("cache.internal", 6379, 3));
/// assert_eq!(format!("{url:?}"), "redis://cache.internal:6379/3");
/// # Ok::<(), cachekit_redis::Error>(())
/// ```
#[derive(Clone)]
pub struct RedisUrl {
    host: String,
    port: u16,
    database: u32,
    user: Option<String>,
    password: Option<SecretString>,
}

impl RedisUrl {
    /// Reads the URL that the environment variable `name` holds, so that an error names the variable.
    ///
    /// # Errors
    /// E041 if it is no URL of a Redis server.
    pub fn from_variable(name: &str, value: &OsStr) -> Result<Self> {
        let text = value.to_str().ok_or(Flaw::new("text", "UTF-8", "bytes that are not UTF-8"));
        text.and_then(parse).map_err(|flaw| Error::new(ErrorCode::E041, format!("{name}: {flaw}")))
    }

    /// The name or address of the server, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of the database.
    #[must_use]
    pub fn database(&self) -> u32 {
        self.database
    }

    /// The server as messages name it: `host:port`.
    pub(crate) fn address(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// User and password for logging in. The only way to the password.
    pub(crate) fn credentials(&self) -> Option<(Option<&str>, &str)> {
        self.password.as_ref().map(|password| (self.user.as_deref(), password.expose_secret()))
    }
}

impl FromStr for RedisUrl {
    type Err = Error;

    /// # Errors
    /// E044 if `text` is no URL of a Redis server.
    fn from_str(text: &str) -> Result<Self> {
        parse(text).map_err(|flaw| Error::new(ErrorCode::E044, format!("Redis URL: {flaw}")))
    }
}

impl fmt::Display for RedisUrl {
    /// The URL without user information.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "redis://{}/{}", self.address(), self.database)
    }
}

impl fmt::Debug for RedisUrl {
    /// The URL without user information.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is wrong with a URL: the part, what was expected, and as much of what came as cannot be a secret.
struct Flaw {
    part: &'static str,
    expected: &'static str,
    got: Cow<'static, str>,
}

impl Flaw {
    fn new(part: &'static str, expected: &'static str, got: impl Into<Cow<'static, str>>) -> Self {
        Self { part, expected, got: got.into() }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, got {}", self.part, self.expected, self.got)
    }
}

type Parsed<T> = std::result::Result<T, Flaw>;

fn parse(text: &str) -> Parsed<RedisUrl> {
    if let Some(at) = text.find(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Flaw::new("text", "no white space", format!("some at byte {at}")));
    }
    let rest = after_scheme(text)?;
    // A password may hold any of the characters that separate parts, so it is cut off first, at the last `@` of all.
    let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
    let (user, password) = login.map_or(Ok((None, None)), credentials)?;
    if place.contains('#') {
        return Err(Flaw::new("fragment", "none", "one"));
    }
    let place = match place.split_once('?') {
        None | Some((_, "")) => place.trim_end_matches('?'),
        Some((_, query)) => return Err(Flaw::new("query", "none", parameter(query))),
    };
    let (server, database) = place.split_once('/').unwrap_or((place, ""));
    let (host, port) = host_and_port(server)?;
    Ok(RedisUrl { host: host.to_owned(), port, database: number_of_database(database)?, user, password })
}

fn after_scheme(text: &str) -> Parsed<&str> {
    const EXPECTED: &str = "redis://";
    const UNIX: &str = "a Unix socket, which is not built yet";
    if text.starts_with("unix:") {
        return Err(Flaw::new("scheme", EXPECTED, UNIX));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(Flaw::new("scheme", EXPECTED, "none"));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "redis" => Ok(rest),
        "rediss" => Err(Flaw::new("scheme", EXPECTED, "rediss://: TLS is not built yet")),
        "redis+unix" => Err(Flaw::new("scheme", EXPECTED, UNIX)),
        known
        @ ("http" | "https" | "tcp" | "valkey" | "valkeys" | "memcached" | "redis+sentinel" | "redis+cluster") => {
            Err(Flaw::new("scheme", EXPECTED, format!("{known}://")))
        }
        // It may be a misplaced password.
        _ => Err(Flaw::new("scheme", EXPECTED, "another")),
    }
}

fn credentials(login: &str) -> Parsed<(Option<String>, Option<SecretString>)> {
    if login.contains(['/', '?', '#']) {
        let expected = "/ as %2F, ? as %3F and # as %23";
        return Err(Flaw::new("user information", expected, "one of them as it is"));
    }
    let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
    let user = decode("user", user)?;
    let password = password.map(|password| decode("password", password)).transpose()?;
    match (user, password) {
        (user, None) if user.is_empty() => Ok((None, None)),
        (user, Some(password)) if user.is_empty() && password.is_empty() => Ok((None, None)),
        (_, None) => Err(Flaw::new("password", "one after the user, as in user:password@ or :password@", "none")),
        (user, Some(password)) => Ok(((!user.is_empty()).then_some(user), Some(password.into()))),
    }
}

fn decode(part: &'static str, text: &str) -> Parsed<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let digit = |at: usize| after.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(Flaw::new(part, "two hexadecimal digits after each % (a % itself is %25)", "something else"));
        };
        bytes.push(u8::try_from(high * 16 + low).expect("two hexadecimal digits fit in a byte"));
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| Flaw::new(part, "UTF-8 when decoded", "bytes that are not UTF-8"))
}

fn host_and_port(server: &str) -> Parsed<(&str, u16)> {
    let (host, port) = if let Some(rest) = server.strip_prefix('[') {
        let Some((host, after)) = rest.split_once(']').filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok()) else {
            return Err(Flaw::new("host", "an IPv6 address between [ and ]", "something else"));
        };
        let port = match after.strip_prefix(':') {
            Some(port) => Some(port),
            None if after.is_empty() => None,
            None => return Err(Flaw::new("port", "a colon before it", "something else")),
        };
        (host, port)
    } else {
        // Without an `@` what looks like a host may be a user, and a port a password: neither is shown.
        if server.matches(':').count() > 1 {
            return Err(Flaw::new("host", "at most one colon after it, or an IPv6 address in [ ]", "more colons"));
        }
        server.split_once(':').map_or((server, None), |(host, port)| (host, Some(port)))
    };
    if host.is_empty() {
        return Err(Flaw::new("host", "a name or an address", "nothing"));
    }
    if let Some(c) = host.chars().find(|&c| !(c.is_ascii_alphanumeric() || "._-:".contains(c))) {
        return Err(Flaw::new("host", "only A-Z a-z 0-9 . _ -", format!("{c:?}")));
    }
    if host.len() > LONGEST_HOST {
        return Err(Flaw::new("host", "at most 253 characters", host.len().to_string()));
    }
    Ok((host, port.map_or(Ok(DEFAULT_PORT), number_of_port)?))
}

fn number_of_port(text: &str) -> Parsed<u16> {
    const EXPECTED: &str = "1 to 65535";
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ if text.is_empty() => Err(Flaw::new("port", EXPECTED, "nothing")),
        _ if digits && text.len() <= 5 => Err(Flaw::new("port", EXPECTED, text.to_owned())),
        _ if digits => Err(Flaw::new("port", EXPECTED, format!("a number of {} digits", text.len()))),
        _ => Err(Flaw::new("port", EXPECTED, "something that is no number")),
    }
}

fn number_of_database(text: &str) -> Parsed<u32> {
    const EXPECTED: &str = "a number from 0 to 2147483647";
    if text.is_empty() {
        return Ok(0);
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse::<i32>().map(u32::try_from) {
        Ok(Ok(database)) if digits => Ok(database),
        Ok(Err(_)) => Err(Flaw::new("database", EXPECTED, text.to_owned())),
        _ if digits => Err(Flaw::new("database", EXPECTED, format!("a number of {} digits", text.len()))),
        _ => Err(Flaw::new("database", EXPECTED, "something that is no number")),
    }
}

/// The name of the first parameter of `query`, if it looks like one. The value may be a secret.
fn parameter(query: &str) -> Cow<'static, str> {
    match query.split_once('=') {
        Some((name, _)) if name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
            format!("the parameter {name:?}").into()
        }
        _ => "one".into(),
    }
}

const DEFAULT_PORT: u16 = 6379;
const LONGEST_HOST: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    type Login<'a> = Option<(Option<&'a str>, &'a str)>;

    #[test]
    fn good_urls_are_taken_apart() {
        let cases: &[(&str, &str, u16, u32, Login<'_>)] = &[
            ("redis://localhost", "localhost", 6379, 0, None),
            ("REDIS://localhost", "localhost", 6379, 0, None),
            ("redis://localhost/", "localhost", 6379, 0, None),
            ("redis://localhost?", "localhost", 6379, 0, None),
            ("redis://localhost:1/15", "localhost", 1, 15, None),
            ("redis://127.0.0.1:65535/2147483647", "127.0.0.1", 65535, 2_147_483_647, None),
            ("redis://[::1]:6380/1", "::1", 6380, 1, None),
            ("redis://[fe80::1]", "fe80::1", 6379, 0, None),
            ("redis://my_redis-0.ns.svc", "my_redis-0.ns.svc", 6379, 0, None),
            ("redis://@localhost", "localhost", 6379, 0, None),
            ("redis://:@localhost", "localhost", 6379, 0, None),
            ("redis://:hunter2@localhost", "localhost", 6379, 0, Some((None, "hunter2"))),
            ("redis://me:hunter2@localhost", "localhost", 6379, 0, Some((Some("me"), "hunter2"))),
            ("redis://me:@localhost", "localhost", 6379, 0, Some((Some("me"), ""))),
            ("redis://me:a:b@localhost", "localhost", 6379, 0, Some((Some("me"), "a:b"))),
            ("redis://me:a@b@localhost", "localhost", 6379, 0, Some((Some("me"), "a@b"))),
            ("redis://:p%40ss%2Fw%25rd+%c3%A9@localhost", "localhost", 6379, 0, Some((None, "p@ss/w%rd+é"))),
            ("redis://m%3Ae:x@localhost", "localhost", 6379, 0, Some((Some("m:e"), "x"))),
        ];
        for &(text, host, port, database, login) in cases {
            let url: RedisUrl = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(
                (url.host(), url.port(), url.database(), url.credentials()),
                (host, port, database, login),
                "{text}"
            );
        }
    }

    #[test]
    fn bad_urls_are_refused_with_the_part_what_was_expected_and_what_came() {
        const PORT: &str = "port: expected 1 to 65535, got ";
        const DATABASE: &str = "database: expected a number from 0 to 2147483647, got ";
        const HOST: &str = "host: expected ";
        const PERCENT: &str = "expected two hexadecimal digits after each % (a % itself is %25), got something else";
        let cases = [
            ("", "scheme: expected redis://, got none".to_owned()),
            ("localhost:6379", "scheme: expected redis://, got none".to_owned()),
            ("redis:localhost", "scheme: expected redis://, got none".to_owned()),
            ("http://localhost", "scheme: expected redis://, got http://".to_owned()),
            ("Hunter-2://localhost", "scheme: expected redis://, got another".to_owned()),
            ("rediss://localhost", "scheme: expected redis://, got rediss://: TLS is not built yet".to_owned()),
            ("unix:///tmp/redis", "scheme: expected redis://, got a Unix socket, which is not built yet".to_owned()),
            ("unix:/tmp/redis", "scheme: expected redis://, got a Unix socket, which is not built yet".to_owned()),
            ("redis+unix:///tmp/r", "scheme: expected redis://, got a Unix socket, which is not built yet".to_owned()),
            ("redis://local host", "text: expected no white space, got some at byte 13".to_owned()),
            ("redis://localhost\n", "text: expected no white space, got some at byte 17".to_owned()),
            ("redis://", format!("{HOST}a name or an address, got nothing")),
            ("redis://:6379", format!("{HOST}a name or an address, got nothing")),
            ("redis://:hunter2@", format!("{HOST}a name or an address, got nothing")),
            ("redis:///0", format!("{HOST}a name or an address, got nothing")),
            ("redis://::1", format!("{HOST}at most one colon after it, or an IPv6 address in [ ], got more colons")),
            ("redis://[::1", format!("{HOST}an IPv6 address between [ and ], got something else")),
            ("redis://[local]", format!("{HOST}an IPv6 address between [ and ], got something else")),
            ("redis://[::1]6379", "port: expected a colon before it, got something else".to_owned()),
            ("redis://lo%63al", format!("{HOST}only A-Z a-z 0-9 . _ -, got '%'")),
            ("redis://a,b", format!("{HOST}only A-Z a-z 0-9 . _ -, got ','")),
            ("redis://localhost:", format!("{PORT}nothing")),
            ("redis://localhost:0", format!("{PORT}0")),
            ("redis://localhost:65536", format!("{PORT}65536")),
            ("redis://localhost:123456789", format!("{PORT}a number of 9 digits")),
            ("redis://localhost:hunter2", format!("{PORT}something that is no number")),
            ("redis://localhost:+1", format!("{PORT}something that is no number")),
            ("redis://localhost:-1", format!("{PORT}something that is no number")),
            ("redis://localhost/x", format!("{DATABASE}something that is no number")),
            ("redis://localhost/+1", format!("{DATABASE}something that is no number")),
            ("redis://localhost/-1", format!("{DATABASE}-1")),
            ("redis://localhost/2147483648", format!("{DATABASE}a number of 10 digits")),
            ("redis://localhost/0/", format!("{DATABASE}something that is no number")),
            ("redis://localhost?db=1", "query: expected none, got the parameter \"db\"".to_owned()),
            ("redis://localhost/0?password=hunter2", "query: expected none, got the parameter \"password\"".to_owned()),
            ("redis://localhost?hunter2", "query: expected none, got one".to_owned()),
            ("redis://localhost#hunter2", "fragment: expected none, got one".to_owned()),
            ("redis://:%zz@localhost", format!("password: {PERCENT}")),
            ("redis://:hunter2%4@localhost", format!("password: {PERCENT}")),
            ("redis://:%@localhost", format!("password: {PERCENT}")),
            ("redis://%+1:x@localhost", format!("user: {PERCENT}")),
            ("redis://:%é@localhost", format!("password: {PERCENT}")),
            (
                "redis://:%ff@localhost",
                "password: expected UTF-8 when decoded, got bytes that are not UTF-8".to_owned(),
            ),
            (
                "redis://hunter2@localhost",
                "password: expected one after the user, as in user:password@ or :password@, got none".to_owned(),
            ),
            (
                "redis://:hunt/er2@localhost",
                "user information: expected / as %2F, ? as %3F and # as %23, got one of them as it is".to_owned(),
            ),
        ];
        for (text, message) in cases {
            let error = text.parse::<RedisUrl>().unwrap_err();
            assert_eq!((error.code(), error.message()), (ErrorCode::E044, &*format!("Redis URL: {message}")), "{text}");
            assert!(!format!("{error} {error:?}").to_lowercase().contains("hunter"), "{error}");
            let error = RedisUrl::from_variable("REDIS_URL", OsStr::new(text)).unwrap_err();
            assert_eq!((error.code(), error.message()), (ErrorCode::E041, &*format!("REDIS_URL: {message}")), "{text}");
        }
    }

    #[test]
    fn user_information_is_not_shown() {
        let url: RedisUrl = "redis://worker:hunter2@[::1]/7".parse().unwrap();
        assert_eq!(format!("{url} {url:?}"), "redis://[::1]:6379/7 redis://[::1]:6379/7");
    }
}
