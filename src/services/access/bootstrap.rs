//! The bootstrap of the first super administrator (contract http-admin-notifications 4).
//!
//! Log in with the credentials of the settings, get a short-lived token, name one person, and the bootstrap closes for
//! good. Only hashes of tokens are stored; attempts are counted in the database, because processes are many.

use super::{AccessService, of_record, refused_field};
use crate::config::BootstrapSettings;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::{AdminUserId, random_key};
use crate::domain::person::{AdminRole, Email, Person};
use crate::repositories::admin_audit_repo::AdminAuditEvent;
use crate::repositories::admin_user_repo::AdminUserRow;
use crate::repositories::transaction::{Transaction, TransactionFault, settled};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// How long a token is good.
pub(super) const TOKEN_MINUTES: i64 = 15;
/// Shorter passwords disable the bootstrap.
const MIN_PASSWORD_CHARS: usize = 12;
/// Passwords that stand in examples and guides disable it too.
const PUBLISHED: [&str; 4] = [
    "changeme12345",
    "password12345",
    "administrator",
    "bootstrap-password",
];
/// Failures of one client, and of all, within [`WINDOW_MINUTES`].
const MAX_OF_CLIENT: u64 = 5;
const MAX_OF_ALL: u64 = 30;
const WINDOW_MINUTES: i64 = 15;

/// Whether the first super administrator still has to be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetupStatus {
    /// There is an active super administrator.
    pub super_admin_exists: bool,
    /// There is none and never was.
    pub requires_setup: bool,
}

/// The outcome of a log-in; a refusal is no error on the wire.
#[derive(Debug)]
pub enum BootstrapLogin {
    /// The token, and how many minutes it is good.
    Accepted(SecretString, i64),
    /// Why not, for people.
    Refused(&'static str),
}

/// Who becomes the first super administrator.
#[derive(Debug, Clone)]
pub struct SetupRequest {
    /// The address.
    pub email: Email,
    /// The name.
    pub display_name: String,
    /// The directory's object id, when known.
    pub aad_id: Option<String>,
    /// The further secret, when the settings ask for one.
    pub setup_key: Option<SecretString>,
    /// From where, as far as trusted proxies name it.
    pub ip_address: Option<String>,
}

impl AccessService {
    /// Whether the first super administrator still has to be named.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn setup_status(&self) -> Result<SetupStatus, ServiceError> {
        let (super_admin_exists, is_latched) =
            tokio::try_join!(self.admins.has_super_admin(), self.bootstrap.is_latched())?;
        Ok(SetupStatus {
            super_admin_exists,
            requires_setup: !is_latched && !super_admin_exists,
        })
    }

    /// Logs in to the bootstrap.
    ///
    /// # Errors
    /// Too many attempts, or the database is unavailable.
    pub async fn bootstrap_login(
        &self,
        username: &str,
        password: &SecretString,
        client: &str,
    ) -> Result<BootstrapLogin, ServiceError> {
        let attempt = random_key();
        let now = self.clock.now();
        // What is refused here is not noted, so that a flood neither fills the database nor keeps the door shut longer.
        self.check_attempts(client, 1).await?;
        self.bootstrap.note_attempt(&attempt, client, now).await?;
        // Attempts that run side by side all passed the first look; noted, they see each other.
        self.check_attempts(client, 0).await?;
        let is_right = is_right(self.bootstrap_settings.as_ref(), username, password);
        if !is_right {
            tracing::warn!("a bootstrap log-in was refused");
            return Ok(BootstrapLogin::Refused("The user name or password is not right."));
        }
        if !self.setup_status().await?.requires_setup {
            return Ok(BootstrapLogin::Refused(
                "The first administrator was set up already.",
            ));
        }
        let bytes: [u8; 32] = rand::random();
        let token = SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
        self.bootstrap
            .keep_token(&hash(&token), now.plus_minutes(TOKEN_MINUTES))
            .await?;
        self.bootstrap.forget_attempt(&attempt).await?;
        tracing::info!("a bootstrap log-in succeeded");
        Ok(BootstrapLogin::Accepted(token, TOKEN_MINUTES))
    }

    /// Refuses when there were too many attempts, `more` of which are still to come.
    async fn check_attempts(&self, client: &str, more: u64) -> Result<(), ServiceError> {
        let since = self.clock.now().plus_minutes(-WINDOW_MINUTES);
        let (of_client, of_all) = self.bootstrap.attempts_since(client, since).await?;
        if of_client + more <= MAX_OF_CLIENT && of_all + more <= MAX_OF_ALL {
            return Ok(());
        }
        tracing::warn!(bootstrap.attempts = of_client, "too many bootstrap log-ins");
        Err(ServiceError::RateLimited {
            retry_after: Duration::from_mins(1),
        })
    }

    /// Refuses a token that is unknown or has ended.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`], or the database is unavailable.
    pub async fn check_bootstrap_token(&self, token: &SecretString) -> Result<(), ServiceError> {
        if self
            .bootstrap
            .is_token_good(&hash(token), self.clock.now())
            .await?
        {
            return Ok(());
        }
        Err(bad_token())
    }

    /// Ends a token.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn bootstrap_logout(&self, token: &SecretString) -> Result<(), ServiceError> {
        Ok(self.bootstrap.drop_token(&hash(token)).await?)
    }

    /// Names the first super administrator and closes the bootstrap.
    ///
    /// # Errors
    /// The token is not good, the set-up key is wrong, there is a super administrator, or the database is unavailable.
    pub async fn bootstrap_setup(
        &self,
        token: &SecretString,
        request: &SetupRequest,
    ) -> Result<AdminUserRow, ServiceError> {
        self.check_setup_key(request)?;
        if !self.setup_status().await?.requires_setup {
            return Err(refused_field(
                "email",
                "the first administrator was set up already",
            ));
        }
        let token = hash(token);
        let row = settled(|| self.try_setup(&token, request)).await?;
        self.forget();
        Ok(row)
    }

    /// Opens the bootstrap again: an operator's command.
    ///
    /// # Errors
    /// There is an active super administrator, or the database is unavailable.
    pub async fn reset_bootstrap(&self) -> Result<(), ServiceError> {
        if self.admins.has_super_admin().await? {
            let text = "there is an active super administrator, so the bootstrap stays closed";
            return Err(ServiceError::conflict(ErrorCode::Conflict, text));
        }
        Ok(self.bootstrap.reset().await?)
    }

    async fn try_setup(&self, token: &str, request: &SetupRequest) -> Result<AdminUserRow, TransactionFault> {
        let now = self.clock.now();
        let mut transaction = Transaction::begin(&self.database).await?;
        if !self
            .bootstrap
            .use_token_in(token, now, transaction.session())
            .await?
        {
            transaction.abort().await;
            return Err(bad_token().into());
        }
        // The latch is one document, so of several set-ups at the same time exactly one gets past here.
        if !self.bootstrap.latch_in(now, transaction.session()).await? {
            transaction.abort().await;
            return Err(refused_field("email", "the first administrator was set up already").into());
        }
        let known = self
            .admins
            .by_email_in(&request.email, transaction.session())
            .await?;
        let row = first_admin(request, known, now);
        let details = json!({"setup_type": "initial_setup"});
        let event = AdminAuditEvent::new("SUPER_ADMIN_CREATED", &person_of(&row), details, now)
            .about(row.email.as_str(), Some(&row.display_name))
            .from_address(request.ip_address.clone());
        let put = self.admins.put_in(&row, transaction.session()).await;
        put.map_err(of_record)?;
        self.bootstrap.drop_tokens_in(transaction.session()).await?;
        self.audit.commit_with(transaction, &event).await?;
        Ok(row)
    }

    fn check_setup_key(&self, request: &SetupRequest) -> Result<(), ServiceError> {
        let wanted = self
            .bootstrap_settings
            .as_ref()
            .and_then(|settings| settings.setup_key.as_ref());
        let Some(wanted) = wanted else {
            return Ok(());
        };
        let given = request.setup_key.clone().unwrap_or_default();
        if bool::from(digest(wanted.expose_secret()).ct_eq(&digest(given.expose_secret()))) {
            return Ok(());
        }
        Err(ServiceError::forbidden("the set-up key is not right"))
    }
}

/// Compares digests, both always and in constant time; weak passwords are never right.
fn is_right(settings: Option<&BootstrapSettings>, username: &str, password: &SecretString) -> bool {
    let Some(settings) = settings else {
        return false;
    };
    let secret = settings.password.expose_secret();
    let is_strong = secret.chars().count() >= MIN_PASSWORD_CHARS && !PUBLISHED.contains(&secret);
    let same_name = digest(&settings.username).ct_eq(&digest(username));
    let same_password = digest(secret).ct_eq(&digest(password.expose_secret()));
    bool::from(same_name & same_password) && is_strong
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn hash(token: &SecretString) -> String {
    hex::encode(digest(token.expose_secret()))
}

const fn bad_token() -> ServiceError {
    ServiceError::Unauthenticated("the bootstrap token is missing, unknown or has ended")
}

fn first_admin(
    request: &SetupRequest,
    known: Option<AdminUserRow>,
    now: crate::domain::time::Timestamp,
) -> AdminUserRow {
    let (id, known_aad_id) = match known {
        Some(row) => (row.admin_user_id, row.aad_id),
        None => (AdminUserId::random(), None),
    };
    AdminUserRow {
        email_key: request.email.key(),
        admin_user_id: id,
        aad_id: request.aad_id.clone().or(known_aad_id),
        email: request.email.clone(),
        display_name: request.display_name.clone(),
        role: AdminRole::SuperAdmin,
        granted_by: Some("SYSTEM_SETUP".to_owned()),
        granted_at: now,
        is_active: true,
        deactivated_at: None,
        deactivated_by: None,
    }
}

fn person_of(row: &AdminUserRow) -> Person {
    Person {
        aad_id: row.aad_id.clone(),
        email: row.email.clone(),
        display_name: row.display_name.clone(),
        role_at_time: None,
        manager_email: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(password: &str) -> BootstrapSettings {
        BootstrapSettings {
            username: "setup".to_owned(),
            password: password.into(),
            setup_key: None,
        }
    }

    #[test]
    fn weak_or_absent_credentials_never_open() {
        assert!(!is_right(None, "setup", &"x".into()));
        assert!(!is_right(Some(&settings("short")), "setup", &"short".into()));
        assert!(!is_right(
            Some(&settings("changeme12345")),
            "setup",
            &"changeme12345".into()
        ));
    }

    #[test]
    fn both_inputs_must_be_right_and_may_be_any_text() {
        let strong = settings("correct horse battery é");
        assert!(is_right(
            Some(&strong),
            "setup",
            &"correct horse battery é".into()
        ));
        assert!(!is_right(
            Some(&strong),
            "Setup",
            &"correct horse battery é".into()
        ));
        assert!(!is_right(Some(&strong), "setup", &"\u{0}é".into()));
    }
}
