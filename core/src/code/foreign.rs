//! The registry of foreign forms: what else a till's scan gun may meet, and the check that a form of ours meets none.
//!
//! A form is a range of first two digits and a range of lengths. The registry serves twice: it names what was scanned
//! instead of our code, and it refuses a code rule whose language would meet any of it.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// What a scanned text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Looks {
    /// A payment code of WeChat Pay.
    Wechat,
    /// A payment code of Alipay.
    Alipay,
    /// A payment code of UnionPay (also of most banks' Apps).
    Unionpay,
    /// A payment code of the digital yuan.
    Ecny,
    /// A payment code of BestPay.
    Bestpay,
    /// A payment code of the QQ wallet.
    QqWallet,
    /// A payment code of JD Pay.
    JdPay,
    /// A barcode of goods: EAN, UPC, ITF-14, in-store weight labels, GS1-128 with (01).
    Goods,
    /// A logistic unit, SSCC with (00).
    Logistics,
    /// A drug trace code.
    DrugTrace,
    /// The number of a SIM card.
    SimCard,
    /// A resident identity number.
    IdCard,
    /// A bank card number.
    BankCard,
}

impl Looks {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Wechat,
        Self::Alipay,
        Self::Unionpay,
        Self::Ecny,
        Self::Bestpay,
        Self::QqWallet,
        Self::JdPay,
        Self::Goods,
        Self::Logistics,
        Self::DrugTrace,
        Self::SimCard,
        Self::IdCard,
        Self::BankCard,
    ];

    /// Its name in Chinese.
    pub const fn zh(self) -> &'static str {
        match self {
            Self::Wechat => "微信付款码",
            Self::Alipay => "支付宝付款码",
            Self::Unionpay => "银联付款码",
            Self::Ecny => "数字人民币付款码",
            Self::Bestpay => "翼支付付款码",
            Self::QqWallet => "QQ 钱包付款码",
            Self::JdPay => "京东支付付款码",
            Self::Goods => "商品条码",
            Self::Logistics => "物流箱码",
            Self::DrugTrace => "药品追溯码",
            Self::SimCard => "SIM 卡号",
            Self::IdCard => "身份证号",
            Self::BankCard => "银行卡号",
        }
    }

    /// Its name in English.
    pub const fn en(self) -> &'static str {
        match self {
            Self::Wechat => "WeChat Pay payment code",
            Self::Alipay => "Alipay payment code",
            Self::Unionpay => "UnionPay payment code",
            Self::Ecny => "digital yuan payment code",
            Self::Bestpay => "BestPay payment code",
            Self::QqWallet => "QQ wallet payment code",
            Self::JdPay => "JD Pay payment code",
            Self::Goods => "goods barcode",
            Self::Logistics => "logistic unit label",
            Self::DrugTrace => "drug trace code",
            Self::SimCard => "SIM card number",
            Self::IdCard => "identity card number",
            Self::BankCard => "bank card number",
        }
    }

    /// Whether it is the payment code of somebody else: the cashier should take it through that channel. Of the rest the
    /// cashier has scanned the wrong thing.
    pub const fn is_payment_code(self) -> bool {
        match self {
            Self::Wechat
            | Self::Alipay
            | Self::Unionpay
            | Self::Ecny
            | Self::Bestpay
            | Self::QqWallet
            | Self::JdPay => true,
            Self::Goods | Self::Logistics | Self::DrugTrace | Self::SimCard | Self::IdCard | Self::BankCard => false,
        }
    }
}

/// A form that belongs to somebody else.
#[derive(Debug, Clone)]
pub struct ForeignForm {
    /// What it is.
    pub looks: Looks,
    /// Its first two digits, as a number.
    pub starts: RangeInclusive<u8>,
    /// Its length in characters.
    pub lengths: RangeInclusive<usize>,
}

const fn form(looks: Looks, starts: RangeInclusive<u8>, lengths: RangeInclusive<usize>) -> ForeignForm {
    ForeignForm { looks, starts, lengths }
}

/// The forms that are known, the more exact first: the first that fits gives the name. Lengths and beginnings that are
/// only reported, not confirmed, stand here too; a form of ours keeps clear of them all the same.
pub static FOREIGN: [ForeignForm; 19] = [
    form(Looks::Wechat, 10..=15, 18..=18),
    form(Looks::Alipay, 25..=30, 16..=24),
    form(Looks::Unionpay, 62..=62, 19..=19),
    form(Looks::Ecny, 1..=1, 19..=19),
    form(Looks::Bestpay, 51..=51, 18..=18),
    form(Looks::QqWallet, 91..=91, 18..=18),
    form(Looks::JdPay, 18..=18, 18..=18),
    form(Looks::Logistics, 0..=0, 20..=20),
    form(Looks::Goods, 1..=1, 16..=16),
    form(Looks::SimCard, 89..=89, 19..=20),
    form(Looks::DrugTrace, 80..=88, 20..=20),
    form(Looks::IdCard, 11..=65, 18..=18),
    form(Looks::IdCard, 71..=71, 18..=18),
    form(Looks::IdCard, 81..=82, 18..=18),
    form(Looks::Goods, 20..=29, 18..=18),
    // Old goods barcodes have 8 digits; 12 to 14 are today's.
    form(Looks::Goods, 0..=99, 8..=8),
    form(Looks::Goods, 0..=99, 12..=14),
    form(Looks::BankCard, 20..=69, 13..=19),
    form(Looks::BankCard, 90..=99, 13..=19),
];

/// What a text looks like, where it has one of the known forms. It must consist of digits; an identity number may end
/// with `X`.
pub fn looks_like(text: &str) -> Option<Looks> {
    let bytes = text.as_bytes();
    let (last, rest) = bytes.split_last()?;
    let digits = last.is_ascii_digit() && rest.iter().all(u8::is_ascii_digit);
    let identity = bytes.len() == 18 && matches!(last, b'X' | b'x') && rest.iter().all(u8::is_ascii_digit);
    if !digits && !identity {
        return None;
    }
    let start: u8 = text.get(..2)?.parse().ok()?;
    FOREIGN
        .iter()
        .filter(|form| digits || form.looks == Looks::IdCard)
        .find(|form| form.starts.contains(&start) && form.lengths.contains(&bytes.len()))
        .map(|form| form.looks)
}

/// Why a form of codes cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The beginning must be digits, at least one.
    #[error("a code begins with digits of its own")]
    Beginning,
    /// Code 128 set C packs two digits a symbol.
    #[error("a code has an even number of digits")]
    OddLength,
    /// Fewer random digits can be guessed.
    #[error("a code has at least 16 random digits")]
    TooFewRandom,
    /// More digits make bars that are too fine.
    #[error("a code has at most 32 digits")]
    TooLong,
    /// Too short to be scanned in, or so long that a picture of it is worth stealing.
    #[error("a code lives for 15 to 100 seconds")]
    Life,
    /// Some of its codes would be taken for something else at a till.
    #[error("some of these codes would be read as: {}", .0.en())]
    Collides(Looks),
}

/// Random digits of a code at least: 53 bits.
pub const RANDOM_MIN: usize = 16;

/// Checks a form of codes: `beginning` (the fixed digits), `length` in digits, `random` digits among them.
///
/// # Errors
/// The first reason why codes of this form cannot be used.
pub fn check(beginning: &str, length: usize, random: usize) -> Result<(), Unfit> {
    let (lowest, highest) = first_two(beginning).ok_or(Unfit::Beginning)?;
    if !length.is_multiple_of(2) {
        return Err(Unfit::OddLength);
    }
    if random < RANDOM_MIN || beginning.len().saturating_add(random) > length {
        return Err(Unfit::TooFewRandom);
    }
    let collision = FOREIGN
        .iter()
        .find(|form| form.lengths.contains(&length) && *form.starts.start() <= highest && lowest <= *form.starts.end());
    collision.map_or(Ok(()), |form| Err(Unfit::Collides(form.looks)))
}

/// The range of first two digits that codes with this beginning can have.
fn first_two(beginning: &str) -> Option<(u8, u8)> {
    if beginning.is_empty() || !beginning.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match beginning.get(..2) {
        Some(two) => two.parse().ok().map(|start| (start, start)),
        None => Some((
            format!("{beginning}0").parse().ok()?,
            format!("{beginning}9").parse().ok()?,
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_about_at_a_till_is_named() {
        let cases = [
            ("134567890123456789", Some(Looks::Wechat)),
            ("101234567890123456", Some(Looks::Wechat)),
            ("2812345678901234", Some(Looks::Alipay)),
            ("301234567890123456789012", Some(Looks::Alipay)),
            ("6212345678901234567", Some(Looks::Unionpay)),
            ("0112345678901234567", Some(Looks::Ecny)),
            ("511234567890123456", Some(Looks::Bestpay)),
            ("911234567890123456", Some(Looks::QqWallet)),
            ("181234567890123456", Some(Looks::JdPay)),
            ("6901234567892", Some(Looks::Goods)),
            ("012345678905", Some(Looks::Goods)),
            ("0106901234567892", Some(Looks::Goods)),
            ("00123456789012345675", Some(Looks::Logistics)),
            ("81234567890123456789", Some(Looks::DrugTrace)),
            ("89860123456789012345", Some(Looks::SimCard)),
            ("32010119900101123X", Some(Looks::IdCard)),
            ("440301199001011234", Some(Looks::IdCard)),
            ("6222021234567890", Some(Looks::BankCard)),
            ("77112345678901234565", None),
            ("7711234567890123456", None),
            ("13456789012345678X", Some(Looks::IdCard)),
            ("62123456789012345", Some(Looks::BankCard)),
            ("https://qr.alipay.com/fkx0", None),
            ("134567890123456789 ", None),
            ("１３４５６７８９０１２３４５６７８９", None),
            ("7", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(looks_like(text), expected, "{text}");
        }
    }

    #[test]
    fn a_form_that_collides_or_can_be_guessed_is_refused() {
        let cases = [
            ("771", 20, 16, Ok(())),
            ("77", 20, 17, Ok(())),
            ("775", 24, 20, Ok(())),
            ("771", 18, 14, Err(Unfit::TooFewRandom)),
            ("771", 18, 16, Err(Unfit::TooFewRandom)),
            ("771", 21, 17, Err(Unfit::OddLength)),
            ("", 20, 19, Err(Unfit::Beginning)),
            ("7x", 20, 17, Err(Unfit::Beginning)),
            ("10", 18, 16, Err(Unfit::Collides(Looks::Wechat))),
            ("2", 20, 18, Err(Unfit::Collides(Looks::Alipay))),
            ("281", 20, 16, Err(Unfit::Collides(Looks::Alipay))),
            ("291", 24, 16, Err(Unfit::Collides(Looks::Alipay))),
            ("00", 20, 16, Err(Unfit::Collides(Looks::Logistics))),
            ("8", 20, 16, Err(Unfit::Collides(Looks::SimCard))),
            ("86", 20, 16, Err(Unfit::Collides(Looks::DrugTrace))),
            ("91", 18, 16, Err(Unfit::Collides(Looks::QqWallet))),
            ("77", 18, 16, Ok(())),
            ("7", 18, 16, Err(Unfit::Collides(Looks::IdCard))),
        ];
        for (beginning, length, random, expected) in cases {
            assert_eq!(
                check(beginning, length, random),
                expected,
                "{beginning} {length} {random}"
            );
        }
    }

    #[test]
    fn every_look_is_in_the_registry_and_named_in_both_languages() {
        for form in &FOREIGN {
            assert_ne!(form.looks.zh(), form.looks.en());
        }
    }
}
