//! The channels that are linked into this binary, one line each. A new channel is one more line.

use metropay_channel_alipay::AlipayFactory;
use metropay_channel_unionpay::UnionpayFactory;
use metropay_channel_wechat::WechatFactory;
use metropay_core::channel::ChannelRegistry;
use metropay_outbound::OutboundSettings;

/// All linked channels.
pub fn channels() -> ChannelRegistry {
    ChannelRegistry::new()
        .with(WechatFactory::new(OutboundSettings::to("wechat")))
        .with(AlipayFactory::new(OutboundSettings::to("alipay")))
        .with(UnionpayFactory::new(OutboundSettings::to("unionpay")))
        .with(metropay_channel_ecny::EcnyFactory::new(OutboundSettings::to("ecny")))
}
