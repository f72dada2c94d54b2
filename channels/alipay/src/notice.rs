//! Notifications: of payments and their refunds, of agreements, and messages to the application gateway (alipay
//! reference, 3.3, 3.4 and 9).

mod genuine;

use metropay_core::channel::{ContractKey, ContractStanding, EndedBy, News, NoticeRefused, Paid, RawNotice, Standing};
use metropay_core::clock::Time;
use metropay_core::id::{ContractNo, PayNo, RefundNo};
use metropay_core::money::Fen;

use crate::Alipay;
use crate::agreement;
use crate::config::Terms;
use crate::coupon::Discounts;
use crate::node::Node;

pub(crate) use genuine::Notice;

/// Verifies and reads a notification.
pub(crate) async fn read(alipay: &Alipay, raw: &RawNotice) -> Result<Vec<News>, NoticeRefused> {
    let notice = genuine::genuine(&alipay.gateway, &raw.body).await?;
    fits(&alipay.terms, &notice)?;
    match (
        notice.text("notify_type").as_deref(),
        notice.text("msg_method").as_deref(),
    ) {
        (Some("trade_status_sync"), _) => trade(&notice, raw.received_at),
        (Some("dut_user_sign"), _) => signed(&notice),
        (Some("dut_user_unsign"), _) => unsigned(&notice),
        (None, Some("alipay.trade.refund.depositback.completed")) => Ok(vec![deposit_back(&notice)?]),
        // Other messages to the application gateway, and whatever Alipay invents: taken, and nothing done.
        _ => Ok(vec![News::Nothing]),
    }
}

/// What became of the part of a refund that went to a bank card (9.4). The refund itself is done either way: what the bank
/// sends back goes to the user's balance. Only a reason to ask.
fn deposit_back(notice: &Notice) -> Result<News, NoticeRefused> {
    let unreadable = |_| NoticeRefused::NotGenuine("its biz_content cannot be read".to_owned());
    let content = Node::read(&notice.must("biz_content")?).map_err(unreadable)?;
    Ok(match (content.text("out_request_no"), content.text("out_trade_no")) {
        (Some(refund), trade) if Some(&refund) != trade.as_ref() => News::Refund {
            no: RefundNo(refund),
            standing: None,
        },
        (_, Some(trade)) => News::Payment {
            no: PayNo(trade),
            standing: None,
        },
        _ => News::Nothing,
    })
}

fn fits(terms: &Terms, notice: &Notice) -> Result<(), NoticeRefused> {
    let other = |what: &str| {
        tracing::error!(
            what,
            "a signed notice of alipay is for another {what} than this account's"
        );
        Err(NoticeRefused::Mismatch(format!("it is for another {what}")))
    };
    if notice.text("app_id").as_ref() != Some(&terms.app_id) {
        return other("app_id");
    }
    // A service provider's app is told of all the merchants that it acts for: there the merchant's own app decides whose
    // notice it is, and one of the app-gateway messages, which need not name it, is known by its numbers alone.
    let ours = terms
        .provider
        .as_ref()
        .map_or(&terms.app_id, |provider| &provider.auth_app_id);
    match notice.text("auth_app_id") {
        Some(theirs) if theirs != *ours => return other("auth_app_id"),
        None if terms.provider.is_some() && notice.text("notify_type").is_some() => return other("auth_app_id"),
        _ => {}
    }
    match (&terms.seller_id, notice.text("seller_id")) {
        (Some(ours), Some(theirs)) if *ours != theirs => other("seller_id"),
        _ => Ok(()),
    }
}

/// A payment's notice. One that tells of a refund is never a payment, whatever its status says (9.3).
fn trade(notice: &Notice, received_at: Time) -> Result<Vec<News>, NoticeRefused> {
    let out_trade_no = notice.must("out_trade_no")?;
    let no = PayNo(out_trade_no.clone());
    let nothing = |fen: Option<Fen>| fen.is_some_and(Fen::is_zero);
    let tells_of_refund = notice.text("gmt_refund").is_some()
        || (notice.text("refund_fee").is_some() && !nothing(notice.fen("refund_fee")));
    if tells_of_refund {
        // Its `refund_fee` is the sum of all refunds: only a reason to ask.
        let refund = notice.text("out_biz_no").filter(|refund| *refund != out_trade_no);
        return Ok(vec![match refund {
            Some(refund) => News::Refund {
                no: RefundNo(refund),
                standing: None,
            },
            None => News::Payment { no, standing: None },
        }]);
    }
    let standing = match notice.must("trade_status")?.as_str() {
        "TRADE_SUCCESS" | "TRADE_FINISHED" => Some(Standing::Paid(paid(notice, received_at)?)),
        "WAIT_BUYER_PAY" => Some(Standing::Pending),
        // Closed means never paid or given back; a query tells which.
        _ => None,
    };
    Ok(vec![News::Payment { no, standing }])
}

fn paid(notice: &Notice, received_at: Time) -> Result<Paid, NoticeRefused> {
    let amount = notice
        .fen("total_amount")
        .ok_or_else(|| NoticeRefused::NotGenuine("its total_amount is no amount".to_owned()))?;
    let discounts = Discounts {
        buyer_pay: notice.fen("buyer_pay_amount"),
        alipay: notice.fen("discount_amount"),
        merchant: notice.fen("mdiscount_amount"),
        bills: notice.text("fund_bill_list"),
    };
    let dates = ["gmt_payment", "notify_time"];
    Ok(Paid {
        channel_no: notice.must("trade_no")?,
        amount,
        coupon: discounts.share_of(amount),
        paid_at: dates
            .into_iter()
            .find_map(|name| notice.time(name))
            .unwrap_or(received_at),
    })
}

fn signed(notice: &Notice) -> Result<Vec<News>, NoticeRefused> {
    let standing = match notice.text("status").as_deref() {
        Some("NORMAL") => agreement::signed(|name| notice.text(name)).map(ContractStanding::Active),
        Some("STOP") => Some(ContractStanding::Suspended),
        _ => None,
    };
    Ok(vec![News::Contract {
        contract: key(notice)?,
        standing,
    }])
}

/// Our own asking comes back with the same words; the platform knows whether it asked.
fn unsigned(notice: &Notice) -> Result<Vec<News>, NoticeRefused> {
    let ended = notice.text("status").as_deref() == Some("UNSIGN");
    Ok(vec![News::Contract {
        contract: key(notice)?,
        standing: ended.then(|| ContractStanding::Ended {
            by: EndedBy::User,
            at: notice.time("unsign_time"),
        }),
    }])
}

fn key(notice: &Notice) -> Result<ContractKey, NoticeRefused> {
    match notice.text("external_agreement_no") {
        Some(ours) => Ok(ContractKey::No(ContractNo(ours))),
        None => notice.must("agreement_no").map(ContractKey::Handle),
    }
}
