//! [`Connection`]: one multiplexed connection to the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisError, ServerError, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::config::{RedisConfig, RedisUrl};
use crate::error;
use crate::gather::Gather;
use crate::pulse::Pulse;
use cachekit_core::{Error, ErrorCode, Result};

/// One multiplexed connection: any number of callers, answers matched to commands by their order.
///
/// A call that is dropped leaves its answer to be thrown away, so the order holds. Once the order is in doubt, the
/// driver's task ends, and with it everything that was in flight.
pub(crate) struct Connection {
    commands: MultiplexedConnection,
    driver: AbortHandle,
    pulse: Arc<Pulse>,
    /// How long the other end may be silent after a call was given up.
    patience: Duration,
}

impl Connection {
    /// Connects and logs in, within the time that `config` allows.
    pub(crate) async fn open(config: &RedisConfig) -> Result<Self> {
        let limit = config.connect_timeout;
        let address = config.url.address();
        tokio::time::timeout(limit, Self::open_without_limit(config, &address))
            .await
            .unwrap_or_else(|_| Err(error::timed_out(&format!("no connection to {address} was made"), limit)))
    }

    async fn open_without_limit(config: &RedisConfig, address: &str) -> Result<Self> {
        let url = &config.url;
        let connected = TcpStream::connect((url.host(), url.port())).await;
        let mut stream = connected.map_err(|failure| error::from_io(&failure, address))?;
        // Answers are awaited, so a command must not wait for more bytes to go with it.
        stream.set_nodelay(true).map_err(|failure| error::from_io(&failure, address))?;
        greet(&mut stream, url, address).await?;
        // The greeting is done: the driver is to send nothing of its own.
        let silent = RedisConnectionInfo::default().set_skip_set_lib_name();
        let settings = AsyncConnectionConfig::new()
            .set_response_timeout(Some(config.command_timeout))
            .set_connection_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let pulse = Arc::new(Pulse::new());
        let (commands, driver) =
            MultiplexedConnection::new_with_config(&silent, Gather::new(stream, Arc::clone(&pulse)), settings)
                .await
                .map_err(|failure| error::from_driver(&failure, address, config.connect_timeout))?;
        let driver = tokio::spawn(driver).abort_handle();
        Ok(Self { commands, driver, pulse, patience: config.command_timeout })
    }

    /// Whether commands can be sent. `false` as soon as the connection was closed by either side, used or not, and when
    /// its other end has been silent for the time limit of a command since a call was given up.
    pub(crate) fn is_alive(&self) -> bool {
        !self.driver.is_finished() && !self.pulse.is_silent_for(self.patience)
    }

    /// How many commands wait for an answer.
    pub(crate) fn load(&self) -> usize {
        self.pulse.callers()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// The right to send over a connection, counted while it lasts.
pub(crate) struct Lease {
    connection: Arc<Connection>,
    answered: AtomicBool,
}

impl Lease {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        connection.pulse.came();
        Self { connection, answered: AtomicBool::new(true) }
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Sends one command. An error leaves the state of the connection unknown; one that the server answers with is a
    /// value.
    pub(crate) async fn send(&self, command: &Cmd) -> std::result::Result<Value, RedisError> {
        self.answered.store(false, Ordering::Relaxed);
        let answer = self.connection.commands.clone().send_packed_command(command).await;
        self.answered.store(true, Ordering::Relaxed);
        answer
    }

    /// Sends several commands and gives as many answers. See [`send`](Self::send).
    pub(crate) async fn send_all(&self, commands: &redis::Pipeline) -> std::result::Result<Vec<Value>, RedisError> {
        let (skipped, wanted) = if commands.is_transaction() { (commands.len() + 1, 1) } else { (0, commands.len()) };
        self.answered.store(false, Ordering::Relaxed);
        let answers = self.connection.commands.clone().send_packed_commands(commands, skipped, wanted).await;
        self.answered.store(true, Ordering::Relaxed);
        answers
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.connection.pulse.went(self.answered.load(Ordering::Relaxed));
    }
}

/// Logs in, chooses the database, and sees that it is Redis that answers: in one round trip.
async fn greet(stream: &mut TcpStream, url: &RedisUrl, address: &str) -> Result<()> {
    let mut steps = Vec::with_capacity(5);
    if let Some((user, password)) = url.credentials() {
        steps.push((Step::Login, redis::cmd("AUTH").arg(user).arg(password).to_owned()));
    }
    steps.push((Step::Look, redis::cmd("PING")));
    if url.database() != 0 {
        steps.push((Step::Choose, redis::cmd("SELECT").arg(url.database()).to_owned()));
    }
    steps.push((Step::Introduce, redis::cmd("CLIENT").arg("SETINFO").arg("LIB-NAME").arg("cachekit").to_owned()));
    let version = env!("CARGO_PKG_VERSION");
    steps.push((Step::Introduce, redis::cmd("CLIENT").arg("SETINFO").arg("LIB-VER").arg(version).to_owned()));

    let request: Vec<u8> = steps.iter().flat_map(|(_, command)| command.get_packed_command()).collect();
    // A server that takes no more clients says so and closes without reading: what it said is still there to be read.
    let sent = stream.write_all(&request).await;
    let mut replies = Replies { stream, buffer: Vec::new() };
    for (step, _) in steps {
        let reply = match replies.next().await {
            Ok(line) => redis::parse_redis_value(&line).map_err(|_| error::not_redis(address))?,
            Err(failure) if failure.kind() == std::io::ErrorKind::InvalidData => return Err(error::not_redis(address)),
            Err(failure) => return Err(error::from_io(sent.as_ref().err().unwrap_or(&failure), address)),
        };
        match reply {
            Value::ServerError(refusal) => step.judge(&refusal, url, address)?,
            Value::Okay | Value::SimpleString(_) => {}
            other => return Err(error::unexpected(&other, address)),
        }
    }
    Ok(())
}

/// A step of the greeting.
enum Step {
    Login,
    Look,
    Choose,
    Introduce,
}

impl Step {
    /// Whether the greeting can go on when the server answers a step with an error.
    fn judge(&self, refusal: &ServerError, url: &RedisUrl, address: &str) -> Result<()> {
        let error = error::from_server(refusal, address);
        let passing = error.code() == ErrorCode::E014;
        match self {
            Self::Login if passing || error.code() == ErrorCode::E013 => Err(error),
            Self::Login => {
                Err(Error::new(ErrorCode::E013, format!("{address} refused to log in")).with_backend(error::NAME))
            }
            // Whoever may not PING may still read and write, and whoever is loading its data is there.
            Self::Look if matches!(refusal.code(), "NOAUTH" | "DENIED" | "ERR") => Err(error),
            Self::Look | Self::Introduce => Ok(()),
            Self::Choose if passing || error.code() == ErrorCode::E013 => Err(error),
            Self::Choose => {
                let message = format!("database: expected one that {address} has, got {}", url.database());
                Err(Error::new(ErrorCode::E044, message).with_backend(error::NAME))
            }
        }
    }
}

/// Reads replies of one line each, as all of the greeting's are.
struct Replies<'a> {
    stream: &'a mut TcpStream,
    buffer: Vec<u8>,
}

impl Replies<'_> {
    async fn next(&mut self) -> std::io::Result<Vec<u8>> {
        loop {
            if self.buffer.first().is_some_and(|first| !b"+-".contains(first)) || self.buffer.len() > LONGEST_GREETING {
                return Err(std::io::ErrorKind::InvalidData.into());
            }
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                return Ok(self.buffer.drain(..=end).collect());
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// How many commands may wait to be written before those who send have to wait.
const QUEUE: usize = 256;
const LONGEST_GREETING: usize = 16_384;
