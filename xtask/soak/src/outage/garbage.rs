//! [`Garbage`]: something that answers on Redis's port, and is not Redis.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Something that answers on Redis's port, and is not Redis.
pub(super) struct Garbage {
    port: u16,
    over: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Garbage {
    /// Listens on `port`, which nobody else may have.
    pub(super) fn on(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free again");
        let over = Arc::new(AtomicBool::new(false));
        let stops = Arc::clone(&over);
        let listening = thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                if stops.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(stream) = stream {
                    thread::spawn(move || answer(stream, number));
                }
            }
        });
        Self { port, over, listening: Some(listening) }
    }

    /// Gives the port back.
    pub(super) fn stop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // It looks when somebody comes.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let Some(listening) = self.listening.take() {
            listening.join().expect("listening does not panic");
        }
    }
}

/// Answers whatever comes with bytes that differ from connection to connection.
fn answer(mut stream: TcpStream, number: usize) {
    let answers: [&[u8]; 4] =
        [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$99999999999\r\n", b"\0\xff\r\n:7", b"+OK\r\n*3\r\n$-1\r\n"];
    let mut request = [0; 4_096];
    while stream.read(&mut request).is_ok_and(|length| length > 0) {
        if stream.write_all(answers[number % answers.len()]).is_err() {
            return;
        }
    }
}
