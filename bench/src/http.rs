//! Just enough HTTP/1.1 for a server that answers one well-behaved client per connection: no chunks, no pipelines.
//! It is written by hand so that nothing runs between an answer's arrival and the clock.

use std::io::{self, Read, Write};

/// A request, with its target and headers as they came.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
}

/// The server's end of a connection.
pub(crate) struct Conversation<S> {
    stream: S,
    unread: Vec<u8>,
}

impl<S: Read + Write> Conversation<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// The next request; nothing once the client has closed.
    pub(crate) fn request(&mut self) -> io::Result<Option<Request>> {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
            if !self.read_more()? {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&self.unread[..end]).into_owned();
        let mut lines = head.lines();
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let length = lines.filter_map(|line| line.split_once(':'));
        let length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = length.filter_map(|(_, value)| value.trim().parse().ok()).next().unwrap_or(0);
        while self.unread.len() < end + length {
            if !self.read_more()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let body = self.unread[end..end + length].to_vec();
        self.unread.drain(..end + length);
        Ok(Some(Request { method: method.to_owned(), target: target.to_owned(), body }))
    }

    fn read_more(&mut self) -> io::Result<bool> {
        let mut bytes = [0; 16 * 1024];
        let read = self.stream.read(&mut bytes)?;
        self.unread.extend_from_slice(&bytes[..read]);
        Ok(read > 0)
    }

    /// Sends bytes at once.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }
}

/// An answer on the wire.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        bytes.extend([name, ": ", value, "\r\n"]);
    }
    bytes.push_str("\r\n");
    [bytes.as_bytes(), body].concat()
}
