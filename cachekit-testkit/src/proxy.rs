//! [`FaultProxy`]: bad network between a client and a real server.

mod conditions;
mod pump;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustix::net::{Shutdown, shutdown};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use self::conditions::Conditions;
use self::pump::carry;

/// Bad network between a client and a real server: listens on a free loopback port and carries bytes on, as badly as it is told.
///
/// What it is told holds at once, also for connections that are open. It keeps its port for as long as it lives. Dropping it ends the
/// listening and every connection.
///
/// ```
/// use cachekit_testkit::proxy::{Conditions, FaultProxy};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
/// # let port = server.local_addr().unwrap().port();
/// let proxy = FaultProxy::before(port); // give your client `proxy.port()` instead of `port`
/// proxy.replies(Conditions::cut_after(3)); // a connection ends after three bytes of a reply
/// proxy.half_open(); // accepts, and never answers
/// proxy.down(); // nothing listens on the port
/// proxy.recover(); // all is well again
/// # });
/// ```
///
/// # Panics
/// It has to be made within a tokio runtime with I/O and time, on which it then runs. Making it panics, saying why, when no
/// port can be had: a test that cannot run fails.
#[derive(Debug)]
pub struct FaultProxy {
    port: u16,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
    /// Bound and never listening: it keeps the port while nothing listens on it.
    _port: TcpSocket,
}

/// What the handle and the connections share.
#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    /// Whether something listens.
    up: watch::Sender<bool>,
    /// Whether something listens by now, as it is told.
    listens: watch::Sender<bool>,
    requests: watch::Sender<Conditions>,
    replies: watch::Sender<Conditions>,
    /// Raised to reset the connections that are open.
    resets: watch::Sender<u64>,
    /// How many connections were accepted.
    accepted: watch::Sender<u64>,
    /// How many connections are open.
    open: watch::Sender<u64>,
}

impl FaultProxy {
    /// A proxy before the server on this port of 127.0.0.1, and as good as none so far.
    #[must_use]
    pub fn before(port: u16) -> Self {
        let keeper = bind(0).expect("a loopback port is free");
        let own = keeper.local_addr().expect("a bound socket has an address").port();
        let listener = listen(own).expect("the port that was bound can be listened on");
        let shared = Arc::new(Shared {
            upstream: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            up: watch::Sender::new(true),
            listens: watch::Sender::new(true),
            requests: watch::Sender::default(),
            replies: watch::Sender::default(),
            resets: watch::Sender::new(0),
            accepted: watch::Sender::new(0),
            open: watch::Sender::new(0),
        });
        let listening = tokio::spawn(serve(Arc::clone(&shared), own, listener));
        Self { port: own, shared, listening, _port: keeper }
    }

    /// The port, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How what clients send is carried from now on.
    pub fn requests(&self, conditions: Conditions) {
        self.shared.requests.send_replace(conditions);
    }

    /// How what the server answers is carried from now on.
    pub fn replies(&self, conditions: Conditions) {
        self.shared.replies.send_replace(conditions);
    }

    /// From now on connections are accepted and nothing is carried in either direction, over those that are open neither.
    pub fn half_open(&self) {
        self.requests(Conditions::silent());
        self.replies(Conditions::silent());
    }

    /// Resets every connection that is open now. New ones are welcome.
    pub fn reset(&self) {
        self.shared.resets.send_modify(|resets| *resets += 1);
    }

    /// From now on nothing listens on the port, and what was open is reset. New connections are refused once
    /// [`settled`](Self::settled) returns.
    pub fn down(&self) {
        self.shared.up.send_replace(false);
        self.reset();
    }

    /// From now on all is well again, also after [`down`](Self::down): in that case once [`settled`](Self::settled) returns.
    pub fn recover(&self) {
        self.requests(Conditions::default());
        self.replies(Conditions::default());
        self.shared.up.send_replace(true);
    }

    /// Waits until the port is as [`down`](Self::down) or [`recover`](Self::recover) wants it.
    pub async fn settled(&self) {
        let wanted = *self.shared.up.borrow();
        wait(&self.shared.listens, |listens| *listens == wanted).await;
    }

    /// How many connections were ever accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        *self.shared.accepted.borrow()
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> u64 {
        *self.shared.open.borrow()
    }

    /// Waits until so many connections, or more, were ever accepted.
    pub async fn until_accepted(&self, count: u64) {
        wait(&self.shared.accepted, |accepted| *accepted >= count).await;
    }

    /// Waits until no connection is open. One over which nothing is carried does not notice that its client went: reset it.
    pub async fn until_all_closed(&self) {
        wait(&self.shared.open, |open| *open == 0).await;
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // The connections are the task's own and end with it.
        self.listening.abort();
    }
}

async fn wait<T>(state: &watch::Sender<T>, until: impl FnMut(&T) -> bool) {
    state.subscribe().wait_for(until).await.expect("the proxy holds the sender");
}

/// Accepts connections while the proxy is up.
async fn serve(shared: Arc<Shared>, port: u16, listener: Listener) {
    let mut up = shared.up.subscribe();
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let wanted = *up.borrow_and_update();
        if !wanted && listener.is_some() {
            listener = None;
            // Also what was accepted after it was told to be down, and before it was.
            shared.resets.send_modify(|resets| *resets += 1);
        } else if wanted && listener.is_none() {
            listener = Some(listen(port).expect("the port was kept"));
        }
        shared.listens.send_replace(wanted);
        tokio::select! {
            changed = up.changed() => if changed.is_err() { return },
            // A client that went away before it was accepted is nobody's business.
            Ok((client, _)) = accept(listener.as_ref()) => {
                // In this order, so that whoever sees that it was accepted can reset it.
                connections.spawn(connection(Open::new(&shared), client));
                shared.accepted.send_modify(|accepted| *accepted += 1);
            }
            // What has ended is forgotten.
            Some(_) = connections.join_next() => {}
        }
    }
}

/// The next connection; without a listener none ever comes.
async fn accept(listener: Option<&Listener>) -> io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(Listener(listener)) => listener.accept().await,
        None => std::future::pending().await,
    }
}

/// What a connection holds for as long as it lives.
struct Open {
    shared: Arc<Shared>,
    resets: watch::Receiver<u64>,
}

impl Open {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.open.send_modify(|open| *open += 1);
        Self { shared: Arc::clone(shared), resets: shared.resets.subscribe() }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.open.send_modify(|open| *open -= 1);
    }
}

/// Carries bytes both ways until the connection ends.
async fn connection(mut open: Open, mut client: TcpStream) {
    let Ok(mut server) = TcpStream::connect(open.shared.upstream).await else {
        close_at_once(&client);
        return;
    };
    // What is told to be sent in pieces is to leave in pieces.
    let _ = client.set_nodelay(true).and_then(|()| server.set_nodelay(true));
    let (requests, replies) = (open.shared.requests.subscribe(), open.shared.replies.subscribe());
    let ended = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let both = async {
            tokio::try_join!(
                carry(&mut from_client, &mut to_server, requests),
                carry(&mut from_server, &mut to_client, replies),
            )
        };
        tokio::select! {
            carried = both => carried.map(|_| ()),
            _ = open.resets.changed() => Err(io::ErrorKind::ConnectionReset.into()),
        }
    };
    if ended.is_err() {
        close_at_once(&client);
        close_at_once(&server);
    }
}

/// Has the connection reset when it is dropped, instead of closed in good order.
fn close_at_once(stream: &TcpStream) {
    // Of one that the other side has closed already nothing more can be asked.
    let _ = stream.set_zero_linger();
}

/// A socket on this port of 127.0.0.1, which others of this proxy may share.
fn bind(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    // Not the usual option for addresses: with that, others could take the port while nothing listens.
    socket.set_reuseport(true)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

fn listen(port: u16) -> io::Result<Listener> {
    bind(port)?.listen(BACKLOG).map(Listener)
}

/// Listens until it is dropped, and not a moment longer.
struct Listener(TcpListener);

impl Drop for Listener {
    fn drop(&mut self) {
        // Closing is not enough: a process that another test is just starting may hold a copy for a moment.
        let _ = shutdown(&self.0, Shutdown::Both);
    }
}

const BACKLOG: u32 = 1_024;
