//! The two writes of the commit path, each carried through to a known outcome (design 3, unknown outcomes).
//!
//! After a network error, a time-out or a step-down nobody knows whether a write took place. The same write is sent
//! again (the version in its filter, or the `_id` it inserts, makes that harmless) and the document is read again,
//! until the write's keys are there or the document shows that it can never take place.

use super::gathered_writes::{ATTEMPT, Sent, WriteKind, timed_out};
use super::ticket_command_repo;
use super::ticket_repo::{InsertOutcome, NewTicket, TicketRepo};
use crate::domain::id::TicketId;
use crate::domain::tail::{RECENT_KEYS, RecentKey, TailEntry, TailItem};
use crate::domain::ticket::Ticket;
use crate::domain::ticket::limits::DOCUMENT_BYTES;
use crate::domain::work::WorkIndex;
use backon::{BackoffBuilder, ExponentialBuilder};
use bson::{RawDocumentBuf, doc};
use mongodb::Database;
use mongodb::error::{Error, Result};
use serde::Serialize;
use std::time::Duration;

/// How long the outcome of one write is sought before the caller is told to come back.
const PATIENCE: Duration = Duration::from_secs(20);

/// One batch of decided commands.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The version that was decided on.
    pub base: i64,
    /// The aggregate after the batch.
    pub ticket: &'a Ticket,
    /// Its work index.
    pub work: &'a WorkIndex,
    /// The commands' keys, oldest first.
    pub keys: &'a [RecentKey],
    /// What the commands caused, oldest first.
    pub entries: &'a [TailEntry],
}

/// What a commit came to.
#[derive(Debug)]
pub enum CommitOutcome {
    /// It is stored on a majority; the bytes are what it added at most.
    Committed {
        /// The size of the write.
        bytes: usize,
    },
    /// Another commit came first; nothing was stored.
    Lost,
    /// It would be larger than allowed; it was not sent.
    TooLarge,
    /// The server refused it; nothing was stored. The reason is for the log.
    Refused(String),
}

/// What can be inserted and recognised as one's own afterwards.
pub(super) trait Insertion {
    /// The id.
    fn id(&self) -> &TicketId;
    /// The word of this attempt.
    fn attempt(&self) -> &str;
}

/// What the document says of an attempt whose answer is unknown.
enum Fate {
    Applied,
    Open,
    Superseded,
}

/// The writes of the commit path.
#[derive(Debug)]
pub struct TicketWrite<'a> {
    repo: &'a TicketRepo,
    database: &'a Database,
}

impl<'a> TicketWrite<'a> {
    pub(super) const fn new(repo: &'a TicketRepo, database: &'a Database) -> Self {
        Self { repo, database }
    }

    /// Commits a batch by compare-and-set on the version.
    ///
    /// # Errors
    /// The outcome could not be found out in time; a repeat under the same keys will find it.
    pub async fn commit(&self, commit: &Commit<'_>) -> Result<CommitOutcome> {
        let statement = statement(commit)?;
        let bytes = statement.as_bytes().len();
        if bytes > DOCUMENT_BYTES {
            return Ok(CommitOutcome::TooLarge);
        }
        let started = tokio::time::Instant::now();
        let mut delays = pauses();
        let mut uncertain = false;
        loop {
            let failure = match self.repo.send(WriteKind::Commit, statement.clone()).await {
                Sent::Applied => return Ok(CommitOutcome::Committed { bytes }),
                Sent::Missed if !uncertain => return Ok(CommitOutcome::Lost),
                Sent::Refused(reason) if !uncertain => return Ok(CommitOutcome::Refused(reason)),
                Sent::Missed | Sent::Refused(_) | Sent::Unclear => None,
                Sent::Unknown(error) => Some(error),
            };
            uncertain = true;
            if failure.is_some() {
                metrics::counter!("workflow_commit_unknown_outcomes_total").increment(1);
            }
            match self.fate(commit).await {
                Ok(Fate::Applied) => return Ok(CommitOutcome::Committed { bytes }),
                Ok(Fate::Superseded) => return Ok(CommitOutcome::Lost),
                Ok(Fate::Open) => give_up_after(started, failure)?,
                Err(error) => give_up_after(started, Some(error))?,
            }
            tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(1))).await;
        }
    }

    /// Inserts a new ticket.
    ///
    /// # Errors
    /// The outcome could not be found out in time; a repeat under the same key will find it.
    pub async fn insert(&self, new: &NewTicket<'_>) -> Result<InsertOutcome> {
        let started = tokio::time::Instant::now();
        let mut delays = pauses();
        let document = bson::serialize_to_raw_document_buf(new)?;
        if document.as_bytes().len() > DOCUMENT_BYTES {
            return Ok(InsertOutcome::TooLarge);
        }
        loop {
            let failure = match self.repo.send(WriteKind::Insert, document.clone()).await {
                Sent::Applied => return Ok(InsertOutcome::Created),
                Sent::Missed => return self.whose(new).await,
                Sent::Refused(reason) => return Ok(InsertOutcome::Refused(reason)),
                Sent::Unclear => None,
                Sent::Unknown(error) => Some(error),
            };
            if failure.is_some() {
                metrics::counter!("workflow_commit_unknown_outcomes_total").increment(1);
            }
            give_up_after(started, failure)?;
            tokio::time::sleep(delays.next().unwrap_or(Duration::from_secs(1))).await;
        }
    }

    /// Whether the document under a taken id is the one that this very call inserted before.
    async fn whose(&self, new: &NewTicket<'_>) -> Result<InsertOutcome> {
        let found = self
            .repo
            .documents()
            .find_one(doc! {"_id": new.id().as_str(), "origin.attempt": new.attempt()})
            .projection(doc! {"_id": 1})
            .await?;
        Ok(found.map_or(InsertOutcome::Taken, |_| InsertOutcome::Created))
    }

    async fn fate(&self, commit: &Commit<'_>) -> Result<Fate> {
        let Some(first) = commit.keys.first() else {
            return Ok(Fate::Superseded);
        };
        let read = async { self.repo.load(&commit.ticket.id).await };
        let loaded = tokio::time::timeout(ATTEMPT, read)
            .await
            .map_err(|_| timed_out())??;
        // A member that was just elected may read what is older than the version that was decided on.
        let Some(loaded) = loaded.filter(|loaded| loaded.version > commit.base) else {
            return Ok(Fate::Open);
        };
        // The key alone says little: the same command may have been committed by another process, which the client
        // asked as well.
        let committed = loaded.recent_keys.iter().find(|recent| recent.seq == first.seq);
        if let Some(committed) = committed {
            return Ok(Fate::of(committed == first));
        }
        // Pushed out of the recent keys by many later commands: the recorded command still tells.
        let recorded = ticket_command_repo::recorded_at(self.database, &commit.ticket.id, first.seq).await?;
        let ours = commit.entries.first().map(|entry| &entry.item);
        Ok(Fate::of(recorded.is_some_and(
            |recorded| matches!(ours, Some(TailItem::Command(ours)) if **ours == recorded),
        )))
    }
}

impl Fate {
    /// A later version is there: it is ours or another's.
    const fn of(is_ours: bool) -> Self {
        if is_ours { Self::Applied } else { Self::Superseded }
    }
}

fn statement(commit: &Commit<'_>) -> Result<RawDocumentBuf> {
    #[derive(Serialize)]
    struct Statement<'a> {
        q: Filter<'a>,
        u: Change<'a>,
    }
    #[derive(Serialize)]
    struct Filter<'a> {
        #[serde(rename = "_id")]
        id: &'a TicketId,
        version: i64,
    }
    #[derive(Serialize)]
    struct Change<'a> {
        #[serde(rename = "$set")]
        set: Set<'a>,
        #[serde(rename = "$push")]
        push: Push<'a>,
    }
    #[derive(Serialize)]
    struct Set<'a> {
        version: i64,
        ticket: &'a Ticket,
        work: &'a WorkIndex,
    }
    #[derive(Serialize)]
    struct Push<'a> {
        tail: Each<'a, TailEntry>,
        recent_keys: Each<'a, RecentKey>,
    }
    #[derive(Serialize)]
    struct Each<'a, T> {
        #[serde(rename = "$each")]
        each: &'a [T],
        #[serde(rename = "$slice", skip_serializing_if = "Option::is_none")]
        slice: Option<i32>,
    }
    let newest = i32::try_from(RECENT_KEYS).unwrap_or(i32::MAX);
    let statement = Statement {
        q: Filter {
            id: &commit.ticket.id,
            version: commit.base,
        },
        u: Change {
            set: Set {
                version: commit.ticket.version,
                ticket: commit.ticket,
                work: commit.work,
            },
            push: Push {
                tail: Each {
                    each: commit.entries,
                    slice: None,
                },
                recent_keys: Each {
                    each: commit.keys,
                    slice: Some(-newest),
                },
            },
        },
    };
    Ok(bson::serialize_to_raw_document_buf(&statement)?)
}

fn give_up_after(started: tokio::time::Instant, failure: Option<Error>) -> Result<()> {
    if started.elapsed() < PATIENCE {
        return Ok(());
    }
    Err(failure.unwrap_or_else(|| Error::custom("the outcome of a write is unknown")))
}

fn pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_secs(1))
        .without_max_times()
        .with_jitter()
        .build()
}
