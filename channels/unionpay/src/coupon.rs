//! The part of an amount that sponsors paid.
//!
//! UnionPay reference, 7. A discount is told as `{discountAmt=100}` in Base64, or item by item; how it is apportioned to
//! partial refunds only the gateway knows, so it counts where the gateway tells it and is nothing elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use metropay_core::money::Fen;
use serde::Deserialize;
use serde_json::Value;

use crate::call::get;
use crate::form::{Fields, read_domain};
use crate::query::fen;

/// A discount of one sponsor; what else is told of it we do not need.
#[derive(Deserialize)]
struct Item {
    #[serde(rename = "offstAmt")]
    amount: Value,
}

/// What sponsors paid of an order, as far as the message tells.
pub(crate) fn coupon(fields: &Fields) -> Fen {
    let total = get(fields, "reserved").and_then(discount);
    let items = || get(fields, "couponInfo").and_then(itemised);
    total.or_else(items).unwrap_or(Fen::ZERO)
}

/// The discount in `reserved`.
fn discount(reserved: &str) -> Option<Fen> {
    let plain = BASE64.decode(reserved).ok()?;
    let domain = read_domain(std::str::from_utf8(&plain).ok()?)?;
    fen(domain.get("discountAmt")?)
}

/// The sum of `couponInfo`: a JSON list, plain or in Base64 (which of them the gateway sends is not known).
pub(crate) fn itemised(info: &str) -> Option<Fen> {
    let plain = BASE64.decode(info).ok();
    let text = plain.as_deref().unwrap_or(info.as_bytes());
    let items: Vec<Item> = serde_json::from_slice(text).ok()?;
    items.iter().try_fold(Fen::ZERO, |sum, item| {
        let amount = match &item.amount {
            Value::String(text) => fen(text),
            Value::Number(number) => number.as_u64().and_then(|number| Fen::new(number).ok()),
            _ => None,
        };
        sum.plus(amount?).ok()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(pairs: &[(&str, &str)]) -> u64 {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        coupon(&pairs.collect()).get()
    }

    #[test]
    fn a_discount_is_read_from_base64_of_a_domain() {
        assert_eq!(told(&[("reserved", "e2Rpc2NvdW50QW10PTEwMH0=")]), 100);
        for none in ["", "{discountAmt=100}", "e30=", "!!!"] {
            assert_eq!(told(&[("reserved", none)]), 0, "{none}");
        }
        assert_eq!(told(&[]), 0);
    }

    #[test]
    fn several_sponsors_of_one_discount_are_added() {
        let list = r#"[{"type":"DD01","spnsrId":"00010000","offstAmt":"60","id":"1"},{"type":"CP02","offstAmt":40}]"#;
        assert_eq!(told(&[("couponInfo", list)]), 100);
        assert_eq!(told(&[("couponInfo", &BASE64.encode(list))]), 100);
        // The total, where it is told, is not added to.
        assert_eq!(
            told(&[("couponInfo", list), ("reserved", "e2Rpc2NvdW50QW10PTEwMH0=")]),
            100
        );
        for none in [
            "[]",
            "{}",
            "[{}]",
            r#"[{"offstAmt":"-1"}]"#,
            r#"[{"offstAmt":1.5}]"#,
            "[{\"offstAmt\":\"1\"}",
        ] {
            assert_eq!(told(&[("couponInfo", none)]), 0, "{none}");
        }
        let huge = format!(r#"[{{"offstAmt":{}}},{{"offstAmt":1}}]"#, metropay_core::money::FEN_MAX);
        assert_eq!(told(&[("couponInfo", &huge)]), 0, "what does not fit is not told");
    }

    proptest! {
        #[test]
        fn no_text_upsets_the_reader(text in "\\PC{0,60}") {
            let _ = told(&[("couponInfo", &text), ("reserved", &text)]);
        }
    }
}
