//! The adapter under the conformance suite, against the simulated gateway. They share no code.

use std::sync::Arc;

use metropay_channel_alipay::AlipayFactory;
use metropay_channel_kit::conformance;
use metropay_channel_kit::simulated::{ALIPAY, Process, Simulated};
use metropay_outbound::OutboundSettings;
use metropay_simulator::{Settings, Simulator};

#[tokio::test(flavor = "multi_thread")]
async fn alipay_is_as_a_channel_must_be() {
    let process = Process::start("the_gateway").unwrap();
    let gateway = Simulated::new(process.url(), &ALIPAY).unwrap();
    let report = conformance(Arc::new(gateway), AlipayFactory::new(OutboundSettings::default())).await;
    report.assert_holds();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other side of the test above, in a process of its own"]
async fn the_gateway() {
    let settings = Settings {
        settle_ms: 40,
        notice_pace_percent: 1,
        ..Settings::default()
    };
    let simulator = Simulator::start(settings).await.unwrap();
    Process::serve(simulator.url()).await.unwrap();
}
