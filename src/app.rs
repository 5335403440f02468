//! The application: everything that requests and jobs share, built once.

use crate::api::layer::RateLimits;
use crate::auth::Authenticator;
use crate::clients::object_store::FileStore;
use crate::config::Settings;
use crate::domain::time::Clock;
use crate::repositories::primary_watch::PrimaryWatch;
use crate::repositories::relay::RelayTargets;
use crate::repositories::ticket_repo::TicketRepo;
use crate::scheduler::status::JobRegistry;
use crate::services::access::AccessService;
use crate::services::admin::Administration;
use crate::services::assistant::{Assistant, Services};
use crate::services::attachments::Attachments;
use crate::services::change_requests::ChangeRequestService;
use crate::services::definition_cache::DefinitionCache;
use crate::services::directory::Directory;
use crate::services::drafting::Drafting;
use crate::services::execute::Execute;
use crate::services::exports::Exports;
use crate::services::facts::FactSource;
use crate::services::idempotency::Idempotency;
use crate::services::lookups::Lookups;
use crate::services::model::MeteredModel;
use crate::services::notifications::Notifications;
use crate::services::relay::Relay;
use crate::services::system_config::SystemConfigReader;
use crate::services::tickets::TicketService;
use crate::services::timers::Timers;
use crate::services::workflows::WorkflowService;
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
    /// Which of its members is primary.
    pub primary: PrimaryWatch,
    /// Checks bearer tokens.
    pub authenticator: Authenticator,
    /// Personas and administrators.
    pub access: AccessService,
    /// Repeats of actions outside of tickets.
    pub idempotency: Idempotency,
    /// The bounds on one person's requests.
    pub rate_limits: RateLimits,
    /// What administrators have configured.
    pub system_config: SystemConfigReader,
    /// Mail and the bell.
    pub notifications: Notifications,
    /// What administrators see and set.
    pub admin: Administration,
    /// Published versions, compiled.
    pub definitions: DefinitionCache,
    /// Uploaded files.
    pub attachments: Attachments,
    /// Tables of keys and people.
    pub lookups: Lookups,
    /// People.
    pub directory: Directory,
    /// Where decisions get their facts.
    pub facts: FactSource,
    /// The only path that changes a ticket.
    pub execute: Execute,
    /// The bounds of exports.
    pub exports: Exports,
    /// Tickets as people see them.
    pub tickets: TicketService,
    /// Proposals to change form data.
    pub change_requests: ChangeRequestService,
    /// What happens to tickets by itself.
    pub timers: Timers,
    /// Workflows: drafts, versions, the catalog.
    pub workflows: WorkflowService,
    /// The language model; `None` when none is configured, and everything works from templates.
    pub model: Option<MeteredModel>,
    /// Drafts of workflows from descriptions.
    pub drafting: Drafting,
    /// Answers about people's own tickets and work.
    pub assistant: Assistant,
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
        Self::build_watching(settings, clock, database, PrimaryWatch::default())
    }

    /// The same when it is watched which member of the database is primary.
    ///
    /// # Errors
    /// As [`App::build`].
    pub fn build_watching(
        settings: Settings,
        clock: Clock,
        database: Database,
        primary: PrimaryWatch,
    ) -> anyhow::Result<Self> {
        let tasks = Tasks::default();
        let system_config = SystemConfigReader::new(&database, &settings);
        let notifications = Notifications::new(&database, &settings, &clock, &tasks, &system_config)?;
        let definitions = DefinitionCache::new(&database);
        let files = FileStore::open(&settings.attachments)?;
        let attachments = Attachments::new(&database, files, &system_config, &clock);
        let lookups = Lookups::new(&database, &clock);
        let directory = Directory::new(&database, &settings)?;
        let facts = FactSource::new(
            &database,
            &settings,
            &clock,
            &system_config,
            &definitions,
            &lookups,
            &directory,
        );
        let inapp_days = i64::from(settings.scheduler.inapp_retention_days);
        let targets = RelayTargets::new(&database, &notifications.outbox, inapp_days);
        let relay = Relay::start(TicketRepo::new(&database), targets, clock.clone(), &tasks);
        let execute = Execute::new(&database, &facts, &relay, &tasks);
        let timers = Timers::new(&database, &execute, &clock);
        let tickets = TicketService::new(&database, &facts, &execute, &clock, &tasks);
        let model = MeteredModel::new(&settings.genai, &database, &clock)?;
        let workflows = WorkflowService::new(&database, clock.clone(), definitions.clone());
        let admin = Administration::new(&database, &clock, &notifications, &system_config, &tasks);
        let change_requests = ChangeRequestService::new(&database, &tickets, &facts);
        let read_by_assistant = Services {
            tickets: tickets.clone(),
            change_requests: change_requests.clone(),
            attachments: attachments.clone(),
            workflows: workflows.clone(),
            bell: notifications.bell.clone(),
            agent_metrics: admin.agent_metrics.clone(),
            clock: clock.clone(),
        };
        Ok(Self(Arc::new(Inner {
            authenticator: Authenticator::new(&settings, &clock)?,
            access: AccessService::new(&database, clock.clone(), settings.bootstrap.clone()),
            exports: Exports::new(&tasks),
            idempotency: Idempotency::new(&database, clock.clone()),
            rate_limits: RateLimits::new(&settings.server),
            admin,
            system_config,
            notifications,
            drafting: Drafting::new(model.clone(), &workflows),
            assistant: Assistant::new(&database, read_by_assistant, model.clone()),
            model,
            workflows,
            definitions,
            attachments,
            lookups,
            change_requests,
            tickets,
            directory,
            facts,
            execute,
            timers,
            jobs: JobRegistry::default(),
            settings: Arc::new(settings),
            clock,
            database,
            primary,
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
