//! The messages that this gateway carries out, and the doors at which they arrive (unionpay reference, 1.1 and 1.5).

use super::form::Fields;
use super::request::text;

/// The addresses that take messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    /// `backTransReq.do`
    Back,
    /// `frontTransReq.do`
    Front,
    /// `queryTrans.do`
    Query,
    /// The host of the reconciliation files.
    File,
}

impl Door {
    /// What a message must bring along to be looked at here at all.
    pub(super) fn numbers(self) -> &'static [&'static str] {
        match self {
            Self::File => &["merId", "txnTime"],
            Self::Back | Self::Front | Self::Query => &["merId", "orderId", "txnTime"],
        }
    }
}

/// What a merchant asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message {
    /// Pay with a token, 01/01.
    Consume,
    /// Pay with the payment code that a user shows, 01/06.
    ConsumeByCode,
    /// Pay on the gateway's own page with a card, 01/01 at the front door.
    PayAtCashier,
    /// Ask for the state of an order, 00/00.
    Query,
    /// Reverse an order of unknown outcome, 99/01.
    Reverse,
    /// Undo a payment of the same clearing day, 31/00.
    Undo,
    /// Refund a payment, 04/00.
    Refund,
    /// Have an SMS code sent for an opening, 77/00.
    SmsForOpening,
    /// Have an SMS code sent for a payment, 77/02.
    SmsForConsumption,
    /// Ask whether a card is open, 78/00.
    CardQuery,
    /// Ask what became of an opening, 78/02.
    OpenQuery,
    /// Open the password-free business on the gateway's own page, 79/00 at the front door.
    Open,
    /// Open it with card data that the merchant has collected, 79/00 at the back door.
    OpenByMerchant,
    /// Change what a token knows of its card, 79/03.
    UpdateToken,
    /// Have a token made of the card that paid an order at the cashier, 79/05.
    ApplyToken,
    /// Delete a token, 74/01.
    DeleteToken,
    /// Ask for the certificate to encrypt with, 95/00.
    EncryptionCertificate,
    /// Fetch the reconciliation file of a clearing day, 76/01.
    File,
}

impl Message {
    pub(super) fn of(door: Door, fields: &Fields) -> Option<Self> {
        match (door, text(fields, "txnType"), text(fields, "txnSubType")) {
            (Door::Back, "01", "01") => Some(Self::Consume),
            (Door::Back, "01", "06") => Some(Self::ConsumeByCode),
            (Door::Back, "99", "01") => Some(Self::Reverse),
            (Door::Back, "31", "00") => Some(Self::Undo),
            (Door::Back, "04", "00") => Some(Self::Refund),
            (Door::Back, "74", "01") => Some(Self::DeleteToken),
            (Door::Back, "77", "00") => Some(Self::SmsForOpening),
            (Door::Back, "77", "02") => Some(Self::SmsForConsumption),
            (Door::Back, "78", "00") => Some(Self::CardQuery),
            (Door::Back, "78", "02") => Some(Self::OpenQuery),
            (Door::Back, "79", "00") => Some(Self::OpenByMerchant),
            (Door::Back, "79", "03") => Some(Self::UpdateToken),
            (Door::Back, "79", "05") => Some(Self::ApplyToken),
            (Door::Back, "95", "00") => Some(Self::EncryptionCertificate),
            (Door::Front, "01", "01") => Some(Self::PayAtCashier),
            (Door::Front, "79", "00") => Some(Self::Open),
            (Door::Query, "00", "00") => Some(Self::Query),
            (Door::File, "76", "01") => Some(Self::File),
            _ => None,
        }
    }

    /// Whether the message belongs to this business (unionpay reference, 1.6, 3.2 and 4.1).
    pub(super) fn business_fits(self, biz_type: &str) -> bool {
        match self {
            Self::Query | Self::Reverse | Self::ConsumeByCode | Self::EncryptionCertificate | Self::File => {
                biz_type == "000000"
            }
            Self::Consume
            | Self::DeleteToken
            | Self::OpenQuery
            | Self::Open
            | Self::OpenByMerchant
            | Self::UpdateToken
            | Self::ApplyToken => biz_type == "000902",
            Self::PayAtCashier => biz_type == "000301",
            Self::SmsForOpening | Self::SmsForConsumption | Self::CardQuery => {
                matches!(biz_type, "000301" | "000902")
            }
            Self::Undo | Self::Refund => matches!(biz_type, "000000" | "000301" | "000902"),
        }
    }

    /// Whether the message begins something new, so that its time must be about now. A deletion may carry the time of
    /// the opening.
    pub(super) fn is_new(self) -> bool {
        self.moves_money()
            || matches!(
                self,
                Self::Open
                    | Self::OpenByMerchant
                    | Self::PayAtCashier
                    | Self::SmsForOpening
                    | Self::SmsForConsumption
                    | Self::UpdateToken
            )
    }

    /// Whether an order comes of it at once. At the cashier, none does before the user has agreed.
    pub(super) fn moves_money(self) -> bool {
        matches!(self, Self::Consume | Self::ConsumeByCode | Self::Undo | Self::Refund)
    }
}
