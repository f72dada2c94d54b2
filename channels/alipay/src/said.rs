//! What the gateway said, and what may be made of it (alipay reference, 8).

use metropay_core::channel::{CallError, Hint, Refusal};

use crate::codes::{self, Class, Method};
use crate::node::Node;

/// How much of the gateway's text is kept, in characters.
const TEXT_MAX: usize = 200;

/// Parameters that the gateway echoes when a signature is wrong. What follows the first of them is never kept: tokens and
/// agreement numbers stand in it.
const ECHOED: &[&str] = &[
    "alipay_root_cert_sn=",
    "app_auth_token=",
    "app_cert_sn=",
    "app_id=",
    "auth_token=",
    "biz_content=",
    "charset=",
];

/// An answer that is believed for what it says.
#[derive(Debug)]
pub(crate) struct Said {
    /// To which call.
    pub(crate) method: Method,
    /// `code`: `10000` when it was executed.
    pub(crate) code: String,
    /// `sub_code`, or nothing.
    pub(crate) sub_code: String,
    /// `sub_msg`, or `msg`.
    pub(crate) sub_msg: String,
    /// The members.
    pub(crate) node: Node,
}

impl Said {
    /// What an answer without success means (alipay reference, 8).
    pub(crate) fn class(&self) -> (Class, Hint) {
        codes::classify(self.method, &self.code, &self.sub_code)
    }

    /// The normalised code: `AGREEMENT_NOT_EXIST`.
    pub(crate) fn plain_code(&self) -> String {
        codes::plain(&self.sub_code)
    }

    /// The answer as proof for the books.
    pub(crate) fn refusal(&self, hint: Hint) -> Refusal {
        let code = if self.sub_code.is_empty() {
            &self.code
        } else {
            &self.sub_code
        };
        Refusal {
            code: code.clone(),
            text: short(&self.sub_msg),
            hint,
        }
    }

    /// The answer as a reason for not knowing.
    pub(crate) fn doubt(&self) -> CallError {
        unknown(format!(
            "{} answered {} {} {}",
            self.method.name(),
            self.code,
            self.sub_code,
            short(&self.sub_msg)
        ))
    }

    /// Refuses an answer that tells of another number than ours; one that must tell it and does not, too.
    ///
    /// # Errors
    /// [`CallError::MaybeDone`] naming the member.
    pub(crate) fn tells(&self, name: &str, ours: &str, must: bool) -> Result<(), CallError> {
        match self.node.text(name) {
            Some(theirs) if theirs == ours => Ok(()),
            None if !must => Ok(()),
            theirs => {
                tracing::error!(
                    method = self.method.name(),
                    name,
                    ours,
                    theirs,
                    "a signed answer of alipay tells of another {name} than {ours}"
                );
                Err(unknown(format!("the answer tells of another {name}")))
            }
        }
    }
}

/// Nothing is known.
pub(crate) fn unknown(reason: impl Into<String>) -> CallError {
    CallError::MaybeDone(reason.into())
}

/// A call that followed another: whatever became of it, something was sent before.
pub(crate) fn after(error: CallError) -> CallError {
    match error {
        CallError::NotSent(reason) => CallError::MaybeDone(format!("a following call was not sent: {reason}")),
        maybe @ CallError::MaybeDone(_) => maybe,
    }
}

/// The gateway's text, short and without the request that it may echo.
pub(crate) fn short(text: &str) -> String {
    let end = ECHOED.iter().filter_map(|name| text.find(name)).min();
    let own = end.and_then(|end| text.get(..end)).unwrap_or(text);
    own.chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_echo_of_a_request_is_not_kept() {
        let echo = "验签出错，网关生成的验签字符串为：";
        for name in ECHOED {
            assert_eq!(short(&format!("{echo}{name}canary&amp;x=canary")), echo);
        }
        let link = "更多信息 https://open.alipay.com/api/errCheck?traceId=1&source=openapi";
        assert_eq!(short(link), link);
        assert_eq!(short(&"长".repeat(300)).chars().count(), TEXT_MAX);
    }
}
