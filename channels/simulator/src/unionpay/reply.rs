//! Synchronous answers: which fields they carry, and how they are signed and written (unionpay reference, 11.3).

use super::code;
use super::form::{self, Fields};
use super::request::text;
use super::seal::{Seal, Signature};

/// What every normal answer and notification repeats of its request.
const ECHOED: [&str; 11] = [
    "accessType",
    "bizType",
    "encoding",
    "merId",
    "orderId",
    "reqReserved",
    "signMethod",
    "txnSubType",
    "txnTime",
    "txnType",
    "version",
];

/// The fields of an answer before it is signed.
pub(super) struct Reply {
    pub(super) fields: Fields,
    /// The front filter answers in an order of its own.
    disordered: bool,
}

impl Reply {
    /// The base set: what is echoed of the request, the code and its text. Undos and refunds repeat their original and
    /// amount whatever the code.
    pub(super) fn new(request: &Fields, code: &str) -> Self {
        let bare = Self {
            fields: Fields::new(),
            disordered: false,
        };
        let reply = bare
            .echo(request, &ECHOED)
            .with("respCode", code)
            .with("respMsg", code::text(code));
        match text(request, "txnType") {
            "31" | "04" if code != "10" => reply.echo(request, &["origQryId", "txnAmt"]),
            _ => reply,
        }
    }

    /// The front filter's answer to a message of wrong form: everything that was sent, blanks too, and the certificate
    /// number of the gateway.
    pub(super) fn malformed(request: &Fields, complaint: &str, gateway_cert_id: Option<&str>) -> Self {
        let mut fields = request.clone();
        fields.remove("signature");
        if let Some(cert_id) = gateway_cert_id {
            fields.insert("certId".to_owned(), cert_id.to_owned());
        }
        Self {
            fields,
            disordered: true,
        }
        .with("respCode", "10")
        .with("respMsg", format!("[9100003]{complaint}"))
    }

    /// Adds a field.
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Repeats these fields of the request, as far as they were sent.
    pub(super) fn echo(mut self, request: &Fields, names: &[&str]) -> Self {
        for name in names {
            if let Some(value) = request.get(*name) {
                self.fields.insert((*name).to_owned(), value.clone());
            }
        }
        self
    }

    /// Signs the answer and writes it as the gateway does: raw, the certificate and the signature last.
    pub(super) fn write(mut self, seal: &Seal, signature: Signature) -> String {
        seal.put_on(&mut self.fields, signature);
        let last = ["signPubKeyCert", "signature"];
        let sealed = last.iter().filter_map(|name| self.fields.get_key_value(*name));
        let mut body: Vec<_> = self
            .fields
            .iter()
            .filter(|(name, _)| !last.contains(&name.as_str()))
            .collect();
        if self.disordered {
            body.reverse();
        }
        form::raw(
            body.into_iter()
                .chain(sealed)
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
    }
}
