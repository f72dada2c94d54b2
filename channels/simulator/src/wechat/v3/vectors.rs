//! The test vectors C13 to C20 and C30 to C32 of the wechat reference, section 14, with their keys.

use serde_json::Value;

/// The APIv3 key of all vectors.
pub(super) const V3_KEY: &str = "TESTONLYapiv3key0000000000000001";

pub(super) const MERCHANT_CERT: &str = include_str!("vectors/mer.crt.pem");
pub(super) const PLATFORM_KEY: &str = include_str!("vectors/plat.key.pem");
pub(super) const PLATFORM_CERT: &str = include_str!("vectors/plat.crt.pem");
pub(super) const PUBLIC_KEY_TWIN: &str = include_str!("vectors/pub.key.pem");

/// A message that is signed, and its signature.
pub(super) struct Signed {
    pub id: &'static str,
    pub key: &'static str,
    pub message: String,
    pub sha256: &'static str,
    pub signature: String,
}

fn block(id: &str) -> &'static str {
    let blocks = include_str!("vectors/messages.txt").split("\n\n");
    let wanted = format!("id {id}");
    blocks
        .into_iter()
        .find(|block| block.lines().next() == Some(&wanted))
        .unwrap()
}

/// A line of a vector.
pub(super) fn line(id: &str, name: &str) -> &'static str {
    let mut lines = block(id).lines();
    let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_default()
}

/// The body of a vector.
pub(super) fn text(id: &str) -> String {
    line(id, "body").to_owned()
}

/// The body of a vector, read.
pub(super) fn json(id: &str) -> Value {
    serde_json::from_str(line(id, "body")).unwrap()
}

/// Every signed message: the merchant's requests, the gateway's answers, its notification.
pub(super) fn signed() -> Vec<Signed> {
    let requests = ["C13", "C14", "C15"].map(|id| {
        let (_, signature) = line(id, "authorization").split_once("signature=\"").unwrap();
        Signed {
            id,
            key: include_str!("vectors/mer.key.pem"),
            message: line(id, "message").replace("\\n", "\n"),
            sha256: line(id, "sha256"),
            signature: signature.trim_end_matches('"').to_owned(),
        }
    });
    let answers = ["C16", "C17", "C18", "C30", "C31", "C32"].map(|id| Signed {
        id,
        key: if id == "C16" { PLATFORM_KEY } else { PUBLIC_KEY_TWIN },
        message: format!(
            "{}\n{}\n{}\n",
            line(id, "timestamp"),
            line(id, "nonce"),
            line(id, "body")
        ),
        sha256: line(id, "sha256"),
        signature: line(id, "signature").to_owned(),
    });
    requests.into_iter().chain(answers).collect()
}
