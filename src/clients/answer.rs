//! Answers of other services: read to a bounded length, whatever they say of themselves and however they are packed.

use reqwest::Response;
use serde::de::DeserializeOwned;

/// Why an answer could not be read. The texts hold no address, because addresses name people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It did not come in time.
    #[error("time-out")]
    Late,
    /// It was broken off.
    #[error("broken off answer")]
    BrokenOff,
    /// It is longer than anybody needs.
    #[error("answer of more than {0} bytes")]
    TooLong(usize),
    /// It is not the JSON that was expected.
    #[error("unreadable answer")]
    NotUnderstood,
}

/// The body as JSON, of at most `longest` bytes once it is unpacked.
///
/// # Errors
/// See [`Unreadable`].
pub async fn json<T: DeserializeOwned>(mut answer: Response, longest: usize) -> Result<T, Unreadable> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| broken_off(&error))? {
        if chunk.len() > longest.saturating_sub(bytes.len()) {
            return Err(Unreadable::TooLong(longest));
        }
        bytes.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&bytes).map_err(|_| Unreadable::NotUnderstood)
}

fn broken_off(error: &reqwest::Error) -> Unreadable {
    if error.is_timeout() {
        Unreadable::Late
    } else {
        Unreadable::BrokenOff
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use wiremock::matchers::any;
    use wiremock::{Mock, MockServer, ResponseTemplate};

    async fn read(template: ResponseTemplate) -> Result<Value, Unreadable> {
        let server = MockServer::start().await;
        Mock::given(any()).respond_with(template).mount(&server).await;
        let http = crate::clients::mail::http_client().unwrap();
        json(http.get(server.uri()).send().await.unwrap(), 1_000).await
    }

    /// `{"a": "<a million blanks>"}`, packed into a thousand bytes.
    const BOMB: &[u8] = include_bytes!("testing/bomb.json.gz");

    #[tokio::test]
    async fn an_answer_that_unpacks_to_more_than_is_needed_is_not_read_to_its_end() {
        assert_eq!(
            read(ResponseTemplate::new(200).set_body_json(json!({"a": 1}))).await,
            Ok(json!({"a": 1}))
        );
        assert!(BOMB.len() < 2_000);
        let packed = ResponseTemplate::new(200)
            .insert_header("content-encoding", "gzip")
            .set_body_raw(BOMB, "application/json");
        assert_eq!(read(packed).await, Err(Unreadable::TooLong(1_000)));
        let long = ResponseTemplate::new(200).set_body_string("x".repeat(1_001));
        assert_eq!(read(long).await, Err(Unreadable::TooLong(1_000)));
        let other = ResponseTemplate::new(200).set_body_string("<html>");
        assert_eq!(read(other).await, Err(Unreadable::NotUnderstood));
    }
}
