//! The flat XML of APIv2: one root, one level of elements, text or CDATA, no DTD (wechat reference, 1.3).

/// Elements in the order they stand in the message; names are unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields(Vec<(String, String)>);

/// The text is no flat XML of the kind that WeChat Pay takes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Fields {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The value under a name; an empty value counts as missing.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Whether the name stands in the message, be its value empty or not.
    pub(super) fn holds(&self, name: &str) -> bool {
        self.0.iter().any(|(n, _)| n == name)
    }

    /// Adds a field at the end, or replaces the value that it has.
    pub(super) fn put(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        match self.0.iter_mut().find(|(n, _)| *n == name) {
            Some(field) => field.1 = value.into(),
            None => self.0.push((name, value.into())),
        }
    }

    /// Adds a field where there is a value.
    pub(super) fn put_some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    /// The same message with one more field.
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.put(name, value);
        self
    }

    /// Appends all fields of another message.
    pub(super) fn append(&mut self, other: Self) {
        for (name, value) in other.0 {
            self.put(name, value);
        }
    }

    /// Takes a field out.
    #[cfg(test)]
    pub(super) fn without(mut self, name: &str) -> Self {
        self.0.retain(|(n, _)| n != name);
        self
    }

    /// Names and values in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Reads a message with this root.
pub(super) fn read(text: &str, root: &str) -> Result<Fields, Malformed> {
    let mut reader = Reader { rest: text };
    reader.skip_declaration()?;
    if reader.open_tag()? != (root, false) {
        return Err(Malformed);
    }
    let mut fields = Fields::new();
    loop {
        reader.skip_blanks();
        if reader.rest.starts_with("</") {
            break;
        }
        let (name, empty) = reader.open_tag()?;
        if fields.holds(name) {
            return Err(Malformed);
        }
        let value = if empty { String::new() } else { reader.value(name)? };
        fields.put(name, value);
    }
    reader.close_tag(root)?;
    reader.skip_blanks();
    if reader.rest.is_empty() {
        Ok(fields)
    } else {
        Err(Malformed)
    }
}

/// Writes a message with this root, amounts and states plain and texts in CDATA, as WeChat Pay writes its own. Within
/// `req_info` everything stands in CDATA (C12).
pub(super) fn write(fields: &Fields, root: &str) -> String {
    let mut text = format!("<{root}>");
    for (name, value) in fields.iter() {
        if root == "xml" && is_plain(name, value) {
            text.push_str(&format!("<{name}>{value}</{name}>"));
        } else {
            let value = value.replace("]]>", "]]]]><![CDATA[>");
            text.push_str(&format!("<{name}><![CDATA[{value}]]></{name}>"));
        }
    }
    text.push_str(&format!("</{root}>"));
    text
}

fn is_plain(name: &str, value: &str) -> bool {
    let stem = name.trim_end_matches(|c: char| c == '_' || c.is_ascii_digit());
    let counts = stem.ends_with("_fee") || stem.ends_with("_count");
    let states = matches!(stem, "contract_state" | "contract_termination_mode");
    (counts || states) && !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    fn skip_declaration(&mut self) -> Result<(), Malformed> {
        self.skip_blanks();
        if self.rest.starts_with("<?xml") {
            let (_, rest) = self.rest.split_once("?>").ok_or(Malformed)?;
            self.rest = rest;
            self.skip_blanks();
        }
        Ok(())
    }

    /// Reads `<name>` (false) or `<name/>` (true). Attributes, comments and DTDs are refused here.
    fn open_tag(&mut self) -> Result<(&'a str, bool), Malformed> {
        let rest = self.rest.strip_prefix('<').ok_or(Malformed)?;
        let (tag, rest) = rest.split_once('>').ok_or(Malformed)?;
        let (name, empty) = match tag.strip_suffix('/') {
            Some(name) => (name, true),
            None => (tag, false),
        };
        let fits = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-' || b == b'.');
        if !fits || !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return Err(Malformed);
        }
        self.rest = rest;
        Ok((name, empty))
    }

    fn close_tag(&mut self, name: &str) -> Result<(), Malformed> {
        let rest = self
            .rest
            .strip_prefix("</")
            .and_then(|rest| rest.strip_prefix(name))
            .ok_or(Malformed)?;
        self.rest = rest.trim_start().strip_prefix('>').ok_or(Malformed)?;
        Ok(())
    }

    /// Reads the text of an element and its closing tag. Blanks beside a CDATA section do not count.
    fn value(&mut self, name: &str) -> Result<String, Malformed> {
        let mut pieces: Vec<(bool, String)> = Vec::new();
        while !self.rest.starts_with("</") {
            if let Some(rest) = self.rest.strip_prefix("<![CDATA[") {
                let (section, rest) = rest.split_once("]]>").ok_or(Malformed)?;
                pieces.push((true, section.to_owned()));
                self.rest = rest;
                continue;
            }
            let end = self.rest.find('<').filter(|end| *end > 0).ok_or(Malformed)?;
            pieces.push((false, unescape(&self.rest[..end])?));
            self.rest = &self.rest[end..];
        }
        self.close_tag(name)?;
        if pieces.iter().any(|(section, _)| *section) {
            pieces.retain(|(section, text)| *section || !text.trim().is_empty());
        }
        let value: String = pieces.into_iter().map(|(_, text)| text).collect();
        let illegal = value
            .chars()
            .any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'));
        if illegal { Err(Malformed) } else { Ok(value) }
    }
}

fn unescape(text: &str) -> Result<String, Malformed> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let (name, after) = after.split_once(';').ok_or(Malformed)?;
        plain.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => numbered(name).ok_or(Malformed)?,
        });
        rest = after;
    }
    plain.push_str(rest);
    Ok(plain)
}

fn numbered(name: &str) -> Option<char> {
    let digits = name.strip_prefix('#')?;
    let code = match digits.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn text_and_cdata_mean_the_same_and_blanks_around_a_section_do_not_count() {
        let text =
            "<?xml version=\"1.0\"?>\n<xml>\n<a> <![CDATA[1 & <2>]]> </a><b>x&amp;y&#x4E2D;</b>\n<c/><d></d></xml>\n";
        let read = read(text, "xml").unwrap();
        assert_eq!(read, fields(&[("a", "1 & <2>"), ("b", "x&y中"), ("c", ""), ("d", "")]));
    }

    #[test]
    fn what_is_written_reads_back_even_when_a_value_ends_a_section() {
        let message = fields(&[
            ("body", "a]]>b & <c>"),
            ("total_fee", "12"),
            ("refund_fee_0", "7"),
            ("time_end", "2025"),
        ]);
        let text = write(&message, "xml");
        assert!(text.contains("<total_fee>12</total_fee><refund_fee_0>7</refund_fee_0><time_end><![CDATA[2025]]>"));
        assert_eq!(read(&text, "xml").unwrap(), message);
    }

    #[test]
    fn what_is_not_flat_xml_is_refused() {
        for text in [
            "",
            "a=1",
            "<xml>",
            "<xml></xml>x",
            "<xml><a>1</b></xml>",
            "<xml><a><b>1</b></a></xml>",
            "<xml><a>1</a><a>2</a></xml>",
            "<xml><a k=\"v\">1</a></xml>",
            "<xml><a>&x;</a></xml>",
            "<xml><a><![CDATA[1</a></xml>",
            "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><a>&e;</a></xml>",
            "<root><a>1</a></root>",
            "<xml><a>\u{1}</a></xml>",
        ] {
            assert_eq!(read(text, "xml"), Err(Malformed), "{text}");
        }
    }
}
