//! Calls that did not succeed: their codes and what they say to people (alipay reference, section 8).

use super::answer::Node;
use super::failure_text::sub_msg;

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// Four or five digits, see 1.5.
    pub(super) code: &'static str,
    /// The code that decides (section 8).
    pub(super) sub_code: String,
    /// For people.
    pub(super) sub_msg: String,
}

impl Failure {
    /// A business failure (40004) of a trade method, named without its prefix `ACQ.`.
    pub(super) fn acq(name: &str) -> Self {
        Self::business(&format!("ACQ.{name}"))
    }

    /// A business failure (40004) with this `sub_code`.
    pub(super) fn business(sub_code: &str) -> Self {
        Self {
            code: "40004",
            sub_code: sub_code.to_owned(),
            sub_msg: sub_msg(sub_code).to_owned(),
        }
    }

    /// A failure of the gateway itself; `code` follows from the `sub_code` (8.1).
    pub(super) fn gateway(sub_code: &str) -> Self {
        Self {
            code: gateway_code(sub_code),
            sub_code: sub_code.to_owned(),
            sub_msg: sub_msg(sub_code).to_owned(),
        }
    }

    /// The service failed inside: 20000.
    pub(super) fn system(sub_code: &str) -> Self {
        Self {
            code: "20000",
            ..Self::business(sub_code)
        }
    }

    /// The same failure with another text for people.
    pub(super) fn because(self, sub_msg: &str) -> Self {
        Self {
            sub_msg: sub_msg.to_owned(),
            ..self
        }
    }

    /// The node that tells of it.
    pub(super) fn node(&self) -> Node {
        Node::new(self.code)
            .text("sub_code", &self.sub_code)
            .text("sub_msg", &self.sub_msg)
    }
}

fn gateway_code(sub_code: &str) -> &'static str {
    let name = sub_code.rsplit('.').next().unwrap_or_default();
    match name {
        "missing-signature-config" | "invalid-auth-relations" => "40003",
        "bill_not_exist" => "40004",
        "missing-app-cert-sn" | "missing-alipay-root-cert-sn" | "missing-encypt-key" => "40002",
        _ if name.ends_with("call-limited") => "40005",
        _ if name.ends_with("permissions") || name == "self-invoke-forbidden" => "40006",
        _ if sub_code.starts_with("isp.") || name == "unknow-error" => "20000",
        _ if sub_code.starts_with("aop.") => "20001",
        _ if name.starts_with("missing-") || name.ends_with("missing-encrypt-type") => "40001",
        _ => "40002",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_from_sub_codes() {
        let cases = [
            ("isp.unknow-error", "20000"),
            ("aop.unknow-error", "20000"),
            ("aop.invalid-auth-token", "20001"),
            ("isv.missing-timestamp", "40001"),
            ("isv.decryption-error-missing-encrypt-type", "40001"),
            ("isv.missing-encypt-key", "40002"),
            ("isv.invalid-signature", "40002"),
            ("isv.missing-signature-config", "40003"),
            ("isv.app-call-limited", "40005"),
            ("isv.insufficient-isv-permissions", "40006"),
            ("isv.self-invoke-forbidden", "40006"),
            ("isv.missing-app-cert-sn", "40002"),
            ("not-online-app", "40002"),
            ("invalid-openid", "40002"),
            ("invalid-auth-relations", "40003"),
            ("aop.app-auth-token-time-out", "20001"),
            ("isp.bill_not_exist", "40004"),
        ];
        for (sub_code, code) in cases {
            assert_eq!(Failure::gateway(sub_code).code, code, "{sub_code}");
        }
    }
}
