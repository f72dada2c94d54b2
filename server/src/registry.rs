//! The channels and membership systems that are linked into this binary, one line each. A new one is one more line.

use anyhow::Result;
use metropay_channel_alipay::AlipayFactory;
use metropay_channel_unionpay::UnionpayFactory;
use metropay_channel_wechat::WechatFactory;
use metropay_core::channel::ChannelRegistry;
use metropay_core::member::MemberRegistry;
use metropay_core::secret::Secret;
use metropay_member_builtin::MemberBuiltinFactory;
use metropay_member_http::MemberHttpFactory;
use metropay_outbound::OutboundSettings;
use metropay_outbound::guard::Guard;

/// All linked channels.
pub fn channels() -> ChannelRegistry {
    ChannelRegistry::new()
        .with(WechatFactory::new(OutboundSettings::to("wechat")))
        .with(AlipayFactory::new(OutboundSettings::to("alipay")))
        .with(UnionpayFactory::new(OutboundSettings::to("unionpay")))
        .with(metropay_channel_ecny::EcnyFactory::new(OutboundSettings::to("ecny")))
}

/// All linked membership systems: merchants' own are called through this guard, numbers of those that the platform keeps are made
/// with this secret.
///
/// # Errors
/// When the secret is too short.
pub fn members(guard: Guard, number_secret: &Secret) -> Result<MemberRegistry> {
    Ok(MemberRegistry::new()
        .with(MemberHttpFactory::new(guard))
        .with(MemberBuiltinFactory::new(number_secret)?))
}
