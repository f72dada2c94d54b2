//! Live events over a real connection, and by long-poll.

use std::net::SocketAddr;
use std::time::Duration;

use metropay_core::code::issue::issue;
use metropay_core::payment::Payment;
use metropay_core::payment::complete::complete;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::gateway::Deducts;
use super::platform::{App, Platform};

/// What a stream carried: one event.
#[derive(Debug, Clone, PartialEq)]
struct Frame {
    id: u64,
    event: String,
    data: Value,
}

/// A phone that holds a stream open.
struct Stream {
    response: reqwest::Response,
    text: String,
}

async fn asked(address: SocketAddr, app: &App<'_>, query: &str, last: Option<u64>) -> reqwest::Response {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let token = app.token.as_deref().unwrap();
    let mut request = http
        .get(format!("http://{address}/app/v1/events{query}"))
        .bearer_auth(token);
    if let Some(last) = last {
        request = request.header("Last-Event-ID", last);
    }
    request.send().await.unwrap()
}

impl Stream {
    /// Opens a stream and takes its first frame.
    async fn open(address: SocketAddr, app: &App<'_>, query: &str, last: Option<u64>) -> (Self, Frame) {
        let response = asked(address, app, query, last).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(
            (response.status().as_u16(), header("content-type")),
            (200, "text/event-stream".to_owned())
        );
        assert_eq!(
            (header("cache-control"), header("x-accel-buffering")),
            ("no-store".to_owned(), "no".to_owned())
        );
        let mut stream = Self {
            response,
            text: String::new(),
        };
        let ready = stream.next().await.unwrap();
        assert_eq!(ready.event, "ready");
        (stream, ready)
    }

    /// The next block of lines; nothing when the stream ended.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event, past comments; nothing when the stream ended.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            let block = self.block().await?;
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            if let Some(data) = field("data:") {
                return Some(Frame {
                    id: field("id:").unwrap().parse().unwrap(),
                    event: field("event:").unwrap().to_owned(),
                    data: serde_json::from_str(data).unwrap(),
                });
            }
        }
    }

    async fn soon(&mut self) -> Frame {
        let next = timeout(Duration::from_secs(2), self.next()).await;
        next.expect("an event comes soon").expect("the stream goes on")
    }

    /// Whether nothing comes for a moment.
    async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_millis(300), self.next()).await.is_err()
    }
}

/// A purchase of so many fen, paid at once.
async fn bought(platform: &Platform, app: &App<'_>, fen: u64) -> Payment {
    let issued = issue(&platform.engine, &app.uid, None, None).await.unwrap();
    let payment = platform.scan(&issued.digits, fen).await.unwrap();
    // Six codes a minute.
    platform.clock.advance(Duration::from_secs(11));
    payment
}

#[tokio::test]
async fn an_app_hears_of_order_and_payment_within_a_second() {
    let platform = Platform::start().await;
    let address = platform.listen().await;
    let anna = platform.app("anna").open().await.signed().await;
    let (code, digits) = anna.code().await;
    let (mut stream, _) = Stream::open(address, &anna, "", None).await;
    platform.gateway.books().deducts = Deducts::Waits;
    let payment = platform.scan(&digits, 600).await.unwrap();
    let placed = stream.soon().await;
    assert_eq!(
        (placed.event.as_str(), &placed.data["code_id"]),
        ("payment.placed", &code.into())
    );

    platform.gateway.take(&payment.pay_no, 600);
    let settled = Instant::now();
    complete(&platform.engine, &payment).await.unwrap();
    let paid = stream.soon().await;
    assert!(settled.elapsed() < Duration::from_secs(1));
    assert_eq!(
        (paid.event.as_str(), &paid.data["kind"]),
        ("payment.succeeded", &"payment.succeeded".into())
    );
    assert_eq!(paid.data["seq"], paid.id);
    let told = &paid.data["data"];
    assert_eq!(
        (&told["pay_out_trade_no"], &told["total_fee"]),
        (&payment.pay_no.0.into(), &600.into())
    );
}

#[tokio::test]
async fn a_stream_goes_on_where_it_broke_off_without_loss_or_repeat() {
    let platform = Platform::start().await;
    let address = platform.listen().await;
    let anna = platform.app("anna").open().await;
    let (mut stream, ready) = Stream::open(address, &anna, "", None).await;
    let anna = anna.signed().await;
    bought(&platform, &anna, 1).await;
    let mut frames = vec![stream.soon().await, stream.soon().await, stream.soon().await];
    drop(stream);
    // What happens while nobody listens is not lost.
    bought(&platform, &anna, 2).await;
    let (mut stream, again) = Stream::open(address, &anna, "", frames.last().map(|frame| frame.id)).await;
    assert_eq!(again.id, frames[2].id, "it stands where it broke off");
    frames.extend([stream.soon().await, stream.soon().await]);
    bought(&platform, &anna, 3).await;
    frames.extend([stream.soon().await, stream.soon().await]);
    assert!(stream.is_quiet().await);
    let kinds: Vec<_> = frames.iter().map(|frame| frame.event.as_str()).collect();
    let (placed, paid) = ("payment.placed", "payment.succeeded");
    assert_eq!(kinds, ["mandate.active", placed, paid, placed, paid, placed, paid]);

    // From every position the rest follows, and nothing else.
    for position in 0..=frames.len() {
        let last = if position == 0 {
            ready.id
        } else {
            frames[position - 1].id
        };
        let (mut stream, _) = if position % 2 == 0 {
            Stream::open(address, &anna, "", Some(last)).await
        } else {
            Stream::open(address, &anna, &format!("?last_event_id={last}"), None).await
        };
        for expected in &frames[position..] {
            assert_eq!(&stream.soon().await, expected);
        }
        // The pace of new streams is a user's, not a test's.
        tokio::time::sleep(Duration::from_millis(400)).await;
        assert!(stream.is_quiet().await);
    }
}

#[tokio::test]
async fn the_header_counts_before_the_query_and_a_position_ahead_of_all_begins_now() {
    let platform = Platform::start().await;
    let address = platform.listen().await;
    let anna = platform.app("anna").open().await.signed().await;
    let (_, ready) = Stream::open(address, &anna, "?last_event_id=999", Some(0)).await;
    assert_eq!(ready.id, 0);
    let (mut stream, ready) = Stream::open(address, &anna, "", Some(999_999)).await;
    assert!(ready.id < 999_999, "{ready:?}");
    bought(&platform, &anna, 1).await;
    assert_eq!(stream.soon().await.event, "payment.placed");
}

#[tokio::test]
async fn events_are_told_to_their_user_only() {
    let platform = Platform::start().await;
    let address = platform.listen().await;
    let anna = platform.app("anna").open().await.signed().await;
    let bert = platform.app("bert").open().await;
    let (mut of_bert, _) = Stream::open(address, &bert, "", Some(0)).await;
    let (mut of_anna, _) = Stream::open(address, &anna, "", None).await;
    bought(&platform, &anna, 1).await;
    assert_eq!(of_anna.soon().await.event, "payment.placed");
    assert!(of_bert.is_quiet().await);
}

#[tokio::test]
async fn more_than_a_page_of_missed_events_is_caught_up_with() {
    let platform = Platform::start().await;
    let address = platform.listen().await;
    let anna = platform.app("anna").open().await.signed().await;
    for fen in 1..=60 {
        bought(&platform, &anna, fen).await;
    }
    let (mut stream, _) = Stream::open(address, &anna, "", Some(0)).await;
    let mut streamed = Vec::new();
    for _ in 0..121 {
        streamed.push(stream.soon().await.data);
    }
    assert!(stream.is_quiet().await);

    let mut polled = Vec::new();
    let mut after = 0;
    loop {
        let page = anna
            .get(&format!("/app/v1/events/poll?wait_s=0&after={after}"))
            .await
            .data();
        let events = page["events"].as_array().unwrap().clone();
        if events.is_empty() {
            break;
        }
        assert!(events.len() <= 100);
        after = page["next"].as_u64().unwrap();
        polled.extend(events);
    }
    assert_eq!(streamed, polled);
    let positions: Vec<u64> = polled.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(positions.is_sorted_by(|one, next| one < next));
}

#[tokio::test]
async fn a_user_holds_five_streams_and_gets_a_sixth_when_one_is_left() {
    let platform = Platform::start().await;
    let address = platform.listen().await;
    let anna = platform.app("anna").open().await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(Stream::open(address, &anna, "", None).await.0);
    }
    let refused = asked(address, &anna, "", None).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    let refused: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!(refused["code"], "RATE_LIMITED");
    Stream::open(address, &platform.app("bert"), "", None).await;

    drop(streams.pop());
    let free = async {
        while asked(address, &anna, "", None).await.status() != 200 {
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    timeout(Duration::from_secs(10), free)
        .await
        .expect("a seat that was left is free again");
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let platform = Platform::start().await;
    let address = platform.listen().await;
    let anna = platform.app("anna").open().await;
    let (mut stream, _) = Stream::open(address, &anna, "", None).await;
    platform.clock.advance(Duration::from_secs(3_600 + 31));
    let ended = timeout(Duration::from_secs(8), stream.next()).await;
    assert_eq!(ended.expect("it ends by itself"), None);
    assert_eq!(asked(address, &anna, "", None).await.status(), 401);
}

#[tokio::test]
async fn a_stream_ends_at_once_when_its_device_is_revoked() {
    let platform = Platform::start().await;
    let address = platform.listen().await;
    let anna = platform.app("anna").open().await;
    let (mut stream, _) = Stream::open(address, &anna, "", None).await;
    anna.post("/app/v1/devices/revoke", None).await.data();
    let ended = timeout(Duration::from_secs(1), stream.next()).await;
    assert_eq!(ended.expect("it ends at once"), None);
}

#[tokio::test]
async fn who_waits_at_a_node_that_stops_is_sent_away_at_once_with_everything_that_there_is() {
    let platform = Platform::start().await;
    let address = platform.listen().await;
    let anna = platform.app("anna").open().await.signed().await;
    let (mut stream, ready) = Stream::open(address, &anna, "", None).await;
    let poll = anna.get("/app/v1/events/poll?wait_s=20");
    let leaves = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        platform.leaving.cancel();
    };
    let begun = Instant::now();
    let (page, ()) = tokio::join!(poll, leaves);
    assert_eq!(page.data()["events"], Value::Array(Vec::new()));
    let ended = timeout(Duration::from_secs(1), stream.next()).await;
    assert_eq!(ended.expect("it ends at once"), None);
    assert!(begun.elapsed() < Duration::from_secs(3));

    // Who comes all the same gets what he missed before he is sent away.
    bought(&platform, &anna, 600).await;
    let (mut stream, _) = Stream::open(address, &anna, "", Some(ready.id)).await;
    assert_eq!(stream.soon().await.event, "payment.placed");
    assert_eq!(stream.soon().await.event, "payment.succeeded");
    let ended = timeout(Duration::from_secs(1), stream.next()).await;
    assert_eq!(ended.expect("it ends at once"), None);
}

#[tokio::test]
async fn apps_come_back_at_different_times() {
    let platform = Platform::start().await;
    let address = platform.listen().await;
    let anna = platform.app("anna").open().await;
    let mut times = Vec::new();
    for _ in 0..4 {
        let mut response = asked(address, &anna, "", None).await;
        let first = response.chunk().await.unwrap().expect("the first frame");
        let text = String::from_utf8(first.to_vec()).unwrap();
        let retry = text.lines().find_map(|line| line.strip_prefix("retry: "));
        times.push(retry.expect("a time to come back").parse::<u64>().unwrap());
    }
    assert!(times.iter().all(|time| (1_000..2_000).contains(time)), "{times:?}");
    times.dedup();
    assert!(times.len() > 1, "{times:?}");
}

#[tokio::test]
async fn a_quiet_stream_says_that_it_is_alive() {
    let platform = Platform::start().await;
    let address = platform.listen().await;
    let anna = platform.app("anna").open().await;
    let (mut stream, _) = Stream::open(address, &anna, "", None).await;
    let opened = Instant::now();
    let block = timeout(Duration::from_secs(18), stream.block()).await;
    assert_eq!(block.expect("a sign of life").expect("the stream goes on"), ":");
    assert!(opened.elapsed() > Duration::from_secs(13));
}

#[tokio::test]
async fn a_long_poll_waits_for_the_first_event_and_loses_none() {
    let platform = Platform::start().await;
    let anna = platform.app("anna").open().await.signed().await;
    let now = anna.get("/app/v1/events/poll?wait_s=0").await.data();
    assert_eq!(
        now["events"],
        Value::Array(Vec::new()),
        "without a position, from now on"
    );
    let next = now["next"].as_u64().unwrap();

    let path = format!("/app/v1/events/poll?wait_s=20&after={next}");
    let started = Instant::now();
    let (page, _) = tokio::join!(anna.get(&path), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        bought(&platform, &anna, 600).await
    });
    assert!((Duration::from_millis(450)..Duration::from_secs(3)).contains(&started.elapsed()));
    let page = page.data();
    assert_eq!(page["events"][0]["kind"], "payment.placed");

    let mut kinds = Vec::new();
    let mut next = next;
    while kinds.len() < 2 {
        let path = format!("/app/v1/events/poll?wait_s=5&after={next}");
        let page = anna.get(&path).await.data();
        next = page["next"].as_u64().unwrap();
        kinds.extend(
            page["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event["kind"].clone()),
        );
    }
    assert_eq!(kinds, ["payment.placed", "payment.succeeded"]);

    let started = Instant::now();
    let quiet = anna
        .get(&format!("/app/v1/events/poll?wait_s=1&after={next}"))
        .await
        .data();
    assert_eq!(
        (&quiet["events"], &quiet["next"]),
        (&Value::Array(Vec::new()), &next.into())
    );
    assert!((Duration::from_millis(900)..Duration::from_secs(3)).contains(&started.elapsed()));
}
