//! `entra_api`: tokens for this application, signed by the tenant (contract http-workflows 1.5).

use super::claims::{Claims, Identity};
use super::jwks::Jwks;
use super::{http_client, jwt};
use crate::config::AuthSettings;
use crate::domain::error::ServiceError;
use crate::domain::time::Clock;
use url::Url;

/// Checks tokens of one tenant for one application.
#[derive(Debug)]
pub(super) struct EntraVerifier {
    jwks: Jwks,
    tenant: String,
    issuers: Vec<String>,
    audiences: Vec<String>,
    required_scope: Option<String>,
    clock: Clock,
}

impl EntraVerifier {
    /// The verifier of these settings.
    ///
    /// # Errors
    /// The HTTP client cannot be built, or the authority's address takes no path.
    pub(super) fn new(auth: &AuthSettings, clock: Clock) -> anyhow::Result<Self> {
        let authority = auth.authority.as_str().trim_end_matches('/');
        let tenant = auth.tenant_id.clone();
        let address = Url::parse(&format!("{authority}/{tenant}/discovery/v2.0/keys"))?;
        let mut audiences = vec![auth.client_id.clone(), format!("api://{}", auth.client_id)];
        audiences.extend(auth.audience.clone().filter(|audience| !audience.is_empty()));
        Ok(Self {
            jwks: Jwks::new(address, http_client()?, clock.clone()),
            issuers: vec![
                format!("{authority}/{tenant}/v2.0"),
                format!("https://sts.windows.net/{tenant}/"),
            ],
            tenant,
            audiences,
            required_scope: auth.required_scope.clone().filter(|scope| !scope.is_empty()),
            clock,
        })
    }

    /// Proves who presents `token`.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`], or [`ServiceError::Unavailable`] while the keys cannot be had.
    pub(super) async fn authenticate(&self, token: &str) -> Result<Identity, ServiceError> {
        let key = self.jwks.key(&jwt::key_id(token)?).await?;
        let claims = jwt::verify(token, &key)?;
        let expires_at = claims.check_times(self.clock.now())?;
        claims.check_issuer(&self.issuers)?;
        claims.check_audience(&self.audiences)?;
        claims.check_tenant(&self.tenant)?;
        self.check_rights(&claims)?;
        claims.to_identity(expires_at)
    }

    /// A person's token carries the scope (`scp`), an application's token roles; one of both is needed.
    fn check_rights(&self, claims: &Claims) -> Result<(), ServiceError> {
        let scopes = claims.text("scp").unwrap_or_default();
        let mut scopes = scopes.split_ascii_whitespace();
        let has_scope = match &self.required_scope {
            Some(required) => scopes.any(|scope| scope == required),
            None => scopes.next().is_some(),
        };
        if has_scope || !claims.texts("roles").is_empty() {
            return Ok(());
        }
        Err(ServiceError::Unauthenticated(
            "the token carries neither the scope nor a role for this service",
        ))
    }
}
