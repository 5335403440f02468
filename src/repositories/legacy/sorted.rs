//! A collection that has no index by ticket, read once in the order of its tickets beside the tickets themselves.

use super::{Fields, LegacyCollection, LegacyDatabase};
use bson::{Document, doc};
use mongodb::Cursor;
use mongodb::error::{Error, ErrorKind, Result};

/// The server forgets a cursor that nobody asks for ten minutes.
const CURSOR_NOT_FOUND: i32 = 43;

/// The documents of a collection, sorted by ticket on the server's disk and merged with a walk over the tickets.
#[derive(Debug)]
pub struct SortedByTicket {
    legacy: LegacyDatabase,
    collection: LegacyCollection,
    cursor: Option<Cursor<Document>>,
    next: Option<Document>,
}

impl SortedByTicket {
    /// Nothing is asked before the first ticket.
    pub const fn new(legacy: LegacyDatabase, collection: LegacyCollection) -> Self {
        Self {
            legacy,
            collection,
            cursor: None,
            next: None,
        }
    }

    /// The documents of the tickets from `first` to `last`; later calls must ask for later tickets.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn of_range(&mut self, first: &str, last: &str) -> Result<Vec<Document>> {
        match self.read(first, last).await {
            Err(error) if is_forgotten(&error) => {
                self.cursor = None;
                self.next = None;
                self.read(first, last).await
            }
            other => other,
        }
    }

    async fn read(&mut self, first: &str, last: &str) -> Result<Vec<Document>> {
        let mut found = Vec::new();
        if self.cursor.is_none() {
            let sorted = self
                .legacy
                .documents(self.collection)
                .find(doc! {"ticket_id": {"$gte": first}})
                .sort(doc! {"ticket_id": 1, "_id": 1})
                .allow_disk_use(true)
                .await?;
            self.cursor = Some(sorted);
        }
        let Some(cursor) = self.cursor.as_mut() else {
            return Ok(found);
        };
        loop {
            let document = match self.next.take() {
                Some(waiting) => waiting,
                None if cursor.advance().await? => cursor.deserialize_current()?,
                None => return Ok(found),
            };
            let ticket = Fields(&document).text("ticket_id").unwrap_or_default();
            if ticket > last {
                self.next = Some(document);
                return Ok(found);
            }
            if ticket >= first {
                found.push(document);
            }
        }
    }
}

fn is_forgotten(error: &Error) -> bool {
    matches!(error.kind.as_ref(), ErrorKind::Command(command) if command.code == CURSOR_NOT_FOUND)
}
