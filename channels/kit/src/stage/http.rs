//! As much of HTTP/1.1 as a wire must understand to cut it: where a message ends, and its head.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest request that is taken, in bytes.
const REQUEST_MAX: usize = 4 << 20;

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The value of a header in a head.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Reads one request, head and body; `None` where the connection ended before it was whole.
pub(super) async fn read_request(socket: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0_u8; 1 << 14];
    loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            let body = end.saturating_add(4);
            let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
            let length: usize = header(&head, "content-length")
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
            if bytes.len() >= body.saturating_add(length) {
                return Ok(Some(bytes));
            }
        }
        let read = socket.read(&mut buffer).await?;
        if read == 0 || bytes.len() > REQUEST_MAX {
            return Ok(None);
        }
        bytes.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
}

/// The path of a request, with its query.
pub(super) fn path(request: &[u8]) -> String {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    line.split(' ').nth(1).unwrap_or("/").to_owned()
}

/// Hands a request on and reads the answer until the gateway closes.
pub(super) async fn forward(target: &str, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut gateway = TcpStream::connect(target).await?;
    let message = Message::of(request);
    let mut head: Vec<&str> = message.head.split("\r\n").collect();
    head.retain(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    head.push("connection: close");
    gateway.write_all(head.join("\r\n").as_bytes()).await?;
    gateway.write_all(b"\r\n\r\n").await?;
    gateway.write_all(&message.body).await?;
    let mut answer = Vec::new();
    // A gateway that breaks off left what it left.
    let _ = gateway.read_to_end(&mut answer).await;
    Ok(answer)
}

/// What a proxy shows when it is lost.
pub(super) fn page(status: u16) -> Vec<u8> {
    let body = "<html><head><title>error</title></head><body><h1>error</h1></body></html>";
    format!(
        "HTTP/1.1 {status} Error\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A message, its body without chunks.
pub(super) struct Message {
    head: String,
    pub(super) body: Vec<u8>,
}

impl Message {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let end = find(bytes, b"\r\n\r\n").unwrap_or(bytes.len());
        let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned();
        let body = bytes.get(end.saturating_add(4)..).unwrap_or_default();
        let chunked = header(&head, "transfer-encoding").is_some_and(|coding| coding.contains("chunked"));
        let body = if chunked { unchunked(body) } else { body.to_vec() };
        Self { head, body }
    }

    /// The head for a body of this length.
    pub(super) fn head_for(&self, length: u64) -> Vec<u8> {
        let kept = self.head.split("\r\n").filter(|line| {
            let line = line.to_ascii_lowercase();
            !["content-length:", "transfer-encoding:", "connection:"]
                .iter()
                .any(|name| line.starts_with(name))
        });
        let mut head: Vec<String> = kept.map(str::to_owned).collect();
        head.push(format!("content-length: {length}"));
        head.push("connection: close\r\n\r\n".to_owned());
        head.join("\r\n").into_bytes()
    }

    pub(super) fn with_body(&self, body: Vec<u8>) -> Vec<u8> {
        let mut whole = self.head_for(u64::try_from(body.len()).unwrap_or(u64::MAX));
        whole.extend(body);
        whole
    }

    pub(super) fn half(&self) -> Vec<u8> {
        let mut whole = self.head_for(u64::try_from(self.body.len()).unwrap_or(u64::MAX));
        let half = self.body.len().checked_div(2).unwrap_or(0);
        whole.extend_from_slice(self.body.get(..half).unwrap_or_default());
        whole
    }

    pub(super) fn with_type(&self, content_type: &str) -> Vec<u8> {
        let lines = self.head.split("\r\n").map(|line| {
            if line.to_ascii_lowercase().starts_with("content-type:") {
                format!("content-type: {content_type}")
            } else {
                line.to_owned()
            }
        });
        let head: Vec<String> = lines.collect();
        let other = Self {
            head: head.join("\r\n"),
            body: Vec::new(),
        };
        other.with_body(self.body.clone())
    }

    /// The message with one bit of its body turned, in this of a thousand parts.
    pub(super) fn flipped(&self, part: usize) -> Vec<u8> {
        self.with_body(flipped(&self.body, part))
    }
}

/// Bytes with one bit turned, in this of a thousand parts.
pub(crate) fn flipped(bytes: &[u8], part: usize) -> Vec<u8> {
    let mut other = bytes.to_vec();
    let at = part.saturating_mul(bytes.len()).checked_div(1_000).unwrap_or(0);
    if let Some(byte) = other.get_mut(at) {
        *byte ^= 1;
    }
    other
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = find(rest, b"\r\n") {
        let size = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
        let begin = end.saturating_add(2);
        let after = begin.saturating_add(size);
        if size == 0 {
            break;
        }
        body.extend_from_slice(rest.get(begin..after).unwrap_or_default());
        rest = rest.get(after.saturating_add(2)..).unwrap_or_default();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_and_halves_keep_the_length_of_the_whole() {
        let chunked =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n3\r\nabc\r\n5;e=1\r\ndefgh\r\n0\r\n\r\n";
        let message = Message::of(chunked);
        assert_eq!(message.body, b"abcdefgh");
        let half = String::from_utf8(message.half()).unwrap();
        assert_eq!(
            half,
            "HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: 8\r\nconnection: close\r\n\r\nabcd"
        );
        assert_eq!(path(b"POST /a/b?c=d HTTP/1.1\r\n\r\n"), "/a/b?c=d");
        assert_eq!(flipped(b"0000", 750), b"0001");
        assert!(page(502).starts_with(b"HTTP/1.1 502"));
    }
}
