//! Mail and the bell: what becomes of a notice once the relay has stored it.

pub mod bell;
pub mod breaker;
pub mod compose;
mod courier;
pub mod mail_health;
pub mod outbox_drain;
mod retry_plan;
pub mod transport;

use crate::app::Tasks;
use crate::config::Settings;
use crate::domain::time::Clock;
use crate::repositories::inapp_repo::InappRepo;
use crate::repositories::outbox_repo::OutboxRepo;
use crate::repositories::template_override_repo::TemplateOverrideRepo;
use crate::services::system_config::SystemConfigReader;
use crate::services::templates::Templates;
use bell::Bell;
use compose::Composer;
use mongodb::Database;
use outbox_drain::{DrainParts, OutboxDrain};
use std::sync::Arc;

/// The parts of this family, built once.
#[derive(Debug, Clone)]
pub struct Notifications {
    /// The mails.
    pub outbox: OutboxRepo,
    /// People's bells.
    pub bell: Bell,
    /// From a row to a message.
    pub composer: Composer,
    /// Sends the mails.
    pub drain: OutboxDrain,
}

impl Notifications {
    /// Builds the parts over `database`.
    ///
    /// # Errors
    /// The mail settings cannot work, or a built-in message is broken.
    pub fn new(
        database: &Database,
        settings: &Settings,
        clock: &Clock,
        tasks: &Tasks,
        config: &SystemConfigReader,
    ) -> anyhow::Result<Self> {
        let app_url = settings.server.frontend_url.as_str();
        let templates = Arc::new(Templates::new(app_url, &settings.company_name)?);
        let composer = Composer::new(templates, TemplateOverrideRepo::new(database));
        let retention_days = i64::from(settings.scheduler.inapp_retention_days);
        let outbox = OutboxRepo::new(database);
        let http = crate::clients::mail::http_client()?;
        let drain = OutboxDrain::new(DrainParts {
            outbox: outbox.clone(),
            composer: composer.clone(),
            mail: transport::mail_client(settings, &http)?,
            config: config.clone(),
            clock: clock.clone(),
            tasks: tasks.clone(),
            lease: settings.scheduler.lock_duration,
            concurrency: settings.mail.max_concurrent_sends,
        });
        Ok(Self {
            outbox,
            bell: Bell::new(InappRepo::new(database), retention_days, clock.clone()),
            composer,
            drain,
        })
    }
}
