//! A distinguished name as Java's RFC 2253 rendering writes it, which is what Alipay hashes (alipay reference, 1.6).

use std::fmt::Write;

use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The parts in reverse order, joined with commas and no blanks.
pub(super) fn rfc2253(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name
        .iter_rdn()
        .map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+"))
        .collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let oid = attribute.attr_type().to_id_string();
    match (short_name(&oid), attribute.as_str()) {
        (Some(short), Ok(value)) => format!("{short}={}", escaped(value)),
        // The rendering writes types without a short name by their number, and their values as they are encoded.
        _ => {
            let tag = attribute.attr_value().header.tag().0;
            let content = attribute.as_slice();
            let mut text = format!("{oid}=#{tag:02x}{:02x}", content.len());
            for byte in content {
                // Writing into a string cannot fail.
                let _ = write!(text, "{byte:02x}");
            }
            text
        }
    }
}

fn short_name(oid: &str) -> Option<&'static str> {
    Some(match oid {
        "2.5.4.3" => "CN",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "STREET",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        _ => return None,
    })
}

fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (place, c) in value.chars().enumerate() {
        let special = matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';');
        let at_an_end = (c == ' ' && (place == 0 || place == last)) || (c == '#' && place == 0);
        if special || at_an_end {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_part_a_name_is_escaped() {
        assert_eq!(escaped("Alipay.com Co.,Ltd"), r"Alipay.com Co.\,Ltd");
        assert_eq!(escaped(" a+b "), r"\ a\+b\ ");
        assert_eq!(escaped("#1"), r"\#1");
        assert_eq!(escaped("支付宝(中国)"), "支付宝(中国)");
    }
}
