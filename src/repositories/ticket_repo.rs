//! `tickets`: one document per ticket, one compare-and-set write per batch of commands (design 3).
//!
//! Invariants: `version` equals the aggregate's version and only a commit moves it; `ticket` and `work` are replaced
//! as a whole; nothing but a commit adds to `tail` and `recent_keys`, nothing but the relay takes from `tail`.

use super::gathered_reads::{ById, GatheredReads};
use super::gathered_writes::{GatheredWrites, Sent, WriteKind, send_alone};
use super::indexes::IndexSpec;
use super::ticket_write::{Insertion, TicketWrite};
use crate::domain::id::TicketId;
use crate::domain::tail::{RecentKey, TailEntry};
use crate::domain::ticket::Ticket;
use crate::domain::time::Timestamp;
use crate::domain::work::WorkIndex;
use bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::options::Hint;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use tokio_util::task::TaskTracker;

/// The collection's name.
pub const COLLECTION: &str = "tickets";

/// The index of tickets whose tail is not empty.
const OPEN_TAIL: &str = "open_tail";
/// The index of tickets whose timers could not be fired.
const TIMER_TROUBLE: &str = "timer_trouble";

/// The indexes of this collection that the commit path needs; lists bring their own.
pub fn indexes() -> Vec<IndexSpec> {
    let has_timer = doc! {"work.next_timer_at": {"$type": "date"}};
    vec![
        IndexSpec::new(COLLECTION, OPEN_TAIL, doc! {"tail.0.at": 1})
            .partial(doc! {"tail.0": {"$exists": true}}),
        IndexSpec::new(COLLECTION, "next_timer", doc! {"work.next_timer_at": 1}).partial(has_timer),
        IndexSpec::new(
            COLLECTION,
            TIMER_TROUBLE,
            doc! {"timer_trouble.retry_at": 1, "work.next_timer_at": 1},
        )
        .partial(doc! {"timer_trouble": {"$exists": true}}),
    ]
}

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

/// A ticket with a timer that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueTicket {
    /// The ticket.
    pub id: TicketId,
    /// Whether its timers could not be fired before.
    pub was_in_trouble: bool,
}

/// A tail as read from a document; what cannot be read is kept as it is.
#[derive(Debug, Clone)]
pub struct StoredTail {
    /// The ticket.
    pub ticket_id: TicketId,
    /// The entries, oldest first.
    pub entries: Vec<TailEntry>,
    /// Elements that are no entries of ours.
    pub unreadable: Vec<Bson>,
}

impl StoredTail {
    /// How many elements it holds.
    pub const fn len(&self) -> usize {
        self.entries.len() + self.unreadable.len()
    }

    /// Whether everything has been carried on.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
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

    /// The collection, for lists.
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

    fn raw(&self) -> Collection<RawDocumentBuf> {
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

    /// The tail of one ticket; `None` when there is no such ticket.
    pub async fn tail(&self, id: &TicketId) -> Result<Option<StoredTail>> {
        let found = self
            .raw()
            .find_one(doc! {"_id": id.as_str()})
            .projection(doc! {"tail": 1})
            .await?;
        Ok(found.map(|document| read_tail(id.clone(), &document)))
    }

    /// The tails of these tickets.
    pub async fn tails(&self, ids: &[TicketId]) -> Result<Vec<StoredTail>> {
        let ids: Vec<&str> = ids.iter().map(TicketId::as_str).collect();
        let found: Vec<RawDocumentBuf> = self
            .raw()
            .find(doc! {"_id": {"$in": ids}})
            .projection(doc! {"tail": 1})
            .await?
            .try_collect()
            .await?;
        Ok(read_tails(&found))
    }

    /// The tails that are not empty, oldest first, at most `limit` tickets; for the sweep and for one person's lists.
    pub async fn open_tails(&self, limit: i64) -> Result<Vec<StoredTail>> {
        let found: Vec<RawDocumentBuf> = self
            .raw()
            .find(doc! {"tail.0": {"$exists": true}})
            .sort(doc! {"tail.0.at": 1})
            .limit(limit)
            .projection(doc! {"tail": 1})
            .await?
            .try_collect()
            .await?;
        Ok(read_tails(&found))
    }

    /// How many tickets have an open tail, counted up to `limit`.
    pub async fn count_open_tails(&self, limit: u64) -> Result<u64> {
        self.documents
            .count_documents(doc! {"tail.0": {"$exists": true}})
            .hint(Hint::Name(OPEN_TAIL.to_owned()))
            .limit(limit)
            .await
    }

    /// Tickets with a timer that is due at `now` and that are not waiting for a retry, the longest due first.
    pub async fn with_due_timers(&self, now: Timestamp, limit: i64) -> Result<Vec<DueTicket>> {
        let due = doc! {
            "work.next_timer_at": {"$type": "date", "$lte": now},
            "$or": [{"timer_trouble": {"$exists": false}}, {"timer_trouble.retry_at": {"$lte": now}}],
        };
        let rows: Vec<Document> = self
            .documents
            .find(due)
            .sort(doc! {"work.next_timer_at": 1})
            .limit(limit)
            .projection(doc! {"_id": 1, "timer_trouble": 1})
            .await?
            .try_collect()
            .await?;
        let tickets = rows.into_iter().filter_map(|row| {
            Some(DueTicket {
                id: TicketId::from_stored(row.get_str("_id").ok()?),
                was_in_trouble: row.contains_key("timer_trouble"),
            })
        });
        Ok(tickets.collect())
    }

    /// How many tickets have a timer that was due before `before`, counted up to 10 000.
    pub async fn count_overdue_timers(&self, before: Timestamp) -> Result<u64> {
        self.documents
            .count_documents(doc! {"work.next_timer_at": {"$type": "date", "$lt": before}})
            .limit(10_000)
            .await
    }

    /// How many tickets wait for another try of their timers, counted up to 10 000.
    pub async fn count_timer_trouble(&self) -> Result<u64> {
        self.documents
            .count_documents(
                doc! {"work.next_timer_at": {"$type": "date"}, "timer_trouble": {"$exists": true}},
            )
            .hint(Hint::Name(TIMER_TROUBLE.to_owned()))
            .limit(10_000)
            .await
    }

    /// Remembers that a ticket's timers could not be fired: counts up and sets when it is tried again.
    ///
    /// The wait doubles with each error, from one minute to an hour.
    pub async fn note_timer_trouble(&self, id: &TicketId, now: Timestamp) -> Result<()> {
        let errors = doc! {"$add": [{"$ifNull": ["$timer_trouble.errors", 0_i64]}, 1_i64]};
        let minutes = doc! {"$min": [60_i64, {"$pow": [2_i64, {"$min": [{"$subtract": [errors.clone(), 1_i64]}, 6_i64]}]}]};
        let wait = doc! {"$multiply": [minutes, 60_000_i64]};
        let trouble = doc! {"errors": errors, "retry_at": {"$add": [now, wait]}};
        self.documents
            .update_one(
                doc! {"_id": id.as_str()},
                vec![doc! {"$set": {"timer_trouble": trouble}}],
            )
            .await?;
        Ok(())
    }

    /// Forgets earlier trouble with a ticket's timers.
    pub async fn clear_timer_trouble(&self, id: &TicketId) -> Result<()> {
        self.documents
            .update_one(
                doc! {"_id": id.as_str(), "timer_trouble": {"$exists": true}},
                doc! {"$unset": {"timer_trouble": ""}},
            )
            .await?;
        Ok(())
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

fn read_tails(found: &[RawDocumentBuf]) -> Vec<StoredTail> {
    let tails = found.iter().filter_map(|document| {
        let id = TicketId::from_stored(document.get_str("_id").ok()?);
        Some(read_tail(id, document))
    });
    tails.collect()
}

fn read_tail(ticket_id: TicketId, document: &RawDocument) -> StoredTail {
    let mut tail = StoredTail {
        ticket_id,
        entries: Vec::new(),
        unreadable: Vec::new(),
    };
    let Ok(elements) = document.get_array("tail") else {
        return tail;
    };
    for element in elements.into_iter().filter_map(std::result::Result::ok) {
        let entry = element
            .as_document()
            .and_then(|entry| bson::deserialize_from_slice::<TailEntry>(entry.as_bytes()).ok());
        match entry {
            Some(entry) => tail.entries.push(entry),
            None => tail.unreadable.extend(Bson::try_from(element)),
        }
    }
    tail
}
