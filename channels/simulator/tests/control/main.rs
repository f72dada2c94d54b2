//! The control interface over HTTP.
#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it must be")]

use metropay_simulator::{Settings, Simulator};
use serde_json::{Value, json};

struct Remote {
    simulator: Simulator,
    http: reqwest::Client,
}

impl Remote {
    async fn start() -> Self {
        Self {
            simulator: Simulator::start(Settings::default()).await.unwrap(),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.url())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.http.get(self.url(path)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self
            .http
            .post(self.url(path))
            .header("content-type", "application/json");
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default(),
        )
    }

    async fn delete(&self, path: &str) -> u16 {
        self.http.delete(self.url(path)).send().await.unwrap().status().as_u16()
    }
}

#[tokio::test]
async fn the_fault_script_is_written_read_and_taken_out() {
    let remote = Remote::start().await;
    let line = json!({ "gateway": "alipay", "operation": "alipay.trade.pay", "effect": "hang_after", "ms": 9_000, "times": 2 });
    let (status, added) = remote.post("/control/faults", line).await;
    assert_eq!(status, 200);
    let id = added["id"].as_u64().unwrap();
    let (_, listed) = remote.get("/control/faults").await;
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&listed[0]["id"], &listed[0]["effect"]),
        (&json!(id), &json!("hang_after"))
    );
    assert_eq!(remote.delete(&format!("/control/faults/{id}")).await, 204);
    assert_eq!(remote.delete(&format!("/control/faults/{id}")).await, 404);
    remote
        .post("/control/faults", json!({ "effect": "reset_before" }))
        .await;
    assert_eq!(remote.delete("/control/faults").await, 204);
    assert_eq!(remote.get("/control/faults").await.1, "[]");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_and_changes_nothing() {
    let remote = Remote::start().await;
    for line in [
        json!({ "effect": "dreamt" }),
        json!({ "effect": "delay" }),
        json!({ "gateway": "paypal", "effect": "reset_before" }),
    ] {
        let (status, _) = remote.post("/control/faults", line.clone()).await;
        assert_eq!(status, 422, "{line}");
    }
    assert_eq!(remote.get("/control/faults").await.1, "[]");
    assert_eq!(remote.get("/control/books?gateway=paypal").await.0, 400);
    assert_eq!(remote.get("/control/books?dreamt=1").await.0, 400);
    assert_eq!(remote.post("/control/accounts/paypal", json!({})).await.0, 400);
}

#[tokio::test]
async fn books_and_notices_are_empty_at_first_and_the_clock_moves() {
    let remote = Remote::start().await;
    for path in [
        "/control/books",
        "/control/books?gateway=wechat&order_no=P1",
        "/control/notices?gateway=unionpay",
    ] {
        assert_eq!(remote.get(path).await, (200, "[]".to_owned()), "{path}");
    }
    let (_, moved) = remote.post("/control/clock", json!({ "offset_ms": 86_400_000 })).await;
    assert_eq!(moved["offset_ms"], 86_400_000);
    let (status, page) = remote.get("/").await;
    assert_eq!(status, 200);
    assert!(page.contains("模拟网关") && page.contains("/control/books"));
}
