//! People in Microsoft Graph, asked as the application (client credentials) or in a caller's name with the caller's own
//! Graph token, which sign-in has proved. No token goes anywhere but to the configured address.

use super::answer::{self, Unreadable};
use crate::domain::directory_user::DirectoryUser;
use crate::domain::person::Email;
use arc_swap::ArcSwapOption;
use reqwest::header::RETRY_AFTER;
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use url::Url;

/// How long one question may take, the second try included.
const PATIENCE: Duration = Duration::from_secs(8);
/// Longest pause of `Retry-After` that a question waits for; during a longer one Graph is left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Longest time that Graph is left alone.
const LONGEST_QUIET: Duration = Duration::from_mins(5);
/// Pages of one search that are read.
const PAGES: usize = 5;
/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 4 << 20;
/// How long before its end a token is renewed.
const RENEW_BEFORE: Duration = Duration::from_mins(5);
/// The fields asked for.
const FIELDS: &str = "id,displayName,mail,userPrincipalName,jobTitle,department";

/// How the application is known to Graph.
#[derive(Debug, Clone)]
pub struct GraphAccess {
    /// The base of the token endpoint.
    pub authority: Url,
    /// The tenant.
    pub tenant_id: String,
    /// The application.
    pub client_id: String,
    /// The application's secret; without one only callers' tokens can be used.
    pub client_secret: Option<SecretString>,
    /// The API's base, with its version.
    pub base_url: Url,
}

/// In whose name Graph is asked.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The application's.
    Application,
    /// A caller's, by the caller's own Graph token.
    Caller(SecretString),
}

/// Graph does not answer the question; the text names no person.
#[derive(Debug, thiserror::Error)]
#[error("graph: {0}")]
pub struct GraphError(String);

/// The directory; cheap to clone.
#[derive(Debug, Clone)]
pub struct GraphDirectory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    access: GraphAccess,
    http: reqwest::Client,
    token: Mutex<Option<(SecretString, Instant)>>,
    /// Until when Graph wants to be left alone.
    quiet_until: ArcSwapOption<Instant>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    mail: Option<String>,
    #[serde(default)]
    user_principal_name: Option<String>,
    #[serde(default)]
    job_title: Option<String>,
    #[serde(default)]
    department: Option<String>,
}

#[derive(Deserialize)]
struct Users {
    #[serde(default)]
    value: Vec<User>,
    #[serde(default, rename = "@odata.nextLink")]
    next: Option<String>,
}

impl GraphDirectory {
    /// A directory behind this access.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(access: GraphAccess) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .connect_timeout(Duration::from_secs(3))
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self(Arc::new(Inner {
            access,
            http,
            token: Mutex::new(None),
            quiet_until: ArcSwapOption::empty(),
        })))
    }

    /// The person with this object id or address; `None` when Graph knows nobody.
    ///
    /// # Errors
    /// Graph does not answer in time or refuses.
    pub async fn user(
        &self,
        by: &Credential,
        id_or_address: &str,
    ) -> Result<Option<DirectoryUser>, GraphError> {
        let url = self.url(&["users", id_or_address], &[("$select", FIELDS)])?;
        self.one(by, url).await
    }

    /// The manager of the person with this object id or address.
    ///
    /// # Errors
    /// As [`GraphDirectory::user`].
    pub async fn manager(
        &self,
        by: &Credential,
        id_or_address: &str,
    ) -> Result<Option<DirectoryUser>, GraphError> {
        let url = self.url(&["users", id_or_address, "manager"], &[("$select", FIELDS)])?;
        self.one(by, url).await
    }

    /// The manager of the caller in whose name Graph is asked; everybody may ask for the own one.
    ///
    /// # Errors
    /// As [`GraphDirectory::user`].
    pub async fn own_manager(&self, by: &Credential) -> Result<Option<DirectoryUser>, GraphError> {
        let url = self.url(&["me", "manager"], &[("$select", FIELDS)])?;
        self.one(by, url).await
    }

    /// Enabled people whose name or address begins with `text`, at most `limit`.
    ///
    /// # Errors
    /// As [`GraphDirectory::user`].
    pub async fn search(
        &self,
        by: &Credential,
        text: &str,
        limit: usize,
    ) -> Result<Vec<DirectoryUser>, GraphError> {
        let mut response = self.ask(by, self.search_url(text, limit)?).await?;
        if response.status() == StatusCode::BAD_REQUEST {
            // Some tenants do not search; all of them compare beginnings.
            response = self.ask(by, self.beginnings_url(text, limit)?).await?;
        }
        let mut found = Vec::new();
        for _ in 0..PAGES {
            if !response.status().is_success() {
                return Err(refused(&response));
            }
            let page: Users = answer::json(response, LONGEST_ANSWER).await.map_err(unreadable)?;
            found.extend(page.value.into_iter().filter_map(readable));
            let next = page.next.filter(|_| found.len() < limit);
            let Some(next) = next.and_then(|next| self.own_address(&next)) else {
                break;
            };
            response = self.ask(by, next).await?;
        }
        found.truncate(limit);
        Ok(found)
    }

    fn search_url(&self, text: &str, limit: usize) -> Result<Url, GraphError> {
        let word: String = text
            .chars()
            .filter(|c| !matches!(c, '"' | '\\') && !c.is_control())
            .collect();
        let wanted = format!("\"displayName:{word}\" OR \"mail:{word}\" OR \"userPrincipalName:{word}\"");
        self.users_url(
            &[("$search", &wanted), ("$filter", "accountEnabled eq true")],
            limit,
        )
    }

    fn beginnings_url(&self, text: &str, limit: usize) -> Result<Url, GraphError> {
        let word = text.replace('\'', "''");
        let begins = ["displayName", "mail", "userPrincipalName", "surname"]
            .map(|field| format!("startswith({field},'{word}')"))
            .join(" or ");
        self.users_url(
            &[("$filter", &format!("accountEnabled eq true and ({begins})"))],
            limit,
        )
    }

    fn users_url(&self, wanted: &[(&str, &str)], limit: usize) -> Result<Url, GraphError> {
        let top = limit.to_string();
        let shape = [("$count", "true"), ("$top", top.as_str()), ("$select", FIELDS)];
        self.url(&["users"], &[wanted, &shape].concat())
    }

    /// The address of a further page, if it leads to where tokens may go.
    fn own_address(&self, text: &str) -> Option<Url> {
        let url = Url::parse(text).ok()?;
        (url.origin() == self.0.access.base_url.origin()).then_some(url)
    }

    async fn one(&self, by: &Credential, url: Url) -> Result<Option<DirectoryUser>, GraphError> {
        let response = self.ask(by, url).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !response.status().is_success() {
            return Err(refused(&response));
        }
        let user: User = answer::json(response, LONGEST_ANSWER).await.map_err(unreadable)?;
        Ok(readable(user))
    }

    /// Asks, and once more after the pause that Graph wants when it is a short one.
    async fn ask(&self, by: &Credential, url: Url) -> Result<Response, GraphError> {
        let quiet_until = self.0.quiet_until.load();
        if quiet_until
            .as_deref()
            .is_some_and(|until| *until > Instant::now())
        {
            return Err(GraphError("throttled".to_owned()));
        }
        let asking = async {
            let first = self.get(by, url.clone()).await?;
            let status = first.status();
            let is_refusal_of_ours =
                status == StatusCode::UNAUTHORIZED && matches!(by, Credential::Application);
            if is_refusal_of_ours {
                // The token may have been revoked before its time: renew once.
                self.0.token.lock().await.take();
            } else if status != StatusCode::TOO_MANY_REQUESTS && !status.is_server_error() {
                return Ok(first);
            }
            let pause = pause_of(&first);
            if pause > LONGEST_PAUSE {
                self.leave_alone(pause);
                return Ok(first);
            }
            tokio::time::sleep(pause).await;
            let second = self.get(by, url).await?;
            if second.status() == StatusCode::TOO_MANY_REQUESTS {
                self.leave_alone(pause_of(&second));
            }
            Ok(second)
        };
        let answered = tokio::time::timeout(PATIENCE, asking).await;
        answered.map_err(|_| GraphError("time-out".to_owned()))?
    }

    fn leave_alone(&self, pause: Duration) {
        let until = Instant::now() + pause.min(LONGEST_QUIET);
        self.0.quiet_until.store(Some(Arc::new(until)));
    }

    async fn get(&self, by: &Credential, url: Url) -> Result<Response, GraphError> {
        let token = match by {
            Credential::Application => self.token().await?,
            Credential::Caller(token) => token.clone(),
        };
        self.0
            .http
            .get(url)
            .bearer_auth(token.expose_secret())
            .header("ConsistencyLevel", "eventual")
            .send()
            .await
            .map_err(|error| unreachable_service(&error))
    }

    async fn token(&self) -> Result<SecretString, GraphError> {
        let mut kept = self.0.token.lock().await;
        if let Some((token, good_until)) = kept.as_ref()
            && *good_until > Instant::now()
        {
            return Ok(token.clone());
        }
        let access = &self.0.access;
        let Some(secret) = &access.client_secret else {
            return Err(GraphError("the application has no secret".to_owned()));
        };
        let authority = access.authority.as_str().trim_end_matches('/');
        let scope = format!("{}/.default", access.base_url.origin().ascii_serialization());
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", access.client_id.as_str()),
            ("client_secret", secret.expose_secret()),
            ("scope", scope.as_str()),
        ];
        let url = format!("{authority}/{}/oauth2/v2.0/token", access.tenant_id);
        let asked = self.0.http.post(url).form(&form).send().await;
        let response = asked.map_err(|error| unreachable_service(&error))?;
        if !response.status().is_success() {
            return Err(GraphError(format!(
                "token: status {}",
                response.status().as_u16()
            )));
        }
        let answer: TokenAnswer = answer::json(response, LONGEST_ANSWER).await.map_err(unreadable)?;
        let token = SecretString::from(answer.access_token);
        let lifetime = Duration::from_secs(answer.expires_in).saturating_sub(RENEW_BEFORE);
        *kept = Some((token.clone(), Instant::now() + lifetime));
        Ok(token)
    }

    /// An address below the base; every segment and value is encoded.
    fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, GraphError> {
        let mut url = self.0.access.base_url.clone();
        url.path_segments_mut()
            .map_err(|()| GraphError("the base address takes no paths".to_owned()))?
            .pop_if_empty()
            .extend(segments);
        url.query_pairs_mut().extend_pairs(query);
        Ok(url)
    }
}

/// The person, unless there is no usable address; the name falls back to it.
fn readable(user: User) -> Option<DirectoryUser> {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let address = filled(user.mail).or_else(|| filled(user.user_principal_name))?;
    let email = Email::try_from(address).ok()?;
    let display_name = filled(user.display_name).unwrap_or_else(|| email.to_string());
    Some(DirectoryUser {
        aad_id: filled(user.id),
        display_name,
        job_title: filled(user.job_title),
        department: filled(user.department),
        manager_email: None,
        email,
    })
}

fn pause_of(response: &Response) -> Duration {
    let wanted = response
        .headers()
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let seconds = wanted.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    Duration::from_secs(seconds)
}

fn refused(response: &Response) -> GraphError {
    GraphError(format!("status {}", response.status().as_u16()))
}

fn unreachable_service(error: &reqwest::Error) -> GraphError {
    // The error's own text holds the address asked for, and with it a person's.
    let kind = if error.is_timeout() {
        "time-out"
    } else if error.is_connect() {
        "no connection"
    } else {
        "no answer"
    };
    GraphError(kind.to_owned())
}

fn unreadable(error: Unreadable) -> GraphError {
    GraphError(error.to_string())
}
