//! Mails as administrators see them, and what they may do with one (contract http-admin-notifications 14).

use super::By;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::person::Actor;
use crate::domain::time::Clock;
use crate::repositories::admin_audit_repo::{AdminAuditEvent, AdminAuditRepo};
use crate::repositories::outbox_repo::OutboxRepo;
use crate::repositories::outbox_row::{OutboxRow, OutboxStatus};
use crate::repositories::outbox_search::{OutboxFilter, OutboxOrder, OutboxPage, PageRequest};
use crate::services::access::require_admin;
use crate::services::notifications::compose::Composer;
use serde_json::{Value, json};

/// The audit log's word for sending again.
const RETRY: &str = "RETRY_NOTIFICATION";
/// The audit log's word for taking back.
const CANCEL: &str = "CANCEL_NOTIFICATION";

/// Administers the outbox; cheap to clone.
#[derive(Debug, Clone)]
pub struct OutboxAdmin {
    pub(super) outbox: OutboxRepo,
    composer: Composer,
    audit: AdminAuditRepo,
    pub(super) clock: Clock,
}

/// A mail with what it says.
#[derive(Debug, Clone)]
pub struct ShownMail {
    /// The row.
    pub row: OutboxRow,
    /// Subject and HTML body; absent when it cannot be rendered.
    pub content: Option<(String, String)>,
}

impl OutboxAdmin {
    /// Administers these mails.
    pub fn new(outbox: OutboxRepo, composer: Composer, audit: AdminAuditRepo, clock: Clock) -> Self {
        Self {
            outbox,
            composer,
            audit,
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
    pub async fn failed(&self, actor: &Actor, skip: u64, limit: u32) -> Result<OutboxPage, ServiceError> {
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
    pub async fn retry(&self, by: By<'_>, id: &str) -> Result<OutboxRow, ServiceError> {
        require_admin(by.actor)?;
        let Some(row) = self.outbox.retry(id, self.clock.now()).await? else {
            return Err(self
                .wrong_state(id, "only a failed mail can be sent again")
                .await?);
        };
        self.record(by, RETRY, json!({"notification_id": id})).await?;
        Ok(row)
    }

    /// Sends those of the mails again that failed; returns how many.
    pub async fn retry_many(&self, by: By<'_>, ids: &[String]) -> Result<u64, ServiceError> {
        require_admin(by.actor)?;
        let retried = self.outbox.retry_many(ids, self.clock.now()).await?;
        let details = json!({"bulk_retry": true, "notification_count": ids.len(), "retried_count": retried});
        self.record(by, RETRY, details).await?;
        Ok(retried)
    }

    /// Takes back a mail that waits.
    pub async fn cancel(&self, by: By<'_>, id: &str) -> Result<(), ServiceError> {
        require_admin(by.actor)?;
        let who = by.actor.person.email.as_str();
        if !self.outbox.cancel(id, who, self.clock.now()).await? {
            let text = "only a waiting mail that is not being sent can be cancelled";
            return Err(self.wrong_state(id, text).await?);
        }
        self.record(by, CANCEL, json!({"notification_id": id})).await
    }

    async fn shown(&self, row: OutboxRow) -> Result<ShownMail, ServiceError> {
        let content = match self.composer.shown(&row, self.clock.now()).await {
            Ok(content) => Some(content),
            Err(error) => {
                tracing::warn!(notification.id = %row.notification_id, error = %error, "a mail cannot be shown");
                None
            }
        };
        Ok(ShownMail { row, content })
    }

    async fn wrong_state(&self, id: &str, text: &str) -> Result<ServiceError, ServiceError> {
        let row = self.outbox.find(id).await?;
        Ok(row.map_or_else(unknown, |_| ServiceError::conflict(ErrorCode::InvalidState, text)))
    }

    async fn record(&self, by: By<'_>, action: &str, details: Value) -> Result<(), ServiceError> {
        let event = AdminAuditEvent::new(action, &by.actor.person, details, self.clock.now());
        Ok(self.audit.insert(&event.from_address(by.address_text())).await?)
    }
}

fn unknown() -> ServiceError {
    ServiceError::not_found(ErrorCode::NotFound, "there is no such notification")
}
