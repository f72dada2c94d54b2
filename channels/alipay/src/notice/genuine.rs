//! Whether a notification is Alipay's, over its raw bytes (alipay reference, 9.2).

use std::borrow::Cow;

use encoding_rs::Encoding;
use metropay_core::channel::NoticeRefused;
use metropay_core::clock::Time;
use metropay_core::money::Fen;
use percent_encoding::percent_decode;

use crate::call::Gateway;
use crate::keys::Verifier;
use crate::query::time;
use crate::sign::joined;

/// How many parameters a notice may have; Alipay's have some thirty.
const PARAMETERS_MAX: usize = 200;

/// A notice: its parameters, decoded once, in the bytes of its own charset.
pub(crate) struct Notice(Vec<(Vec<u8>, Vec<u8>)>);

impl Notice {
    /// Takes a body apart.
    ///
    /// # Errors
    /// [`NoticeRefused::NotGenuine`] when a parameter stands twice, since two readers might each take another of the two, or
    /// there are too many.
    pub(crate) fn read(body: &[u8]) -> Result<Self, NoticeRefused> {
        let notice = Self(pairs(body));
        if notice.0.len() > PARAMETERS_MAX {
            return Err(refused("it has too many parameters"));
        }
        let mut names: Vec<&[u8]> = notice.0.iter().map(|(name, _)| name.as_slice()).collect();
        names.sort_unstable();
        if names.windows(2).any(|two| two.first() == two.last()) {
            return Err(refused("a parameter stands twice"));
        }
        Ok(notice)
    }

    /// A parameter that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let value = self.bytes(name)?;
        if value.is_ascii() {
            return Some(String::from_utf8_lossy(value).into_owned());
        }
        // The charset's own name is ASCII in every charset that Alipay uses.
        let label = self.bytes("charset").unwrap_or(b"utf-8");
        let encoding = Encoding::for_label(label).unwrap_or(encoding_rs::UTF_8);
        Some(encoding.decode_without_bom_handling(value).0.into_owned())
    }

    fn bytes(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.0.iter().find(|(known, _)| known == name.as_bytes())?;
        (!value.is_empty()).then_some(value)
    }

    /// An amount.
    pub(crate) fn fen(&self, name: &str) -> Option<Fen> {
        Fen::from_yuan(&self.text(name)?).ok()
    }

    /// A moment.
    pub(crate) fn time(&self, name: &str) -> Option<Time> {
        time(&self.text(name)?)
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// [`NoticeRefused::NotGenuine`] when it is not.
    pub(crate) fn must(&self, name: &str) -> Result<String, NoticeRefused> {
        self.text(name)
            .ok_or_else(|| NoticeRefused::NotGenuine(format!("it has no {name}")))
    }

    /// Whether one of these keys signed it. Everything takes part but `sign` and `sign_type`; empty values are kept by most of
    /// Alipay's own libraries and dropped by one, and an old product signs `sign_type` too, so all these forms count.
    fn is_signed_by(&self, verifiers: &[Verifier], sign: &str) -> bool {
        let text = |empty: bool, sign_type: bool| {
            let pairs = self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
            joined(pairs.filter(|(name, value)| {
                *name != b"sign" && (sign_type || *name != b"sign_type") && (empty || !value.is_empty())
            }))
        };
        let has_empty = self.0.iter().any(|(_, value)| value.is_empty());
        let is_signed = |text: &[u8]| verifiers.iter().any(|verifier| verifier.verify(text, sign));
        is_signed(&text(true, false)) || (has_empty && is_signed(&text(false, false))) || is_signed(&text(true, true))
    }
}

/// The notice, if Alipay signed it.
///
/// # Errors
/// [`NoticeRefused::NotGenuine`] when it did not.
pub(crate) async fn genuine(gateway: &Gateway, body: &[u8]) -> Result<Notice, NoticeRefused> {
    let notice = Notice::read(body)?;
    let sign = notice.text("sign").ok_or_else(|| refused("it has no signature"))?;
    if notice.text("sign_type").is_some_and(|kind| kind != "RSA2") {
        return Err(refused("it is not signed with RSA2"));
    }
    let cert_sn = notice.text("alipay_cert_sn");
    let verifiers = gateway.verifiers_of_notice(cert_sn.as_deref()).await;
    let verifiers = verifiers.map_err(|error| refused(&error.to_string()))?;
    if notice.is_signed_by(&verifiers, &sign) {
        Ok(notice)
    } else {
        let file = gateway
            .keys
            .certificates()
            .map_or("alipay_public_key", |_| "alipay_cert");
        Err(refused(&format!("the signature does not fit: check {file}")))
    }
}

fn refused(reason: &str) -> NoticeRefused {
    NoticeRefused::NotGenuine(reason.to_owned())
}

/// Name and value as bytes: the signature is over the bytes of the notice's own charset.
fn pairs(body: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let decoded = |part: &[u8]| {
        let blanks: Vec<u8> = part
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect();
        Cow::from(percent_decode(&blanks)).into_owned()
    };
    body.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let mut next = || decoded(parts.next().unwrap_or_default());
            (next(), next())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(body in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(notice) = Notice::read(&body) {
                let _ = (notice.text("charset"), notice.fen("total_amount"), notice.time("gmt_payment"));
            }
        }

        #[test]
        fn forms_are_read_as_they_were_written(
            pairs in prop::collection::btree_map("[a-z_]{1,8}", r"\PC{1,20}", 0..8)
        ) {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(pairs.iter().filter(|(name, _)| *name != "charset"));
            let notice = Notice::read(form.finish().as_bytes()).unwrap();
            for (name, value) in pairs.iter().filter(|(name, _)| *name != "charset") {
                let read = notice.text(name);
                prop_assert_eq!(read.as_ref(), Some(value));
            }
        }
    }
}
