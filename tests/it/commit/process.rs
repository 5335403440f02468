//! One process of the service without HTTP and without jobs, whose parts a test calls by hand; several share a database.

use crate::support::mongo;
use mongodb::Database;
use std::path::Path;
use workflow_ops::app::App;
use workflow_ops::config::{Settings, Sources};
use workflow_ops::domain::id::random_key;
use workflow_ops::domain::time::Clock;
use workflow_ops::repositories::{indexes, mongo as store};

/// A process.
pub(crate) struct Process {
    app: App,
    /// Where its files are; removed at the end.
    _folder: tempfile::TempDir,
}

impl std::ops::Deref for Process {
    type Target = App;

    fn deref(&self) -> &App {
        &self.app
    }
}

impl Process {
    /// A process on a new database with all indexes.
    pub(crate) async fn new() -> Self {
        Self::on(new_database(mongo::uri()).await, Clock::System)
    }

    /// A process on a database whose indexes exist.
    pub(crate) fn on(database: Database, clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = application(database, clock, folder.path());
        Self { app, _folder: folder }
    }
}

/// A new database with all indexes.
pub(crate) async fn new_database(uri: &str) -> Database {
    let database = database(uri, &format!("t{}", random_key())).await;
    indexes::ensure(&database).await.unwrap();
    database
}

/// A database by name.
pub(crate) async fn database(uri: &str, name: &str) -> Database {
    let uri = secrecy::SecretString::from(uri.to_owned());
    store::connect(&uri, name, 32).await.unwrap()
}

/// An application whose files are in `storage`.
pub(crate) fn application(database: Database, clock: Clock, storage: &Path) -> App {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let storage = storage.display().to_string();
    let settings = Settings::from_sources(Sources::of_pairs(&[
        ("MONGO_URI", "mongodb://127.0.0.1:1"),
        ("STORAGE_PATH", &storage),
        ("MAIL_TRANSPORT", "disabled"),
    ]));
    App::build(settings.unwrap(), clock, database).unwrap()
}
