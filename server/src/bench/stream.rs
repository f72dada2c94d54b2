//! A stream of events, held open with as little memory as can be: twenty thousand of them stand in this process.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes that are read at a time.
const PIECE: usize = 512;
/// Bytes of an answer's head at most.
const HEAD_MAX: usize = 8 * 1024;
/// Bytes of a line at most; an event is one.
const LINE_MAX: usize = 64 * 1024;

/// A stream that is open.
pub(super) struct Stream {
    connection: TcpStream,
    frames: Frames,
    /// What was read and not looked at yet.
    rest: Vec<u8>,
}

/// An event as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// What happened: `payment.succeeded`, …
    pub(super) kind: String,
    /// The event as JSON.
    pub(super) data: String,
}

impl Stream {
    /// Opens the stream of the user with this token and waits until it is ready.
    ///
    /// # Errors
    /// When it is refused, or does not become ready.
    pub(super) async fn open(address: SocketAddr, authority: &str, token: &str) -> Result<Self> {
        let mut connection = TcpStream::connect(address).await?;
        connection.set_nodelay(true)?;
        let request = format!(
            "GET /app/v1/events HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {token}\r\n\
             accept: text/event-stream\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).await?;
        let (head, rest) = head(&mut connection).await?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        ensure!(status == "200", "no stream of events: {status}");
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let mut stream = Self {
            connection,
            frames: Frames::new(chunked),
            rest,
        };
        let first = stream.next().await?;
        ensure!(first.kind == "ready", "a stream that begins with {:?}", first.kind);
        Ok(stream)
    }

    /// The next event.
    ///
    /// # Errors
    /// When the stream ends or cannot be read.
    pub(super) async fn next(&mut self) -> Result<Told> {
        loop {
            let (told, taken) = self.frames.take(&self.rest)?;
            self.rest.drain(..taken);
            if let Some(told) = told {
                return Ok(told);
            }
            self.rest = Vec::new();
            let mut piece = [0u8; PIECE];
            let read = self.connection.read(&mut piece).await?;
            ensure!(read > 0, "the stream ended");
            self.rest.extend_from_slice(piece.get(..read).unwrap_or_default());
        }
    }
}

/// The head of an answer, and what came behind it.
async fn head(connection: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut all = Vec::new();
    loop {
        let mut piece = [0u8; PIECE];
        let read = connection.read(&mut piece).await?;
        ensure!(read > 0 && all.len() < HEAD_MAX, "an answer without end of its head");
        all.extend_from_slice(piece.get(..read).unwrap_or_default());
        if let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = all.split_off(end + 4);
            return Ok((String::from_utf8(all)?, rest));
        }
    }
}

/// Where in the body's outer form the reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    /// The body has none.
    None,
    /// In the line with a chunk's size so far.
    Size(usize),
    /// In what may follow a size in its line, or at its end.
    SizeEnd(usize),
    /// So many bytes of it are left.
    Data(usize),
    /// In the end of line behind a chunk.
    DataEnd,
}

/// Puts events together from pieces that may end anywhere.
struct Frames {
    chunk: Chunk,
    line: Vec<u8>,
    kind: String,
    data: String,
}

impl Frames {
    fn new(chunked: bool) -> Self {
        Self {
            chunk: if chunked { Chunk::Size(0) } else { Chunk::None },
            line: Vec::new(),
            kind: String::new(),
            data: String::new(),
        }
    }

    /// Reads up to the end of the first event; answers it, and how many bytes were taken.
    fn take(&mut self, bytes: &[u8]) -> Result<(Option<Told>, usize)> {
        for (place, byte) in bytes.iter().enumerate() {
            if let Some(told) = self.byte(*byte)? {
                return Ok((Some(told), place + 1));
            }
        }
        Ok((None, bytes.len()))
    }

    fn byte(&mut self, byte: u8) -> Result<Option<Told>> {
        self.chunk = match (self.chunk, byte) {
            (Chunk::None, _) => return self.content(byte),
            (Chunk::Size(0), b'\n') | (Chunk::SizeEnd(0), b'\n') => bail!("the stream ended"),
            (Chunk::Size(size) | Chunk::SizeEnd(size), b'\n') => Chunk::Data(size),
            (Chunk::Size(size), digit) => match char::from(digit).to_digit(16) {
                Some(digit) => Chunk::Size(size.saturating_mul(16).saturating_add(usize::try_from(digit)?)),
                None => Chunk::SizeEnd(size),
            },
            (Chunk::Data(left), _) => {
                self.chunk = if left > 1 {
                    Chunk::Data(left - 1)
                } else {
                    Chunk::DataEnd
                };
                return self.content(byte);
            }
            (Chunk::DataEnd, b'\n') => Chunk::Size(0),
            (chunk, _) => chunk,
        };
        Ok(None)
    }

    fn content(&mut self, byte: u8) -> Result<Option<Told>> {
        if byte != b'\n' {
            ensure!(self.line.len() < LINE_MAX, "a line without end");
            self.line.push(byte);
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8(line).context("a line that is no text")?;
        Ok(self.line(line.trim_end_matches('\r')))
    }

    /// One line; an empty one ends an event. Lines that begin with a colon are heartbeats.
    fn line(&mut self, line: &str) -> Option<Told> {
        if line.is_empty() {
            let (kind, data) = (std::mem::take(&mut self.kind), std::mem::take(&mut self.data));
            return (!data.is_empty()).then_some(Told { kind, data });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.kind),
            "data" => self.data.push_str(value),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "event: ready\nid: 7\nretry: 2000\ndata: {\"seq\":7}\n\n:\n\nevent: payment.succeeded\nid: 8\n\
        data: {\"body\":\"水\"}\n\n";

    fn told(frames: &mut Frames, pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut all = Vec::new();
        for mut piece in pieces.iter().copied() {
            while !piece.is_empty() {
                let (event, taken) = frames.take(piece).unwrap();
                all.extend(event.map(|event| (event.kind, event.data)));
                piece = &piece[taken..];
            }
        }
        all
    }

    #[test]
    fn events_are_put_together_wherever_pieces_and_chunks_end() {
        let expected = [
            ("ready".to_owned(), "{\"seq\":7}".to_owned()),
            ("payment.succeeded".to_owned(), "{\"body\":\"水\"}".to_owned()),
        ];
        assert_eq!(told(&mut Frames::new(false), &[PLAIN.as_bytes()]), expected);
        for size in 1..40 {
            let mut wire = Vec::new();
            for chunk in PLAIN.as_bytes().chunks(size) {
                wire.extend(format!("{:x};x=1\r\n", chunk.len()).bytes());
                wire.extend(chunk);
                wire.extend(b"\r\n");
            }
            let pieces: Vec<&[u8]> = wire.chunks(7).collect();
            assert_eq!(
                told(&mut Frames::new(true), &pieces),
                expected,
                "chunks of {size} bytes"
            );
        }
    }

    #[test]
    fn the_last_chunk_is_the_end() {
        assert!(Frames::new(true).take(b"0\r\n\r\n").is_err());
    }
}
