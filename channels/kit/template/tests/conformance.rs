//! The adapter under the conformance suite, against the gateway beside it.

use std::sync::Arc;

use metropay_channel_foochan::FoochanFactory;
use metropay_channel_kit::conformance;
use metropay_outbound::OutboundSettings;

mod gateway;

#[tokio::test(flavor = "multi_thread")]
async fn foochan_is_as_a_channel_must_be() {
    let gateway = gateway::Foochan::start().await.unwrap();
    let report = conformance(Arc::new(gateway), FoochanFactory::new(OutboundSettings::default())).await;
    report.assert_holds();
}
