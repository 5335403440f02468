//! What type a file has: the client's claim, checked against the first bytes.

/// How many first bytes are looked at.
pub(super) const HEAD: usize = 8 * 1024;

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
        _ if mime.starts_with("application/vnd.openxmlformats-officedocument.") => {
            head.starts_with(b"PK\x03\x04")
                && found.is_some_and(|found| found == mime || found == "application/zip")
                || found == Some(mime)
        }
        _ if mime.starts_with("text/") => {
            is_text(head) && found.is_none_or(|found| found.starts_with("text/"))
        }
        // Types that an administrator has added: whatever is recognised must be the same.
        _ => match found {
            Some(found) => found == mime,
            None => !["application/pdf", "image/png", "image/jpeg", "image/gif"].contains(&mime),
        },
    }
}

fn is_text(head: &[u8]) -> bool {
    !head.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

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
