//! Identity: proof of who calls, in the three modes of design 5.
//!
//! Invariant: no identity is ever taken from a token whose signature was not verified, by a key we trust or by Graph.
//! An outage of the one who proves is [`ServiceError::Unavailable`], never a refusal.

mod claims;
pub mod dev_issuer;
mod entra;
mod graph_introspection;
mod jwks;
mod jwt;
mod proved;

pub use claims::Identity;

use crate::clients::development_directory::DevelopmentDirectory;
use crate::config::{AuthMode, Settings};
use crate::domain::error::ServiceError;
use crate::domain::time::Clock;
use dev_issuer::DevIssuer;
use entra::EntraVerifier;
use graph_introspection::GraphIntrospection;
use proved::ProvedTokens;
use std::sync::Arc;

/// Longest token looked at, in bytes.
const MAX_TOKEN_LEN: usize = 16 * 1024;

/// Checks bearer tokens.
#[derive(Debug)]
pub struct Authenticator {
    method: Method,
    proved: ProvedTokens,
}

/// How a token is checked.
#[derive(Debug)]
enum Method {
    /// Tokens for this application, checked against the tenant's keys.
    Entra(EntraVerifier),
    /// Graph tokens, proved by calling Graph.
    Graph(GraphIntrospection),
    /// Tokens of the local issuer.
    Dev(Arc<DevIssuer>),
}

impl Authenticator {
    /// The authenticator of the settings; in development mode the issuer's key is read or made.
    ///
    /// # Errors
    /// The development key or the people file cannot be used, or the HTTP client cannot be built.
    pub fn new(settings: &Settings, clock: &Clock) -> anyhow::Result<Self> {
        let auth = &settings.auth;
        let method = match auth.mode {
            AuthMode::EntraApi => Method::Entra(EntraVerifier::new(auth, clock.clone())?),
            AuthMode::GraphIntrospection => {
                let graph = &settings.directory.graph_base_url;
                Method::Graph(GraphIntrospection::new(auth, graph, clock.clone())?)
            }
            AuthMode::Dev => {
                let people = DevelopmentDirectory::load(&settings.directory.people_file)?;
                Method::Dev(Arc::new(DevIssuer::open(
                    &settings.storage_path,
                    people,
                    clock.clone(),
                )?))
            }
        };
        Ok(Self::by(method, clock))
    }

    fn by(method: Method, clock: &Clock) -> Self {
        Self {
            method,
            proved: ProvedTokens::new(clock.clone()),
        }
    }

    /// Proves who presents `token`.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`] for every token that proves nothing, [`ServiceError::Unavailable`] when it
    /// cannot be checked now.
    pub async fn authenticate(&self, token: &str) -> Result<Identity, ServiceError> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(ServiceError::Unauthenticated("the token is too long"));
        }
        let hash = ProvedTokens::hash(token);
        if let Some(identity) = self.proved.get(&hash) {
            return Ok(identity);
        }
        let identity = match &self.method {
            Method::Entra(verifier) => verifier.authenticate(token).await?,
            // It keeps its own proofs, and its refusals.
            Method::Graph(introspection) => return introspection.authenticate(token).await,
            Method::Dev(issuer) => issuer.authenticate(token)?,
        };
        self.proved.remember(hash, &identity);
        Ok(identity)
    }

    /// The local issuer, in development mode.
    pub fn dev_issuer(&self) -> Option<&Arc<DevIssuer>> {
        match &self.method {
            Method::Dev(issuer) => Some(issuer),
            Method::Entra(_) | Method::Graph(_) => None,
        }
    }
}

/// The client for calls to the authority and Graph: short time-outs, no redirects.
fn http_client() -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .timeout(std::time::Duration::from_secs(5))
        .connect_timeout(std::time::Duration::from_secs(3))
        .redirect(reqwest::redirect::Policy::none())
        .build()?)
}

#[cfg(test)]
mod tests;
