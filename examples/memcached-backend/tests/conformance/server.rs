//! [`Server`]: a real `memcached` of the test's own, on a free loopback port.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// Dropping it kills the server, also when the test panics. The port stays, so that clients find one that came back.
pub(crate) struct Server {
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// Starts a server and returns when it listens.
    pub(crate) fn start() -> Self {
        // Between finding a free port and the server's taking it, another process may take it.
        for _ in 0..START_ATTEMPTS {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
            let port = free.expect("a loopback port is free").port();
            if let Some(child) = spawn(port) {
                return Self { port, running: Some(child) };
            }
        }
        panic!("memcached did not start in {START_ATTEMPTS} attempts");
    }

    pub(crate) fn address(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Ends the server without notice, as a crash does.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child can be waited for");
        }
    }

    /// Stops the server in its tracks: connections stay open, and nothing answers.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        // Its worker may be in the middle of an answer: it stands when the system says so.
        let child = self.running.as_ref().expect("the server runs");
        let standing = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(child)), standing).expect("a child can be waited for");
    }

    /// Lets a paused server go on, and starts one that was killed, empty.
    pub(crate) fn recover(&mut self) {
        match self.running {
            Some(_) => self.signal(Signal::CONT),
            None => self.running = Some(spawn(self.port).expect("memcached comes back on its port")),
        }
    }

    fn signal(&self, signal: Signal) {
        let child = self.running.as_ref().expect("the server runs");
        kill_process(Pid::from_child(child), signal).expect("a child can be signalled");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a server and waits until it listens; `None` if it cannot.
fn spawn(port: u16) -> Option<Child> {
    let port = port.to_string();
    // Told to be talkative, it says when it listens, so nothing has to be asked again and again. The user is for root only.
    let mut child = Command::new("memcached")
        .args(["-vv", "-l", "127.0.0.1", "-p", &port, "-U", "0", "-t", "1", "-m", "64", "-u", "nobody"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs the program `memcached` (Debian and Ubuntu: apt-get install memcached)");
    let mut lines = BufReader::new(child.stderr.take().expect("the output is piped")).lines().map_while(Result::ok);
    if lines.any(|line| line.contains("server listening")) {
        // What it says later is read and dropped, lest it block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Some(child)
    } else {
        child.wait().expect("a child can be waited for"); // it said no more, so it has ended
        None
    }
}

const START_ATTEMPTS: usize = 10;
