//! The wire between an adapter and its gateway, where the suite stands: it counts what passes, and breaks one request in one
//! way. Each connection carries one request, as plain bytes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::http::{self, Message};

/// How long a caller is kept waiting at most; callers give up earlier.
const HANG_MAX: Duration = Duration::from_secs(30);
/// How long the endless answer says it is, in bytes.
const ENDLESS: u64 = 100 << 20;

/// How a request is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Break {
    /// Never answered; the gateway never sees it.
    HangBefore,
    /// Never answered; the gateway acted.
    HangAfter,
    /// The connection ends without an answer; the gateway never saw the request.
    ResetBefore,
    /// The connection ends without an answer; the gateway acted.
    ResetAfter,
    /// A page of a proxy in between, with this status; the gateway never saw the request.
    PageBefore(u16),
    /// The same after the gateway acted.
    PageAfter(u16),
    /// Sent elsewhere, by 307: who follows sends it twice.
    Redirect,
    /// Not HTTP at all, after the gateway acted.
    NotHttp,
    /// A text that is no answer, after the gateway acted.
    Garbage,
    /// An empty body, after the gateway acted.
    Empty,
    /// Half of the true body, with the length of the whole.
    HalfBody,
    /// An answer of a hundred megabytes, after the gateway acted.
    Endless,
    /// The true body under another content type.
    OtherType,
    /// The request itself as its answer; the gateway acted.
    Mirror,
    /// This answer to another call, byte by byte, after the gateway acted.
    Replay(Vec<u8>),
    /// One bit of the true body is another: in this of a thousand parts.
    Flip(usize),
    /// Nothing listens any more from this request on.
    Gone,
}

impl Break {
    /// Whether what came back is the true answer or may be: then the truth may be told.
    pub(crate) fn leaves_the_truth(&self) -> bool {
        matches!(self, Self::OtherType | Self::Flip(_))
    }
}

#[derive(Debug, Default)]
struct Tap {
    answers: Vec<Vec<u8>>,
    begun: usize,
    broken: Option<(usize, Break)>,
    gone: bool,
}

struct Line {
    target: String,
    tap: Mutex<Tap>,
    gone: Notify,
}

/// A wire to a gateway.
#[derive(Clone)]
pub(crate) struct Wire {
    /// What stands in the place of the gateway's origin.
    pub(crate) origin: String,
    line: Arc<Line>,
}

impl Wire {
    /// A wire to this origin.
    pub(crate) async fn to(origin: &str) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let own = format!("http://{}", listener.local_addr()?);
        let line = Arc::new(Line {
            target: origin.trim_start_matches("http://").to_owned(),
            tap: Mutex::default(),
            gone: Notify::new(),
        });
        tokio::spawn(listen(listener, Arc::clone(&line)));
        Ok(Self { origin: own, line })
    }

    /// How many requests began, counted from the last [`Wire::breaks`] or the wire's beginning.
    pub(crate) fn begun(&self) -> usize {
        self.tap(|tap| tap.begun)
    }

    /// The first true answer that came.
    pub(crate) fn first_answer(&self) -> Option<Vec<u8>> {
        self.tap(|tap| tap.answers.first().cloned())
    }

    /// From now on the request after `skipped` more is broken, once; counting begins anew.
    pub(crate) fn breaks(&self, skipped: usize, how: Break) {
        if skipped == 0 && how == Break::Gone {
            self.tap(|tap| tap.gone = true);
            self.line.gone.notify_one();
        }
        self.tap(|tap| {
            tap.begun = 0;
            tap.broken = Some((skipped, how));
        });
    }

    /// Nothing is broken any more; what passed is forgotten, and counting begins anew.
    pub(crate) fn mend(&self) {
        self.tap(|tap| {
            tap.begun = 0;
            tap.broken = None;
            tap.answers.clear();
        });
    }

    /// Whether nothing listens any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.tap(|tap| tap.gone)
    }

    fn tap<T>(&self, act: impl FnOnce(&mut Tap) -> T) -> T {
        self.line.tap(act)
    }
}

impl Line {
    fn tap<T>(&self, act: impl FnOnce(&mut Tap) -> T) -> T {
        act(&mut self.tap.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn listen(listener: TcpListener, line: Arc<Line>) {
    loop {
        tokio::select! {
            () = line.gone.notified() => {
                line.tap(|tap| tap.gone = true);
                return;
            }
            accepted = listener.accept() => {
                if let Ok((socket, _)) = accepted {
                    let line = Arc::clone(&line);
                    // An ended connection is what half of the cases are about.
                    tokio::spawn(async move { serve(socket, &line).await.ok() });
                }
            }
        }
    }
}

async fn serve(mut socket: TcpStream, line: &Line) -> io::Result<()> {
    let Some(request) = http::read_request(&mut socket).await? else {
        return Ok(());
    };
    let (broken, last) = line.tap(|tap| {
        let nth = tap.begun;
        tap.begun = tap.begun.saturating_add(1);
        match &tap.broken {
            Some((skipped, Break::Gone)) => (None, *skipped == nth.saturating_add(1)),
            Some((skipped, how)) if *skipped == nth => (Some(how.clone()), false),
            _ => (None, false),
        }
    });
    if let Some(before) = &broken
        && breaks_before(&mut socket, before, &request).await?
    {
        return Ok(());
    }
    let answer = http::forward(&line.target, &request).await?;
    line.tap(|tap| tap.answers.push(answer.clone()));
    if last {
        line.gone.notify_one();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    match broken {
        Some(after) => break_after(&mut socket, after, &request, &answer).await,
        None => socket.write_all(&answer).await,
    }
}

/// Plays what keeps the request from the gateway; says whether it did.
async fn breaks_before(socket: &mut TcpStream, how: &Break, request: &[u8]) -> io::Result<bool> {
    match how {
        Break::HangBefore => hang(socket).await,
        Break::ResetBefore => {}
        Break::PageBefore(status) => socket.write_all(&http::page(*status)).await?,
        Break::Redirect => {
            let path = http::path(request);
            let head =
                format!("HTTP/1.1 307 Moved\r\nlocation: {path}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(head.as_bytes()).await?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

async fn break_after(socket: &mut TcpStream, how: Break, request: &[u8], answer: &[u8]) -> io::Result<()> {
    let message = Message::of(answer);
    let written = match how {
        Break::HangAfter => {
            hang(socket).await;
            return Ok(());
        }
        Break::ResetAfter => return Ok(()),
        Break::PageAfter(status) => http::page(status),
        Break::NotHttp => b"\x15\x03\x01\x00\x02\x02\x46".to_vec(),
        Break::Garbage => message.with_body(b"the service is closed for today, come again".to_vec()),
        Break::Empty => message.with_body(Vec::new()),
        Break::HalfBody => message.half(),
        Break::Endless => return endless(socket, &message).await,
        Break::OtherType => message.with_type("application/octet-stream"),
        Break::Mirror => message.with_body(Message::of(request).body),
        Break::Replay(other) => other,
        Break::Flip(part) => message.flipped(part),
        _ => answer.to_vec(),
    };
    socket.write_all(&written).await
}

/// Says nothing until the caller goes away.
async fn hang(socket: &mut TcpStream) {
    let mut byte = [0_u8];
    let gone = socket.read(&mut byte);
    // Time over or connection closed: either way the wait is over.
    let _ = tokio::time::timeout(HANG_MAX, gone).await;
}

async fn endless(socket: &mut TcpStream, message: &Message) -> io::Result<()> {
    let part = vec![b' '; 1 << 16];
    socket.write_all(&message.head_for(ENDLESS)).await?;
    let mut sent: u64 = 0;
    while sent < ENDLESS {
        socket.write_all(&part).await?;
        sent = sent.saturating_add(1 << 16);
    }
    Ok(())
}
