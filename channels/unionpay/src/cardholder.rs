//! What a cardholder tells about himself, and how it stands in a message: never in the clear where UnionPay wants it sealed.
//!
//! UnionPay reference, 1.12. The platform collects none of this for its own payments; it passes on what an App that may do
//! so has asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use metropay_core::secret::Secret;

use crate::account::quiet;
use crate::encryption::SealingKey;
use crate::form::Fields;

/// What is known of a cardholder; everything may be left out.
#[derive(Debug, Clone, Default)]
pub struct Cardholder {
    /// The card's number.
    pub card: Option<Secret>,
    /// The kind of identity paper: `01` for the identity card.
    pub paper: Option<Secret>,
    /// The paper's number.
    pub paper_no: Option<Secret>,
    /// The name.
    pub name: Option<Secret>,
    /// The code that came by SMS.
    pub sms_code: Option<Secret>,
    /// The phone that the bank knows.
    pub phone: Option<Secret>,
    /// The three digits on the card's back.
    pub cvn2: Option<Secret>,
    /// Until when the card is good, `YYMM`.
    pub expires: Option<Secret>,
}

/// What cannot be said in a message; it names no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} has letters that cannot be sent, or is too long")]
pub(crate) struct Unsayable(&'static str);

impl Cardholder {
    /// Puts `accNo`, `customerInfo` and, where something is sealed, `encryptCertId` to a message.
    ///
    /// # Errors
    /// [`Unsayable`] names what is wrong.
    pub(crate) fn put(&self, fields: &mut Fields, key: &SealingKey) -> Result<(), Unsayable> {
        let mut sealed = false;
        if let Some(card) = &self.card {
            let digits = card.expose();
            if !((12..=19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())) {
                return Err(Unsayable("the card number"));
            }
            let number = key.seal(digits).map_err(|_| Unsayable("the card number"))?;
            fields.insert("accNo".to_owned(), number);
            sealed = true;
        }
        let mut open = pairs(&[
            ("certifTp", &self.paper),
            ("certifId", &self.paper_no),
            ("customerNm", &self.name),
            ("smsCode", &self.sms_code),
        ])?;
        let inner = pairs(&[
            ("phoneNo", &self.phone),
            ("cvn2", &self.cvn2),
            ("expired", &self.expires),
        ])?;
        if !inner.is_empty() {
            let info = key
                .seal(&inner.join("&"))
                .map_err(|_| Unsayable("the cardholder's data"))?;
            open.push(format!("encryptedInfo={info}"));
            sealed = true;
        }
        if !open.is_empty() {
            let info = BASE64.encode(format!("{{{}}}", open.join("&")));
            fields.insert("customerInfo".to_owned(), info);
        }
        if sealed {
            fields.insert("encryptCertId".to_owned(), key.cert_id.clone());
        }
        Ok(())
    }
}

fn pairs(told: &[(&'static str, &Option<Secret>)]) -> Result<Vec<String>, Unsayable> {
    let mut pairs = Vec::new();
    for (name, value) in told {
        if let Some(value) = value.as_ref().map(Secret::expose).filter(|value| !value.is_empty()) {
            if !quiet(value) {
                return Err(Unsayable(name));
            }
            pairs.push(format!("{name}={value}"));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aws_lc_rs::rsa::{Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
    use metropay_core::clock::Time;

    use super::*;
    use crate::encryption::Encryption;
    use crate::form::read_domain;
    use crate::trust::Trust;

    macro_rules! vector {
        ($name:literal) => {
            include_str!(concat!("../tests/vectors/", $name))
        };
    }

    fn sealing() -> Arc<SealingKey> {
        let trust = Trust::new(
            vector!("certificates/root.pem"),
            vector!("certificates/middle.pem"),
            false,
        );
        let now = Time::parse_china("20250301120000", "%Y%m%d%H%M%S").unwrap();
        let pem = vector!("certificates/encryption.pem");
        let encryption = Encryption::new(Some(Arc::new(trust.unwrap())), pem, now).unwrap();
        encryption.known(now).unwrap()
    }

    /// What UnionPay reads of a sealed text.
    fn opened(sealed: &str) -> String {
        let pem = pem::parse(vector!("certificates/encryption.key")).unwrap();
        let key = PrivateDecryptingKey::from_pkcs8(pem.contents()).unwrap();
        let key = Pkcs1PrivateDecryptingKey::new(key).unwrap();
        let mut plain = vec![0; key.min_output_size()];
        let plain = key.decrypt(&BASE64.decode(sealed).unwrap(), &mut plain).unwrap();
        String::from_utf8(plain.to_vec()).unwrap()
    }

    fn domain(info: &str) -> Fields {
        let text = String::from_utf8(BASE64.decode(info).unwrap()).unwrap();
        read_domain(&text).unwrap()
    }

    fn holder() -> Cardholder {
        let told = |text: &str| Some(Secret::from(text));
        Cardholder {
            card: told("6216261000000000018"),
            paper: told("01"),
            paper_no: told("110101190001010000"),
            name: told("全渠道"),
            sms_code: None,
            phone: told("13800138000"),
            cvn2: told("123"),
            expires: told("2311"),
        }
    }

    #[test]
    fn a_cardholder_is_sealed_as_vector_7_says() {
        let mut fields = Fields::new();
        holder().put(&mut fields, &sealing()).unwrap();
        assert_eq!(fields["encryptCertId"], "69026275927");
        assert_eq!(opened(&fields["accNo"]), "6216261000000000018");
        assert_eq!(opened(vector!("v7.acc_no")), "6216261000000000018");
        let (ours, vector) = (domain(&fields["customerInfo"]), domain(vector!("v7.customer_info")));
        assert_eq!(Some(&vector), read_domain(vector!("v7.domain")).as_ref());
        for name in ["certifTp", "certifId", "customerNm"] {
            assert_eq!(ours[name], vector[name]);
        }
        let inner = "phoneNo=13800138000&cvn2=123&expired=2311";
        assert_eq!(opened(&vector["encryptedInfo"]), inner);
        assert_eq!(opened(&ours["encryptedInfo"]), inner);
        assert_ne!(ours["encryptedInfo"], vector["encryptedInfo"], "the padding is random");
        let wire = fields.values().cloned().collect::<String>();
        assert!(!wire.contains("13800138000") && !wire.contains("6216261"));
    }

    #[test]
    fn what_need_not_be_sealed_is_not_and_nothing_is_nothing() {
        let mut fields = Fields::new();
        let holder = Cardholder {
            sms_code: Some(Secret::from("111111")),
            ..Cardholder::default()
        };
        holder.put(&mut fields, &sealing()).unwrap();
        assert_eq!(fields["customerInfo"], "e3Ntc0NvZGU9MTExMTExfQ==");
        assert_eq!(fields.len(), 1);
        let mut none = Fields::new();
        Cardholder::default().put(&mut none, &sealing()).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn what_would_upset_the_grammar_is_not_sent_and_not_shown() {
        let told = |text: &str| Some(Secret::from(text));
        for holder in [
            Cardholder {
                name: told("a}&smsCode=1{canary"),
                ..holder()
            },
            Cardholder {
                phone: told("1&cvn2=canary"),
                ..holder()
            },
            Cardholder {
                card: told("canary"),
                ..holder()
            },
            Cardholder {
                phone: told(&"1".repeat(400)),
                ..holder()
            },
        ] {
            let error = holder.put(&mut Fields::new(), &sealing()).unwrap_err();
            assert!(!error.to_string().contains("canary"), "{error}");
            assert!(!format!("{holder:?}").contains("canary"));
        }
    }
}
