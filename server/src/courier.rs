//! Bringing notices to merchants' addresses, behind the guard.

use async_trait::async_trait;
use metropay_core::courier::{Courier, CourierAnswer, CourierCall, CourierFailure};
use metropay_outbound::CallError;
use metropay_outbound::guard::{Guard, GuardedRequest, MerchantUrl, UrlRefused};

/// Brings notices through this guard.
pub struct GuardCourier {
    guard: Guard,
}

impl GuardCourier {
    /// A courier behind this guard.
    pub fn new(guard: Guard) -> Self {
        Self { guard }
    }
}

#[async_trait]
impl Courier for GuardCourier {
    fn judge(&self, url: &str) -> Result<(), &'static str> {
        MerchantUrl::parse(url, self.guard.policy())
            .map(|_| ())
            .map_err(UrlRefused::word)
    }

    async fn bring(&self, call: CourierCall) -> Result<CourierAnswer, CourierFailure> {
        let not_sent = |word: &'static str| CourierFailure {
            word,
            error: CallError::NotSent(word.to_owned()),
        };
        let url = MerchantUrl::parse(&call.url, self.guard.policy()).map_err(|refused| not_sent(refused.word()))?;
        let request = GuardedRequest::new("POST", url).and_then(|request| request.body("application/json", call.body));
        let mut request = request.map_err(|_| not_sent("CALL_UNFIT"))?;
        for (name, value) in &call.headers {
            request = request.header(name, value).map_err(|_| not_sent("CALL_UNFIT"))?;
        }
        match self.guard.send(request).await {
            Ok(answer) => Ok(CourierAnswer {
                status: answer.status.as_u16(),
                body: if answer.encoded {
                    Vec::new()
                } else {
                    answer.body.to_vec()
                },
                retry_after: answer.retry_after,
            }),
            Err(unanswered) => Err(CourierFailure {
                word: unanswered.why.word(),
                error: unanswered.error,
            }),
        }
    }
}
