//! The HTTP below the protocol: where the server is, how it is addressed, and bounds on what it may answer.

use super::error::ModelError;
use crate::config::ModelSettings;
use async_openai::config::Config;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Body, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{BoxError, Service};

/// Longest answer read, in bytes; a draft of a large workflow has a tenth of it.
const LONGEST_ANSWER: usize = 2 * 1024 * 1024;
/// Longest error answer read, in bytes.
const LONGEST_ERROR: usize = 64 * 1024;

/// Where the model is; its key does not show in debug output.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    base: String,
    headers: HeaderMap,
    query: Option<String>,
    key: SecretString,
    pub(super) model: String,
}

impl Endpoint {
    /// # Errors
    /// The key cannot be sent in a header.
    pub(super) fn new(settings: &ModelSettings) -> anyhow::Result<Self> {
        let mut headers = HeaderMap::new();
        match settings {
            ModelSettings::Azure {
                endpoint,
                api_key,
                deployment,
                api_version,
            } => {
                let mut base = endpoint.clone();
                base.path_segments_mut()
                    .map_err(|()| anyhow::anyhow!("AZURE_OPENAI_ENDPOINT cannot be a base address"))?
                    .pop_if_empty()
                    .extend(["openai", "deployments", deployment]);
                headers.insert(HeaderName::from_static("api-key"), secret_header(api_key, "")?);
                Ok(Self {
                    base: base.to_string(),
                    headers,
                    query: Some(api_version.clone()),
                    key: api_key.clone(),
                    model: deployment.clone(),
                })
            }
            ModelSettings::OpenAi {
                base_url,
                api_key,
                model,
            } => {
                if !api_key.expose_secret().is_empty() {
                    headers.insert(AUTHORIZATION, secret_header(api_key, "Bearer ")?);
                }
                Ok(Self {
                    base: base_url.as_str().trim_end_matches('/').to_owned(),
                    headers,
                    query: None,
                    key: api_key.clone(),
                    model: model.clone(),
                })
            }
        }
    }
}

fn secret_header(key: &SecretString, scheme: &str) -> anyhow::Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("{scheme}{}", key.expose_secret()))
        .map_err(|_| anyhow::anyhow!("the language model's key cannot be sent in a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Config for Endpoint {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        self.query
            .iter()
            .map(|version| ("api-version", version.as_str()))
            .collect()
    }

    fn api_base(&self) -> &str {
        &self.base
    }

    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

/// Sends requests, reads refusals with their headers, and bounds answers.
#[derive(Debug, Clone)]
pub(super) struct Transport {
    pub(super) http: reqwest::Client,
}

/// Why a request got no answer to read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The server refused it.
    #[error("status {}", .0.status)]
    Refused(Refusal),
    /// As the caller sees it.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// A refusal of the server.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    retry_after: Option<Duration>,
    code: Option<String>,
    pub(super) param: Option<String>,
    /// The provider's words: for learning its dialect, never for a log or a person.
    pub(super) message: String,
}

impl Refusal {
    /// Whether the server understood the request and refuses its form.
    pub(super) fn is_about_the_request(&self) -> bool {
        matches!(self.status.as_u16(), 400 | 404 | 422)
    }

    pub(super) fn into_error(self) -> ModelError {
        let is_filter = self
            .code
            .as_deref()
            .is_some_and(|code| code == "content_filter" || code == "content_policy_violation");
        if is_filter {
            ModelError::ContentFiltered
        } else if self.status == StatusCode::TOO_MANY_REQUESTS {
            ModelError::RateLimited {
                retry_after: self.retry_after,
            }
        } else if self.status.is_server_error() || self.status == StatusCode::REQUEST_TIMEOUT {
            ModelError::Failing {
                status: self.status.as_u16(),
            }
        } else {
            ModelError::Rejected {
                status: self.status.as_u16(),
                code: self.code,
            }
        }
    }
}

impl Service<HttpRequestFactory> for Transport {
    type Response = Response;
    type Error = BoxError;
    type Future = futures::future::BoxFuture<'static, Result<Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: HttpRequestFactory) -> Self::Future {
        let http = self.http.clone();
        Box::pin(async move {
            let request = request.build().await?;
            let response = http
                .execute(request)
                .await
                .map_err(|_| Fault::Model(ModelError::Unreachable))?;
            if response.status().is_success() {
                return Ok(bounded(response));
            }
            Err(Fault::Refused(refusal(response).await).into())
        })
    }
}

/// The same answer, that fails when it becomes longer than accepted.
fn bounded(response: Response) -> Response {
    let mut parts = http::Response::new(Body::from(Bytes::new()));
    *parts.status_mut() = response.status();
    *parts.headers_mut() = response.headers().clone();
    *parts.body_mut() = Body::wrap_stream(limited(response.bytes_stream().boxed(), LONGEST_ANSWER));
    parts.into()
}

/// The chunks until their sum passes `limit`, then an error.
fn limited(
    chunks: BoxStream<'static, reqwest::Result<Bytes>>,
    limit: usize,
) -> impl futures::Stream<Item = Result<Bytes, ModelError>> + Send + 'static {
    stream::try_unfold((chunks, limit), |(mut chunks, left)| async move {
        match chunks.next().await {
            None => Ok(None),
            Some(Err(_)) => Err(ModelError::Unreachable),
            Some(Ok(chunk)) => match left.checked_sub(chunk.len()) {
                Some(left) => Ok(Some((chunk, (chunks, left)))),
                None => Err(ModelError::TooLarge),
            },
        }
    })
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ErrorObject,
}

#[derive(Deserialize)]
struct ErrorObject {
    #[serde(default)]
    message: String,
    #[serde(default)]
    param: Option<String>,
    /// A word at most providers, a number at some.
    #[serde(default)]
    code: serde_json::Value,
}

async fn refusal(response: Response) -> Refusal {
    let status = response.status();
    let retry_after = retry_after(response.headers());
    let mut body = Vec::new();
    let mut chunks = std::pin::pin!(limited(response.bytes_stream().boxed(), LONGEST_ERROR));
    while let Some(Ok(chunk)) = chunks.next().await {
        body.extend_from_slice(&chunk);
    }
    let told = serde_json::from_slice::<ErrorAnswer>(&body)
        .ok()
        .map(|answer| answer.error);
    let code = told.as_ref().and_then(|error| error.code.as_str());
    Refusal {
        status,
        retry_after,
        code: code.filter(|code| is_word(code)).map(str::to_owned),
        param: told.as_ref().and_then(|error| error.param.clone()),
        message: told.map(|error| error.message).unwrap_or_default(),
    }
}

/// A code is a short word without digits; anything else may quote the request or the key.
fn is_word(code: &str) -> bool {
    code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphabetic() || c == '_')
}

/// `Retry-After` in seconds; the date form is not used by model servers. Azure also says it in milliseconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| -> Option<u64> { headers.get(name)?.to_str().ok()?.trim().parse().ok() };
    number("retry-after-ms")
        .map(Duration::from_millis)
        .or_else(|| number(RETRY_AFTER.as_str()).map(Duration::from_secs))
}

/// What the protocol's library reports, as the fault behind it.
pub(super) fn fault_of(error: OpenAIError) -> Fault {
    match error {
        OpenAIError::Boxed(cause) => match cause.downcast::<Fault>() {
            Ok(fault) => *fault,
            Err(_) => Fault::Model(ModelError::Unreachable),
        },
        OpenAIError::Reqwest(error) => Fault::Model(cause_in(&error).unwrap_or(ModelError::Unreachable)),
        OpenAIError::JSONDeserialize(..) => {
            Fault::Model(ModelError::Malformed("it is not a chat completion"))
        }
        OpenAIError::StreamError(_) => Fault::Model(ModelError::Unreachable),
        OpenAIError::ApiError(_)
        | OpenAIError::FileSaveError(_)
        | OpenAIError::FileReadError(_)
        | OpenAIError::InvalidArgument(_) => {
            Fault::Model(ModelError::Malformed("the protocol does not provide for it"))
        }
    }
}

/// Our own error among the causes of `error`.
fn cause_in(error: &reqwest::Error) -> Option<ModelError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(ours) = error.downcast_ref::<ModelError>() {
            return Some(ours.clone());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    #[test]
    fn the_key_shows_nowhere_in_debug_output() {
        let endpoint = Endpoint::new(&ModelSettings::Azure {
            endpoint: Url::parse("https://models.example/base/").unwrap(),
            api_key: SecretString::from("s3cret-value"),
            deployment: "a/b".to_owned(),
            api_version: "2024-10-21".to_owned(),
        })
        .unwrap();
        assert!(!format!("{endpoint:?}").contains("s3cret-value"));
        assert_eq!(
            endpoint.url("/chat/completions"),
            "https://models.example/base/openai/deployments/a%2Fb/chat/completions"
        );
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_refused_at_start() {
        let settings = ModelSettings::OpenAi {
            base_url: Url::parse("https://models.example/v1").unwrap(),
            api_key: SecretString::from("s3cret\nvalue"),
            model: "m".to_owned(),
        };
        let error = Endpoint::new(&settings).unwrap_err().to_string();
        assert!(!error.contains("s3cret"), "{error}");
    }
}
