//! The adapter under the conformance suite, against the gateway beside it.

use std::sync::Arc;

use metropay_channel_ecny::EcnyFactory;
use metropay_channel_kit::conformance;
use metropay_outbound::OutboundSettings;

mod gateway;

#[tokio::test(flavor = "multi_thread")]
async fn ecny_is_as_a_channel_must_be() {
    let gateway = gateway::Ecny::start().await.unwrap();
    let report = conformance(Arc::new(gateway), EcnyFactory::new(OutboundSettings::default())).await;
    report.assert_holds();
}
