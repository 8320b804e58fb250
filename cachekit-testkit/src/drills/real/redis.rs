//! What a real Redis does, and what does as if it were one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use cachekit::{Cache, CacheBuilder, Error, ErrorCode, MessagePack, RedisBackend, Resilience, Ttl, cache};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};

use super::super::scene::{Drilled, Evidence, Meanwhile, SECRET, own_values, refused, texts, words};
use crate::fixtures::RedisServer;

/// Nothing listens on the port.
pub(in super::super) async fn nothing_listens(_code: ErrorCode) -> Drilled {
    // Bound, so that nobody else comes to listen there either.
    let socket = TcpSocket::new_v4().map_err(words)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).map_err(words)?;
    let port = socket.local_addr().map_err(words)?.port();
    reading(&build(redis(port, PATIENCE)?)?).await
}

/// A server that accepts and never answers.
pub(in super::super) async fn never_answers(_code: ErrorCode) -> Drilled {
    let silent = silent()?;
    reading(&build(redis(port(&silent)?, IMPATIENCE)?)?).await
}

/// The password is wrong.
pub(in super::super) async fn wrong_password(_code: ErrorCode) -> Drilled {
    let server = RedisServer::start_with(&["--requirepass", "another"]);
    reading(&build(redis(server.port(), PATIENCE)?)?).await
}

/// The server has no memory left and does not evict.
pub(in super::super) async fn out_of_memory(_code: ErrorCode) -> Drilled {
    let server = RedisServer::start_with(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
    let cache = build(open_redis(server.port())?)?;
    let texts = texts(&cache)?;
    let error = refused(texts.set(SECRET, SECRET.to_owned()).await, "a direct write")?;
    let meanwhile = own_values(&cache, &texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// A time to live that Redis cannot count.
pub(in super::super) async fn beyond_counting(_code: ErrorCode) -> Drilled {
    let server = RedisServer::start();
    let cache = build(open_redis(server.port())?)?;
    let ttl = Ttl::try_from(Duration::MAX).map_err(words)?;
    let texts = cache.namespace::<String>("drills").ttl(ttl).open().map_err(words)?;
    let error = refused(texts.set(SECRET, SECRET.to_owned()).await, "a direct write")?;
    let meanwhile = own_values(&cache, &texts).await?;
    Ok(Evidence::error(error, meanwhile).of(&cache))
}

/// A server that does not know the command.
pub(in super::super) async fn unknown_command(_code: ErrorCode) -> Drilled {
    let server = RedisServer::start_with(&["--rename-command", "GET", ""]);
    reading(&build(open_redis(server.port())?)?).await
}

/// A loader that asks a server which never answers.
pub(in super::super) async fn loader_out_of_time(_code: ErrorCode) -> Drilled {
    let silent = silent()?;
    let cache: Cache = Cache::builder().build().map_err(words)?;
    let asked = cachekit::scope(cache.clone(), ask(port(&silent)?)).await;
    let error = refused(asked, "a load that takes too long")?;
    Ok(Evidence::error(error, Meanwhile::Told).of(&cache))
}

#[cache(load_timeout = "50ms", name = "cachekit_testkit.drills.ask")]
async fn ask(port: u16) -> cachekit::Result<String> {
    let failed = |error: std::io::Error| Error::new(ErrorCode::E066, "the drill's own server").with_source(error);
    let mut answer = String::new();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    stream.read_to_string(&mut answer).await.map_err(failed)?;
    Ok(answer)
}

/// What a direct read meets, and what loads do meanwhile.
async fn reading(cache: &Cache) -> Drilled {
    let texts = texts(cache)?;
    let error = refused(texts.get(SECRET).await, "a direct read")?;
    let meanwhile = own_values(cache, &texts).await?;
    Ok(Evidence::error(error, meanwhile).of(cache))
}

/// A Redis at this port, with a secret for a password.
fn redis(port: u16, limit: Duration) -> Result<CacheBuilder<MessagePack>, String> {
    at(&format!("redis://:{SECRET}@127.0.0.1:{port}"), limit)
}

/// A Redis at this port that asks for no password.
fn open_redis(port: u16) -> Result<CacheBuilder<MessagePack>, String> {
    at(&format!("redis://127.0.0.1:{port}"), PATIENCE)
}

fn at(url: &str, limit: Duration) -> Result<CacheBuilder<MessagePack>, String> {
    let redis = RedisBackend::builder().url(url).connect_timeout(limit).command_timeout(limit);
    Ok(Cache::builder().backend(redis.build().map_err(words)?).resilience(Resilience::none()))
}

fn build(builder: CacheBuilder<MessagePack>) -> Result<Cache, String> {
    builder.build().map_err(words)
}

/// A server that accepts, for the system does so, and never answers.
fn silent() -> Result<TcpListener, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(words)
}

fn port(listener: &TcpListener) -> Result<u16, String> {
    listener.local_addr().map(|address| address.port()).map_err(words)
}

/// For what is certain to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// For what never happens.
const IMPATIENCE: Duration = Duration::from_millis(50);
