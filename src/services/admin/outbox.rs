//! Mails as administrators see them, and what they may do with one (contract http-admin-notifications 14).

use super::By;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::person::Actor;
use crate::domain::time::Clock;
use crate::repositories::admin_audit_repo::AdminAuditRepo;
use crate::repositories::outbox_listed::{ListedRow, StoredRow};
use crate::repositories::outbox_repo::OutboxRepo;
use crate::repositories::outbox_row::OutboxStatus;
use crate::repositories::outbox_search::{OutboxFilter, OutboxOrder, OutboxPage, PageRequest};
use crate::repositories::transaction::{Transaction, TransactionFault, settled};
use crate::services::access::require_admin;
use crate::services::notifications::Notifications;
use crate::services::notifications::compose::Composer;
use crate::services::statistics::Statistics;
use mongodb::Database;
use serde_json::json;

/// The audit log's word for sending again.
const RETRY: &str = "RETRY_NOTIFICATION";
/// The audit log's word for taking back.
const CANCEL: &str = "CANCEL_NOTIFICATION";

/// Administers the outbox; cheap to clone.
#[derive(Debug, Clone)]
pub struct OutboxAdmin {
    pub(super) outbox: OutboxRepo,
    composer: Composer,
    database: Database,
    audit: AdminAuditRepo,
    pub(super) statistics: Statistics,
    pub(super) clock: Clock,
}

/// A mail with what it says.
#[derive(Debug, Clone)]
pub struct ShownMail {
    /// The row.
    pub row: ListedRow,
    /// Subject and HTML body; absent when it cannot be rendered.
    pub content: Option<(String, String)>,
}

impl OutboxAdmin {
    /// Administers these mails, in `database`.
    pub fn new(
        database: &Database,
        notifications: &Notifications,
        statistics: Statistics,
        clock: Clock,
    ) -> Self {
        Self {
            outbox: notifications.outbox.clone(),
            composer: notifications.composer.clone(),
            database: database.clone(),
            audit: AdminAuditRepo::new(database),
            statistics,
            clock,
        }
    }

    /// A page of the mails that pass the filter.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &OutboxFilter,
        page: PageRequest,
    ) -> Result<OutboxPage, ServiceError> {
        require_admin(actor)?;
        Ok(self.outbox.page(filter, page).await?)
    }

    /// A page of the failed mails, oldest first.
    pub async fn failed(&self, actor: &Actor, skip: u64, limit: i64) -> Result<OutboxPage, ServiceError> {
        let filter = OutboxFilter {
            status: Some(OutboxStatus::Failed),
            ..OutboxFilter::default()
        };
        let page = PageRequest {
            order: OutboxOrder::CreatedAt,
            descending: false,
            skip,
            limit,
        };
        self.list(actor, &filter, page).await
    }

    /// One mail with what it says.
    pub async fn detail(&self, actor: &Actor, id: &str) -> Result<ShownMail, ServiceError> {
        require_admin(actor)?;
        let row = self.outbox.find(id).await?.ok_or_else(unknown)?;
        self.shown(row).await
    }

    /// A ticket's mails, oldest first, with what they say.
    pub async fn of_ticket(&self, actor: &Actor, ticket_id: &str) -> Result<Vec<ShownMail>, ServiceError> {
        require_admin(actor)?;
        let mut mails = Vec::new();
        for row in self.outbox.of_ticket(ticket_id).await? {
            mails.push(self.shown(row).await?);
        }
        Ok(mails)
    }

    /// Sends a failed mail again.
    pub async fn retry(&self, by: By<'_>, id: &str) -> Result<(), ServiceError> {
        require_admin(by.actor)?;
        if settled(|| self.try_retry(by, id)).await? {
            self.outbox.wake();
            return Ok(());
        }
        Err(self
            .wrong_state(id, "only a failed mail can be sent again")
            .await?)
    }

    /// Sends those of the mails again that failed; returns how many.
    pub async fn retry_many(&self, by: By<'_>, ids: &[String]) -> Result<u64, ServiceError> {
        require_admin(by.actor)?;
        let retried = settled(|| self.try_retry_many(by, ids)).await?;
        self.outbox.wake();
        Ok(retried)
    }

    /// Takes back a mail that waits.
    pub async fn cancel(&self, by: By<'_>, id: &str) -> Result<(), ServiceError> {
        require_admin(by.actor)?;
        if settled(|| self.try_cancel(by, id)).await? {
            return Ok(());
        }
        let text = "only a waiting mail that is not being sent can be cancelled";
        Err(self.wrong_state(id, text).await?)
    }

    async fn try_retry(&self, by: By<'_>, id: &str) -> Result<bool, TransactionFault> {
        let now = self.clock.now();
        let mut transaction = Transaction::begin(&self.database).await?;
        let session = transaction.session();
        if !self.outbox.retry_in(session, id, now).await? {
            transaction.abort().await;
            return Ok(false);
        }
        let event = by.event(RETRY, json!({"notification_id": id}), now);
        self.audit.commit_with(transaction, &event).await?;
        Ok(true)
    }

    async fn try_retry_many(&self, by: By<'_>, ids: &[String]) -> Result<u64, TransactionFault> {
        let now = self.clock.now();
        let mut transaction = Transaction::begin(&self.database).await?;
        let session = transaction.session();
        let retried = self.outbox.retry_many_in(session, ids, now).await?;
        let details = json!({"bulk_retry": true, "notification_count": ids.len(), "retried_count": retried});
        let event = by.event(RETRY, details, now);
        self.audit.commit_with(transaction, &event).await?;
        Ok(retried)
    }

    async fn try_cancel(&self, by: By<'_>, id: &str) -> Result<bool, TransactionFault> {
        let (who, now) = (by.actor.person.email.as_str(), self.clock.now());
        let mut transaction = Transaction::begin(&self.database).await?;
        let session = transaction.session();
        if !self.outbox.cancel_in(session, id, who, now).await? {
            transaction.abort().await;
            return Ok(false);
        }
        let event = by.event(CANCEL, json!({"notification_id": id}), now);
        self.audit.commit_with(transaction, &event).await?;
        Ok(true)
    }

    async fn shown(&self, stored: StoredRow) -> Result<ShownMail, ServiceError> {
        let content = match &stored {
            StoredRow::Mail(row) => match self.composer.shown(row, self.clock.now()).await {
                Ok(content) => Some(content),
                Err(error) => {
                    tracing::warn!(notification.id = %row.notification_id, error = %error, "a mail cannot be shown");
                    None
                }
            },
            StoredRow::Unreadable(_) => None,
        };
        let row = stored.into();
        Ok(ShownMail { row, content })
    }

    async fn wrong_state(&self, id: &str, text: &str) -> Result<ServiceError, ServiceError> {
        let row = self.outbox.find(id).await?;
        Ok(row.map_or_else(unknown, |_| ServiceError::conflict(ErrorCode::InvalidState, text)))
    }
}

fn unknown() -> ServiceError {
    ServiceError::not_found(ErrorCode::NotFound, "there is no such notification")
}
