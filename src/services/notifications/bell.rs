//! A person's bell (contract http-admin-notifications 15).
//!
//! Notices of one's own actions are there at once: what the relay has not moved yet is read from the tails of tickets
//! first, then the collection, and doubles are dropped by key. The other order, or both at once, would lose what moves
//! in between. A mark on a notice that is still in a tail is written ahead of the relay, whose insert then finds it.

use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::NotificationId;
use crate::domain::person::Person;
use crate::domain::time::{Clock, Timestamp};
use crate::repositories::inapp_repo::{BellFilter, InappRepo};
use crate::repositories::inapp_row::InappRow;

/// Serves people's bells; cheap to clone.
#[derive(Debug, Clone)]
pub struct Bell {
    rows: InappRepo,
    retention_days: i64,
    clock: Clock,
}

/// A window of a bell.
#[derive(Debug, Clone, PartialEq)]
pub struct BellPage {
    /// The window, newest first.
    pub rows: Vec<InappRow>,
    /// How many of the person's notices are unread, whatever the filter.
    pub unread: u64,
    /// How many pass the filter.
    pub total: u64,
}

/// Notices that were in tails a moment ago.
struct Fresh {
    /// Their keys; the collection is asked for everything else.
    keys: Vec<String>,
    /// Those of them that are visible.
    rows: Vec<InappRow>,
}

const UNREAD: BellFilter = BellFilter {
    unread_only: true,
    category: None,
};

impl Bell {
    /// Serves bells from these rows; notices live so many days.
    pub fn new(rows: InappRepo, retention_days: i64, clock: Clock) -> Self {
        Self {
            rows,
            retention_days,
            clock,
        }
    }

    /// A window of the person's notices.
    pub async fn list(
        &self,
        person: &Person,
        filter: BellFilter,
        skip: u64,
        limit: u32,
    ) -> Result<BellPage, ServiceError> {
        let now = self.clock.now();
        let fresh = self.fresh(person, now).await?;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let window = i64::try_from(skip.saturating_add(limit as usize)).unwrap_or(i64::MAX);
        let stored = self.rows.list(person, filter, &fresh.keys, now, window).await?;
        let total = self.rows.count(person, filter, &fresh.keys, now).await?;
        let unread = self.rows.count(person, UNREAD, &fresh.keys, now).await?;
        let new_unread = fresh.rows.iter().filter(|row| !row.is_read).count();
        let mut rows: Vec<_> = fresh.rows.into_iter().filter(|row| filter.admits(row)).collect();
        let new_total = rows.len();
        rows.extend(stored);
        rows.sort_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| b.key.cmp(&a.key)));
        Ok(BellPage {
            rows: rows.into_iter().skip(skip).take(limit as usize).collect(),
            unread: unread + new_unread as u64,
            total: total + new_total as u64,
        })
    }

    /// How many of the person's notices are unread.
    pub async fn unread_count(&self, person: &Person) -> Result<u64, ServiceError> {
        let now = self.clock.now();
        let fresh = self.fresh(person, now).await?;
        let unread = self.rows.count(person, UNREAD, &fresh.keys, now).await?;
        Ok(unread + fresh.rows.iter().filter(|row| !row.is_read).count() as u64)
    }

    /// Marks a notice as read; reading it again keeps the first time.
    pub async fn mark_read(&self, person: &Person, id: &NotificationId) -> Result<InappRow, ServiceError> {
        let now = self.clock.now();
        self.materialise(person, Some(id), now).await?;
        self.rows.mark_read(person, id, now).await?.ok_or_else(unknown)
    }

    /// Marks all of the person's notices as read; returns how many were unread.
    pub async fn mark_all_read(&self, person: &Person) -> Result<u64, ServiceError> {
        let now = self.clock.now();
        self.materialise(person, None, now).await?;
        Ok(self.rows.mark_all_read(person, now).await?)
    }

    /// Takes a notice out of the bell.
    pub async fn dismiss(&self, person: &Person, id: &NotificationId) -> Result<(), ServiceError> {
        let now = self.clock.now();
        self.materialise(person, Some(id), now).await?;
        if self.rows.dismiss(person, id, now).await? {
            Ok(())
        } else {
            Err(unknown())
        }
    }

    /// The person's notices that were in tails a moment ago, as they are now: one that has been stored meanwhile is
    /// taken from the collection, with its marks.
    async fn fresh(&self, person: &Person, now: Timestamp) -> Result<Fresh, ServiceError> {
        let mut rows = self.rows.in_tails(person, self.retention_days).await?;
        let keys: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
        let stored = self.rows.stored_keys(&keys).await?;
        rows.retain(|row| !stored.iter().any(|known| known.key == row.key));
        rows.extend(stored);
        rows.retain(|row| row.is_visible(now));
        Ok(Fresh { keys, rows })
    }

    /// Writes notices of tails into the collection, so that they can be marked.
    async fn materialise(
        &self,
        person: &Person,
        id: Option<&NotificationId>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let mut rows = self.fresh(person, now).await?.rows;
        rows.retain(|row| id.is_none_or(|id| row.notification_id == *id));
        self.rows.insert_absent(&rows).await?;
        Ok(())
    }
}

fn unknown() -> ServiceError {
    ServiceError::not_found(ErrorCode::NotFound, "there is no such notification")
}
