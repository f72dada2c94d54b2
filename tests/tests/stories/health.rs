//! How the channels are doing, as operators see it.

use metropay_tests::story;
use serde_json::Value;

#[tokio::test]
async fn operators_see_how_each_account_is_doing_and_nobody_else_does() {
    story(async |world| {
        let app = world.rider("alipay").await?;
        assert_eq!(world.pay(&app, "S1", 600).await?.text("pay_status"), "PS_SUCCESS");
        let ops = world.server.ops_url().expect("a world has an operators' listener");
        let http = reqwest::Client::builder().no_proxy().build()?;
        let told = http.get(format!("{ops}/channels")).send().await?.text().await?;
        let told: Vec<Value> = serde_json::from_str(&told)?;
        let alipay = told
            .iter()
            .find(|account| account["channel"] == "alipay")
            .expect("it was called");
        assert_eq!(alipay["breaker"], "closed");
        assert!(alipay["minute"]["answered"].as_u64() > Some(0), "{alipay}");
        assert!(alipay["minute"]["latency_ms_p95"].is_u64(), "{alipay}");
        let outside = http.get(format!("{}/channels", world.server.url())).send().await?;
        assert_eq!(outside.status().as_u16(), 404);
        Ok(())
    })
    .await;
}
