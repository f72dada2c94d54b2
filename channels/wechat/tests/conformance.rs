//! The adapter under the conformance suite, against the simulated gateway. They share no code.

use std::sync::Arc;

use metropay_channel_kit::conformance;
use metropay_channel_kit::simulated::{Simulated, WECHAT};
use metropay_channel_wechat::WechatFactory;
use metropay_outbound::OutboundSettings;
use metropay_simulator::{Settings, Simulator};

#[tokio::test(flavor = "multi_thread")]
async fn wechat_is_as_a_channel_must_be() {
    let settings = Settings {
        settle_ms: 40,
        notice_pace_percent: 1,
        ..Settings::default()
    };
    let simulator = Simulator::start(settings).await.unwrap();
    let gateway = Simulated::new(simulator.url(), &WECHAT).unwrap();
    let report = conformance(Arc::new(gateway), WechatFactory::new(OutboundSettings::default())).await;
    report.assert_holds();
}
