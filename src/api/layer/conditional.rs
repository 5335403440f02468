//! `ETag` and `If-None-Match` on reads, and how answers may be cached (design 8).

use crate::api::envelope::plain_error;
use crate::domain::error::ErrorCode;
use axum::Json;
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Larger answers are not hashed; no list is.
const MAX_HASHED_BYTES: u64 = 16 << 20;

/// A document read with its version, which becomes the `ETag` that `If-Match` compares.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    /// The document's version.
    pub version: i64,
    /// The document as shown.
    pub body: T,
}

impl<T: Serialize> IntoResponse for Versioned<T> {
    fn into_response(self) -> Response {
        tagged(Json(self.body).into_response(), self.version)
    }
}

/// A body that is JSON already.
#[derive(Debug, Clone)]
pub struct RenderedJson(pub Bytes);

impl IntoResponse for Versioned<RenderedJson> {
    fn into_response(self) -> Response {
        let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        tagged((kind, self.body.0).into_response(), self.version)
    }
}

fn tagged(mut response: Response, version: i64) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

/// Says how an answer may be cached, tags what a `GET` read, and answers 304 to who has it already.
pub(super) async fn answer(request: Request, next: Next) -> Response {
    let is_read = *request.method() == Method::GET;
    let keep_nothing = is_confidential(request.uri().path());
    let known = request
        .headers()
        .get_all(IF_NONE_MATCH)
        .iter()
        .cloned()
        .collect::<Vec<_>>();
    let mut response = next.run(request).await;
    // A handler that says how its answer may be cached has said everything.
    if response.headers().contains_key(CACHE_CONTROL) {
        return response;
    }
    let may_revalidate =
        is_read && !keep_nothing && response.status() == StatusCode::OK && is_json(response.headers());
    let headers = response.headers_mut();
    headers.append(VARY, HeaderValue::from_static("authorization"));
    headers.append(VARY, HeaderValue::from_static("origin"));
    if !may_revalidate {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if keep_nothing {
            headers.remove(ETAG);
        }
        return response;
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    let response = with_tag(response).await;
    let is_known = response
        .headers()
        .get(ETAG)
        .is_some_and(|tag| matches_any(&known, tag));
    if is_known {
        not_modified(response)
    } else {
        response
    }
}

/// Tokens, files, administration and the assistant are never kept by a cache.
fn is_confidential(path: &str) -> bool {
    const PREFIXES: [&str; 5] = [
        "/api/v1/admin",
        "/api/v1/attachments",
        "/api/v1/ai-chat",
        "/api/v1/genai",
        "/dev",
    ];
    let belongs = |prefix: &&str| {
        path.strip_prefix(*prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    PREFIXES.iter().any(belongs)
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

/// Tags an answer that has no version of its own with a hash of its body.
async fn with_tag(response: Response) -> Response {
    let is_small = response
        .body()
        .size_hint()
        .exact()
        .is_some_and(|bytes| bytes <= MAX_HASHED_BYTES);
    if response.headers().contains_key(ETAG) || !is_small {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else {
        let text = "An unexpected error occurred.";
        return plain_error(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::InternalError, text);
    };
    let mut hash = hex::encode(Sha256::digest(&bytes));
    hash.truncate(32);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{hash}\"")) {
        parts.headers.insert(ETAG, tag);
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Weak comparison, as RFC 9110 section 13.1.2 asks for: compression weakens tags on the way.
fn matches_any(known: &[HeaderValue], tag: &HeaderValue) -> bool {
    let Ok(tag) = tag.to_str() else {
        return false;
    };
    let bare = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    let named = known
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','));
    named.map(bare).any(|one| one == "*" || one == bare(tag))
}

fn not_modified(response: Response) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(CONTENT_TYPE);
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Body::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_match_whether_weakened_or_not() {
        let tag = HeaderValue::from_static("\"7\"");
        for (known, matches) in [
            ("\"7\"", true),
            ("W/\"7\"", true),
            ("\"6\", \"7\"", true),
            ("*", true),
            ("\"77\"", false),
        ] {
            assert_eq!(
                matches_any(&[HeaderValue::from_static(known)], &tag),
                matches,
                "{known}"
            );
        }
    }

    #[test]
    fn only_whole_segments_are_confidential() {
        assert!(is_confidential("/api/v1/admin/users"));
        assert!(!is_confidential("/api/v1/administrators"));
        assert!(!is_confidential("/developer"));
    }
}
