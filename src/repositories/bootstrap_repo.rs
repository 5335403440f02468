//! The bootstrap of the first super administrator: tokens (as hashes), attempts, and the one-way latch.

use super::indexes::IndexSpec;
use super::mongo::{WriteFault, classify};
use crate::domain::time::Timestamp;
use bson::{Document, doc};
use mongodb::error::Result;
use mongodb::{ClientSession, Collection, Database};
use std::time::Duration;

/// The collection of the latch and of the counter that orders changes of super administrators.
pub const STATE_COLLECTION: &str = "access_state";
/// The collection of tokens.
const TOKENS: &str = "bootstrap_tokens";
/// The collection of log-in attempts.
const ATTEMPTS: &str = "bootstrap_attempts";

const LATCH: &str = "bootstrap_latch";

/// Access to the bootstrap's state; cheap to clone.
#[derive(Debug, Clone)]
pub struct BootstrapRepo {
    tokens: Collection<Document>,
    attempts: Collection<Document>,
    state: Collection<Document>,
}

/// The indexes of these collections; the state's collection is there from the start, because transactions write to it.
pub fn indexes() -> Vec<IndexSpec> {
    vec![
        IndexSpec::new(TOKENS, "expiry", doc! {"expires_at": 1}).expire_after(Duration::ZERO),
        IndexSpec::new(ATTEMPTS, "expiry", doc! {"at": 1}).expire_after(Duration::from_hours(1)),
        IndexSpec::new(ATTEMPTS, "client", doc! {"client": 1, "at": 1}),
        IndexSpec::new(STATE_COLLECTION, "latched_at", doc! {"latched_at": 1}),
    ]
}

impl BootstrapRepo {
    /// The state in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            tokens: database.collection(TOKENS),
            attempts: database.collection(ATTEMPTS),
            state: database.collection(STATE_COLLECTION),
        }
    }

    /// Notes an attempt.
    pub async fn note_attempt(&self, id: &str, client: &str, now: Timestamp) -> Result<()> {
        self.attempts
            .insert_one(doc! {"_id": id, "client": client, "at": now})
            .await?;
        Ok(())
    }

    /// How many attempts there were since `since`: from this client, and in all.
    pub async fn attempts_since(&self, client: &str, since: Timestamp) -> Result<(u64, u64)> {
        let of_client = doc! {"client": client, "at": {"$gte": since}};
        let of_all = doc! {"at": {"$gte": since}};
        tokio::try_join!(
            self.attempts.count_documents(of_client).into_future(),
            self.attempts.count_documents(of_all).into_future(),
        )
    }

    /// Forgets an attempt that succeeded.
    pub async fn forget_attempt(&self, id: &str) -> Result<()> {
        self.attempts.delete_one(doc! {"_id": id}).await?;
        Ok(())
    }

    /// Keeps a token, by its hash, until `expires_at`.
    pub async fn keep_token(&self, hash: &str, expires_at: Timestamp) -> Result<()> {
        self.tokens
            .insert_one(doc! {"_id": hash, "expires_at": expires_at})
            .await?;
        Ok(())
    }

    /// Whether a token is known and has not ended.
    pub async fn is_token_good(&self, hash: &str, now: Timestamp) -> Result<bool> {
        let good = doc! {"_id": hash, "expires_at": {"$gt": now}};
        Ok(self.tokens.find_one(good).await?.is_some())
    }

    /// Removes a token.
    pub async fn drop_token(&self, hash: &str) -> Result<()> {
        self.tokens.delete_one(doc! {"_id": hash}).await?;
        Ok(())
    }

    /// Uses a token up, inside a transaction; false when it is unknown or has ended.
    pub async fn use_token_in(
        &self,
        hash: &str,
        now: Timestamp,
        session: &mut ClientSession,
    ) -> Result<bool> {
        let good = doc! {"_id": hash, "expires_at": {"$gt": now}};
        let used = self.tokens.delete_one(good).session(session).await?;
        Ok(used.deleted_count == 1)
    }

    /// Removes every token, inside a transaction.
    pub async fn drop_tokens_in(&self, session: &mut ClientSession) -> Result<()> {
        self.tokens.delete_many(doc! {}).session(session).await?;
        Ok(())
    }

    /// Whether the bootstrap is closed for good.
    pub async fn is_latched(&self) -> Result<bool> {
        Ok(self.state.find_one(doc! {"_id": LATCH}).await?.is_some())
    }

    /// Closes the bootstrap for good, inside a transaction; false when it was closed.
    pub async fn latch_in(&self, now: Timestamp, session: &mut ClientSession) -> Result<bool> {
        let latch = doc! {"_id": LATCH, "latched_at": now};
        match self.state.insert_one(latch).session(session).await {
            Ok(_) => Ok(true),
            Err(error) if classify(&error) == WriteFault::DuplicateKey => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Closes the bootstrap for good; one that is closed stays so.
    pub async fn latch(&self, now: Timestamp) -> Result<()> {
        match self
            .state
            .insert_one(doc! {"_id": LATCH, "latched_at": now})
            .await
        {
            Err(error) if classify(&error) != WriteFault::DuplicateKey => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Opens the bootstrap again and forgets tokens and attempts: an operator's command, never HTTP.
    pub async fn reset(&self) -> Result<()> {
        self.state.delete_one(doc! {"_id": LATCH}).await?;
        self.tokens.delete_many(doc! {}).await?;
        self.attempts.delete_many(doc! {}).await?;
        Ok(())
    }
}
