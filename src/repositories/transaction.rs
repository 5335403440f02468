//! The rare transaction over two documents: publishing, grants with their audit row, the bootstrap latch.
//!
//! A ticket never needs one (design 3). The caller repeats its whole work while [`TransactionFault::Again`] comes
//! back, at most [`ATTEMPTS`] times, and reads everything anew each time.

use super::contention::{self, ATTEMPTS};
use super::mongo::{WriteFault, classify, majority_with_journal};
use crate::domain::error::ServiceError;
use mongodb::error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::ReadConcern;
use mongodb::{ClientSession, Database};

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
    let mut attempt = 1;
    loop {
        match work().await {
            Ok(done) => return Ok(done),
            Err(TransactionFault::Refused(error)) => return Err(error),
            Err(TransactionFault::Again(cause)) if attempt >= ATTEMPTS => {
                return Err(ServiceError::unavailable(cause));
            }
            Err(TransactionFault::Again(_)) => contention::pause(attempt).await,
        }
        attempt += 1;
    }
}
