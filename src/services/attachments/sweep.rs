//! The sweep of files that nobody uses: records without a ticket after a day, and bytes without a record.

use super::Attachments;
use crate::domain::error::ServiceError;
use crate::domain::stored_file::StoredFile;
use crate::domain::time::Timestamp;
use crate::repositories::attachment_claims::FoundClaim;
use futures::StreamExt;

/// How long a file may be without a ticket, in minutes.
const LOOSE_MINUTES: i64 = 24 * 60;
/// How many records one look takes.
const LOOK: i64 = 500;
/// How many keys are compared with the records at once.
const KEYS: usize = 500;

impl Attachments {
    /// Removes files that belong to no ticket a day after their upload, bytes before record; returns how many.
    ///
    /// # Errors
    /// The database or the object store is unavailable.
    pub async fn sweep_loose_files(&self) -> Result<u64, ServiceError> {
        let now = self.clock.now();
        let mut removed = 0;
        for file in self
            .repo
            .loose_before(now.plus_minutes(-LOOSE_MINUTES), now, LOOK)
            .await?
        {
            if self.is_used_by_a_command(&file).await?
                || !self.repo.begin_loose_removal(&file.id, now).await?
            {
                continue;
            }
            self.end_removal(&file).await?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Removes bytes that were stored a day ago and have no record: an upload that broke off behind them.
    ///
    /// # Errors
    /// The database or the object store is unavailable.
    pub async fn sweep_loose_bytes(&self) -> Result<u64, ServiceError> {
        let before = self.clock.now().plus_minutes(-LOOSE_MINUTES);
        let mut removed = 0;
        let mut old = Vec::new();
        let mut listed = self.store.list();
        while let Some(object) = listed.next().await {
            let object = object.map_err(super::store_unavailable)?;
            if Timestamp::from(object.written_at) < before {
                old.push(object.key);
            }
            if old.len() >= KEYS {
                removed += self.remove_without_record(std::mem::take(&mut old)).await?;
            }
        }
        Ok(removed + self.remove_without_record(old).await?)
    }

    async fn remove_without_record(&self, keys: Vec<String>) -> Result<u64, ServiceError> {
        let mut removed = 0;
        for key in self.repo.without_record(keys).await? {
            self.store.remove(&key).await.map_err(super::store_unavailable)?;
            removed += 1;
        }
        Ok(removed)
    }

    /// Whether an expired claim is that of a committed command whose link is still on its way.
    async fn is_used_by_a_command(&self, file: &StoredFile) -> Result<bool, ServiceError> {
        let Some(FoundClaim { ticket_id, key, .. }) = self.claims.found_claim(&file.id).await? else {
            return Ok(false);
        };
        let owner = self.tickets.load(&ticket_id).await?;
        Ok(owner.is_some_and(|owner| owner.recent_keys.iter().any(|recent| recent.key == key)))
    }
}
