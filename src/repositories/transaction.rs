//! The rare transaction over two documents: publishing, grants with their audit row, the bootstrap latch.
//!
//! A ticket never needs one (design 3). The caller repeats its whole work while [`TransactionFault::Again`] comes
//! back, at most [`ATTEMPTS`] times, and reads everything anew each time.

use super::mongo::{WriteFault, classify, majority_with_journal};
use crate::domain::error::ServiceError;
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::ReadConcern;
use mongodb::{ClientSession, Database};
use std::time::Duration;

/// How often work is repeated when it met other writers: some five seconds at most, in which two dozen writers of one
/// document get their turns on a machine that is busy with other things.
pub const ATTEMPTS: u32 = 20;

/// Why a transaction did not take place.
#[derive(Debug)]
pub enum TransactionFault {
    /// It met another writer, or the server stepped down; nothing was changed.
    Again(Error),
    /// The work refused; nothing was changed.
    Refused(ServiceError),
}

impl From<Error> for TransactionFault {
    fn from(error: Error) -> Self {
        if error.contains_label(TRANSIENT_TRANSACTION_ERROR) {
            Self::Again(error)
        } else {
            Self::Refused(error.into())
        }
    }
}

impl TransactionFault {
    /// The same of an insert: somebody else's was first, so reading anew finds what it made.
    pub fn of_insert(error: Error) -> Self {
        if classify(&error) == WriteFault::DuplicateKey {
            Self::Again(error)
        } else {
            error.into()
        }
    }
}

impl From<ServiceError> for TransactionFault {
    fn from(error: ServiceError) -> Self {
        Self::Refused(error)
    }
}

/// An open transaction; dropped without [`Self::commit`] it changes nothing.
#[derive(Debug)]
pub struct Transaction {
    session: ClientSession,
}

impl Transaction {
    /// Opens a transaction that reads one moment of the database.
    ///
    /// # Errors
    /// The database is unavailable.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place for the rare transaction"
    )]
    pub async fn begin(database: &Database) -> mongodb::error::Result<Self> {
        let mut session = database.client().start_session().await?;
        session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .write_concern(majority_with_journal())
            .await?;
        Ok(Self { session })
    }

    /// The session that reads and writes of the transaction name.
    pub const fn session(&mut self) -> &mut ClientSession {
        &mut self.session
    }

    /// Makes all writes take effect at once.
    ///
    /// # Errors
    /// [`TransactionFault::Again`] when nothing was changed and the work may be repeated; otherwise the database is
    /// unavailable and the outcome is found by looking.
    pub async fn commit(mut self) -> Result<(), TransactionFault> {
        let mut tries = 0;
        loop {
            let Err(error) = self.session.commit_transaction().await else {
                return Ok(());
            };
            tries += 1;
            // Committing again is harmless: the server knows whether it did.
            if tries >= 3 || !error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) {
                return Err(error.into());
            }
        }
    }

    /// Gives up at once, so that nobody waits for the locks.
    pub async fn abort(mut self) {
        if let Err(error) = self.session.abort_transaction().await {
            tracing::debug!(error.text = %error, "a transaction that was given up could not be aborted");
        }
    }
}

/// Does `work` anew as long as it meets other writers, up to the bound.
///
/// # Errors
/// What the work refuses, or [`ServiceError::Unavailable`] at the bound.
pub async fn settled<T, F>(work: impl Fn() -> F) -> Result<T, ServiceError>
where
    F: Future<Output = Result<T, TransactionFault>>,
{
    let mut attempt = 0;
    loop {
        match work().await {
            Ok(done) => return Ok(done),
            Err(TransactionFault::Refused(error)) => return Err(error),
            Err(TransactionFault::Again(cause)) => {
                attempt += 1;
                before_attempt(attempt, cause).await?;
            }
        }
    }
}

/// Waits a little, longer each time, before work is repeated; an error once `attempt` has reached [`ATTEMPTS`].
///
/// # Errors
/// [`ServiceError::Unavailable`] at the bound.
pub async fn before_attempt(attempt: u32, cause: Error) -> Result<(), ServiceError> {
    if attempt >= ATTEMPTS {
        return Err(ServiceError::unavailable(cause));
    }
    let most = 4_u64 << attempt.min(8);
    let wait = rand::random_range(1..=most);
    tokio::time::sleep(Duration::from_millis(wait)).await;
    Ok(())
}
