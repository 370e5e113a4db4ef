//! HTTP/1.1 as bytes on a socket: heads, and where a body ends. Just what a proxy between two
//! honest programs needs; it keeps the bytes as they came and decides nothing.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const LARGEST_HEAD_BYTES: usize = 64 * 1024;

/// How the end of a body is told.
#[derive(Clone, Copy, Debug)]
pub enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// The first lines of a request or a response, and their bytes.
pub struct Head {
    pub method: String,
    pub target: String,
    pub bytes: Vec<u8>,
    text: String,
}

impl Head {
    fn parse(bytes: Vec<u8>) -> Result<Self> {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut words = text.lines().next().unwrap_or("").split(' ');
        let (Some(first), Some(second)) = (words.next(), words.next()) else {
            return Err(Error::new(ErrorKind::InvalidData, "not an HTTP head"));
        };
        let (method, target) = (first.to_owned(), second.to_owned());
        Ok(Self { method, target, bytes, text })
    }

    /// Of a response: the second word of its first line.
    pub fn status(&self) -> u16 {
        self.target.parse().unwrap_or(0)
    }

    pub fn request_framing(&self) -> Framing {
        self.said_framing().unwrap_or(Framing::Length(0))
    }

    /// `method` is that of the request that is answered.
    pub fn response_framing(&self, method: &str) -> Framing {
        if method == "HEAD" || matches!(self.status(), 100..=199 | 204 | 304) {
            return Framing::Length(0);
        }
        self.said_framing().unwrap_or(Framing::UntilClose)
    }

    /// The same request with another last segment of its path.
    pub fn under_another_transaction(&self) -> Vec<u8> {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let other = self.text.replacen(&self.target, &format!("{path}-again?{query}"), 1);
        other.into_bytes()
    }

    /// The same response with another `Date`.
    pub fn with_date(&self, date: &str) -> Vec<u8> {
        let found = self.header("date").expect("Synapse dates its answers");
        self.text.replacen(found, date, 1).into_bytes()
    }

    /// The same answer, announcing a body of so many bytes.
    pub fn with_length(&self, length: usize) -> Vec<u8> {
        let kept = |line: &&str| {
            let name = line.split(':').next().unwrap_or("");
            !["content-length", "transfer-encoding"].iter().any(|n| name.eq_ignore_ascii_case(n))
        };
        let lines: Vec<_> = self.text.trim_end().lines().filter(kept).collect();
        format!("{}\r\nContent-Length: {length}\r\n\r\n", lines.join("\r\n")).into_bytes()
    }

    pub fn says_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    fn said_framing(&self) -> Option<Framing> {
        if self.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            return Some(Framing::Chunked);
        }
        self.header("content-length").and_then(|value| value.parse().ok()).map(Framing::Length)
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines().skip(1).filter_map(|line| line.split_once(':'));
        let mut named = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.next().map(|(_, value)| value.trim())
    }
}

/// A connection and the bytes of it that were read too far.
pub struct Incoming {
    stream: TcpStream,
    ahead: Vec<u8>,
}

impl Incoming {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    /// The next head; `None` when the other side closed before it.
    pub async fn read_head(&mut self) -> Result<Option<Head>> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                let head = self.ahead.drain(..end + 4).collect();
                return Head::parse(head).map(Some);
            }
            if self.ahead.len() > LARGEST_HEAD_BYTES {
                return Err(Error::new(ErrorKind::InvalidData, "endless HTTP head"));
            }
            if self.read_more().await? == 0 {
                return Ok(None);
            }
        }
    }

    /// The whole body with its framing, as it came.
    pub async fn read_body(&mut self, framing: Framing) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        let mut parts = Parts::new(framing);
        while let Some(part) = parts.next(self).await? {
            body.extend(part);
        }
        Ok(body)
    }

    /// Hands the body on as it comes.
    pub async fn copy_body(&mut self, framing: Framing, to: &mut Self) -> Result<()> {
        let mut parts = Parts::new(framing);
        while let Some(part) = parts.next(self).await? {
            to.write(&part).await?;
        }
        Ok(())
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Has the connection end with a reset instead of an orderly close.
    pub fn reset(&mut self) -> Result<()> {
        self.stream.set_zero_linger()
    }

    /// Ends when the other side closes. Callers here wait for an answer before they speak on,
    /// so anything that can be read meanwhile is the end.
    pub async fn hung_up(&mut self) -> Error {
        loop {
            match self.read_more().await {
                Ok(0) => return Error::new(ErrorKind::UnexpectedEof, "the caller hung up"),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    async fn read_more(&mut self) -> Result<usize> {
        self.ahead.reserve(16 * 1024);
        self.stream.read_buf(&mut self.ahead).await
    }
}

/// A body cut into the parts that arrive, each still with its framing bytes.
struct Parts {
    framing: Framing,
    state: Chunk,
}

#[derive(Clone, Copy)]
enum Chunk {
    Size,
    Content(usize),
    Trailer,
    Done,
}

impl Parts {
    fn new(framing: Framing) -> Self {
        Self { framing, state: Chunk::Size }
    }

    async fn next(&mut self, from: &mut Incoming) -> Result<Option<Vec<u8>>> {
        match self.framing {
            Framing::Length(0) => Ok(None),
            Framing::Length(left) => {
                let part = take(from, left).await?;
                self.framing = Framing::Length(left - part.len());
                Ok(Some(part))
            }
            Framing::UntilClose => {
                if from.ahead.is_empty() && from.read_more().await? == 0 {
                    return Ok(None);
                }
                Ok(Some(std::mem::take(&mut from.ahead)))
            }
            Framing::Chunked => self.next_of_chunks(from).await,
        }
    }

    async fn next_of_chunks(&mut self, from: &mut Incoming) -> Result<Option<Vec<u8>>> {
        match self.state {
            Chunk::Done => Ok(None),
            Chunk::Content(left) => {
                let part = take(from, left).await?;
                let rest = left - part.len();
                self.state = if rest == 0 { Chunk::Size } else { Chunk::Content(rest) };
                Ok(Some(part))
            }
            Chunk::Size => {
                let line = take_line(from).await?;
                let size = String::from_utf8_lossy(&line);
                let size = size.trim().split(';').next().unwrap_or("").to_owned();
                let size = usize::from_str_radix(&size, 16)
                    .map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
                // The content is followed by a line end that belongs to the chunk.
                self.state = if size == 0 { Chunk::Trailer } else { Chunk::Content(size + 2) };
                Ok(Some(line))
            }
            Chunk::Trailer => {
                let line = take_line(from).await?;
                if line == b"\r\n" {
                    self.state = Chunk::Done;
                }
                Ok(Some(line))
            }
        }
    }
}

async fn take(from: &mut Incoming, at_most: usize) -> Result<Vec<u8>> {
    if from.ahead.is_empty() && from.read_more().await? == 0 {
        return Err(Error::new(ErrorKind::UnexpectedEof, "closed inside a body"));
    }
    let count = from.ahead.len().min(at_most);
    Ok(from.ahead.drain(..count).collect())
}

async fn take_line(from: &mut Incoming) -> Result<Vec<u8>> {
    loop {
        if let Some(end) = find(&from.ahead, b"\r\n") {
            return Ok(from.ahead.drain(..end + 2).collect());
        }
        if from.read_more().await? == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "closed inside a body"));
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// A whole response; `head` is whole lines.
pub fn reply(status: u16, head: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Said by the proxy\r\n{head}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}
