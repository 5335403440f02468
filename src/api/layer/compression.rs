//! Compresses JSON and pages; files go out as they are, so that their length stays known.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{And, Predicate, SizeAbove};

/// Smaller bodies do not gain from it.
const WORTHWHILE_BYTES: u64 = 1_024;

/// What is compressed when the client asks for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextOfOurOwn;

impl Predicate for TextOfOurOwn {
    fn should_compress<B: axum::body::HttpBody>(&self, response: &axum::http::Response<B>) -> bool {
        let headers = response.headers();
        let kind = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let is_text = [
            "application/json",
            "text/html",
            "text/css",
            "text/javascript",
            "application/javascript",
        ];
        !headers.contains_key(CONTENT_DISPOSITION) && is_text.iter().any(|text| kind.starts_with(text))
    }
}

/// Compression by gzip.
pub(super) fn layer() -> CompressionLayer<And<SizeAbove, TextOfOurOwn>> {
    CompressionLayer::new().compress_when(SizeAbove::new(WORTHWHILE_BYTES).and(TextOfOurOwn))
}
