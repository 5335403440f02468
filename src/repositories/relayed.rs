//! Rows that the relay carries from the tails of tickets to collections of their own, and how they are read.
//!
//! Invariant: a row's `_id` is its stable key, so it is inserted once however often the relay repeats; rows never
//! change. Readers take the tail first and the collection second, and drop doubles by key: the other order, or both at
//! once, would lose what moved in between.

use super::outbox_repo::insert_absent;
use super::ticket_repo::TicketRepo;
use crate::domain::audit::AuditEvent;
use crate::domain::effect::{Effect, HistoryKind, WorkHistory};
use crate::domain::id::TicketId;
use crate::domain::person::PersonKey;
use crate::domain::tail::{RecordedCommand, StableKey, TailEntry, TailItem};
use crate::domain::ticket::{FormVersion, NoteBody};
use crate::domain::time::Timestamp;
use bson::{Bson, Document, doc};
use futures::{Stream, TryStreamExt};
use mongodb::error::Result;
use mongodb::{Collection, Cursor, Database};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{HashSet, VecDeque};

/// How many tickets' open tails a person's list looks at; with a healthy relay there are a handful.
const OPEN_TAILS: i64 = 2_000;

/// A tail entry in its collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RelayedRow<T> {
    /// The stable key.
    #[serde(rename = "_id")]
    pub key: StableKey,
    /// The ticket.
    pub ticket_id: TicketId,
    /// The ticket's version after the command.
    pub seq: i64,
    /// The entry's place within the command.
    pub n: i64,
    /// When the command took effect.
    pub at: Timestamp,
    /// The correlation id of the request that caused it.
    pub correlation_id: String,
    /// What it is.
    pub body: T,
}

/// What the relay carries to a collection of its own.
pub trait Relayed: Clone + Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// The collection's name.
    const COLLECTION: &'static str;

    /// The part of a tail entry that belongs there.
    fn of_item(item: &TailItem) -> Option<&Self>;
}

impl Relayed for AuditEvent {
    const COLLECTION: &'static str = "audit_events";

    fn of_item(item: &TailItem) -> Option<&Self> {
        match item {
            TailItem::Audit(event) => Some(event),
            TailItem::Command(_) | TailItem::Effect(_) => None,
        }
    }
}

impl Relayed for RecordedCommand {
    const COLLECTION: &'static str = "ticket_commands";

    fn of_item(item: &TailItem) -> Option<&Self> {
        match item {
            TailItem::Command(command) => Some(command),
            TailItem::Audit(_) | TailItem::Effect(_) => None,
        }
    }
}

impl Relayed for NoteBody {
    const COLLECTION: &'static str = "ticket_notes";

    fn of_item(item: &TailItem) -> Option<&Self> {
        match effect(item)? {
            Effect::Note(note) => Some(note),
            Effect::Notice(_)
            | Effect::Grant(_)
            | Effect::Link(_)
            | Effect::FormVersion(_)
            | Effect::History(_)
            | Effect::AdminAudit(_) => None,
        }
    }
}

impl Relayed for FormVersion {
    const COLLECTION: &'static str = "form_versions";

    fn of_item(item: &TailItem) -> Option<&Self> {
        match effect(item)? {
            Effect::FormVersion(version) => Some(version),
            Effect::Notice(_)
            | Effect::Grant(_)
            | Effect::Link(_)
            | Effect::Note(_)
            | Effect::History(_)
            | Effect::AdminAudit(_) => None,
        }
    }
}

impl Relayed for WorkHistory {
    const COLLECTION: &'static str = "work_history";

    fn of_item(item: &TailItem) -> Option<&Self> {
        match effect(item)? {
            Effect::History(history) => Some(history),
            Effect::Notice(_)
            | Effect::Grant(_)
            | Effect::Link(_)
            | Effect::Note(_)
            | Effect::FormVersion(_)
            | Effect::AdminAudit(_) => None,
        }
    }
}

fn effect(item: &TailItem) -> Option<&Effect> {
    match item {
        TailItem::Effect(effect) => Some(effect),
        TailItem::Audit(_) | TailItem::Command(_) => None,
    }
}

impl<T: Relayed> RelayedRow<T> {
    /// The row of a tail entry, if it belongs to this collection.
    pub fn of(entry: &TailEntry) -> Option<Self> {
        T::of_item(&entry.item).map(|body| Self {
            key: entry.key.clone(),
            ticket_id: entry.key.ticket_id.clone(),
            seq: entry.key.seq,
            n: entry.key.n,
            at: entry.at,
            correlation_id: entry.correlation_id.clone(),
            body: body.clone(),
        })
    }
}

impl<T: Relayed> RelayedRow<T> {
    /// The rows of those tail entries that belong there.
    pub fn all_of(entries: &[TailEntry]) -> Vec<Self> {
        entries.iter().filter_map(Self::of).collect()
    }
}

/// Rows of one kind, wherever they are now; cheap to clone.
#[derive(Debug, Clone)]
pub struct RelayedRepo<T: Relayed> {
    tickets: TicketRepo,
    rows: Collection<RelayedRow<T>>,
}

impl<T: Relayed> RelayedRepo<T> {
    /// The rows of `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            tickets: TicketRepo::new(database),
            rows: database.collection(T::COLLECTION),
        }
    }

    /// The collection, for administrators' searches; these may lag by the relay.
    pub fn rows(&self) -> &Collection<RelayedRow<T>> {
        &self.rows
    }

    /// Inserts the rows whose key is new; returns how many were.
    pub async fn insert_absent(&self, rows: &[RelayedRow<T>]) -> Result<usize> {
        insert_absent(&self.rows, rows).await
    }

    /// The newest rows of a ticket that pass `admits`, newest first, at most `limit`.
    ///
    /// `filter` is the same condition for the collection; its fields are below `body`.
    pub async fn newest(
        &self,
        ticket_id: &TicketId,
        admits: impl Fn(&T) -> bool + Send,
        filter: Document,
        limit: usize,
    ) -> Result<Vec<RelayedRow<T>>> {
        let found = self.tail_rows(ticket_id, admits).await?;
        self.newest_beside(found, ticket_id, filter, limit).await
    }

    /// The same for who has read the tail already: `found` are its rows, or rows that have left it since.
    pub async fn newest_beside(
        &self,
        mut found: Vec<RelayedRow<T>>,
        ticket_id: &TicketId,
        filter: Document,
        limit: usize,
    ) -> Result<Vec<RelayedRow<T>>> {
        let mut query = doc! {"ticket_id": ticket_id.as_str()};
        query.extend(filter);
        let stored: Vec<RelayedRow<T>> = self
            .rows
            .find(query)
            .sort(doc! {"seq": -1, "n": -1})
            .limit(i64::try_from(limit).unwrap_or(i64::MAX))
            .await?
            .try_collect()
            .await?;
        add_new(&mut found, stored);
        found.sort_by_key(|row| std::cmp::Reverse((row.seq, row.n)));
        found.truncate(limit);
        Ok(found)
    }

    /// A ticket's rows up to its version `until`, the oldest first.
    pub async fn oldest_first(
        &self,
        ticket_id: &TicketId,
        until: i64,
    ) -> Result<impl Stream<Item = Result<RelayedRow<T>>> + Send + 'static> {
        let mut open = self.tail_rows(ticket_id, |_| true).await?;
        open.retain(|row| row.seq <= until);
        open.sort_by_key(place);
        let stored = self
            .rows
            .find(doc! {"ticket_id": ticket_id.as_str(), "seq": {"$lte": until}})
            .sort(doc! {"seq": 1, "n": 1})
            .await?;
        Ok(merged(open.into(), stored))
    }

    /// The row with this key, wherever it is now.
    pub async fn by_key(&self, key: &StableKey) -> Result<Option<RelayedRow<T>>> {
        let mut found = self.tail_rows(&key.ticket_id, |_| true).await?;
        if let Some(at) = found.iter().position(|row| row.key == *key) {
            return Ok(Some(found.swap_remove(at)));
        }
        self.rows.find_one(doc! {"_id": key.to_string()}).await
    }

    /// The rows of these tickets that are still in their tails.
    pub(super) async fn tails_rows(&self, ids: &[TicketId]) -> Result<Vec<RelayedRow<T>>> {
        let tails = self.tickets.tails(ids).await?;
        let entries = tails.iter().flat_map(|tail| &tail.entries);
        Ok(entries.filter_map(RelayedRow::<T>::of).collect())
    }

    pub(super) async fn tail_rows(
        &self,
        ticket_id: &TicketId,
        admits: impl Fn(&T) -> bool + Send,
    ) -> Result<Vec<RelayedRow<T>>> {
        let tail = self.tickets.tail(ticket_id).await?;
        let rows = tail
            .map(|tail| RelayedRow::all_of(&tail.entries))
            .unwrap_or_default();
        Ok(rows.into_iter().filter(|row| admits(&row.body)).collect())
    }
}

impl RelayedRepo<WorkHistory> {
    /// A person's finished pieces of work of one kind since an instant, newest first: `limit` of them after the first
    /// `skip`.
    pub async fn of_person(
        &self,
        who: &[PersonKey],
        kind: HistoryKind,
        since: Option<Timestamp>,
        skip: usize,
        limit: usize,
    ) -> Result<Vec<RelayedRow<WorkHistory>>> {
        let mut found = self.open_history(who, kind, since).await?;
        let wanted = skip.saturating_add(limit);
        let stored: Vec<RelayedRow<WorkHistory>> = self
            .rows
            .find(history_filter(who, kind, since))
            .sort(doc! {"body.at": -1, "_id": -1})
            .limit(i64::try_from(wanted).unwrap_or(i64::MAX))
            .await?
            .try_collect()
            .await?;
        add_new(&mut found, stored);
        found.sort_by_key(|row| std::cmp::Reverse((row.body.at, row.key.to_string())));
        Ok(found.into_iter().skip(skip).take(limit).collect())
    }

    /// How many finished pieces of work of one kind a person has since an instant.
    pub async fn count_of_person(
        &self,
        who: &[PersonKey],
        kind: HistoryKind,
        since: Option<Timestamp>,
    ) -> Result<u64> {
        let open = self.open_history(who, kind, since).await?;
        let keys: Vec<Bson> = open.iter().map(|row| Bson::String(row.key.to_string())).collect();
        let mut elsewhere = history_filter(who, kind, since);
        if !keys.is_empty() {
            elsewhere.insert("_id", doc! {"$nin": keys});
        }
        let stored = self.rows.count_documents(elsewhere).await?;
        Ok(stored.saturating_add(u64::try_from(open.len()).unwrap_or(u64::MAX)))
    }

    async fn open_history(
        &self,
        who: &[PersonKey],
        kind: HistoryKind,
        since: Option<Timestamp>,
    ) -> Result<Vec<RelayedRow<WorkHistory>>> {
        let tails = self.tickets.open_tails(OPEN_TAILS).await?;
        let rows = tails
            .iter()
            .flat_map(|tail| &tail.entries)
            .filter_map(RelayedRow::<WorkHistory>::of)
            .filter(|row| row.body.kind == kind && row.body.who.iter().any(|key| who.contains(key)))
            .filter(|row| since.is_none_or(|since| row.body.at >= since));
        Ok(rows.collect())
    }
}

fn history_filter(who: &[PersonKey], kind: HistoryKind, since: Option<Timestamp>) -> Document {
    let who: Vec<Bson> = who.iter().cloned().map(Bson::from).collect();
    let kind = match kind {
        HistoryKind::Decision => "decision",
        HistoryKind::CompletedTask => "completed_task",
    };
    let mut filter = doc! {"body.who": {"$in": who}, "body.kind": kind};
    if let Some(since) = since {
        filter.insert("body.at", doc! {"$gte": since});
    }
    filter
}

/// A row's place in the history of its ticket.
const fn place<T>(row: &RelayedRow<T>) -> (i64, i64) {
    (row.seq, row.n)
}

/// Both in the order of their places; what is in both, because it moved in between, once.
fn merged<T: Relayed>(
    open: VecDeque<RelayedRow<T>>,
    stored: Cursor<RelayedRow<T>>,
) -> impl Stream<Item = Result<RelayedRow<T>>> + Send + 'static {
    futures::stream::try_unfold(
        (open, stored, None),
        |(mut open, mut stored, mut ahead)| async move {
            if ahead.is_none() {
                ahead = stored.try_next().await?;
            }
            let next = match (open.front().map(place), ahead.as_ref().map(place)) {
                (Some(first), Some(other)) if first == other => {
                    open.pop_front();
                    ahead.take()
                }
                (Some(first), Some(other)) if first < other => open.pop_front(),
                (Some(_), None) => open.pop_front(),
                (_, Some(_)) => ahead.take(),
                (None, None) => None,
            };
            Ok(next.map(|row| (row, (open, stored, ahead))))
        },
    )
}

/// Adds the rows whose key is not there yet.
pub(super) fn add_new<T>(found: &mut Vec<RelayedRow<T>>, more: Vec<RelayedRow<T>>) {
    if found.is_empty() {
        found.extend(more);
        return;
    }
    let known: HashSet<String> = found.iter().map(|row| row.key.to_string()).collect();
    found.extend(
        more.into_iter()
            .filter(|row| !known.contains(&row.key.to_string())),
    );
}
