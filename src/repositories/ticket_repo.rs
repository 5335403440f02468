//! `tickets`: one document per ticket, one compare-and-set write per batch of commands (design 3).
//!
//! Invariants: `version` equals the aggregate's version and only a commit moves it; `ticket` and `work` are replaced
//! as a whole; nothing but a commit adds to `tail` and `recent_keys`, nothing but the relay takes from `tail`.

use super::gathered_reads::{ById, GatheredReads};
use super::gathered_writes::{GatheredWrites, Sent, WriteKind, send_alone};
use super::ticket_tails::{StoredTail, read_tail};
use super::ticket_write::{Insertion, TicketWrite};
use crate::domain::id::TicketId;
use crate::domain::tail::{RecentKey, TailEntry};
use crate::domain::ticket::Ticket;
use crate::domain::work::WorkIndex;
use bson::{Document, RawDocument, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;

/// The collection's name.
pub const COLLECTION: &str = "tickets";

/// How a ticket came to be: kept for ever, so that a repeated create finds the first one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The key under which it was created.
    pub key: String,
    /// The fingerprint of the request's body.
    pub fingerprint: String,
    /// A word of this very attempt, so that a lost answer is recognised as one's own.
    pub attempt: String,
}

/// A ticket as the commit path loads it.
#[derive(Debug, Clone)]
pub struct LoadedTicket {
    /// The version.
    pub version: i64,
    /// The aggregate.
    pub ticket: Ticket,
    /// The newest commands, oldest first.
    pub recent_keys: Vec<RecentKey>,
    /// How it came to be.
    pub origin: Origin,
    /// What the relay has not carried on yet.
    pub tail: StoredTail,
    /// The whole document's size.
    pub bytes: usize,
}

impl LoadedTicket {
    /// Reads a whole document.
    fn read(document: &RawDocument) -> Result<Self> {
        #[derive(Deserialize)]
        struct Parts {
            version: i64,
            ticket: Ticket,
            recent_keys: Vec<RecentKey>,
            origin: Origin,
        }
        let parts: Parts = bson::deserialize_from_slice(document.as_bytes())?;
        Ok(Self {
            tail: read_tail(parts.ticket.id.clone(), document),
            version: parts.version,
            ticket: parts.ticket,
            recent_keys: parts.recent_keys,
            origin: parts.origin,
            bytes: document.as_bytes().len(),
        })
    }
}

/// A ticket and its tail, read at the same moment.
#[derive(Debug, Clone)]
pub struct ReadTicket {
    /// The version.
    pub version: i64,
    /// The aggregate.
    pub ticket: Ticket,
    /// What the relay has not carried on yet.
    pub tail: StoredTail,
}

/// A ticket as readers see it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StoredTicket {
    /// The version.
    pub version: i64,
    /// The aggregate.
    pub ticket: Ticket,
}

/// A ticket with what was derived from it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct IndexedTicket {
    /// The version.
    pub version: i64,
    /// The aggregate.
    pub ticket: Ticket,
    /// The derived work index.
    pub work: WorkIndex,
}

/// Access to tickets; cheap to clone.
#[derive(Debug, Clone)]
pub struct TicketRepo {
    database: Database,
    documents: Collection<Document>,
    gathered: Option<Gathered>,
}

/// What many requests do at the same time.
#[derive(Debug, Clone)]
struct Gathered {
    commits: GatheredWrites,
    inserts: GatheredWrites,
    whole: GatheredReads<ById>,
    versions: GatheredReads<ById>,
}

impl TicketRepo {
    /// The tickets of `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            documents: database.collection(COLLECTION),
            gathered: None,
        }
    }

    /// The same for many requests at the same time: tickets that are asked for side by side are read together, and
    /// what is written side by side goes to the server together.
    pub fn gathering(database: &Database, tracker: &TaskTracker) -> Self {
        let reads = |fields| GatheredReads::new(database, COLLECTION, fields, tracker);
        let writes = |kind| GatheredWrites::new(database, kind, tracker);
        Self {
            gathered: Some(Gathered {
                commits: writes(WriteKind::Commit),
                inserts: writes(WriteKind::Insert),
                whole: reads(None),
                versions: reads(Some(doc! {"version": 1})),
            }),
            ..Self::new(database)
        }
    }

    /// The collection, for lists, tails and timers.
    pub fn documents(&self) -> &Collection<Document> {
        &self.documents
    }

    /// Sends one write, with others where they are gathered.
    pub(super) async fn send(&self, kind: WriteKind, write: RawDocumentBuf) -> Sent {
        match (&self.gathered, kind) {
            (Some(gathered), WriteKind::Commit) => gathered.commits.send(write).await,
            (Some(gathered), WriteKind::Insert) => gathered.inserts.send(write).await,
            (None, _) => send_alone(&self.database, kind, &write).await,
        }
    }

    /// Writes of the commit path.
    pub fn writes(&self) -> TicketWrite<'_> {
        TicketWrite::new(self, &self.database)
    }

    /// Loads a ticket for a decision.
    pub async fn load(&self, id: &TicketId) -> Result<Option<LoadedTicket>> {
        let found = self.whole(id).await?;
        found.map(|document| LoadedTicket::read(&document)).transpose()
    }

    /// The whole document: taking parts of it on the server costs more than sending it.
    async fn whole(&self, id: &TicketId) -> Result<Option<RawDocumentBuf>> {
        match &self.gathered {
            Some(gathered) => Ok(gathered.whole.read(ById::new(id.as_str())).await?.pop()),
            None => self.raw().find_one(doc! {"_id": id.as_str()}).await,
        }
    }

    /// The version of a ticket; `None` when there is no such ticket.
    pub async fn version_of(&self, id: &TicketId) -> Result<Option<i64>> {
        let found = if let Some(gathered) = &self.gathered {
            gathered.versions.read(ById::new(id.as_str())).await?.pop()
        } else {
            let tickets = self.raw();
            let found = tickets.find_one(doc! {"_id": id.as_str()});
            found.projection(doc! {"version": 1}).await?
        };
        Ok(found.and_then(|document| document.get_i64("version").ok()))
    }

    /// Reads a ticket as it is now, with its tail: whoever then reads what the relay has carried on misses nothing.
    pub async fn read_with_tail(&self, id: &TicketId) -> Result<Option<ReadTicket>> {
        #[derive(Deserialize)]
        struct Parts {
            version: i64,
            ticket: Ticket,
        }
        let Some(document) = self.whole(id).await? else {
            return Ok(None);
        };
        let parts: Parts = bson::deserialize_from_slice(document.as_bytes())?;
        Ok(Some(ReadTicket {
            tail: read_tail(parts.ticket.id.clone(), &document),
            version: parts.version,
            ticket: parts.ticket,
        }))
    }

    pub(super) fn raw(&self) -> Collection<RawDocumentBuf> {
        self.documents.clone_with_type()
    }

    /// Reads a ticket as it is now.
    pub async fn read(&self, id: &TicketId) -> Result<Option<StoredTicket>> {
        self.documents
            .clone_with_type::<StoredTicket>()
            .find_one(doc! {"_id": id.as_str()})
            .projection(doc! {"version": 1, "ticket": 1})
            .await
    }

    /// Reads a ticket with its work index, for comparing the two.
    pub async fn read_indexed(&self, id: &TicketId) -> Result<Option<IndexedTicket>> {
        self.documents
            .clone_with_type::<IndexedTicket>()
            .find_one(doc! {"_id": id.as_str()})
            .projection(doc! {"version": 1, "ticket": 1, "work": 1})
            .await
    }

    /// The ids of all tickets after `after`, in order, for walks over everything.
    pub async fn ids_after(&self, after: Option<&TicketId>, limit: i64) -> Result<Vec<TicketId>> {
        let filter = after.map_or_else(Document::new, |id| doc! {"_id": {"$gt": id.as_str()}});
        let rows: Vec<Document> = self
            .documents
            .find(filter)
            .sort(doc! {"_id": 1})
            .limit(limit)
            .projection(doc! {"_id": 1})
            .await?
            .try_collect()
            .await?;
        let ids = rows
            .into_iter()
            .filter_map(|row| row.get_str("_id").map(TicketId::from_stored).ok());
        Ok(ids.collect())
    }
}

/// What an insert of a new ticket came to.
#[derive(Debug, Clone)]
pub enum InsertOutcome {
    /// It is stored.
    Created,
    /// The id is taken by another ticket or by an earlier create.
    Taken,
    /// It would be larger than allowed; it was not sent.
    TooLarge,
    /// The server refused the document; the reason is for the log.
    Refused(String),
}

/// The document of a new ticket.
#[derive(Debug, Serialize)]
pub struct NewTicket<'a> {
    /// The id.
    #[serde(rename = "_id")]
    pub id: &'a TicketId,
    /// The version, 1.
    pub version: i64,
    /// How it came to be.
    pub origin: &'a Origin,
    /// The aggregate.
    pub ticket: &'a Ticket,
    /// The derived work index.
    pub work: &'a WorkIndex,
    /// The creating command's key.
    pub recent_keys: &'a [RecentKey],
    /// What the creating command caused.
    pub tail: &'a [TailEntry],
}

impl Insertion for NewTicket<'_> {
    fn id(&self) -> &TicketId {
        self.id
    }

    fn attempt(&self) -> &str {
        &self.origin.attempt
    }
}
