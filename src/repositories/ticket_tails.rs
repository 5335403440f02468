//! The tails of tickets as they are stored: what the relay has not carried on yet.

use super::indexes::IndexSpec;
use super::ticket_repo::{COLLECTION, TicketRepo};
use crate::domain::id::TicketId;
use crate::domain::tail::TailEntry;
use bson::{Bson, RawDocument, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::options::Hint;

/// The index of tickets whose tail is not empty.
const OPEN_TAIL: &str = "open_tail";

/// The index that the sweep needs.
pub fn indexes() -> Vec<IndexSpec> {
    let open = IndexSpec::new(COLLECTION, OPEN_TAIL, doc! {"tail.0.at": 1});
    vec![open.partial(doc! {"tail.0": {"$exists": true}})]
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

impl TicketRepo {
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
        self.documents()
            .count_documents(doc! {"tail.0": {"$exists": true}})
            .hint(Hint::Name(OPEN_TAIL.to_owned()))
            .limit(limit)
            .await
    }
}

fn read_tails(found: &[RawDocumentBuf]) -> Vec<StoredTail> {
    let tails = found.iter().filter_map(|document| {
        let id = TicketId::from_stored(document.get_str("_id").ok()?);
        Some(read_tail(id, document))
    });
    tails.collect()
}

pub(super) fn read_tail(ticket_id: TicketId, document: &RawDocument) -> StoredTail {
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
