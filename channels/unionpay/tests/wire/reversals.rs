//! Reversals: each call looks at the channel and goes on from there.

use std::sync::Mutex;

use metropay_core::channel::{CallError, Outcome, Reversed};
use wiremock::ResponseTemplate;

use crate::gateway::{Fields, PAY, QUERY_ID, Stage, answer, by_code, found, reversal};

const UNDO: &str = "V20250301123500000ABCDEFGHJKLM";
const REFUND: &str = "W20250301123500000ABCDEFGHJKLM";

/// How the three orders of a reversal stand when they are asked for, and what sendings are answered. `None` is absent.
#[derive(Default, Clone, Copy)]
struct World {
    original: Option<&'static str>,
    undo: Option<&'static str>,
    refund: Option<&'static str>,
    on_reversal: &'static str,
    on_undo: &'static str,
    on_refund: &'static str,
    /// What the original shows after a reversal was sent.
    then: Option<&'static str>,
}

fn world(original: Option<&'static str>) -> World {
    World {
        original,
        then: original,
        on_reversal: "00",
        on_undo: "00",
        on_refund: "00",
        ..World::default()
    }
}

impl World {
    fn say(&mut self, asked: &Fields) -> ResponseTemplate {
        match (asked["txnType"].as_str(), asked["orderId"].as_str()) {
            ("99", PAY) => {
                self.original = self.then;
                answer(asked, self.on_reversal, &[])
            }
            ("31", UNDO) => answer(asked, self.on_undo, &[]),
            ("04", REFUND) => answer(asked, self.on_refund, &[]),
            ("00", PAY) => stands(asked, "01", self.original),
            ("00", UNDO) => stands(asked, "31", self.undo),
            ("00", REFUND) => stands(asked, "04", self.refund),
            other => panic!("{other:?} is not asked for"),
        }
    }

    async fn stage(self) -> Stage {
        let world = Mutex::new(self);
        Stage::new(move |asked| world.lock().unwrap().say(asked)).await
    }
}

fn stands(asked: &Fields, kind: &str, code: Option<&str>) -> ResponseTemplate {
    match code {
        Some(code) => found(asked, kind, code, "1280"),
        None => answer(asked, "34", &[]),
    }
}

/// The money calls so far.
async fn sent(stage: &Stage) -> Vec<String> {
    let kinds = stage.kinds().await;
    kinds.into_iter().filter(|kind| kind != "00").collect()
}

const NEVER: Result<Outcome<Reversed>, CallError> = Ok(Outcome::Done(Reversed::NeverPaid));

fn money_back(outcome: Result<Outcome<Reversed>, CallError>) -> Option<String> {
    match outcome {
        Ok(Outcome::Done(Reversed::MoneyBack {
            paid: Some(paid),
            channel_no,
        })) => {
            assert_eq!(paid.channel_no, QUERY_ID);
            channel_no
        }
        other => panic!("money back: {other:?}"),
    }
}

#[tokio::test]
async fn a_failed_payment_was_never_paid_and_nothing_is_sent() {
    let stage = world(Some("64")).stage().await;
    assert_eq!(stage.channel.reverse(&reversal(None)).await, NEVER);
    assert!(sent(&stage).await.is_empty());
}

#[tokio::test]
async fn a_pending_payment_is_reversed_and_whatever_is_no_success_then_is_proof() {
    for then in ["01", "99", "ZZ", "34"] {
        let stage = World {
            then: Some(then),
            ..world(Some("05"))
        }
        .stage()
        .await;
        assert_eq!(stage.channel.reverse(&reversal(None)).await, NEVER, "{then}");
        assert_eq!(sent(&stage).await, ["99"]);
        let (path, fields) = stage.asked().await.remove(1);
        assert_eq!(path, "/gateway/api/backTransReq.do");
        assert_eq!(
            (fields["txnSubType"].as_str(), fields["bizType"].as_str()),
            ("01", "000000")
        );
        assert_eq!(
            (fields["orderId"].as_str(), fields["txnTime"].as_str()),
            (PAY, "20250301123456")
        );
        for never in ["txnAmt", "origQryId", "backUrl"] {
            assert!(!fields.contains_key(never), "{never}");
        }
    }
}

#[tokio::test]
async fn a_reversal_that_the_gateway_did_not_take_proves_nothing() {
    for code in ["05", "39", "32", "12", "06"] {
        let unclear = World {
            on_reversal: code,
            then: Some("99"),
            ..world(Some("99"))
        }
        .stage()
        .await;
        assert_eq!(
            unclear.channel.reverse(&reversal(None)).await,
            Ok(Outcome::Pending),
            "{code}"
        );
        let running = World {
            on_reversal: code,
            then: Some("05"),
            ..world(Some("05"))
        }
        .stage()
        .await;
        assert_eq!(
            running.channel.reverse(&reversal(None)).await,
            Ok(Outcome::Pending),
            "{code}"
        );
    }
}

#[tokio::test]
async fn a_payment_that_stays_pending_behind_an_accepted_reversal_is_asked_for_again() {
    let stage = world(Some("05")).stage().await;
    for _ in 0..3 {
        assert_eq!(stage.channel.reverse(&reversal(None)).await, Ok(Outcome::Pending));
    }
    assert_eq!(sent(&stage).await, ["99", "99", "99"]);
}

#[tokio::test]
async fn no_reversal_is_sent_after_the_clearing_day() {
    let stage = world(Some("05")).stage().await;
    stage.clock.set("20250301230001");
    assert_eq!(stage.channel.reverse(&reversal(None)).await, Ok(Outcome::Pending));
    assert!(sent(&stage).await.is_empty());
}

#[tokio::test]
async fn absence_is_proof_only_when_no_request_can_be_on_its_way() {
    let stage = World {
        on_reversal: "35",
        ..world(None)
    }
    .stage()
    .await;
    stage.clock.set("20250301123629");
    assert_eq!(stage.channel.reverse(&reversal(None)).await, Ok(Outcome::Pending));
    stage.clock.set("20250301123630");
    assert_eq!(stage.channel.reverse(&reversal(None)).await, NEVER);
}

#[tokio::test]
async fn a_paid_payment_is_undone_on_its_clearing_day_and_done_only_by_the_undos_own_query() {
    let stage = world(Some("00")).stage().await;
    assert_eq!(
        stage.channel.reverse(&reversal(Some(QUERY_ID))).await,
        Ok(Outcome::Pending)
    );
    assert_eq!(sent(&stage).await, ["31"]);
    let (_, fields) = stage.asked().await.pop().unwrap();
    for (name, value) in [
        ("orderId", UNDO),
        ("txnTime", "20250301123500"),
        ("bizType", "000301"),
        ("origQryId", QUERY_ID),
        ("txnAmt", "1280"),
        ("reqReserved", PAY),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }

    let running = World {
        undo: Some("05"),
        ..world(Some("00"))
    }
    .stage()
    .await;
    assert_eq!(
        running.channel.reverse(&reversal(Some(QUERY_ID))).await,
        Ok(Outcome::Pending)
    );
    let done = World {
        undo: Some("00"),
        ..world(Some("00"))
    }
    .stage()
    .await;
    assert!(money_back(done.channel.reverse(&reversal(Some(QUERY_ID))).await).is_some());
    assert!(sent(&running).await.is_empty() && sent(&done).await.is_empty());
}

#[tokio::test]
async fn after_the_clearing_day_everything_is_refunded() {
    let stage = world(Some("00")).stage().await;
    stage.clock.set("20250302100000");
    assert_eq!(
        stage.channel.reverse(&reversal(Some(QUERY_ID))).await,
        Ok(Outcome::Pending)
    );
    assert_eq!(sent(&stage).await, ["04"]);
    let (_, fields) = stage.asked().await.pop().unwrap();
    assert_eq!(
        (fields["orderId"].as_str(), fields["txnAmt"].as_str()),
        (REFUND, "1280")
    );
    assert_eq!(
        (fields["txnTime"].as_str(), fields["reqReserved"].as_str()),
        ("20250301123500", PAY)
    );
}

#[tokio::test]
async fn a_refused_undo_becomes_a_refund_of_everything() {
    for code in ["35", "36", "39", "62", "43", "32"] {
        let refused = World {
            on_undo: code,
            ..world(Some("00"))
        }
        .stage()
        .await;
        assert_eq!(
            refused.channel.reverse(&reversal(Some(QUERY_ID))).await,
            Ok(Outcome::Pending),
            "{code}"
        );
        assert_eq!(sent(&refused).await, ["31", "04"], "{code}");
        let failed = World {
            undo: Some(code),
            ..world(Some("00"))
        }
        .stage()
        .await;
        assert_eq!(
            failed.channel.reverse(&reversal(Some(QUERY_ID))).await,
            Ok(Outcome::Pending),
            "{code}"
        );
        assert_eq!(sent(&failed).await, ["04"], "{code}");
    }
}

#[tokio::test]
async fn the_fallback_refund_is_found_again_before_anything_is_sent() {
    for (refund, sure) in [("05", false), ("00", true)] {
        let stage = World {
            refund: Some(refund),
            ..world(Some("00"))
        }
        .stage()
        .await;
        let outcome = stage.channel.reverse(&reversal(Some(QUERY_ID))).await;
        if sure {
            assert!(money_back(outcome).is_some());
        } else {
            assert_eq!(outcome, Ok(Outcome::Pending));
        }
        assert!(sent(&stage).await.is_empty());
    }
    let failed = World {
        undo: Some("39"),
        refund: Some("36"),
        ..world(Some("00"))
    }
    .stage()
    .await;
    let outcome = failed.channel.reverse(&reversal(Some(QUERY_ID))).await;
    assert!(
        matches!(&outcome, Ok(Outcome::Refused(why)) if why.code == "36"),
        "{outcome:?}"
    );
    assert!(sent(&failed).await.is_empty());
}

#[tokio::test]
async fn what_went_back_already_is_money_back_and_other_refusals_are_refusals() {
    let back = World {
        on_undo: "45",
        on_refund: "45",
        ..world(Some("00"))
    }
    .stage()
    .await;
    assert_eq!(money_back(back.channel.reverse(&reversal(Some(QUERY_ID))).await), None);
    for code in ["35", "36", "38", "32"] {
        let stage = World {
            on_undo: "39",
            on_refund: code,
            ..world(Some("00"))
        }
        .stage()
        .await;
        let outcome = stage.channel.reverse(&reversal(Some(QUERY_ID))).await;
        assert!(
            matches!(&outcome, Ok(Outcome::Refused(why)) if why.code == code),
            "{code}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn wrong_state_means_that_the_reversal_had_worked_where_one_was_sent_at_all() {
    let world = World {
        on_undo: "35",
        on_refund: "35",
        ..world(Some("00"))
    };
    let stage = world.stage().await;
    stage.clock.set("20250301123530");
    assert_eq!(money_back(stage.channel.reverse(&reversal(None)).await), None);
    assert_eq!(sent(&stage).await, ["31", "04"]);
    // A payment that was known to be paid is never reversed by 99.
    let known = world.stage().await.channel.reverse(&reversal(Some(QUERY_ID))).await;
    assert!(
        matches!(&known, Ok(Outcome::Refused(why)) if why.code == "35"),
        "{known:?}"
    );
}

#[tokio::test]
async fn a_payment_by_code_is_undone_in_the_words_of_its_product() {
    let mut question = reversal(None);
    question.payment = by_code(None);
    let stage = World {
        then: Some("01"),
        ..world(Some("05"))
    }
    .stage()
    .await;
    assert_eq!(stage.channel.reverse(&question).await, NEVER);
    let (_, fields) = stage.asked().await.remove(1);
    assert_eq!(
        (fields["txnType"].as_str(), fields["channelType"].as_str()),
        ("99", "08")
    );

    question.payment = by_code(Some(QUERY_ID));
    let refused = World {
        on_undo: "39",
        ..world(Some("00"))
    }
    .stage()
    .await;
    assert_eq!(refused.channel.reverse(&question).await, Ok(Outcome::Pending));
    let asked = refused.asked().await;
    for kind in ["31", "04"] {
        let (_, fields) = asked.iter().find(|(_, fields)| fields["txnType"] == kind).unwrap();
        assert_eq!(
            (fields["bizType"].as_str(), fields["channelType"].as_str()),
            ("000000", "08")
        );
    }
}

#[tokio::test]
async fn nothing_is_sent_back_while_a_reversal_may_still_be_on_its_way() {
    let stage = world(Some("00")).stage().await;
    stage.clock.set("20250301123529");
    assert_eq!(stage.channel.reverse(&reversal(None)).await, Ok(Outcome::Pending));
    assert!(sent(&stage).await.is_empty());
    stage.clock.set("20250301123530");
    assert_eq!(stage.channel.reverse(&reversal(None)).await, Ok(Outcome::Pending));
    assert_eq!(sent(&stage).await, ["31"]);

    // It was pending when this call came, and succeeded under its hands.
    let late = World {
        then: Some("00"),
        ..world(Some("05"))
    }
    .stage()
    .await;
    assert_eq!(late.channel.reverse(&reversal(None)).await, Ok(Outcome::Pending));
    assert_eq!(sent(&late).await, ["99"]);
}

#[tokio::test]
async fn an_unsigned_answer_anywhere_leaves_everything_unknown() {
    for silent in ["00", "31", "04"] {
        let world = Mutex::new(World {
            on_undo: "39",
            ..world(Some("00"))
        });
        let stage = Stage::new(move |asked| {
            let said = world.lock().unwrap().say(asked);
            if asked["txnType"] == silent {
                ResponseTemplate::new(200)
            } else {
                said
            }
        })
        .await;
        let outcome = stage.channel.reverse(&reversal(Some(QUERY_ID))).await;
        assert!(matches!(outcome, Err(CallError::MaybeDone(_))), "{silent}: {outcome:?}");
    }
}
