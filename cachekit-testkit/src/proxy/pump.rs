//! Carries bytes in one direction, as the conditions say.

use std::io;
use std::num::NonZeroU64;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use super::Conditions;

/// Carries bytes until `from` ends, which `to` is then told. An error says that the connection is to be reset.
pub(super) async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut conditions: watch::Receiver<Conditions>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut allowance = Allowance::default();
    allowance.look(&mut conditions, true);
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let mut rest = &buffer[..length];
        // What was told may change at any time, so it is looked at again before each piece.
        let mut waited = false;
        while !rest.is_empty() {
            let now = allowance.look(&mut conditions, false);
            if now.silent {
                changed(&mut conditions).await?;
                continue;
            }
            if !waited && !now.delay.is_zero() {
                // A change during the delay ends it: the next look finds out what holds then.
                waited = pause(now.delay, &mut conditions).await?;
                continue;
            }
            waited = true;
            let piece = now.slice.map_or(rest.len(), |slice| rest.len().min(slice.get()));
            let piece = now.bandwidth.map_or(piece, |bytes| piece.min(twentieth(bytes)));
            let piece = allowance.left.map_or(piece, |left| piece.min(usize::try_from(left).unwrap_or(piece)));
            to.write_all(&rest[..piece]).await?;
            rest = &rest[piece..];
            if allowance.spend(piece) {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let paced = now.bandwidth.map_or(Duration::ZERO, |bytes| {
                Duration::from_nanos((piece as u64).saturating_mul(1_000_000_000) / bytes)
            });
            pause(now.pause + paced, &mut conditions).await?;
        }
    }
}

/// How many bytes may pass before the connection is cut.
#[derive(Debug, Default)]
struct Allowance {
    left: Option<u64>,
}

impl Allowance {
    /// The conditions as they are now; whether they are new resets the count.
    fn look(&mut self, conditions: &mut watch::Receiver<Conditions>, first: bool) -> Conditions {
        let new = first || conditions.has_changed().unwrap_or(false);
        let now = conditions.borrow_and_update().clone();
        if new {
            self.left = now.cut_after;
        }
        now
    }

    /// Takes note of bytes that passed. Says whether that was all.
    fn spend(&mut self, bytes: usize) -> bool {
        self.left = self.left.map(|left| left.saturating_sub(bytes as u64));
        self.left == Some(0)
    }
}

/// Waits so long, or until the conditions change. Says whether it was so long.
async fn pause(time: Duration, conditions: &mut watch::Receiver<Conditions>) -> io::Result<bool> {
    if time.is_zero() {
        return Ok(true);
    }
    let mut looking = conditions.clone();
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(true),
        changed = looking.changed() => changed.map(|()| false).map_err(|_| io::ErrorKind::ConnectionReset.into()),
    }
}

/// Waits until the conditions change.
async fn changed(conditions: &mut watch::Receiver<Conditions>) -> io::Result<()> {
    // Seen by a copy, so that the next look finds the change still new.
    conditions.clone().changed().await.map_err(|_| io::ErrorKind::ConnectionReset.into())
}

/// What goes through in a twentieth of a second, so that it flows rather than bursts.
fn twentieth(bytes: NonZeroU64) -> usize {
    usize::try_from(bytes.get() / 20).unwrap_or(usize::MAX).max(1)
}

const BUFFER: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;

    struct Line {
        near: DuplexStream,
        far: DuplexStream,
        told: watch::Sender<Conditions>,
        ended: tokio::task::JoinHandle<io::Result<()>>,
    }

    fn line(conditions: Conditions) -> Line {
        let told = watch::Sender::new(conditions);
        let ((near, mut from), (mut to, far)) = (duplex(1 << 20), duplex(1 << 20));
        let watched = told.subscribe();
        let ended = tokio::spawn(async move { carry(&mut from, &mut to, watched).await });
        Line { near, far, told, ended }
    }

    impl Line {
        /// Sends `text` and tells in which pieces it comes, and after how many milliseconds each.
        async fn pieces(&mut self, text: &str) -> Vec<(String, u128)> {
            let began = Instant::now();
            self.near.write_all(text.as_bytes()).await.unwrap();
            let mut pieces = Vec::new();
            let mut length = 0;
            while length < text.len() {
                let mut buffer = [0; 64];
                let got = self.far.read(&mut buffer).await.unwrap();
                if got == 0 {
                    break;
                }
                length += got;
                pieces.push((String::from_utf8(buffer[..got].to_vec()).unwrap(), began.elapsed().as_millis()));
            }
            pieces
        }
    }

    async fn check(conditions: Conditions, text: &str, expected: &[(&str, u128)]) {
        let expected: Vec<_> = expected.iter().map(|&(piece, at)| (piece.to_owned(), at)).collect();
        assert_eq!(line(conditions).pieces(text).await, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_come_as_the_conditions_say() {
        let milli = Duration::from_millis;
        check(Conditions::default(), "hello", &[("hello", 0)]).await;
        check(Conditions::delay(milli(300)), "hello", &[("hello", 300)]).await;
        check(Conditions::drip(milli(10)), "abc", &[("a", 0), ("b", 10), ("c", 20)]).await;
        check(Conditions { pause: milli(1), ..Conditions::slices(2) }, "abcde", &[("ab", 0), ("cd", 1), ("e", 2)])
            .await;
        check(Conditions::bandwidth(40), "abcde", &[("ab", 0), ("cd", 50), ("e", 100)]).await;
        check(Conditions::bandwidth(0), "ab", &[("a", 0), ("b", 1000)]).await;
        check(Conditions { delay: milli(100), ..Conditions::drip(milli(10)) }, "ab", &[("a", 100), ("b", 110)]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_cut_comes_after_so_many_bytes_from_when_it_was_told() {
        let mut line = line(Conditions::default());
        assert_eq!(line.pieces("whole").await, [("whole".to_owned(), 0)]);
        line.told.send_replace(Conditions::cut_after(7));
        assert_eq!(line.pieces("12345").await, [("12345".to_owned(), 0)]);
        assert_eq!(line.pieces("67890").await, [("67".to_owned(), 0)]);
        assert_eq!(line.ended.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_holds_for_what_is_under_way() {
        let hour = Duration::from_secs(3600);
        for conditions in [Conditions::silent(), Conditions::delay(hour)] {
            let mut line = line(conditions);
            let told = line.told.clone();
            let changed = async {
                tokio::time::sleep(Duration::from_secs(5)).await;
                told.send_replace(Conditions::default());
            };
            assert_eq!(tokio::join!(line.pieces("hello"), changed).0, [("hello".to_owned(), 5_000)]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_delay_that_changes_begins_anew() {
        let mut line = line(Conditions::delay(Duration::from_secs(3600)));
        let told = line.told.clone();
        let changed = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            told.send_replace(Conditions::delay(Duration::from_millis(10)));
        };
        assert_eq!(tokio::join!(line.pieces("hello"), changed).0, [("hello".to_owned(), 5_010)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_passed_on() {
        let mut line = line(Conditions::default());
        line.near.write_all(b"bye").await.unwrap();
        drop(line.near);
        let mut rest = String::new();
        line.far.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "bye");
        line.ended.await.unwrap().unwrap();
    }
}
