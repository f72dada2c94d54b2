//! In which words the gateway is asked about each product.
//!
//! UnionPay reference, 1.5, 1.6, 3.2.7 and 4.1.

use metropay_core::channel::Product;

use crate::Unionpay;

/// The words of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words<'a> {
    /// `txnSubType` of the consume.
    pub(crate) consume: &'static str,
    /// `bizType` of the consume.
    pub(crate) biz_type: &'static str,
    /// `bizType` of undo and refund.
    pub(crate) biz_type_back: &'a str,
    /// `channelType` of everything that moves money.
    pub(crate) channel_type: &'static str,
}

impl Unionpay {
    pub(crate) fn words(&self, product: Product) -> Words<'_> {
        match product {
            Product::Mandate => Words {
                consume: "01",
                biz_type: "000902",
                biz_type_back: &self.account.biz_type_back,
                channel_type: "07",
            },
            Product::PaymentCode => Words {
                consume: "06",
                biz_type: "000000",
                biz_type_back: &self.account.biz_type_code_back,
                channel_type: "08",
            },
        }
    }
}
