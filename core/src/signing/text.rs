//! The texts that are signed. Their first lines name scheme and purpose, so that a request's signature never fits an
//! answer.

use aws_lc_rs::digest;

/// The parts of a request that are signed, as they came over the wire.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, capitals.
    pub method: &'a str,
    /// The `Host` header as sent; its capitals are lowered in the signed text.
    pub authority: &'a str,
    /// The path with the raw query, never decoded or normalised.
    pub target: &'a str,
    /// The raw body.
    pub body: &'a [u8],
}

impl Request<'_> {
    /// The text that the merchant signs; every line is ended.
    pub fn text(&self, timestamp: i64, nonce: &str) -> String {
        format!(
            "METROPAY-REQUEST\n{}\n{}\n{}\n{timestamp}\n{nonce}\n{}\n",
            self.method,
            self.authority.to_ascii_lowercase(),
            self.target,
            body_hash(self.body),
        )
    }
}

/// The parts of an answer that are signed.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The HTTP status.
    pub status: u16,
    /// When it was answered, in Unix seconds.
    pub timestamp: i64,
    /// The request's nonce.
    pub nonce: &'a str,
    /// The raw body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// The text that the platform signs; every line is ended.
    pub fn text(&self) -> String {
        format!(
            "METROPAY-ANSWER\n{}\n{}\n{}\n{}\n",
            self.status,
            self.timestamp,
            self.nonce,
            body_hash(self.body),
        )
    }
}

/// Lower-case hex SHA-256 of a raw body.
fn body_hash(body: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_text_has_the_hosts_letters_lowered_and_the_path_untouched() {
        let request = Request {
            method: "POST",
            authority: "Pay.Example.com:8443",
            target: "/a/%7Eb?x=%20&y=",
            body: b"",
        };
        assert_eq!(
            request.text(1_785_542_400, "0123456789abcdef"),
            "METROPAY-REQUEST\nPOST\npay.example.com:8443\n/a/%7Eb?x=%20&y=\n1785542400\n0123456789abcdef\n\
             e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
        );
    }
}
