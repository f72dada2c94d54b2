//! What each refusal says to people: for a cashier, a user or an integrator, what to do next. Chinese and English.

use metropay_core::problem::Code;

use crate::language::Language;

/// The message of an answer that is no refusal.
pub const fn success(language: Language) -> &'static str {
    match language {
        Language::Chinese => "成功",
        Language::English => "Success",
    }
}

/// The message of a refusal.
pub const fn message(code: Code, language: Language) -> &'static str {
    match language {
        Language::Chinese => chinese(code),
        Language::English => english(code),
    }
}

const fn chinese(code: Code) -> &'static str {
    match code {
        Code::SignMissing => "缺少签名，请按接入文档在 Authorization 头中携带签名",
        Code::SignMalformed => "签名头格式有误，请对照接入文档检查",
        Code::SignInvalid => "验签失败，请检查商户号、证书序列号、密钥与待签名文本",
        Code::TimestampOutOfWindow => "请求时间与平台相差超过 5 分钟，请校准本机时钟后重新签名",
        Code::NonceReplayed => "随机串已使用过，请更换随机串并重新签名",
        Code::CertRevoked => "证书已吊销，请在商户后台更换证书",
        Code::CertExpired => "证书已过期，请在商户后台更换证书",
        Code::MerchantDisabled => "商户已停用，请联系平台",
        Code::StoreDisabled => "门店已停用，请联系商户管理员",
        Code::IpNotAllowed => "来源地址不在白名单内，请在商户后台维护白名单",
        Code::JsonInvalid => "请求体不是合法的 JSON 对象，请检查格式",
        Code::ContentTypeUnsupported => "请以 application/json 发送，且不要压缩请求体",
        Code::BodyTooLarge => "请求体过大，请精简后重试",
        Code::ParamMissing => "缺少必填参数，请补全后重试",
        Code::ParamInvalid => "参数不符合要求，请改正后重试",
        Code::ParamEitherOr => "请按文档只填写或至少填写其中一个参数",
        Code::IdsDisagree => "两个单号不属于同一笔订单，请核对后重试",
        Code::PathUnknown => "接口不存在，请检查请求地址",
        Code::MethodNotAllowed => "该接口不支持此请求方法，请对照接入文档",
        Code::RateLimited => "操作过于频繁，请稍后重试",
        Code::OutRequestNoConflict => "商户单号已用于另一笔收款，请更换单号",
        Code::OutRefundNoConflict => "商户退款单号已用于另一笔退款，请更换单号",
        Code::EndpointNotFound => "没有这个通知地址",
        Code::EventNotFound => "该通知地址没有这条通知",
        Code::EndpointLimit => "通知地址已达上限，请先删除不用的",
        Code::EndpointUnproven => "通知地址尚未通过验证，请检查后重新验证",
        Code::MembershipNotOffered => "该商户没有开通会员",
        Code::PhoneCodeInvalid => "验证码错误或已失效，请重新获取",
        Code::SmsNotSent => "短信暂时无法发送，请稍后重试",
        Code::CodeForeign => "这是其他渠道的付款码，请使用对应渠道收款",
        Code::CodeMalformed => "未能识别消费码，请重新扫码",
        Code::CodeInvalid => "消费码无效，请顾客刷新消费码后重试",
        Code::CodeUsed => "该消费码已使用，请先查询原订单；如需再次收款，请顾客刷新消费码",
        Code::CodeAccountClosed => "顾客的消费码已停用，请更换其他支付方式",
        Code::NeedMandate => "顾客尚未开通本商户的免密支付，请顾客在 App 中完成授权后重试",
        Code::LimitExceeded => "超出支付限额，请减少金额或更换其他支付方式",
        Code::StoreUnknown => "门店不存在，请检查门店编号",
        Code::RuleError => "商户的收款规则未能给出结果，本次未扣款，请联系平台",
        Code::OrderNotFound => "订单不存在，请核对单号",
        Code::OrderNotPaid => "订单未支付成功，不能退款",
        Code::OrderReversed => "订单已撤销，款项已原路退回，无需再操作",
        Code::OrderClosed => "该单号已被撤销关闭，请更换单号重新收款",
        Code::RefundExceeds => "退款金额超过可退余额，请核对后重试",
        Code::RefundExpired => "已超过可退款期限，请线下处理",
        Code::ReverseRefused => "订单已不能撤销，请使用退款",
        Code::BillNotReady => "账单尚未生成，请在提示的时间后下载",
        Code::TokenMissing => "请先登录",
        Code::TokenInvalid => "登录信息无效，请重新登录",
        Code::TokenExpired => "登录已过期，请重新登录",
        Code::TokenRevoked => "登录已失效，请重新登录",
        Code::DeviceProofMissing => "缺少设备证明，请更新 App 后重试",
        Code::DeviceProofInvalid => "设备校验未通过，请在本人已绑定的手机上操作",
        Code::DeviceProofReplayed => "设备证明已使用过，请重试",
        Code::CodeNotOpened => "尚未开通消费码，请先开通",
        Code::UserFrozen => "账户已冻结，请联系客服",
        Code::PhoneUnverified => "手机号与 App 中已验证的不一致，请先完成验证",
        Code::ChannelNotConfigured => "该商户暂不支持此支付渠道，请选择其他渠道",
        Code::ChannelUnavailable => "支付渠道暂时无法访问，本次未作任何变更，请稍后重试",
        Code::ChannelRefused => "支付渠道未受理，请按提示处理或更换其他渠道",
        Code::MerchantNotFound => "商户不存在，请返回后重新选择",
        Code::MandateNotFound => "免密授权不存在，请刷新列表",
        Code::CodeNotFound => "消费码不存在，请刷新消费码",
        Code::RecordNotFound => "记录不存在，请刷新列表",
        Code::StateInvalid => "授权链接无效或已使用，请从 App 重新发起授权",
        Code::CursorInvalid => "翻页位置无效，请从第一页重新加载",
        Code::Internal => "系统异常，结果未知：请先查询结果，不要直接重复操作",
        Code::Unavailable => "系统繁忙，结果未知：请稍后查询，或用原单号重试",
    }
}

const fn english(code: Code) -> &'static str {
    match code {
        Code::SignMissing => "No signature: send one in the Authorization header as the guide describes.",
        Code::SignMalformed => "The signature header cannot be read: compare it with the guide.",
        Code::SignInvalid => "The signature does not fit: check merchant id, serial, key and signed text.",
        Code::TimestampOutOfWindow => "More than 5 minutes from our time: set your clock and sign again.",
        Code::NonceReplayed => "The nonce was used before: sign again with a new one.",
        Code::CertRevoked => "The credential was revoked: replace it in the merchant console.",
        Code::CertExpired => "The credential has expired: replace it in the merchant console.",
        Code::MerchantDisabled => "The merchant is disabled: contact the platform.",
        Code::StoreDisabled => "The store is disabled: contact the merchant's administrator.",
        Code::IpNotAllowed => "Your address is not on the allow-list: maintain it in the merchant console.",
        Code::JsonInvalid => "The body is not a JSON object as we take it: check its form.",
        Code::ContentTypeUnsupported => "Send application/json, without any content encoding.",
        Code::BodyTooLarge => "The body is too large: shorten it.",
        Code::ParamMissing => "A required parameter is missing: add it.",
        Code::ParamInvalid => "A parameter does not follow its rule: correct it.",
        Code::ParamEitherOr => "Give one of the parameters, as the guide describes.",
        Code::IdsDisagree => "The two numbers belong to different orders: check them.",
        Code::PathUnknown => "No such interface: check the address.",
        Code::MethodNotAllowed => "The interface does not take this method: see the guide.",
        Code::RateLimited => "Too often: wait and try again.",
        Code::OutRequestNoConflict => "The number was used for another payment: take a new one.",
        Code::OutRefundNoConflict => "The refund number was used for another refund: take a new one.",
        Code::EndpointNotFound => "There is no such endpoint.",
        Code::EventNotFound => "This endpoint was never owed such an event.",
        Code::EndpointLimit => "There are as many endpoints as a merchant may have: remove one first.",
        Code::EndpointUnproven => "The endpoint has not proven to be yours: see what it answers, and prove it again.",
        Code::MembershipNotOffered => "This merchant has no membership.",
        Code::PhoneCodeInvalid => "The code is wrong or over: ask for another.",
        Code::SmsNotSent => "The text message cannot be sent at present; try again later.",
        Code::CodeForeign => "This is another channel's payment code: take it through that channel.",
        Code::CodeMalformed => "The code was not recognised: scan it again.",
        Code::CodeInvalid => "The code is not valid: ask the customer to refresh it, and scan again.",
        Code::CodeUsed => "The code was used: query the first order; for another, ask for a fresh code.",
        Code::CodeAccountClosed => "The customer's code is closed: ask for another way to pay.",
        Code::NeedMandate => "The customer must authorise this merchant in the App first; then try again.",
        Code::LimitExceeded => "Above the payment limit: lower the amount or take another way to pay.",
        Code::StoreUnknown => "No such store: check the store number.",
        Code::RuleError => "The merchant's rules gave no result; nothing was debited. Contact the platform.",
        Code::OrderNotFound => "No such order: check its number.",
        Code::OrderNotPaid => "The order was not paid; it cannot be refunded.",
        Code::OrderReversed => "The order was reversed and the money returned; nothing is left to do.",
        Code::OrderClosed => "A reversal has closed this number: take a new one for a new payment.",
        Code::RefundExceeds => "More than what is left to refund: check the amount.",
        Code::RefundExpired => "Too late for a refund: settle it outside the system.",
        Code::ReverseRefused => "The order can no longer be reversed: refund it instead.",
        Code::BillNotReady => "The bill is not made yet: fetch it after the time given.",
        Code::TokenMissing => "Sign in first.",
        Code::TokenInvalid => "The sign-in is not valid: sign in again.",
        Code::TokenExpired => "The sign-in has expired: sign in again.",
        Code::TokenRevoked => "The sign-in was ended: sign in again.",
        Code::DeviceProofMissing => "The device proof is missing: update the App and try again.",
        Code::DeviceProofInvalid => "The device proof does not fit: use the phone that is bound to you.",
        Code::DeviceProofReplayed => "The device proof was used before: try again.",
        Code::CodeNotOpened => "The consumption code is not opened: open it first.",
        Code::UserFrozen => "The account is frozen: contact the service desk.",
        Code::PhoneUnverified => "Not the phone that the App has verified: verify it first.",
        Code::ChannelNotConfigured => "The merchant does not offer this channel: choose another.",
        Code::ChannelUnavailable => "The channel cannot be reached; nothing was changed. Try again later.",
        Code::ChannelRefused => "The channel refused: follow its hint or choose another channel.",
        Code::MerchantNotFound => "No such merchant: go back and choose again.",
        Code::MandateNotFound => "No such mandate: refresh the list.",
        Code::CodeNotFound => "No such code: refresh it.",
        Code::RecordNotFound => "No such record: refresh the list.",
        Code::StateInvalid => "The link is not valid or was used: start again from the App.",
        Code::CursorInvalid => "The position in the list is not valid: start from the first page.",
        Code::Internal => "A fault of ours, result unknown: query it first, do not simply repeat.",
        Code::Unavailable => "Overloaded, result unknown: query later, or repeat with the same number.",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_says_in_both_languages_what_to_do() {
        let mut seen = BTreeSet::new();
        for code in Code::ALL {
            let (zh, en) = (message(*code, Language::Chinese), message(*code, Language::English));
            assert!(
                zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)),
                "{code}: {zh}"
            );
            assert!(en.is_ascii() && en.ends_with('.') && en.len() > 10, "{code}: {en}");
            assert!(seen.insert(zh) && seen.insert(en), "{code} says the same as another");
        }
    }
}
