//! The tenant's keys: fetched once, renewed in the background, kept while the authority is down.
//!
//! A set is fresh for 24 hours and usable for 48 (contract http-workflows 1.5). An unknown key id renews it, but never
//! more often than once a minute, whatever tokens arrive; all who wait for a renewal share one.

use crate::clients::answer;
use crate::domain::error::ServiceError;
use crate::domain::time::{Clock, Timestamp};
use jsonwebtoken::DecodingKey;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, RwLock};
use url::Url;

const FRESH_MILLIS: i64 = 24 * 3_600_000;
const USABLE_MILLIS: i64 = 48 * 3_600_000;
const BETWEEN_FETCHES_MILLIS: i64 = 60_000;
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// A key set is a few kilobytes.
const MAX_BYTES: usize = 1 << 20;

/// The keys behind one address.
pub(super) struct Jwks {
    address: Url,
    client: reqwest::Client,
    clock: Clock,
    keys: RwLock<Option<KeySet>>,
    /// When the authority was last asked; held while asking, so that one asks for all.
    asked: Mutex<Option<Asked>>,
}

/// The last question to the authority.
struct Asked {
    at: Timestamp,
    succeeded: bool,
}

#[derive(Clone)]
struct KeySet {
    by_id: BTreeMap<String, Arc<DecodingKey>>,
    fetched: Timestamp,
}

/// The document; keys that are not RSA signing keys are passed over.
#[derive(Deserialize)]
struct Document {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    #[serde(default)]
    kid: String,
    #[serde(default)]
    kty: String,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

impl Jwks {
    pub(super) fn new(address: Url, client: reqwest::Client, clock: Clock) -> Self {
        Self {
            address,
            client,
            clock,
            keys: RwLock::new(None),
            asked: Mutex::new(None),
        }
    }

    /// The key with this id.
    ///
    /// # Errors
    /// [`ServiceError::Unauthenticated`] when the tenant has no such key, [`ServiceError::Unavailable`] when nobody can
    /// tell now.
    pub(super) async fn key(&self, id: &str) -> Result<Arc<DecodingKey>, ServiceError> {
        let now = self.clock.now();
        let held = self.keys.read().await.clone();
        let age = held.as_ref().map(|set| now.since(set.fetched).num_milliseconds());
        if let (Some(set), Some(age)) = (&held, age)
            && let Some(key) = set.by_id.get(id)
        {
            // A set past its best is good enough while somebody else is renewing it.
            let is_being_renewed = self.asked.try_lock().is_err();
            if age < FRESH_MILLIS || (age < USABLE_MILLIS && is_being_renewed) {
                return Ok(Arc::clone(key));
            }
        }
        let failure = self.renew(held.as_ref().map(|set| set.fetched)).await.err();
        let held = self.keys.read().await.clone();
        let usable = held.filter(|set| now.since(set.fetched).num_milliseconds() < USABLE_MILLIS);
        match (usable, failure) {
            (Some(set), failure) => match (set.by_id.get(id), failure) {
                (Some(key), _) => Ok(Arc::clone(key)),
                // The authority could not be asked about a key that may be new.
                (None, Some(failure)) => Err(unavailable(failure)),
                (None, None) => Err(ServiceError::Unauthenticated(
                    "the token is signed by an unknown key",
                )),
            },
            (None, failure) => {
                Err(unavailable(failure.unwrap_or_else(|| {
                    anyhow::anyhow!("no keys have been fetched yet")
                })))
            }
        }
    }

    /// Asks the authority, unless somebody else just did; `known` is the age of the set the caller saw.
    async fn renew(&self, known: Option<Timestamp>) -> anyhow::Result<()> {
        let mut asked = self.asked.lock().await;
        let now = self.clock.now();
        let renewed_meanwhile = self.keys.read().await.as_ref().map(|set| set.fetched) != known;
        if renewed_meanwhile {
            return Ok(());
        }
        if let Some(last) = asked.as_ref()
            && now.since(last.at).num_milliseconds() < BETWEEN_FETCHES_MILLIS
        {
            // After a good answer an unknown key is simply unknown; after a failure nobody can tell yet.
            anyhow::ensure!(
                last.succeeded,
                "the key set was asked for less than a minute ago and did not come"
            );
            return Ok(());
        }
        let fetched = self.fetch().await;
        *asked = Some(Asked {
            at: now,
            succeeded: fetched.is_ok(),
        });
        match fetched {
            Ok(by_id) => {
                *self.keys.write().await = Some(KeySet { by_id, fetched: now });
                Ok(())
            }
            Err(error) => {
                tracing::warn!(error.causes = %format!("{error:#}"), "the tenant's keys could not be fetched");
                Err(error)
            }
        }
    }

    async fn fetch(&self) -> anyhow::Result<BTreeMap<String, Arc<DecodingKey>>> {
        let answer = self
            .client
            .get(self.address.clone())
            .send()
            .await?
            .error_for_status()?;
        let document: Document = answer::json(answer, MAX_BYTES).await?;
        let keys: BTreeMap<_, _> = document.keys.into_iter().filter_map(signing_key).collect();
        anyhow::ensure!(!keys.is_empty(), "the key set has no RSA signing key");
        Ok(keys)
    }
}

impl std::fmt::Debug for Jwks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwks")
            .field("address", &self.address.as_str())
            .finish_non_exhaustive()
    }
}

/// Only RSA keys for RS256 signatures; an octet key would turn the public set into a shared secret.
fn signing_key(key: Key) -> Option<(String, Arc<DecodingKey>)> {
    let is_for_signing = key.usage.as_deref().is_none_or(|usage| usage == "sig");
    let is_for_rs256 = key.alg.as_deref().is_none_or(|alg| alg == "RS256");
    if key.kty != "RSA" || key.kid.is_empty() || !is_for_signing || !is_for_rs256 {
        return None;
    }
    let decoding = DecodingKey::from_rsa_components(&key.n, &key.e).ok()?;
    Some((key.kid, Arc::new(decoding)))
}

fn unavailable(source: anyhow::Error) -> ServiceError {
    ServiceError::Unavailable {
        retry_after: RETRY_AFTER,
        source: Some(source.context("sign-in cannot be checked")),
    }
}
