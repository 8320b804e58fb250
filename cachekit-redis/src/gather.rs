//! [`Gather`]: a stream that lets commands gather before it sends them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::pulse::Pulse;

/// Waits one turn of the runtime before it writes, if many callers are about, so that those that are ready to send can
/// add their commands: one packet then carries what would have been many. This does what Nagle's algorithm does,
/// without its wait for an acknowledgement, so that the socket can have it off. For few callers the turn costs more
/// than it saves.
pub(crate) struct Gather<S> {
    stream: S,
    pulse: Arc<Pulse>,
    /// The turn was waited, and lasts for all that is written until the next flush.
    waited: bool,
}

impl<S> Gather<S> {
    pub(crate) fn new(stream: S, pulse: Arc<Pulse>) -> Self {
        Self { stream, pulse, waited: false }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.waited && self.pulse.callers() >= MANY {
            self.waited = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waited = false;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.pulse.heard();
        }
        read
    }
}

/// From so many callers on, waiting a turn was measured to send more in the same time.
const MANY: usize = 4;

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Which of several attempts to write, with a flush after every third one, were made wait.
    fn waits(callers: usize) -> Vec<bool> {
        let pulse = Arc::new(Pulse::new());
        (0..callers).for_each(|_| pulse.came());
        let mut gather = Gather::new(Vec::new(), pulse);
        let mut context = Context::from_waker(Waker::noop());
        let mut waits = Vec::new();
        for attempt in 0..6 {
            waits.push(Pin::new(&mut gather).poll_write(&mut context, b"a").is_pending());
            if attempt % 3 == 2 {
                assert!(Pin::new(&mut gather).poll_flush(&mut context).is_ready());
            }
        }
        waits
    }

    #[test]
    fn the_first_write_after_a_flush_waits_a_turn_for_many_callers() {
        assert_eq!(waits(MANY - 1), [false; 6]);
        assert_eq!(waits(MANY), [true, false, false, true, false, false]);
    }
}
