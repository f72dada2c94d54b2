//! Lines of columns with fixed widths in bytes, in GBK, one blank between two columns (unionpay reference, 6.3).

use encoding_rs::GBK;

/// A line that is being written.
#[derive(Default)]
pub(super) struct Columns {
    bytes: Vec<u8>,
    begun: bool,
}

impl Columns {
    /// A text on the left, cut where a character would not fit whole, filled with blanks.
    pub(super) fn text(mut self, width: usize, text: &str) -> Self {
        self.begin();
        let end = self.bytes.len() + width;
        for character in text.chars() {
            let mut utf8 = [0; 4];
            let (encoded, _, _) = GBK.encode(character.encode_utf8(&mut utf8));
            if self.bytes.len() + encoded.len() > end {
                break;
            }
            self.bytes.extend(encoded.as_ref());
        }
        self.bytes.resize(end, b' ');
        self
    }

    /// A number on the right, filled with zeros.
    pub(super) fn number(self, width: usize, value: u64) -> Self {
        self.text(width, &format!("{value:0width$}"))
    }

    /// An amount with its direction: `C` towards the merchant, `D` from him, a blank where it is neither.
    pub(super) fn directed(self, width: usize, direction: char, value: u64) -> Self {
        let digits = width - 1;
        self.text(width, &format!("{direction}{value:0digits$}"))
    }

    /// The line with its end.
    pub(super) fn line(mut self) -> Vec<u8> {
        self.bytes.extend(b"\r\n");
        self.bytes
    }

    fn begin(&mut self) {
        if self.begun {
            self.bytes.push(b' ');
        }
        self.begun = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chinese_character_is_two_bytes_and_is_never_cut() {
        let line = Columns::default()
            .text(5, "地铁站")
            .number(3, 7)
            .directed(4, 'D', 12)
            .line();
        let (text, _, _) = GBK.decode(&line);
        assert_eq!(text, "地铁  007 D012\r\n");
        assert_eq!(line.len(), 5 + 1 + 3 + 1 + 4 + 2);
    }
}
