//! The messages of APIv2: one root, one level of fields (wechat reference, 1.3).

use metropay_core::clock::Time;
use metropay_core::money::Fen;
use quick_xml::Reader;
use quick_xml::Writer;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesCData, BytesEnd, BytesStart, BytesText, Event};

/// How large a message may be, in bytes.
pub(crate) const MESSAGE_MAX: usize = 1 << 20;

/// How many fields a message may have; the largest known one, a refund query with coupons, has some hundred.
const FIELDS_MAX: usize = 2_000;

/// A message that is not of the form that APIv2 speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("longer than {MESSAGE_MAX} bytes")]
    TooLong,
    #[error("not UTF-8")]
    NotUtf8,
    #[error("not well-formed XML")]
    NotXml,
    #[error("not one root with one level of fields")]
    NotFlat,
    #[error("a document type or a foreign entity, which this protocol does not have")]
    Forbidden,
    #[error("a field twice")]
    Twice,
}

/// One field; `bare` when it travels without CDATA, as numbers do.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    value: String,
    bare: bool,
}

/// A message: fields in their order on the wire, each name at most once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    fields: Vec<Field>,
}

impl Message {
    /// Adds a text.
    pub(crate) fn text(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.put(name, value.into(), false)
    }

    /// Adds a text if there is one.
    pub(crate) fn text_if(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// Adds an amount in fen.
    pub(crate) fn fen(&mut self, name: &str, amount: Fen) -> &mut Self {
        self.put(name, amount.to_string(), true)
    }

    fn put(&mut self, name: &str, value: String, bare: bool) -> &mut Self {
        debug_assert!(self.get(name).is_none(), "{name} is already in the message");
        self.fields.push(Field {
            name: name.to_owned(),
            value,
            bare,
        });
        self
    }

    /// A field's value; an empty one counts as missing (wechat reference, 1.4).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.name == name)?;
        Some(field.value.trim()).filter(|value| !value.is_empty())
    }

    /// Names and values in the order of the wire.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields
            .iter()
            .map(|field| (field.name.as_str(), field.value.as_str()))
    }

    /// An amount in fen: digits only.
    pub(crate) fn amount(&self, name: &str) -> Option<Fen> {
        let text = self.get(name)?;
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        Fen::new(text.parse().ok().filter(|_| digits)?).ok()
    }

    /// A time in one of the two forms of APIv2, or as Unix seconds as older servers write it (wechat reference, 3.5, 10.2).
    pub(crate) fn time(&self, name: &str) -> Option<Time> {
        let text = self.get(name)?;
        let seconds = || {
            let ten_digits = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit());
            Some(Time(
                text.parse::<i64>().ok().filter(|_| ten_digits)?.saturating_mul(1_000),
            ))
        };
        Time::parse_china(text, "%Y%m%d%H%M%S")
            .or_else(|| Time::parse_china(text, "%Y-%m-%d %H:%M:%S"))
            .or_else(seconds)
    }

    /// The message as it travels, with root `xml`.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        let mut put = |event: Event<'_>| writer.write_event(event).expect("writing to memory cannot fail");
        put(Event::Start(BytesStart::new("xml")));
        for field in &self.fields {
            put(Event::Start(BytesStart::new(field.name.as_str())));
            if field.bare {
                put(Event::Text(BytesText::new(&field.value)));
            } else {
                BytesCData::escaped(&field.value).for_each(|part| put(Event::CData(part)));
            }
            put(Event::End(BytesEnd::new(field.name.as_str())));
        }
        put(Event::End(BytesEnd::new("xml")));
        writer.into_inner()
    }

    /// Reads a message with this root.
    ///
    /// # Errors
    /// [`Unreadable`] for everything that is not flat, well-formed XML without document type and entities.
    pub(crate) fn read(bytes: &[u8], root: &str) -> Result<Self, Unreadable> {
        if bytes.len() > MESSAGE_MAX {
            return Err(Unreadable::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Unreadable::NotUtf8)?;
        let mut reader = Reader::from_str(text);
        let mut reading = Reading::default();
        loop {
            match reader.read_event().map_err(|_| Unreadable::NotXml)? {
                Event::Eof => return reading.end(),
                event => reading.take(event, root)?,
            }
        }
    }
}

/// Where in the message the reading stands.
#[derive(Default)]
enum Place {
    #[default]
    Before,
    InRoot,
    InField(Draft),
    After,
}

/// A field that is being read.
struct Draft {
    name: String,
    text: String,
    cdata: bool,
}

#[derive(Default)]
struct Reading {
    message: Message,
    place: Place,
}

impl Reading {
    fn take(&mut self, event: Event<'_>, root: &str) -> Result<(), Unreadable> {
        match (&mut self.place, event) {
            (_, Event::DocType(_)) => return Err(Unreadable::Forbidden),
            (_, Event::Comment(_)) | (Place::Before, Event::Decl(_)) => {}
            (Place::Before, Event::Start(start)) if start.name().as_ref() == root => self.place = Place::InRoot,
            (Place::InRoot, Event::Start(start)) => {
                self.place = Place::InField(Draft::new(start.name().as_ref()));
            }
            (Place::InRoot, Event::Empty(empty)) => self.keep(Draft::new(empty.name().as_ref()))?,
            (Place::InRoot, Event::End(_)) => self.place = Place::After,
            (Place::InField(draft), Event::Text(text)) => draft.text(&text.xml10_content()),
            (Place::InField(draft), Event::CData(cdata)) => draft.cdata(&cdata.xml10_content()),
            (Place::InField(draft), Event::GeneralRef(reference)) => {
                let character = reference.resolve_char_ref().map_err(|_| Unreadable::NotXml)?;
                match character {
                    Some(character) => draft.text.push(character),
                    None => draft
                        .text
                        .push_str(resolve_predefined_entity(&reference).ok_or(Unreadable::Forbidden)?),
                }
            }
            (Place::InField(_), Event::End(_)) => {
                if let Place::InField(draft) = std::mem::replace(&mut self.place, Place::InRoot) {
                    self.keep(draft)?;
                }
            }
            (_, Event::Text(text)) if text.trim().is_empty() => {}
            _ => return Err(Unreadable::NotFlat),
        }
        Ok(())
    }

    fn keep(&mut self, draft: Draft) -> Result<(), Unreadable> {
        if self.message.fields.len() >= FIELDS_MAX {
            return Err(Unreadable::TooLong);
        }
        if self.message.fields.iter().any(|field| field.name == draft.name) {
            return Err(Unreadable::Twice);
        }
        let value = if draft.cdata {
            draft.text
        } else {
            draft.text.trim().to_owned()
        };
        self.message.fields.push(Field {
            name: draft.name,
            value,
            bare: !draft.cdata,
        });
        Ok(())
    }

    fn end(self) -> Result<Message, Unreadable> {
        match self.place {
            Place::After => Ok(self.message),
            _ => Err(Unreadable::NotXml),
        }
    }
}

impl Draft {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            text: String::new(),
            cdata: false,
        }
    }

    /// Blanks around a CDATA section, as documented samples have them, are not part of the value.
    fn text(&mut self, text: &str) {
        if !(self.cdata && text.trim().is_empty()) {
            self.text.push_str(text);
        }
    }

    fn cdata(&mut self, text: &str) {
        if self.text.trim().is_empty() && !self.cdata {
            self.text.clear();
        }
        self.cdata = true;
        self.text.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Message, Unreadable> {
        Message::read(text.as_bytes(), "xml")
    }

    #[test]
    fn cdata_and_plain_text_are_the_same_and_blanks_around_are_dropped() {
        let message = read(
            "<?xml version=\"1.0\"?>\n<xml>\n <a> <![CDATA[x & <y>]]> </a><b> x &amp; &lt;y&#62; </b><c/></xml>\n",
        );
        let message = message.unwrap();
        assert_eq!(message.get("a"), Some("x & <y>"));
        assert_eq!(message.get("b"), message.get("a"));
        assert_eq!(message.get("c"), None);
        assert_eq!(message.get("d"), None);
    }

    #[test]
    fn what_is_not_flat_xml_is_refused() {
        let deep = "<a>".repeat(50_000);
        for (text, error) in [
            ("", Unreadable::NotXml),
            ("<xml><a>1</a>", Unreadable::NotXml),
            ("<xml><a>1</b></xml>", Unreadable::NotXml),
            ("<html><a>1</a></html>", Unreadable::NotFlat),
            ("<xml><a><b>1</b></a></xml>", Unreadable::NotFlat),
            ("<xml>1</xml>", Unreadable::NotFlat),
            ("<xml></xml><xml></xml>", Unreadable::NotFlat),
            ("<xml><a>1</a><a>2</a></xml>", Unreadable::Twice),
            (
                "<!DOCTYPE xml [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><xml><a>&e;</a></xml>",
                Unreadable::Forbidden,
            ),
            ("<xml><a>&e;</a></xml>", Unreadable::Forbidden),
            (&deep, Unreadable::NotFlat),
        ] {
            assert_eq!(read(text), Err(error), "{}", text.get(..60).unwrap_or(text));
        }
        assert_eq!(
            Message::read(b"<xml><a>\xff</a></xml>", "xml"),
            Err(Unreadable::NotUtf8)
        );
        let long = format!("<xml><a>{}</a></xml>", "1".repeat(MESSAGE_MAX));
        assert_eq!(read(&long), Err(Unreadable::TooLong));
    }

    #[test]
    fn amounts_are_digits_and_times_have_three_forms() {
        let message = read(
            "<xml><a>1280</a><b>-1</b><c>+1</c><d>1.0</d><e>20250301123458</e><f>2025-03-01 12:34:58</f><g>1740803698</g></xml>",
        )
        .unwrap();
        assert_eq!(message.amount("a"), Fen::new(1280).ok());
        for bad in ["b", "c", "d", "e2", "f"] {
            assert_eq!(message.amount(bad), None, "{bad}");
        }
        let time = Time::parse_china("20250301123458", "%Y%m%d%H%M%S");
        assert!(time.is_some());
        for name in ["e", "f", "g"] {
            assert_eq!(message.time(name), time, "{name}");
        }
        assert_eq!(message.time("a"), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(fields in proptest::collection::btree_map("[a-z][a-z_0-9]{0,20}", ("\\PC{0,60}", any::<bool>()), 0..20)) {
            let mut message = Message::default();
            for (name, (value, bare)) in &fields {
                message.put(name, value.trim().to_owned(), *bare);
            }
            let again = Message::read(&message.write(), "xml").unwrap();
            let pairs = |m: &Message| m.pairs().map(|(n, v)| (n.to_owned(), v.to_owned())).collect::<Vec<_>>();
            prop_assert_eq!(pairs(&again), pairs(&message));
        }

        #[test]
        fn no_bytes_make_the_reader_fall(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in "<xml>(<[ab!\\[\\]&;/>]{0,40}){0,5}</xml>") {
            let _ = Message::read(&bytes, "xml");
            let _ = Message::read(text.as_bytes(), "xml");
        }
    }
}
