//! The lines of a bill's text: bounded, and decoded from GB18030 (alipay reference, 6.2).

use std::io::{BufRead, Read};

use encoding_rs::GB18030;
use metropay_core::channel::BillError;

use super::unreadable;

/// How long a line may be, in bytes; real ones have some three hundred.
const LINE_MAX: u64 = 64 << 10;

/// Reads line by line, in one buffer.
pub(super) struct Lines<R> {
    reader: R,
    bytes: Vec<u8>,
    text: String,
}

impl<R: BufRead> Lines<R> {
    /// The lines of this text.
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            bytes: Vec::new(),
            text: String::new(),
        }
    }

    /// The next line without its end; `None` when there is none. Letters that cannot be decoded are replaced: they stand in
    /// names, never in numbers.
    ///
    /// # Errors
    /// [`BillError::Unreadable`] when the text breaks off, its checksum does not fit, or a line has no end.
    pub(super) fn next(&mut self) -> Result<Option<&str>, BillError> {
        self.bytes.clear();
        let read = self.reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut self.bytes);
        read.map_err(|error| unreadable(format!("the file breaks off: {error}")))?;
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let is_ended = self.bytes.last() == Some(&b'\n');
        if !is_ended && u64::try_from(self.bytes.len()).is_ok_and(|length| length >= LINE_MAX) {
            return Err(unreadable("a line is too long"));
        }
        self.text.clear();
        let mut decoder = GB18030.new_decoder_without_bom_handling();
        let room = decoder.max_utf8_buffer_length(self.bytes.len());
        self.text.reserve(room.ok_or_else(|| unreadable("a line is too long"))?);
        // With that much room the whole line is decoded at once.
        let _ = decoder.decode_to_string(&self.bytes, &mut self.text, true);
        Ok(Some(self.text.trim_end_matches(['\r', '\n'])))
    }
}
