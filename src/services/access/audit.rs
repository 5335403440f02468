//! The administrators' audit log as administrators read it (contract http-admin-notifications 8).

use super::{AccessService, ChangedBy};
use crate::domain::error::ServiceError;
use crate::domain::id::hex12;
use crate::domain::time::Timestamp;
use crate::repositories::admin_audit_repo::AdminAuditEvent;
use crate::repositories::admin_audit_search::{AdminAuditFilter, AdminAuditPage};
use crate::services::exports::{self, Rows};
use serde_json::json;

/// Equal views of one person are logged once in this time.
const VIEW_WINDOW_MINUTES: i64 = 5;

/// Which events are wanted, and which window of them.
#[derive(Debug, Clone)]
pub struct AuditQuery {
    /// The filters.
    pub filter: AdminAuditFilter,
    /// Rows left out before the window.
    pub skip: u64,
    /// Rows in the window.
    pub limit: i64,
}

/// How the log was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Page,
    Export,
}

impl AccessService {
    /// Reads the log, and logs that it was read.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn read_audit_log(
        &self,
        query: &AuditQuery,
        by: &ChangedBy,
    ) -> Result<AdminAuditPage, ServiceError> {
        self.log_view(&query.filter, View::Page, by).await?;
        Ok(self.audit.list(&query.filter, query.skip, query.limit).await?)
    }

    /// All events that `filter` wants, newest first; the export is logged as a view.
    ///
    /// # Errors
    /// There are more than an export may hold, or the database is unavailable.
    pub async fn export_audit_log(
        &self,
        filter: &AdminAuditFilter,
        by: &ChangedBy,
    ) -> Result<Rows<AdminAuditEvent>, ServiceError> {
        self.log_view(filter, View::Export, by).await?;
        exports::refuse_too_many(self.audit.count_up_to(filter, exports::ROWS + 1).await?)?;
        Ok(exports::rows(self.audit.export(filter).await?, |event| event))
    }

    /// One row for each person and set of filters in five minutes, so that paging does not flood the log.
    async fn log_view(
        &self,
        filter: &AdminAuditFilter,
        view: View,
        by: &ChangedBy,
    ) -> Result<(), ServiceError> {
        let now = self.clock.now();
        let filters = json!({
            "action": filter.action, "actor_email": filter.actor, "target_email": filter.target,
            "from_date": filter.from.map(Timestamp::to_wire), "to_date": filter.until.map(Timestamp::to_wire),
        });
        let word = match view {
            View::Page => "view",
            View::Export => "export",
        };
        let view = format!("{word}:{}:{}", by.person.email.key(), hex12(&filters.to_string()));
        // Two requests at the same moment write the same key; an equal view of the last minutes has one of two keys.
        let window = now.millis() / (VIEW_WINDOW_MINUTES * 60_000);
        let (this, last) = (format!("{view}:{window}"), format!("{view}:{}", window - 1));
        if self
            .audit
            .has_any_since([&this, &last], now.plus_minutes(-VIEW_WINDOW_MINUTES))
            .await?
        {
            return Ok(());
        }
        let details = json!({"filters": filters, "how": word});
        let event = AdminAuditEvent::keyed(this, "VIEW_AUDIT_LOG", &by.person, details, now);
        self.audit
            .insert_absent(&[event.from_address(by.ip_address.clone())])
            .await?;
        Ok(())
    }
}
