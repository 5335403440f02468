//! What a token claims, and what becomes of it once proved (contract http-workflows 1.3).

use crate::domain::error::ServiceError;
use crate::domain::person::{Email, Person};
use crate::domain::time::Timestamp;
use serde_json::{Map, Value};

/// How far clocks may differ, in milliseconds.
pub(super) const LEEWAY: i64 = 60_000;

/// A proved identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub person: Person,
    /// Application roles of the token.
    pub token_roles: Vec<String>,
    /// When the proof ends.
    pub expires_at: Timestamp,
}

/// Claims of a token, not yet believed.
#[derive(Debug, Clone)]
pub(super) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    /// A claim that is a text with something in it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// A claim that is one text or a list of texts.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        match self.0.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Refuses a token that is not valid at `now`; answers when it ends.
    pub(super) fn check_times(&self, now: Timestamp) -> Result<Timestamp, ServiceError> {
        let ends = self
            .seconds("exp")
            .ok_or(ServiceError::Unauthenticated("the token has no expiry"))?;
        if ends.plus_millis(LEEWAY) <= now {
            return Err(ServiceError::Unauthenticated("the token has expired"));
        }
        let starts = self.seconds("nbf");
        let is_malformed = starts.is_none() && self.0.contains_key("nbf");
        if is_malformed || starts.is_some_and(|starts| starts > now.plus_millis(LEEWAY)) {
            return Err(ServiceError::Unauthenticated("the token is not valid yet"));
        }
        Ok(ends)
    }

    /// Refuses a token that is for somebody else.
    pub(super) fn check_audience(&self, accepted: &[String]) -> Result<(), ServiceError> {
        let named = self.texts("aud");
        if named
            .iter()
            .any(|audience| accepted.iter().any(|known| known == audience))
        {
            return Ok(());
        }
        Err(ServiceError::Unauthenticated("the token is for another audience"))
    }

    /// Refuses a token of another issuer.
    pub(super) fn check_issuer(&self, accepted: &[String]) -> Result<(), ServiceError> {
        let issuer = self.text("iss");
        if issuer.is_some_and(|issuer| accepted.iter().any(|known| known == issuer)) {
            return Ok(());
        }
        Err(ServiceError::Unauthenticated("the token is from another issuer"))
    }

    /// Refuses a token of another tenant.
    pub(super) fn check_tenant(&self, tenant: &str) -> Result<(), ServiceError> {
        if self.text("tid") == Some(tenant) {
            return Ok(());
        }
        Err(ServiceError::Unauthenticated("the token is from another tenant"))
    }

    /// The identity these claims describe; call it only after they were proved.
    pub(super) fn to_identity(&self, expires_at: Timestamp) -> Result<Identity, ServiceError> {
        let aad_id = self
            .text("oid")
            .ok_or(ServiceError::Unauthenticated("the token names no object id"))?;
        let address = ["email", "preferred_username", "upn", "unique_name"]
            .into_iter()
            .find_map(|name| self.text(name))
            .ok_or(ServiceError::Unauthenticated("the token names no e-mail address"))?;
        let email = Email::try_from(address)
            .map_err(|_| ServiceError::Unauthenticated("the token's e-mail address is not valid"))?;
        let display_name = self.text("name").unwrap_or(email.as_str()).to_owned();
        Ok(Identity {
            person: Person {
                aad_id: Some(aad_id.to_owned()),
                email,
                display_name,
                role_at_time: None,
                manager_email: None,
            },
            token_roles: self.texts("roles").into_iter().map(str::to_owned).collect(),
            expires_at,
        })
    }

    /// A claim that is seconds since the epoch, whole or not.
    fn seconds(&self, name: &str) -> Option<Timestamp> {
        let value = self.0.get(name)?;
        let seconds = value
            .as_i64()
            .or_else(|| value.as_f64().and_then(whole_seconds))?;
        Some(Timestamp::from_millis(seconds.checked_mul(1_000)?))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole_seconds(seconds: f64) -> Option<i64> {
    (seconds.is_finite() && seconds.abs() < 1e12).then_some(seconds as i64)
}
