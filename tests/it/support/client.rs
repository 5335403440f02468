//! A caller of the service: a person with a token, or nobody.

use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// A caller; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct TestClient {
    pub(super) http: reqwest::Client,
    pub(super) base: String,
    pub(super) token: Option<String>,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The body as JSON, null when it is none.
    pub(crate) body: Value,
}

impl TestClient {
    /// A caller of the service at this address.
    pub(crate) fn at(http: reqwest::Client, address: &str, token: Option<&str>) -> Self {
        Self {
            http,
            base: address.to_owned(),
            token: token.map(str::to_owned),
        }
    }

    /// A request to `path` below the service's address.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        send(self.request(Method::POST, path).json(&body)).await
    }

    /// A POST without a body and content type, as the SPA sends some.
    pub(crate) async fn post_nothing(&self, path: &str) -> Reply {
        send(self.request(Method::POST, path)).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        send(self.request(Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> Reply {
        send(self.request(Method::PATCH, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        send(self.request(Method::DELETE, path)).await
    }

    /// The token, for requests built by hand.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }
}

/// Sends a request built by hand. The answer must be one that the document knows.
pub(crate) async fn send(request: reqwest::RequestBuilder) -> Reply {
    try_send(request).await.unwrap()
}

/// The same to a service that may not answer.
pub(crate) async fn try_send(request: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let (http, request) = request.build_split();
    let request = request?;
    let (method, path) = (request.method().clone(), request.url().path().to_owned());
    let answer = http.execute(request).await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await?;
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    let reply = Reply {
        status,
        headers,
        text,
        body,
    };
    super::document::assert_documents(&method, &path, &reply);
    Ok(reply)
}

impl Reply {
    /// The same, after making sure of the status; the body is shown when it is another.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// The stable code of an error.
    pub(crate) fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// A header as text, empty when absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}
