//! The language of an answer, by `Accept-Language`.

use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;

/// A language that we speak.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// Chinese, unless English is preferred.
    #[default]
    Chinese,
    /// English.
    English,
}

/// Entries of the header that are looked at.
const ENTRIES_MAX: usize = 16;

impl Language {
    /// The language that a request prefers: the entry with the highest weight that we speak, the earlier of equal ones.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut best = (Self::default(), 0);
        let entries = headers
            .get_all(ACCEPT_LANGUAGE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        for entry in entries.take(ENTRIES_MAX) {
            let (tag, weight) = entry.split_once(';').unwrap_or((entry, "q=1"));
            if let (Some(language), Some(weight)) = (spoken(tag.trim()), thousandths(weight.trim()))
                && weight > best.1
            {
                best = (language, weight);
            }
        }
        best.0
    }

    /// The word for `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }
}

fn spoken(tag: &str) -> Option<Language> {
    let primary = tag.split('-').next().unwrap_or(tag);
    match primary.to_ascii_lowercase().as_str() {
        "zh" | "*" => Some(Language::Chinese),
        "en" => Some(Language::English),
        _ => None,
    }
}

/// `q=0.8` as 800.
fn thousandths(weight: &str) -> Option<u16> {
    let number = weight.strip_prefix("q=").or_else(|| weight.strip_prefix("Q="))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    match whole {
        "0" => format!("{fraction:0<3}").parse().ok(),
        "1" => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_is_spoken_unless_english_is_preferred() {
        let cases = [
            (None, Language::Chinese),
            (Some(""), Language::Chinese),
            (Some("en"), Language::English),
            (Some("en-GB,en;q=0.9"), Language::English),
            (Some("EN-us"), Language::English),
            (Some("zh-CN,zh;q=0.9,en;q=0.8"), Language::Chinese),
            (Some("en;q=0.8, zh-TW;q=0.9"), Language::Chinese),
            (Some("zh;q=0.5,en;q=0.51"), Language::English),
            (Some("fr, de;q=0.9, en;q=0.1"), Language::English),
            (Some("fr, *;q=0.5, en;q=0.1"), Language::Chinese),
            (Some("*"), Language::Chinese),
            (Some("en;q=0"), Language::Chinese),
            (Some("en;q=2"), Language::Chinese),
            (Some("en;q=0.12345"), Language::Chinese),
            (Some("english"), Language::Chinese),
            (Some(";;;,,=q"), Language::Chinese),
        ];
        for (header, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(ACCEPT_LANGUAGE, header.parse().unwrap());
            }
            assert_eq!(Language::of(&headers), expected, "{header:?}");
        }
    }
}
