//! Microsoft Graph `sendMail` as an application (client credentials; never a user's password).
//!
//! The message goes over as MIME, so it keeps its plain-text part. Graph may set its own `Message-ID`; our id is in a
//! header of ours.

use super::super::answer;
use super::message::{Envelope, recipient};
use super::{MailError, OutgoingMail, Receipt, SEND_TIMEOUT, short};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long before its end a token is renewed.
const RENEW_BEFORE: Duration = Duration::from_mins(5);
/// Longest pause accepted from `Retry-After`.
const MAX_RETRY_AFTER: u64 = 3_600;
/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 1 << 20;

/// The application and mailbox that send (`AAD_*`, `SERVICE_MAILBOX_EMAIL`, `GRAPH_BASE_URL`).
#[derive(Debug, Clone)]
pub struct GraphSettings {
    /// The token endpoint's base, `https://login…` without a slash at its end.
    pub authority: String,
    /// The tenant.
    pub tenant_id: String,
    /// The application.
    pub client_id: String,
    /// The application's secret.
    pub client_secret: SecretString,
    /// The API's base, `https://graph…/v1.0` without a slash at its end.
    pub base_url: String,
    /// The mailbox that sends.
    pub mailbox: String,
    /// Longest time for one mail, signing in included; at most [`SEND_TIMEOUT`].
    pub send_timeout: Duration,
}

#[derive(Debug)]
pub(super) struct GraphTransport {
    settings: GraphSettings,
    http: reqwest::Client,
    token: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    text: SecretString,
    good_until: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: ErrorBody,
}

#[derive(Deserialize)]
struct ErrorBody {
    code: String,
}

impl GraphTransport {
    pub(super) fn new(settings: GraphSettings, http: reqwest::Client) -> Self {
        Self {
            settings,
            http,
            token: Mutex::new(None),
        }
    }

    pub(super) async fn send(&self, envelope: &Envelope, mail: &OutgoingMail) -> Result<Receipt, MailError> {
        recipient(mail)?;
        let body = STANDARD.encode(envelope.message(mail)?.formatted());
        let sending = tokio::time::timeout(
            self.settings.send_timeout.min(SEND_TIMEOUT),
            self.send_encoded(body),
        );
        sending.await.unwrap_or_else(|_| {
            Err(MailError::Passing {
                reason: "graph: time-out while sending".to_owned(),
                retry_after: None,
            })
        })
    }

    async fn send_encoded(&self, body: String) -> Result<Receipt, MailError> {
        let token = self.token().await?;
        let mut response = self.post(&token, body.clone()).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            // The token may have been revoked before its time: renew once.
            self.token.lock().await.take();
            let token = self.token().await?;
            response = self.post(&token, body).await?;
        }
        if response.status().is_success() {
            let id = response.headers().get("request-id");
            let provider_message_id = id.and_then(|value| value.to_str().ok()).map(short);
            return Ok(Receipt { provider_message_id });
        }
        Err(refusal(response).await)
    }

    async fn post(&self, token: &SecretString, body: String) -> Result<Response, MailError> {
        let url = format!(
            "{}/users/{}/sendMail",
            self.settings.base_url, self.settings.mailbox
        );
        self.http
            .post(url)
            .bearer_auth(token.expose_secret())
            .header(CONTENT_TYPE, "text/plain")
            .timeout(SEND_TIMEOUT)
            .body(body)
            .send()
            .await
            .map_err(|error| unreachable_service("sendMail", &error))
    }

    async fn token(&self) -> Result<SecretString, MailError> {
        let mut kept = self.token.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.good_until > Instant::now()) {
            return Ok(token.text.clone());
        }
        let token = self.fetch_token().await?;
        let text = token.text.clone();
        *kept = Some(token);
        Ok(text)
    }

    async fn fetch_token(&self) -> Result<Token, MailError> {
        let settings = &self.settings;
        let url = format!("{}/{}/oauth2/v2.0/token", settings.authority, settings.tenant_id);
        let scope = format!("{}/.default", origin(&settings.base_url));
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", settings.client_id.as_str()),
            ("client_secret", settings.client_secret.expose_secret()),
            ("scope", scope.as_str()),
        ];
        let request = self.http.post(url).timeout(SEND_TIMEOUT).form(&form);
        let response = request
            .send()
            .await
            .map_err(|error| unreachable_service("token", &error))?;
        if !response.status().is_success() {
            return Err(MailError::Unavailable {
                reason: format!("graph token: status {}", response.status().as_u16()),
                retry_after: retry_after(&response),
            });
        }
        let answer: TokenAnswer =
            answer::json(response, LONGEST_ANSWER)
                .await
                .map_err(|error| MailError::Unavailable {
                    reason: format!("graph token: {error}"),
                    retry_after: None,
                })?;
        let lifetime = Duration::from_secs(answer.expires_in).saturating_sub(RENEW_BEFORE);
        Ok(Token {
            text: SecretString::from(answer.access_token),
            good_until: Instant::now() + lifetime,
        })
    }
}

/// What a refusal means: codes about the recipient or the content are final, the rest is the service's or the
/// configuration's trouble. Of the answer only its code is kept; its text may name people.
async fn refusal(response: Response) -> MailError {
    let status = response.status();
    let retry_after = retry_after(&response);
    let code = answer::json::<ErrorAnswer>(response, LONGEST_ANSWER)
        .await
        .map(|answer| answer.error.code)
        .unwrap_or_default();
    let reason = short(&format!("graph: status {} {code}", status.as_u16()));
    match status {
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            MailError::Permanent { reason }
        }
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
            MailError::Passing { reason, retry_after }
        }
        _ => MailError::Unavailable { reason, retry_after },
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER)))
}

fn unreachable_service(what: &str, error: &reqwest::Error) -> MailError {
    // The error's own text holds the URL, and with it tenant and mailbox.
    let kind = if error.is_timeout() {
        "time-out"
    } else if error.is_connect() {
        "no connection"
    } else {
        "no answer"
    };
    MailError::Unavailable {
        reason: format!("graph {what}: {kind}"),
        retry_after: None,
    }
}

fn origin(base_url: &str) -> String {
    url::Url::parse(base_url).map_or_else(|_| base_url.to_owned(), |url| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::super::{MailClient, MailSettings, TransportSettings};
    use super::*;
    use crate::domain::id::NotificationId;
    use crate::domain::person::Email;
    use crate::domain::time::Timestamp;
    use wiremock::matchers::{body_string_contains, header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    async fn client(server: &MockServer) -> MailClient {
        let settings = MailSettings {
            transport: TransportSettings::Graph(GraphSettings {
                authority: server.uri(),
                tenant_id: "tenant".to_owned(),
                client_id: "app".to_owned(),
                client_secret: SecretString::from("secret"),
                base_url: format!("{}/v1.0", server.uri()),
                mailbox: "ops@contoso.example".to_owned(),
                send_timeout: SEND_TIMEOUT,
            }),
            from: "ops@contoso.example".to_owned(),
            reply_to: None,
        };
        let token = Mock::given(method("POST"))
            .and(path("/tenant/oauth2/v2.0/token"))
            .and(body_string_contains("grant_type=client_credentials"));
        token
            .respond_with(
                ResponseTemplate::new(200)
                    .set_body_json(serde_json::json!({"access_token": "t", "expires_in": 3600})),
            )
            .mount(server)
            .await;
        MailClient::new(&settings, &super::super::http_client().unwrap()).unwrap()
    }

    fn mail() -> OutgoingMail {
        OutgoingMail {
            to: Email::try_from("ann@contoso.example").unwrap(),
            subject: "Hello".to_owned(),
            html: "<p>Hello</p>".to_owned(),
            text: "Hello".to_owned(),
            notification_id: NotificationId::derived("k"),
            key: "k".to_owned(),
            correlation_id: None,
            date: Timestamp::from_millis(0),
        }
    }

    async fn answering(response: ResponseTemplate) -> Result<Receipt, MailError> {
        let server = MockServer::start().await;
        let client = client(&server).await;
        Mock::given(method("POST"))
            .and(path("/v1.0/users/ops@contoso.example/sendMail"))
            .and(header("authorization", "Bearer t"))
            .respond_with(response)
            .mount(&server)
            .await;
        client.send(&mail()).await
    }

    #[tokio::test]
    async fn an_accepted_mail_carries_our_id_in_its_own_header() {
        let server = MockServer::start().await;
        let client = client(&server).await;
        Mock::given(path("/v1.0/users/ops@contoso.example/sendMail"))
            .respond_with(ResponseTemplate::new(202))
            .mount(&server)
            .await;
        client.send(&mail()).await.unwrap();
        let requests = server.received_requests().await.unwrap();
        let sent = STANDARD.decode(&requests.last().unwrap().body).unwrap();
        let expected = format!("X-Workflow-Ops-Notification-Id: {}", mail().notification_id);
        assert!(String::from_utf8(sent).unwrap().contains(&expected));
    }

    #[tokio::test]
    async fn a_refused_recipient_is_final_and_throttling_says_when_to_come_back() {
        let refused = ResponseTemplate::new(400)
            .set_body_json(serde_json::json!({"error": {"code": "ErrorInvalidRecipients", "message": "x"}}));
        let error = answering(refused).await.unwrap_err();
        assert_eq!(
            error,
            MailError::Permanent {
                reason: "graph: status 400 ErrorInvalidRecipients".to_owned()
            }
        );
        let throttled = ResponseTemplate::new(429).insert_header("Retry-After", "17");
        let Err(MailError::Unavailable { retry_after, .. }) = answering(throttled).await else {
            panic!("throttling concerns every mail");
        };
        assert_eq!(retry_after, Some(Duration::from_secs(17)));
    }

    #[tokio::test]
    async fn a_redirect_takes_neither_token_nor_mail_to_another_address() {
        let elsewhere = MockServer::start().await;
        let redirect = ResponseTemplate::new(307).insert_header("Location", elsewhere.uri());
        let Err(MailError::Unavailable { .. }) = answering(redirect).await else {
            panic!("the mail waits until the service is itself again");
        };
        assert!(elsewhere.received_requests().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_revoked_token_is_renewed_once() {
        let server = MockServer::start().await;
        let client = client(&server).await;
        Mock::given(path("/v1.0/users/ops@contoso.example/sendMail"))
            .respond_with(ResponseTemplate::new(401))
            .up_to_n_times(1)
            .mount(&server)
            .await;
        Mock::given(path("/v1.0/users/ops@contoso.example/sendMail"))
            .respond_with(ResponseTemplate::new(202))
            .mount(&server)
            .await;
        client.send(&mail()).await.unwrap();
        assert_eq!(server.received_requests().await.unwrap().len(), 4);
    }
}
