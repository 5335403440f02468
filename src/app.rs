//! The application: everything that requests and jobs share, built once.

use crate::api::layer::RateLimit;
use crate::auth::Authenticator;
use crate::config::Settings;
use crate::domain::time::Clock;
use crate::scheduler::status::JobRegistry;
use crate::services::access::AccessService;
use crate::services::admin::Administration;
use crate::services::notifications::Notifications;
use crate::services::system_config::SystemConfigReader;
use mongodb::Database;
use std::ops::Deref;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The shared parts; cheap to clone.
#[derive(Debug, Clone)]
pub struct App(Arc<Inner>);

/// What [`App`] shares.
#[derive(Debug)]
pub struct Inner {
    /// The settings.
    pub settings: Arc<Settings>,
    /// Where the time comes from.
    pub clock: Clock,
    /// The database.
    pub database: Database,
    /// Checks bearer tokens.
    pub authenticator: Authenticator,
    /// Personas and administrators.
    pub access: AccessService,
    /// The bound on one person's requests.
    pub rate_limit: RateLimit,
    /// What administrators have configured.
    pub system_config: SystemConfigReader,
    /// Mail and the bell.
    pub notifications: Notifications,
    /// What administrators see and set.
    pub admin: Administration,
    /// How the background jobs of this process are doing.
    pub jobs: JobRegistry,
    /// How tasks are spawned, and how they learn that the process ends.
    pub tasks: Tasks,
}

/// Where tasks are spawned, and how they learn that the process ends.
#[derive(Debug, Clone, Default)]
pub struct Tasks {
    /// Every task is spawned here, so that shutdown waits for it.
    pub tracker: TaskTracker,
    /// Cancelled when shutdown begins: event streams and loops end, running work is finished.
    pub stopping: CancellationToken,
}

impl App {
    /// Builds the application over a database whose indexes exist.
    ///
    /// # Errors
    /// A part cannot be built: the development key, the people file, an HTTP client, the mail transport.
    pub fn build(settings: Settings, clock: Clock, database: Database) -> anyhow::Result<Self> {
        let tasks = Tasks::default();
        let system_config = SystemConfigReader::new(&database, &settings);
        let notifications = Notifications::new(&database, &settings, &clock, &tasks, &system_config)?;
        Ok(Self(Arc::new(Inner {
            authenticator: Authenticator::new(&settings, &clock)?,
            access: AccessService::new(&database, clock.clone(), settings.bootstrap.clone()),
            rate_limit: RateLimit::new(settings.server.requests_per_second_per_person),
            admin: Administration::new(&database, &clock, &notifications, &system_config),
            system_config,
            notifications,
            jobs: JobRegistry::default(),
            settings: Arc::new(settings),
            clock,
            database,
            tasks,
        })))
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
