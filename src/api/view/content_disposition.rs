//! `Content-Disposition` of files (RFC 6266).

/// `attachment` with a plain name for old clients and the exact one.
pub(crate) fn attachment(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | ';' | '%') || c == ' ' {
                c
            } else {
                '_'
            }
        })
        .collect();
    let exact: String = name
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_travel_in_headers_without_breaking_them() {
        assert_eq!(
            attachment("Ä \"b\"\r\n.pdf"),
            "attachment; filename=\"_ _b___.pdf\"; filename*=UTF-8''%C3%84%20%22b%22%0D%0A.pdf"
        );
    }
}
