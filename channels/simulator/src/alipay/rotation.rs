//! `alipay.open.app.alipaycert.download`: the certificate of Alipay's that an answer named (alipay reference, 1.7).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::answer::Node;
use super::authority;
use super::call::Call;
use super::desk::Desk;
use super::failure::Failure;

/// Hands out a certificate by its serial name, present or past: base64 of the PEM text.
pub(super) fn download(desk: &mut Desk<'_>, call: &Call) -> Result<Node, Failure> {
    let invalid = |why: &str| Failure::business("INVALID_PARAMETER").because(why);
    let sn = call
        .text("alipay_cert_sn")
        .ok_or_else(|| invalid("alipay_cert_sn不能为空"))?;
    let pem = authority::kept(&desk.tx, &sn).ok_or_else(|| invalid("alipay_cert_sn不存在"))?;
    Ok(Node::success().text("alipay_cert_content", &STANDARD.encode(pem)))
}
