//! The application: everything that requests and jobs share, built once.

use crate::config::Settings;
use crate::domain::time::Clock;
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
    pub fn build(settings: Settings, clock: Clock, database: Database) -> Self {
        Self(Arc::new(Inner {
            settings: Arc::new(settings),
            clock,
            database,
            tasks: Tasks::default(),
        }))
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
