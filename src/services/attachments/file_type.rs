//! What type a file has: the client's claim, checked against its first and last bytes.
//!
//! A file that is two things at once (a picture that is also an archive, a document that is also a page) is refused:
//! nobody makes one by accident.

use regex::bytes::Regex;
use std::sync::LazyLock;

/// How many first bytes are looked at.
pub(super) const HEAD: usize = 8 * 1024;
/// How many last bytes are looked at: an archive's directory ends there, with a comment of up to 64 KiB.
pub(super) const TAIL: usize = 22 + 0xFFFF;

/// What makes a browser take bytes for a page, or a server for a program.
static MARKUP: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i-u)<(script|html|!doctype\s+html|iframe|svg|\?php)[\s>]").ok());

/// Types that file names stand for when the client does not say or does not know.
const EXTENSIONS: [(&str, &str); 12] = [
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("doc", "application/msword"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("xls", "application/vnd.ms-excel"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("txt", "text/plain"),
    ("csv", "text/csv"),
    ("log", "text/plain"),
];

/// The type of a file whose content fits the claim; `Err` holds the type that is not allowed or does not fit.
pub(super) fn decide(
    declared: &str,
    filename: &str,
    head: &[u8],
    allowed: &[String],
) -> Result<String, String> {
    let claimed = essence(declared);
    let by_name = by_extension(filename);
    // Browsers send odd types for what they do not know, and a spreadsheet's for plain CSV.
    let is_csv = claimed == "application/vnd.ms-excel" && by_name == Some("text/csv") && is_text(head);
    let mime = match (claimed.as_str(), by_name) {
        ("" | "application/octet-stream", Some(known)) => known.to_owned(),
        (_, Some(known)) if is_csv => known.to_owned(),
        _ => claimed,
    };
    if !allowed.iter().any(|known| known.eq_ignore_ascii_case(&mime)) {
        return Err(mime);
    }
    if fits(&mime, head) { Ok(mime) } else { Err(mime) }
}

/// `type/subtype` in lower case, without parameters.
fn essence(declared: &str) -> String {
    declared
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_lowercase()
}

fn by_extension(filename: &str) -> Option<&'static str> {
    let (_, extension) = filename.rsplit_once('.')?;
    let extension = extension.to_lowercase();
    EXTENSIONS
        .iter()
        .find(|(known, _)| *known == extension)
        .map(|(_, mime)| *mime)
}

/// Whether the first bytes can be those of a file of this type.
fn fits(mime: &str, head: &[u8]) -> bool {
    let found = infer::get(head).map(|kind| kind.mime_type());
    match mime {
        "application/msword" | "application/vnd.ms-excel" => head.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]),
        _ if mime.starts_with(OFFICE) => is_office_package(mime, head),
        _ if mime.starts_with("text/") => {
            is_text(head) && found.is_none_or(|found| found.starts_with("text/") && found != "text/html")
        }
        _ if VISIBLE.contains(&mime) => found == Some(mime) && !has_markup(head),
        // Types that an administrator has added: whatever is recognised must be the same.
        _ => found.is_none_or(|found| found == mime),
    }
}

/// Types that are shown rather than unpacked.
const VISIBLE: [&str; 4] = ["application/pdf", "image/png", "image/jpeg", "image/gif"];
/// What types of Office packages begin with.
const OFFICE: &str = "application/vnd.openxmlformats-officedocument.";

/// Whether a package's first entry is one that Office packages of this type begin with; a Java archive's is not.
fn is_office_package(mime: &str, head: &[u8]) -> bool {
    /// Where the name of the first entry begins (ZIP application note 4.3.7).
    const NAME: usize = 30;
    let own_folder: &[u8] = match mime.strip_prefix(OFFICE) {
        Some("wordprocessingml.document") => b"word/",
        Some("spreadsheetml.sheet") => b"xl/",
        Some("presentationml.presentation") => b"ppt/",
        Some(_) | None => b"[",
    };
    let common: [&[u8]; 5] = [
        b"[Content_Types].xml",
        b"_rels/",
        b"docProps/",
        b"customXml/",
        own_folder,
    ];
    let name = head.get(NAME..).unwrap_or_default();
    head.starts_with(b"PK\x03\x04") && common.iter().any(|start| name.starts_with(start))
}

/// Whether a file of this type can go on with these bytes.
pub(super) fn goes_on_as(mime: &str, chunk: &[u8]) -> bool {
    !mime.starts_with("text/") || is_text(chunk)
}

/// Whether a file of this type can end with these bytes, the last [`TAIL`] of them.
pub(super) fn ends_as(mime: &str, tail: &[u8]) -> bool {
    let shown = VISIBLE.contains(&mime) || mime.starts_with("text/");
    let compound = ["application/msword", "application/vnd.ms-excel"].contains(&mime);
    !((shown || compound) && ends_an_archive(tail))
}

/// Whether an archive's directory ends exactly at the end (ZIP application note 4.3.16), so that the bytes are also one.
fn ends_an_archive(tail: &[u8]) -> bool {
    const END_RECORD: usize = 22;
    tail.windows(END_RECORD).enumerate().any(|(at, record)| {
        let comment = record
            .last_chunk()
            .map_or(0, |length| u16::from_le_bytes(*length));
        record.starts_with(b"PK\x05\x06") && at + END_RECORD + usize::from(comment) == tail.len()
    })
}

fn has_markup(head: &[u8]) -> bool {
    MARKUP.as_ref().is_some_and(|markup| markup.is_match(head))
}

fn is_text(head: &[u8]) -> bool {
    !head.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

    /// The beginning of an archive whose first entry has this name.
    fn package(name: &[u8]) -> Vec<u8> {
        [b"PK\x03\x04".as_slice(), &[0; 26], name].concat()
    }

    #[test]
    fn a_picture_that_is_also_an_archive_is_refused() {
        let end = [b"PK\x05\x06".as_slice(), &[0; 16], &[3, 0], b"abc"].concat();
        let both = [PNG, &end].concat();
        assert!(!ends_as("image/png", &both));
        assert!(!ends_as("text/plain", &both));
        assert!(ends_as(DOCX, &both));
        let followed = [&both, b"more".as_slice()].concat();
        assert!(ends_as("image/png", &followed), "no program unpacks this");
        assert!(ends_as("image/png", b""));
    }

    const PNG: &[u8] = &[0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0];

    #[rstest]
    #[case::plain("application/pdf", "a.pdf", b"%PDF-1.7 ...", Ok("application/pdf"))]
    #[case::parameters("text/plain; charset=utf-8", "a.txt", b"hello", Ok("text/plain"))]
    #[case::upper_case("IMAGE/PNG", "a.png", PNG, Ok("image/png"))]
    #[case::unknown_to_the_browser("application/octet-stream", "a.csv", b"a;b", Ok("text/csv"))]
    #[case::odd_csv("application/vnd.ms-excel", "a.csv", b"a;b", Ok("text/csv"))]
    #[case::nothing_said("", "a.PDF", b"%PDF-1.7", Ok("application/pdf"))]
    #[case::lying_claim("image/png", "a.png", b"MZ\x90\x00", Err("image/png"))]
    #[case::binary_as_text("text/plain", "a.txt", b"a\x00b", Err("text/plain"))]
    #[case::page_as_text("text/plain", "a.txt", b"<!DOCTYPE html><script>", Err("text/plain"))]
    #[case::picture_and_page("image/gif", "a.gif", b"GIF89a/*<script>*/=1;", Err("image/gif"))]
    #[case::document_and_page("application/pdf", "a.pdf", b"%PDF-1.7\n<html >", Err("application/pdf"))]
    #[case::document_and_program("application/pdf", "a.pdf", b"%PDF-1.7 <?php x", Err("application/pdf"))]
    #[case::text_document("", "a.docx", &package(b"word/document.xml"), Ok(DOCX))]
    #[case::table("", "a.xlsx", &package(b"[Content_Types].xml"), Ok(XLSX))]
    #[case::java_archive("", "a.docx", &package(b"META-INF/MANIFEST.MF"), Err(DOCX))]
    #[case::table_as_document("", "a.docx", &package(b"xl/workbook.xml"), Err(DOCX))]
    #[case::pdf_as_text("text/plain", "a.txt", b"%PDF-1.7", Err("text/plain"))]
    #[case::not_allowed("text/html", "a.html", b"<html>", Err("text/html"))]
    #[case::script("application/octet-stream", "a.exe", b"MZ", Err("application/octet-stream"))]
    fn the_claim_must_fit_the_bytes(
        #[case] declared: &str,
        #[case] filename: &str,
        #[case] head: &[u8],
        #[case] expected: Result<&str, &str>,
    ) {
        let allowed: Vec<String> = EXTENSIONS.iter().map(|(_, mime)| (*mime).to_owned()).collect();
        let decided = decide(declared, filename, head, &allowed);
        assert_eq!(decided.as_deref().map_err(String::as_str), expected);
    }
}
