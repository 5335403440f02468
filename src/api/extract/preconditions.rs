//! `If-Match` and `Idempotency-Key`.

use crate::api::envelope::ApiError;
use crate::domain::error::{FieldError, ServiceError};
use axum::extract::FromRequestParts;
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;

/// The version that the caller's change is based on, from `If-Match: "<version>"`; nothing for `*` or no header.
///
/// A tag that is not one of our versions can never match and is taken as version -1, which answers 412.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(header) = parts.headers.get(IF_MATCH) else {
            return Ok(Self(None));
        };
        let text = header.to_str().map_err(|_| header_fault("if-match"))?.trim();
        if text == "*" {
            return Ok(Self(None));
        }
        Ok(Self(Some(version_of(text).unwrap_or(-1))))
    }
}

/// A quoted or bare version; weak tags are not for comparison before changes (RFC 9110 section 13.1.1), yet proxies
/// that compress weaken tags, so they are taken too.
fn version_of(tag: &str) -> Option<i64> {
    let tag = tag.strip_prefix("W/").unwrap_or(tag);
    let bare = tag
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(tag);
    bare.parse().ok().filter(|version| *version >= 0)
}

/// The caller's key for this action, from `Idempotency-Key`: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(header) = parts.headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        let text = header
            .to_str()
            .map_err(|_| header_fault("idempotency-key"))?
            .trim();
        let is_acceptable =
            (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_acceptable {
            return Err(header_fault("idempotency-key").into());
        }
        Ok(Self(Some(text.to_owned())))
    }
}

fn header_fault(name: &str) -> ServiceError {
    ServiceError::InvalidInput(vec![FieldError {
        location: vec!["header".to_owned(), name.to_owned()],
        kind: "value_error",
        message: "This header is not usable: 1 to 255 visible ASCII characters are expected".to_owned(),
    }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_tags_of_every_form() {
        for tag in ["\"7\"", "7", "W/\"7\""] {
            assert_eq!(version_of(tag), Some(7), "{tag}");
        }
        for tag in ["", "\"abc\"", "\"-3\"", "\"7\", \"8\""] {
            assert_eq!(version_of(tag), None, "{tag}");
        }
    }
}
