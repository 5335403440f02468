//! `graph_introspection`: Graph tokens, which only Graph can prove (contract http-workflows 1.5).
//!
//! The claims are read to refuse what is not for us, but believed only after Graph's `/me` has answered to this very
//! token with the same object id. Proofs are kept by the token's hash for ten minutes at most.

use super::claims::{Claims, Identity};
use super::{http_client, jwt};
use crate::clients::answer;
use crate::config::AuthSettings;
use crate::domain::error::ServiceError;
use crate::domain::time::{Clock, Timestamp};
use quick_cache::sync::Cache;
use reqwest::StatusCode;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::time::Duration;
use url::Url;

const GRAPH_AUDIENCES: [&str; 2] = [
    "00000003-0000-0000-c000-000000000000",
    "https://graph.microsoft.com",
];
/// A proof holds until the token ends, and no longer than this.
const PROOF_MILLIS: i64 = 10 * 60_000;
/// Tokens whose proof or refusal is remembered.
const REMEMBERED: usize = 10_000;
/// Longest answer that is read, in bytes.
const LONGEST_ANSWER: usize = 1 << 20;
/// A refused token stays refused this long without asking Graph again.
const REFUSAL_MILLIS: i64 = 30_000;
const RETRY_AFTER: Duration = Duration::from_secs(5);

type TokenHash = [u8; 32];

/// Proves Graph tokens by calling Graph.
#[derive(Debug)]
pub(super) struct GraphIntrospection {
    me: Url,
    client: reqwest::Client,
    clock: Clock,
    tenant: String,
    client_id: String,
    audiences: Vec<String>,
    verdicts: Cache<TokenHash, Verdict>,
}

#[derive(Debug, Clone)]
enum Verdict {
    Proved { identity: Identity, until: Timestamp },
    Refused { until: Timestamp },
}

/// The part of `/me` that is compared.
#[derive(Deserialize)]
struct Me {
    id: String,
}

impl GraphIntrospection {
    /// The prover of these settings.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub(super) fn new(auth: &AuthSettings, graph: &Url, clock: Clock) -> anyhow::Result<Self> {
        let base = graph.as_str().trim_end_matches('/');
        Ok(Self {
            me: Url::parse(&format!(
                "{base}/me?$select=id,displayName,mail,userPrincipalName"
            ))?,
            client: http_client()?,
            clock,
            tenant: auth.tenant_id.clone(),
            client_id: auth.client_id.clone(),
            audiences: GRAPH_AUDIENCES.map(str::to_owned).to_vec(),
            verdicts: Cache::new(REMEMBERED),
        })
    }

    /// Proves who presents `token`.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`], or [`ServiceError::Unavailable`] while Graph cannot tell.
    pub(super) async fn authenticate(&self, token: &str) -> Result<Identity, ServiceError> {
        let claims = jwt::unproved_claims(token)?;
        let expires_at = self.check(&claims)?;
        let hash: TokenHash = Sha256::digest(token.as_bytes()).into();
        let now = self.clock.now();
        if let Some(verdict) = self.verdicts.get(&hash) {
            match verdict {
                Verdict::Proved { identity, until } if until > now => return Ok(identity),
                Verdict::Refused { until } if until > now => return Err(refused()),
                Verdict::Proved { .. } | Verdict::Refused { .. } => {
                    self.verdicts.remove(&hash);
                }
            }
        }
        // Requests with the same token wait for one question to Graph.
        let asked = self
            .verdicts
            .get_or_insert_async(&hash, self.ask(token, &claims, expires_at));
        match asked.await? {
            Verdict::Proved { identity, .. } => Ok(identity),
            Verdict::Refused { .. } => Err(refused()),
        }
    }

    /// What can be refused without asking; answers when the token ends.
    fn check(&self, claims: &Claims) -> Result<Timestamp, ServiceError> {
        let expires_at = claims.check_times(self.clock.now())?;
        claims.check_audience(&self.audiences)?;
        claims.check_tenant(&self.tenant)?;
        // The pin on the application stops tokens that were minted for other applications.
        let application = claims.text("appid").or_else(|| claims.text("azp"));
        if application != Some(self.client_id.as_str()) {
            return Err(ServiceError::Unauthenticated(
                "the token was issued to another application",
            ));
        }
        Ok(expires_at)
    }

    async fn ask(
        &self,
        token: &str,
        claims: &Claims,
        expires_at: Timestamp,
    ) -> Result<Verdict, ServiceError> {
        let identity = claims.to_identity(expires_at)?;
        let answer = self.client.get(self.me.clone()).bearer_auth(token).send().await;
        let answer = answer.map_err(|error| unavailable(error.into()))?;
        let status = answer.status();
        if matches!(
            status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST
        ) {
            let until = self.clock.now().plus_millis(REFUSAL_MILLIS);
            return Ok(Verdict::Refused { until });
        }
        if !status.is_success() {
            return Err(unavailable(anyhow::anyhow!("Graph answered {status}")));
        }
        let me: Me = answer::json(answer, LONGEST_ANSWER)
            .await
            .map_err(|error| unavailable(error.into()))?;
        let now = self.clock.now();
        if identity.person.aad_id.as_deref() != Some(me.id.as_str()) {
            let until = now.plus_millis(REFUSAL_MILLIS);
            return Ok(Verdict::Refused { until });
        }
        let until = expires_at.min(now.plus_millis(PROOF_MILLIS));
        Ok(Verdict::Proved { identity, until })
    }
}

const fn refused() -> ServiceError {
    ServiceError::Unauthenticated("the token is not accepted by the directory")
}

fn unavailable(source: anyhow::Error) -> ServiceError {
    ServiceError::Unavailable {
        retry_after: RETRY_AFTER,
        source: Some(source.context("sign-in cannot be checked with Graph")),
    }
}
