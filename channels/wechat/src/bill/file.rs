//! The lines of a bill's file, packed or not, hashed as they are read.

use std::io::{self, BufRead, BufReader, Read};

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use flate2::bufread::MultiGzDecoder;
use metropay_core::channel::BillError;

use super::unreadable;

/// How long a line may be, in bytes; the longest known one has less than two thousand.
const LINE_MAX: u64 = 64 * 1_024;

/// How large a file may be when it is unpacked, in bytes: some ten million rows.
const UNPACKED_MAX: u64 = 8 << 30;

/// The mark of files that are packed.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The lines of a file.
pub(super) struct Lines<R: Read> {
    reader: BufReader<Hashed<Unpacked<R>>>,
    /// What the SHA-1 of the unpacked file must be.
    expected: Option<String>,
    line: Vec<u8>,
}

enum Unpacked<R: Read> {
    Plain(BufReader<R>),
    Packed(Box<MultiGzDecoder<BufReader<R>>>),
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Packed(reader) => reader.read(buffer),
        }
    }
}

/// Counts and hashes what goes through.
struct Hashed<R> {
    inner: R,
    hash: Context,
    read: u64,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        self.read = self.read.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if self.read > UNPACKED_MAX {
            return Err(io::Error::other("longer than any bill"));
        }
        Ok(read)
    }
}

impl<R: Read> Lines<R> {
    /// The lines of a file that must have this SHA-1 (lower-case hex), where one is known.
    ///
    /// # Errors
    /// [`BillError::Unreadable`] when it cannot be read at all.
    pub(super) fn new(file: R, expected: Option<String>) -> Result<Self, BillError> {
        let mut file = BufReader::with_capacity(1 << 16, file);
        let packed = file.fill_buf().map_err(|error| broken(&error))?.starts_with(&GZIP);
        let inner = if packed {
            Unpacked::Packed(Box::new(MultiGzDecoder::new(file)))
        } else {
            Unpacked::Plain(file)
        };
        Ok(Self {
            reader: BufReader::with_capacity(
                1 << 16,
                Hashed {
                    inner,
                    hash: Context::new(&SHA1_FOR_LEGACY_USE_ONLY),
                    read: 0,
                },
            ),
            expected,
            line: Vec::new(),
        })
    }

    /// The next line without its end; `None` after the last, whose hash was right.
    ///
    /// # Errors
    /// [`BillError::Unreadable`] when the file breaks off, has a line beyond all bounds, or another hash.
    pub(super) fn next(&mut self) -> Result<Option<&str>, BillError> {
        self.line.clear();
        let mut bounded = self.reader.by_ref().take(LINE_MAX);
        let read = bounded
            .read_until(b'\n', &mut self.line)
            .map_err(|error| broken(&error))?;
        if read == 0 {
            return self.end().map(|()| None);
        }
        if !self.line.ends_with(b"\n") && bounded.limit() == 0 {
            return unreadable(format!("a line is longer than {LINE_MAX} bytes"));
        }
        match std::str::from_utf8(&self.line) {
            Ok(line) => Ok(Some(line.trim_end_matches(['\r', '\n']))),
            Err(_) => unreadable("it is not UTF-8"),
        }
    }

    fn end(&mut self) -> Result<(), BillError> {
        let hash = hex::encode(self.reader.get_ref().hash.clone().finish());
        match &self.expected {
            Some(expected) if *expected != hash => unreadable("it has another hash than the channel told"),
            _ => Ok(()),
        }
    }
}

fn broken(error: &io::Error) -> BillError {
    let error = error.kind();
    BillError::Unreadable(format!("the file breaks off: {error}"))
}
