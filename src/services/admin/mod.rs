//! What administrators see and set: mails, wordings, configuration, figures, ticket audit.
//!
//! Every function asks for the right itself, so no route can forget it.

pub mod agent_metrics;
pub mod config;
pub mod dashboard;
pub mod outbox;
pub mod outbox_figures;
pub mod templates;
pub mod ticket_audit;

use crate::app::Tasks;
use crate::domain::person::Actor;
use crate::domain::time::Clock;
use crate::repositories::admin_audit_repo::AdminAuditRepo;
use crate::services::notifications::Notifications;
use crate::services::statistics::Statistics;
use crate::services::system_config::SystemConfigReader;
use mongodb::Database;
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
    fn address_text(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
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
        let audit = AdminAuditRepo::new(database);
        let composer = notifications.composer.clone();
        Self {
            outbox: outbox::OutboxAdmin::new(
                notifications.outbox.clone(),
                composer.clone(),
                audit.clone(),
                clock.clone(),
            ),
            templates: templates::TemplateAdmin::new(composer, audit.clone(), clock.clone()),
            agent_metrics: agent_metrics::AgentMetrics::new(
                database,
                notifications,
                Statistics::new(database, clock, tasks),
            ),
            dashboard: dashboard::Dashboard::new(database),
            ticket_audit: ticket_audit::TicketAudit::new(database),
            config: config::ConfigAdmin::new(config.clone(), audit, clock.clone()),
        }
    }
}
