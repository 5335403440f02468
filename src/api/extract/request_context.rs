//! What the outer layers know of a request: its correlation id, its origin and, once known, its actor.

use crate::domain::id::random_key;
use crate::domain::time::Timestamp;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

/// Put into every request by `api::layer::correlation`.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The request's correlation id (contract http-tickets 1.3).
    pub correlation_id: Arc<str>,
    /// The client's address as far as trusted proxies name it.
    pub client: Option<IpAddr>,
    actor: Arc<OnceLock<String>>,
}

impl RequestContext {
    /// The context of a request with these headers that came from `peer`.
    pub fn of(headers: &HeaderMap, peer: Option<IpAddr>, trusted_hops: usize, now: Timestamp) -> Self {
        Self {
            correlation_id: correlation_id(headers, now).into(),
            client: client_address(headers, peer, trusted_hops),
            actor: Arc::default(),
        }
    }

    /// Notes who calls, for the access log; the first note stays.
    pub fn note_actor(&self, key: String) {
        self.actor.get_or_init(|| key);
    }

    /// Who calls, if anybody proved it.
    pub fn actor(&self) -> &str {
        self.actor.get().map_or("-", String::as_str)
    }
}

/// `[A-Za-z0-9._-]{1,128}` as sent, otherwise `COR-<yyyymmddHHMMSS>-<8 hex>`.
fn correlation_id(headers: &HeaderMap, now: Timestamp) -> String {
    let sent = headers
        .get("x-correlation-id")
        .and_then(|value| value.to_str().ok());
    let is_acceptable = |text: &&str| {
        (1..=128).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    sent.filter(is_acceptable).map_or_else(
        || {
            let mut random = random_key();
            random.truncate(8);
            format!("COR-{}-{random}", now.to_chrono().format("%Y%m%d%H%M%S"))
        },
        str::to_owned,
    )
}

/// Each trusted proxy appends the address it saw, so the client's is the `hops`-th from the right.
fn client_address(headers: &HeaderMap, peer: Option<IpAddr>, hops: usize) -> Option<IpAddr> {
    if hops == 0 {
        return peer;
    }
    let forwarded = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .collect::<Vec<_>>();
    let named = forwarded.len().checked_sub(hops).and_then(|at| forwarded.get(at));
    named.and_then(|text| text.parse().ok()).or(peer)
}

impl<S: Send + Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let context = parts.extensions.get::<Self>().cloned();
        // The layer always runs; without it (a unit test) the request stands for itself.
        Ok(context.unwrap_or_else(|| Self::of(&parts.headers, None, 0, Timestamp::from_millis(0))))
    }
}

/// The request's correlation id.
#[derive(Debug, Clone)]
pub struct Correlation(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Correlation {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        Ok(Self(context.correlation_id.to_string()))
    }
}

/// The client's address, as far as trusted proxies name it.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub Option<IpAddr>);

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        Ok(Self(context.client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_usable_correlation_id_is_kept_and_another_is_replaced() {
        let now = Timestamp::from_millis(1_767_605_400_123);
        let id = |value: &str| correlation_id(&headers("x-correlation-id", value), now);
        assert_eq!(id("1700000000000-abc1234"), "1700000000000-abc1234");
        for unusable in ["", "a b", "x\u{7f}", &"x".repeat(129), "<script>"] {
            let Ok(value) = HeaderValue::from_bytes(unusable.as_bytes()) else {
                continue;
            };
            let made = correlation_id(
                &HeaderMap::from_iter([("x-correlation-id".parse().unwrap(), value)]),
                now,
            );
            assert!(
                made.starts_with("COR-20260105093000-") && made.len() == 27,
                "{unusable:?} {made}"
            );
        }
    }

    #[test]
    fn only_trusted_hops_name_the_client() {
        let peer = Some([127, 0, 0, 1].into());
        let forwarded = headers("x-forwarded-for", "1.1.1.1, 2.2.2.2");
        assert_eq!(client_address(&forwarded, peer, 0), peer);
        assert_eq!(client_address(&forwarded, peer, 1), Some([2, 2, 2, 2].into()));
        assert_eq!(client_address(&forwarded, peer, 2), Some([1, 1, 1, 1].into()));
        assert_eq!(client_address(&forwarded, peer, 3), peer);
    }
}
