//! A membership that the platform keeps, for merchants without a system of their own: a number, points, levels.
//!
//! It leaves the platform for nothing, so it always answers. What a member has (state, number, points) is the engine's to keep;
//! this says what it becomes.

mod config;
mod number;
mod point;

use std::sync::Arc;

use async_trait::async_trait;
use metropay_core::id::{MchId, RefundNo};
use metropay_core::member::{
    ConfigError, Member, MemberAnswered, MemberFactory, MemberFailure, MemberPayment, MemberPoints, MemberQuery,
    MemberQuestion, MemberSetting, MemberStanding, MemberTrouble, PointsChange, VipStatus,
};
use metropay_core::money::Fen;
use metropay_core::secret::Secret;

pub use crate::config::{Level, MemberBuiltinConfig};
pub use crate::number::NumberKeyRefused;
use crate::number::Numbers;
use crate::point::Points;

/// Builds memberships that the platform keeps.
#[derive(Clone)]
pub struct MemberBuiltinFactory {
    numbers: Numbers,
}

impl MemberBuiltinFactory {
    /// A factory whose members' numbers are made with this secret of the platform. With another secret new members get other
    /// numbers; those that were given stay.
    ///
    /// # Errors
    /// [`NumberKeyRefused`].
    pub fn new(number_secret: &Secret) -> Result<Self, NumberKeyRefused> {
        Ok(Self {
            numbers: Numbers::new(number_secret)?,
        })
    }
}

impl MemberFactory for MemberBuiltinFactory {
    type Config = MemberBuiltinConfig;

    const ID: &'static str = "builtin";
    const NAME: &'static str = "平台内置会员";

    fn build(&self, config: MemberBuiltinConfig, setting: MemberSetting) -> Result<Arc<dyn Member>, ConfigError> {
        let (prefix, points) = config.check()?;
        Ok(Arc::new(MemberBuiltin {
            prefix,
            points,
            numbers: self.numbers.clone(),
            mch_id: setting.mch_id,
        }))
    }
}

/// The membership of one merchant.
struct MemberBuiltin {
    prefix: String,
    points: Points,
    numbers: Numbers,
    mch_id: MchId,
}

impl MemberBuiltin {
    /// A standing with the member's number: the one that he has, or the one that is his.
    fn standing(&self, status: VipStatus, question: &MemberQuestion) -> MemberAnswered {
        let number = question.member_no.clone().filter(|no| !no.is_empty());
        let made = || format!("{}{}", self.prefix, self.numbers.number(&self.mch_id, &question.uid));
        Ok(MemberStanding {
            status,
            member_no: Some(number.unwrap_or_else(made)),
            reason: String::new(),
        })
    }
}

#[async_trait]
impl Member for MemberBuiltin {
    async fn open(&self, question: &MemberQuestion) -> MemberAnswered {
        self.standing(VipStatus::Active, question)
    }

    async fn close(&self, question: &MemberQuestion) -> MemberAnswered {
        self.standing(VipStatus::Closed, question)
    }

    async fn change_phone(&self, question: &MemberQuestion) -> MemberAnswered {
        // The number is the engine's; nothing hangs on it here.
        self.standing(VipStatus::Active, question)
    }

    fn query(&self) -> Option<&dyn MemberQuery> {
        None
    }

    fn points(&self) -> Option<&dyn MemberPoints> {
        (self.points.per_yuan > 0).then_some(self as &dyn MemberPoints)
    }
}

#[async_trait]
impl MemberPoints for MemberBuiltin {
    async fn paid(&self, payment: &MemberPayment) -> Result<PointsChange, MemberFailure> {
        Ok(self.points.change(Fen::ZERO, payment.paid, payment.points_before))
    }

    async fn refunded(
        &self,
        payment: &MemberPayment,
        _: &RefundNo,
        amount: Fen,
    ) -> Result<PointsChange, MemberFailure> {
        let more = |_| MemberFailure::not_sent(MemberTrouble::Call, "more goes back than was paid");
        let from = payment.paid.minus(payment.refunded_before).map_err(more)?;
        let to = from.minus(amount).map_err(more)?;
        Ok(self.points.change(from, to, payment.points_before))
    }
}

#[cfg(test)]
mod tests {
    use metropay_core::clock::Time;

    use super::*;

    fn built(config: &serde_json::Value) -> MemberBuiltin {
        let config: MemberBuiltinConfig = serde_json::from_value(config.clone()).unwrap();
        let (prefix, points) = config.check().unwrap();
        MemberBuiltin {
            prefix,
            points,
            numbers: Numbers::new(&Secret::from("0123456789abcdef0123456789abcdef")).unwrap(),
            mch_id: "1900000109".into(),
        }
    }

    fn question(member_no: Option<&str>) -> MemberQuestion {
        MemberQuestion {
            uid: "u1".into(),
            phone: None,
            member_no: member_no.map(str::to_owned),
            request_no: "MB1".to_owned(),
            at: Time(0),
        }
    }

    fn payment(paid: u64, refunded_before: u64, points_before: u64) -> MemberPayment {
        MemberPayment {
            uid: "u1".into(),
            no: "P1".into(),
            paid: Fen::new(paid).unwrap(),
            refunded_before: Fen::new(refunded_before).unwrap(),
            points_before,
        }
    }

    #[tokio::test]
    async fn a_member_keeps_his_number_through_every_question() {
        let member = built(&serde_json::json!({ "number_prefix": "SZ" }));
        let opened = member.open(&question(None)).await.unwrap();
        assert_eq!(opened.status, VipStatus::Active);
        let number = opened.member_no.clone().unwrap();
        assert!(number.starts_with("SZ") && number.len() == 21, "{number}");
        assert_eq!(member.open(&question(None)).await.unwrap(), opened);
        assert_eq!(member.open(&question(Some(&number))).await.unwrap(), opened);
        for kept in ["A-7", number.as_str()] {
            let closed = member.close(&question(Some(kept))).await.unwrap();
            assert_eq!(
                (closed.status, closed.member_no.as_deref()),
                (VipStatus::Closed, Some(kept))
            );
            let changed = member.change_phone(&question(Some(kept))).await.unwrap();
            assert_eq!(
                (changed.status, changed.member_no.as_deref()),
                (VipStatus::Active, Some(kept))
            );
        }
        assert!(member.query().is_none() && member.points().is_none());
    }

    #[tokio::test]
    async fn points_come_with_a_payment_and_go_with_its_refunds() {
        let member =
            built(&serde_json::json!({ "points_per_yuan": 3, "levels": [{ "name": "银卡", "from_points": 10 }] }));
        let points = member.points().unwrap();
        let paid = points.paid(&payment(650, 0, 0)).await.unwrap();
        assert_eq!(
            (paid.change, paid.points, paid.level.as_deref()),
            (19, 19, Some("银卡"))
        );
        let part = |amount| Fen::new(amount).unwrap();
        let back = points
            .refunded(&payment(650, 0, 19), &"R1".into(), part(333))
            .await
            .unwrap();
        assert_eq!((back.change, back.points, back.level), (-10, 9, None));
        let rest = points
            .refunded(&payment(650, 333, 9), &"R2".into(), part(317))
            .await
            .unwrap();
        assert_eq!((rest.change, rest.points), (-9, 0));
        for (before, amount) in [(333, 318), (651, 0), (0, 651)] {
            let refused = points
                .refunded(&payment(650, before, 9), &"R3".into(), part(amount))
                .await;
            assert_eq!(refused.unwrap_err().trouble, MemberTrouble::Call);
        }
    }
}
