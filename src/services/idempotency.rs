//! Repeats of actions outside of tickets: the same key and body get the first success again (design 8).

use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::random_key;
use crate::domain::person::Person;
use crate::domain::time::Clock;
use crate::repositories::idempotency_repo::{Claim, IdempotencyRecord, IdempotencyRepo, RecordedAnswer};
use crate::services::execute::{IdempotencyKey, fingerprint};
use mongodb::Database;

/// How long a key is honoured.
const KEPT_MINUTES: i64 = 24 * 60;

/// What to do with an action.
#[derive(Debug)]
pub enum Admission {
    /// Carry it out, then report how it ended.
    Run(Run),
    /// It succeeded before: answer this.
    Replay(RecordedAnswer),
}

/// The right to carry an action out.
#[derive(Debug)]
pub struct Run {
    id: String,
    run: String,
}

/// An action that a client marked.
#[derive(Debug, Clone)]
pub struct MarkedAction {
    /// The client's key.
    pub key: String,
    /// Method and path pattern.
    pub route: String,
    /// What tells this action from another: path, query and body.
    pub content: Vec<String>,
    /// How long it may run before somebody else may take it over, in minutes.
    pub longest_minutes: i64,
}

/// Recognises repeats; cheap to clone.
#[derive(Debug, Clone)]
pub struct Idempotency {
    records: IdempotencyRepo,
    clock: Clock,
}

impl Idempotency {
    /// The service over `database`.
    pub fn new(database: &Database, clock: Clock) -> Self {
        Self {
            records: IdempotencyRepo::new(database),
            clock,
        }
    }

    /// Whether the action is to be carried out.
    ///
    /// # Errors
    /// 422 for the key of another action, 409 while the first run is under way, or the database is unavailable.
    pub async fn admit(&self, person: &Person, action: MarkedAction) -> Result<Admission, ServiceError> {
        let parts: Vec<&str> = action.content.iter().map(String::as_str).collect();
        let sent = IdempotencyKey {
            key: action.key,
            route: action.route,
            fingerprint: fingerprint(&parts),
        };
        let now = self.clock.now();
        let record = IdempotencyRecord {
            id: sent.stored(person),
            fingerprint: sent.fingerprint,
            run: random_key(),
            locked_until: now.plus_minutes(action.longest_minutes),
            expires_at: now.plus_minutes(KEPT_MINUTES),
            answer: None,
        };
        match self.records.claim(&record, now).await? {
            Claim::Ours => Ok(Admission::Run(Run {
                id: record.id,
                run: record.run,
            })),
            Claim::Known(known) if known.fingerprint != record.fingerprint => {
                Err(ServiceError::IdempotencyKeyReused)
            }
            Claim::Known(IdempotencyRecord {
                answer: Some(answer), ..
            }) => Ok(Admission::Replay(answer)),
            Claim::Known(_) => Err(ServiceError::conflict(
                ErrorCode::Conflict,
                "the first request with this idempotency key is still running",
            )),
        }
    }

    /// Keeps the success of a run.
    ///
    /// # Errors
    /// The database is unavailable; the action took effect all the same.
    pub async fn succeeded(&self, run: &Run, answer: &RecordedAnswer) -> Result<(), ServiceError> {
        Ok(self.records.keep(&run.id, &run.run, answer).await?)
    }

    /// Forgets a run that was refused or failed, so that its key may be used again.
    ///
    /// # Errors
    /// The database is unavailable; the key is free again when the run's time is over.
    pub async fn failed(&self, run: &Run) -> Result<(), ServiceError> {
        Ok(self.records.forget(&run.id, &run.run).await?)
    }
}
