//! Both spellings of a path reach the same handler, without a redirect (contract http-tickets 1.1).

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// Removes slashes at the end of the path. Documentation pages keep theirs: their links are relative.
pub(super) fn normalise(mut request: Request) -> Request {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || path == "/" || trimmed == "/api/docs" {
        return request;
    }
    let trimmed = if trimmed.is_empty() { "/" } else { trimmed };
    let spelled = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    let mut parts = request.uri().clone().into_parts();
    if let Ok(path_and_query) = spelled.parse::<PathAndQuery>() {
        parts.path_and_query = Some(path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    #[test]
    fn trailing_slashes_vanish_and_the_query_stays() {
        for (given, wanted) in [
            ("/api/v1/tickets/?page=1", "/api/v1/tickets?page=1"),
            ("/api/v1/tickets//", "/api/v1/tickets"),
            ("/api/v1/tickets", "/api/v1/tickets"),
            ("/", "/"),
            ("///", "/"),
            ("/api/docs/", "/api/docs/"),
        ] {
            let request = Request::builder().uri(given).body(Body::empty()).unwrap();
            assert_eq!(normalise(request).uri().to_string(), wanted);
        }
    }
}
