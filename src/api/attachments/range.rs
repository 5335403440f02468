//! Parts of files (RFC 9110 section 14): one range at a time, so that a broken-off download can go on.

use axum::http::HeaderMap;
use axum::http::header::{IF_RANGE, RANGE};
use http_range_header::{RangeUnsatisfiableError, parse_range_header};
use std::ops::Range;

/// What a download asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All bytes.
    Whole,
    /// These bytes.
    Part(Range<u64>),
    /// Bytes that are not there.
    Nothing,
}

/// What the headers ask of a file of `size` bytes whose current tag is `tag`.
///
/// A header that cannot be understood, several ranges, and a range of another version of the file all mean the whole
/// file, as the RFC allows.
pub(super) fn wanted(headers: &HeaderMap, size: u64, tag: &str) -> Wanted {
    let Some(range) = headers.get(RANGE).and_then(|value| value.to_str().ok()) else {
        return Wanted::Whole;
    };
    if headers
        .get(IF_RANGE)
        .is_some_and(|known| known.as_bytes() != tag.as_bytes())
    {
        return Wanted::Whole;
    }
    match parse_range_header(range).and_then(|ranges| ranges.validate(size)) {
        Ok(ranges) => match ranges.as_slice() {
            [part] => Wanted::Part(*part.start()..part.end().saturating_add(1)),
            _ => Wanted::Whole,
        },
        Err(RangeUnsatisfiableError::Unsatisfiable) => Wanted::Nothing,
        Err(_) => Wanted::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use rstest::rstest;

    #[rstest]
    #[case::beginning("bytes=0-3", Wanted::Part(0..4))]
    #[case::rest("bytes=4-", Wanted::Part(4..10))]
    #[case::last("bytes=-2", Wanted::Part(8..10))]
    #[case::longer_than_the_file("bytes=8-99", Wanted::Part(8..10))]
    #[case::behind_the_end("bytes=10-", Wanted::Nothing)]
    #[case::several("bytes=0-1,4-5", Wanted::Whole)]
    #[case::other_unit("rows=0-1", Wanted::Whole)]
    #[case::nonsense("bytes=x", Wanted::Whole)]
    fn one_range_is_understood(#[case] range: &'static str, #[case] expected: Wanted) {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static(range));
        assert_eq!(wanted(&headers, 10, "\"a\""), expected);
    }

    #[test]
    fn a_range_of_another_version_means_the_whole_file() {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=4-"));
        headers.insert(IF_RANGE, HeaderValue::from_static("\"old\""));
        assert_eq!(wanted(&headers, 10, "\"new\""), Wanted::Whole);
        headers.insert(IF_RANGE, HeaderValue::from_static("\"new\""));
        assert_eq!(wanted(&headers, 10, "\"new\""), Wanted::Part(4..10));
    }
}
