//! The reference backend's database, read and never written: plain documents in the order of their ids, and what belongs
//! to a batch of tickets.

pub mod fields;
mod sorted;

pub use fields::Fields;
pub use sorted::SortedByTicket;

use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::options::{ClientOptions, ReadConcern};
use mongodb::{Client, Cursor, Database};
use secrecy::{ExposeSecret, SecretString};
use std::time::Duration;

/// How many documents the server hands over at once.
const HANDED: u32 = 500;

/// The reference's collections (contract http-tickets 3, http-admin-notifications 19).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is named like its collection")]
pub enum LegacyCollection {
    Tickets,
    TicketSteps,
    ApprovalTasks,
    Assignments,
    InfoRequests,
    HandoverRequests,
    SlaAcknowledgments,
    AuditEvents,
    ChangeRequests,
    Attachments,
    NotificationOutbox,
    InappNotifications,
    /// Where change requests put their notices and nobody read them.
    InAppNotifications,
    Workflows,
    WorkflowVersions,
    WorkflowLookups,
    UserAccess,
    AdminUsers,
    AdminAudit,
    EmailTemplateOverrides,
    SystemConfig,
    AiConversations,
}

impl LegacyCollection {
    /// The collection's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tickets => "tickets",
            Self::TicketSteps => "ticket_steps",
            Self::ApprovalTasks => "approval_tasks",
            Self::Assignments => "assignments",
            Self::InfoRequests => "info_requests",
            Self::HandoverRequests => "handover_requests",
            Self::SlaAcknowledgments => "sla_acknowledgments",
            Self::AuditEvents => "audit_events",
            Self::ChangeRequests => "change_requests",
            Self::Attachments => "attachments",
            Self::NotificationOutbox => "notification_outbox",
            Self::InappNotifications => "inapp_notifications",
            Self::InAppNotifications => "in_app_notifications",
            Self::Workflows => "workflows",
            Self::WorkflowVersions => "workflow_versions",
            Self::WorkflowLookups => "workflow_lookups",
            Self::UserAccess => "user_access",
            Self::AdminUsers => "admin_users",
            Self::AdminAudit => "admin_audit",
            Self::EmailTemplateOverrides => "email_template_overrides",
            Self::SystemConfig => "system_config",
            Self::AiConversations => "ai_conversations",
        }
    }

    /// The collections whose documents belong to a ticket.
    pub const OF_TICKETS: [Self; 8] = [
        Self::TicketSteps,
        Self::ApprovalTasks,
        Self::Assignments,
        Self::InfoRequests,
        Self::ChangeRequests,
        Self::AuditEvents,
        Self::HandoverRequests,
        Self::SlaAcknowledgments,
    ];
}

/// The reference's database; cheap to clone.
#[derive(Debug, Clone)]
pub struct LegacyDatabase {
    database: Database,
}

impl LegacyDatabase {
    /// Connects; the server need not be a replica set member.
    ///
    /// # Errors
    /// The address cannot be read, or nobody answers.
    pub async fn connect(uri: &SecretString, name: &str) -> Result<Self> {
        let mut options = ClientOptions::parse(uri.expose_secret()).await?;
        options.app_name = Some("workflow-ops import".to_owned());
        options.server_selection_timeout = Some(Duration::from_secs(5));
        options.connect_timeout = Some(Duration::from_secs(3));
        options.read_concern = Some(ReadConcern::majority());
        options.retry_reads = Some(true);
        let database = Client::with_options(options)?.database(name);
        database.run_command(doc! {"ping": 1}).await?;
        Ok(Self { database })
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        self.database.name()
    }

    /// Whether it holds anything that an import would read.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.database.list_collection_names().await?.is_empty())
    }

    /// How many documents a collection has, roughly, for progress bars.
    pub async fn estimate(&self, collection: LegacyCollection) -> Result<u64> {
        self.documents(collection).estimated_document_count().await
    }

    /// How many documents a collection has.
    pub async fn count(&self, collection: LegacyCollection) -> Result<u64> {
        self.documents(collection).count_documents(doc! {}).await
    }

    /// The documents of a collection in the order of their ids, after `after`, whatever kind of ids they have.
    pub async fn walk(&self, collection: LegacyCollection, after: Option<&Bson>) -> Result<Cursor<Document>> {
        let filter = after.map_or_else(Document::new, |last| {
            doc! {"$expr": {"$gt": ["$_id", {"$literal": last.clone()}]}}
        });
        self.documents(collection)
            .find(filter)
            .sort(doc! {"_id": 1})
            .batch_size(HANDED)
            .await
    }

    /// Every version that tickets name, by id, workflow and number, each with the `first` ticket created of those that do.
    pub async fn pins(&self) -> Result<Cursor<Document>> {
        let pin = doc! {"workflow_version_id": "$workflow_version_id", "workflow_id": "$workflow_id", "workflow_version": "$workflow_version"};
        let first = doc! {"$min": {"created_at": "$created_at", "ticket_id": "$_id"}};
        self.documents(LegacyCollection::Tickets)
            .aggregate([doc! {"$group": {"_id": pin, "first": first}}])
            .allow_disk_use(true)
            .await
    }

    /// The documents of a collection that belong to these tickets, in the order of their ids within each ticket.
    pub async fn of_tickets(
        &self,
        collection: LegacyCollection,
        tickets: &[String],
    ) -> Result<Vec<Document>> {
        self.documents(collection)
            .find(doc! {"ticket_id": {"$in": tickets}})
            .batch_size(HANDED * 20)
            .await?
            .try_collect()
            .await
    }

    /// Whether documents of a ticket are found by an index.
    pub async fn finds_by_ticket(&self, collection: LegacyCollection) -> Result<bool> {
        let names = self.database.list_collection_names().await?;
        if !names.iter().any(|name| name == collection.as_str()) {
            return Ok(true);
        }
        let indexes: Vec<_> = self
            .documents(collection)
            .list_indexes()
            .await?
            .try_collect()
            .await?;
        Ok(indexes
            .iter()
            .any(|index| index.keys.keys().next().is_some_and(|first| first == "ticket_id")))
    }

    /// The documents with these ids.
    pub async fn by_ids(&self, collection: LegacyCollection, ids: &[String]) -> Result<Vec<Document>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.documents(collection)
            .find(doc! {"_id": {"$in": ids}})
            .await?
            .try_collect()
            .await
    }

    /// One document.
    pub async fn find_one(&self, collection: LegacyCollection, filter: Document) -> Result<Option<Document>> {
        self.documents(collection).find_one(filter).await
    }

    /// The documents that pass a filter.
    pub async fn find(&self, collection: LegacyCollection, filter: Document) -> Result<Vec<Document>> {
        self.documents(collection).find(filter).await?.try_collect().await
    }

    fn documents(&self, collection: LegacyCollection) -> mongodb::Collection<Document> {
        self.database.collection(collection.as_str())
    }
}
