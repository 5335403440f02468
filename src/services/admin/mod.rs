//! What administrators see and set: mails, wordings, configuration, figures, ticket audit.
//!
//! Every function asks for the right itself, so no route can forget it. Every change is one small transaction with its
//! audit row.

pub mod agent_metrics;
pub mod config;
pub mod dashboard;
pub mod import_findings;
pub mod outbox;
pub mod outbox_figures;
pub mod templates;
pub mod ticket_audit;

use crate::app::Tasks;
use crate::domain::person::Actor;
use crate::domain::time::{Clock, Timestamp};
use crate::repositories::admin_audit_repo::AdminAuditEvent;
use crate::services::notifications::Notifications;
use crate::services::statistics::Statistics;
use crate::services::system_config::SystemConfigReader;
use mongodb::Database;
use serde_json::Value;
use std::net::IpAddr;

/// Who administers, and from where, for the audit log.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// From where, as far as trusted proxies say.
    pub address: Option<IpAddr>,
}

impl By<'_> {
    /// The row that says what this administrator did.
    fn event(&self, action: &str, details: Value, at: Timestamp) -> AdminAuditEvent {
        let event = AdminAuditEvent::new(action, &self.actor.person, details, at);
        event.from_address(self.address.map(|address| address.to_string()))
    }
}

/// The parts of this family, built once.
#[derive(Debug, Clone)]
pub struct Administration {
    /// Mails.
    pub outbox: outbox::OutboxAdmin,
    /// Wordings of mails.
    pub templates: templates::TemplateAdmin,
    /// The system configuration.
    pub config: config::ConfigAdmin,
    /// The command centre's figures.
    pub agent_metrics: agent_metrics::AgentMetrics,
    /// Who administers, and what was changed last.
    pub dashboard: dashboard::Dashboard,
    /// What happened to tickets.
    pub ticket_audit: ticket_audit::TicketAudit,
    /// What an import has to tell.
    pub import_findings: import_findings::ImportFindings,
}

impl Administration {
    /// Builds the parts over `database`.
    pub fn new(
        database: &Database,
        clock: &Clock,
        notifications: &Notifications,
        config: &SystemConfigReader,
        tasks: &Tasks,
    ) -> Self {
        let statistics = Statistics::new(database, clock, tasks);
        Self {
            outbox: outbox::OutboxAdmin::new(database, notifications, statistics.clone(), clock.clone()),
            templates: templates::TemplateAdmin::new(database, notifications.composer.clone(), clock.clone()),
            agent_metrics: agent_metrics::AgentMetrics::new(database, notifications, statistics),
            dashboard: dashboard::Dashboard::new(database),
            ticket_audit: ticket_audit::TicketAudit::new(database),
            import_findings: import_findings::ImportFindings::new(database),
            config: config::ConfigAdmin::new(database, config.clone(), clock.clone()),
        }
    }
}
