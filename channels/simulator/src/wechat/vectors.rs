//! The test vectors C1 to C12, C22 to C25 and C29 of the wechat reference, section 14.

/// The APIv2 key of all vectors.
pub(super) const KEY: &str = "TESTONLYapiv2key0000000000000001";

/// One message of the reference.
#[derive(Default)]
pub(super) struct Vector {
    pub id: &'static str,
    /// The signed string without the key, where the message is signed.
    pub source: Option<&'static str>,
    pub sign: Option<&'static str>,
    /// The message as it travels.
    pub wire: &'static str,
}

/// All of them, in the order of the reference.
pub(super) fn all() -> Vec<Vector> {
    let blocks = include_str!("vectors.txt")
        .split("\n\n")
        .filter(|block| !block.trim().is_empty());
    blocks.map(read).collect()
}

fn read(block: &'static str) -> Vector {
    let mut vector = Vector::default();
    for line in block.lines() {
        match line.split_once(' ').unwrap() {
            ("id", id) => vector.id = id,
            ("source", source) => vector.source = Some(source),
            ("sign", sign) => vector.sign = Some(sign),
            ("wire", wire) => vector.wire = wire,
            other => panic!("unknown line {other:?}"),
        }
    }
    vector
}
