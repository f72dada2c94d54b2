//! The three entries to signing (wechat reference, 3.3).

use super::answer::GO_ON_TO;
use super::operation::{Carrier, Family, Form, Operation, Rule, Signing, may, must};
use super::presign::{Entry, begin};
use super::xml::Fields;
use crate::frame::Frame;

/// `/papay/preentrustweb`: the App asks before it opens WeChat.
pub(super) static PREENTRUSTWEB: Operation = Operation {
    name: "preentrustweb",
    family: Family::Contract,
    carrier: Carrier::Post,
    signing: Signing::Md5,
    has_nonce: false,
    is_closed: true,
    is_certified: false,
    bad_field_code: "PARAM_ERROR",
    rules: &[
        must("plan_id", Form::Digits(28)),
        must("contract_code", Form::Alphanumeric(32)),
        must("request_serial", Form::Serial),
        must("contract_display_account", Form::DisplayAccount),
        must("notify_url", Form::NotifyUrl),
        must("version", VERSION),
        must("timestamp", Form::Timestamp),
        SIGN_TYPE,
        may("return_app", Form::OneOf(&["Y", "N"])),
        may("outerid", Form::Text(32)),
    ],
    act: |frame, call| {
        let id = begin(frame, call, Entry::App)?;
        Ok(Fields::new().with("pre_entrustweb_id", id))
    },
};

/// `/papay/entrustweb`: a browser inside WeChat navigates here.
pub(super) static ENTRUSTWEB: Operation = Operation {
    name: "entrustweb",
    family: Family::SigningPage,
    carrier: Carrier::GetForPage,
    signing: Signing::Md5Only,
    has_nonce: false,
    is_closed: true,
    is_certified: false,
    bad_field_code: "PARAM_ERROR",
    rules: &[
        must("plan_id", Form::Digits(28)),
        must("contract_code", Form::Alphanumeric(32)),
        must("request_serial", Form::Serial),
        must("contract_display_account", Form::DisplayAccount),
        must("notify_url", Form::NotifyUrl),
        must("version", VERSION),
        must("timestamp", Form::Timestamp),
        may("return_web", Form::OneOf(&["0", "1"])),
        may("outerid", Form::Text(32)),
    ],
    act: |frame, call| {
        let id = begin(frame, call, Entry::Page)?;
        Ok(Fields::new().with(GO_ON_TO, page_of(frame, &id)))
    },
};

/// `/papay/h5entrustweb`: the server asks for the address that an ordinary browser then opens.
pub(super) static H5ENTRUSTWEB: Operation = Operation {
    name: "h5entrustweb",
    family: Family::SigningPage,
    carrier: Carrier::GetForXml,
    signing: Signing::HmacSha256,
    has_nonce: false,
    is_closed: true,
    is_certified: false,
    bad_field_code: "PARAM_ERROR",
    rules: &[
        must("plan_id", Form::Digits(28)),
        must("contract_code", Form::Alphanumeric(32)),
        must("request_serial", Form::Serial),
        must("contract_display_account", Form::DisplayAccount),
        must("notify_url", Form::NotifyUrl),
        must("version", VERSION),
        must("timestamp", Form::Timestamp),
        must("clientip", Form::Ip),
        SIGN_TYPE,
        may("return_appid", Form::Id(32)),
        may("deviceid", Form::Text(64)),
        may("mobile", Form::Text(32)),
        may("email", Form::Text(64)),
        may("qq", Form::Text(32)),
        may("openid", Form::Id(128)),
        may("creid", Form::Text(32)),
        may("outerid", Form::Text(32)),
    ],
    act: |frame, call| {
        let id = begin(frame, call, Entry::H5)?;
        Ok(Fields::new().with("redirect_url", page_of(frame, &id)))
    },
};

const VERSION: Form = Form::OneOf(&["1.0"]);
const SIGN_TYPE: Rule = may("sign_type", Form::OneOf(&["MD5", "HMAC-SHA256"]));

fn page_of(frame: &Frame, id: &str) -> String {
    format!("{}/wechat/phone/sign?id={id}", frame.public_url)
}
