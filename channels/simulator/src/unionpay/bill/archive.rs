//! The envelope of a file: a zip archive, deflated once more, in Base64 (unionpay reference, 6.1).

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A file in the archive.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) content: Vec<u8>,
}

/// The field `fileContent` with these files in it.
///
/// # Errors
/// When the archive cannot be written.
pub(super) fn file_content(entries: &[Entry]) -> std::io::Result<String> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for entry in entries {
        archive.start_file(entry.name.as_str(), options)?;
        archive.write_all(&entry.content)?;
    }
    let archive = archive.finish()?.into_inner();
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::default());
    deflated.write_all(&archive)?;
    Ok(STANDARD.encode(deflated.finish()?))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::ZlibDecoder;
    use zip::ZipArchive;

    use super::*;

    fn unpacked(content: &str) -> Vec<Entry> {
        let mut archive = Vec::new();
        let deflated = STANDARD.decode(content).unwrap();
        ZlibDecoder::new(deflated.as_slice()).read_to_end(&mut archive).unwrap();
        let mut archive = ZipArchive::new(Cursor::new(archive)).unwrap();
        let mut entries = Vec::new();
        for n in 0..archive.len() {
            let mut file = archive.by_index(n).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            let name = file.name().unwrap().into_owned();
            entries.push(Entry { name, content });
        }
        entries
    }

    #[test]
    fn the_lines_of_the_vectors_file_are_written_byte_for_byte() {
        let vector = unpacked(include_str!("../../../tests/unionpay/vectors/v8.content").trim());
        assert_eq!(vector.len(), 1);
        assert_eq!(vector[0].name, "INN25030188ZM_700000000000001");
        let rows = super::super::row::tests::vector();
        let lines: Vec<u8> = rows.iter().flat_map(|row| row.line(false)).collect();
        assert_eq!(lines, vector[0].content);
        let again = unpacked(&file_content(&vector).unwrap());
        assert_eq!(
            (&again[0].name, &again[0].content),
            (&vector[0].name, &vector[0].content)
        );
    }
}
