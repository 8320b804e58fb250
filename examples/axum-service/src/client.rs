//! [`Client`]: asks the service over a connection that stays open, as a browser or a proxy does.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Asks the service over one connection: as much of HTTP as that takes.
#[derive(Debug)]
pub struct Client(BufReader<TcpStream>);

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What it said.
    pub body: String,
}

impl Client {
    /// Connects to the service.
    ///
    /// # Errors
    /// What connecting fails with.
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Asks for `path`.
    ///
    /// # Errors
    /// What the connection fails with; `InvalidData` for what is no answer that this client understands.
    pub async fn get(&mut self, path: &str) -> io::Result<Answer> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).await?;
        let first = self.line().await?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| bad(format_args!("no status in {first:?}")))?;
        let mut length = None;
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok();
            }
        }
        let mut body = vec![0; length.ok_or_else(|| bad(format_args!("an answer without a length")))?];
        self.0.read_exact(&mut body).await?;
        let body = String::from_utf8(body).map_err(|error| bad(format_args!("{error}")))?;
        Ok(Answer { status, body })
    }

    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }
}

/// The sum of the series `name` on a page of metrics whose labels hold all of `labels`, as in `outcome="hit"`.
#[must_use]
pub fn figure(page: &str, name: &str, labels: &[&str]) -> f64 {
    let series = page.lines().filter_map(|line| line.rsplit_once(' ')).filter(|(series, _)| {
        series.split('{').next() == Some(name) && labels.iter().all(|label| series.contains(label))
    });
    series.filter_map(|(_, value)| value.parse::<f64>().ok()).sum()
}

fn bad(what: fmt::Arguments<'_>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn figures_are_found_by_name_and_labels() {
        let page = "# TYPE a counter\na{x=\"1\",y=\"2\"} 3\na{x=\"1\",y=\"3\"} 4\nab{x=\"1\"} 9\nb 5\n";
        assert_eq!(figure(page, "a", &["x=\"1\""]), 7.0);
        assert_eq!(figure(page, "a", &["x=\"1\"", "y=\"3\""]), 4.0);
        assert_eq!(figure(page, "b", &[]), 5.0);
        assert_eq!(figure(page, "c", &[]), 0.0);
    }
}
