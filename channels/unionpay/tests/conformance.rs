//! The adapter under the conformance suite, against the simulated gateway. They share no code.

use std::sync::Arc;

use metropay_channel_kit::conformance;
use metropay_channel_kit::simulated::{Simulated, UNIONPAY};
use metropay_channel_unionpay::UnionpayFactory;
use metropay_outbound::OutboundSettings;
use metropay_simulator::{Settings, Simulator};

#[tokio::test(flavor = "multi_thread")]
async fn unionpay_is_as_a_channel_must_be() {
    let settings = Settings {
        settle_ms: 40,
        notice_pace_percent: 1,
        ..Settings::default()
    };
    let simulator = Simulator::start(settings).await.unwrap();
    let gateway = Simulated::new(simulator.url(), &UNIONPAY).unwrap();
    let report = conformance(Arc::new(gateway), UnionpayFactory::new(OutboundSettings::default())).await;
    report.assert_holds();
}
