//! Imports the database of the reference backend: `workflow-ops import-legacy`.
//!
//! Families of documents are imported one after another, each in batches in the order of ids: a batch is read, turned into
//! our documents, stored by inserts that leave alone what is there, and then the last id is kept. So an interrupted import
//! goes on where it stopped, and a further one brings only what is new. A dry run does the same without a write. In the end
//! both databases are compared (`verify`), and every difference must be explained by a named repair
//! (`domain/import.rs`) or a finding.

mod access;
mod adoption;
mod conversations;
mod definitions;
mod facts;
mod families;
mod files;
mod messages;
mod person;
mod report;
mod stage;
mod take_over;
mod ticket;
mod ticket_reader;
mod tickets;
mod verify;
mod workflows;

pub use report::{Report, UnexplainedDifference, Verified};
pub use stage::Stage;

use crate::clients::object_store::FileStore;
use crate::domain::time::{Clock, Timestamp};
use crate::engine::facts::Policy;
use crate::repositories::import_repo::{ImportRepo, ImportRun};
use crate::repositories::lease_repo::LeaseRepo;
use crate::repositories::legacy::{LegacyCollection, LegacyDatabase};
use access::People;
use adoption::LooseFiles;
use anyhow::{Context, bail, ensure};
use chrono_tz::Tz;
use definitions::{MissingVersions, VersionCache};
use files::Bytestreams;
use mongodb::Database;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::task::TaskTracker;
use workflows::VersionNumbers;

/// A service that ended without saying so is taken for a running one for this long, in minutes.
const SILENCE_MINUTES: i64 = 2;

/// Whether an import stores anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Write,
    /// It only says what it would do.
    DryRun,
}

/// Whether a service may be running on the database that is imported into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Company {
    /// The import is alone, and makes sure of it.
    Alone,
    /// A service runs beside it.
    Alongside,
}

/// Hears how an import comes on.
pub trait Progress: std::fmt::Debug + Send + Sync {
    /// Something begins: about how many documents it has, and how many are done already.
    fn begin(&self, what: &str, expected: u64, done: u64);
    /// So many documents are done.
    fn at(&self, done: u64);
    /// It is through.
    fn end(&self);
}

/// What is to be imported, and how.
#[derive(Debug)]
pub struct ImportRequest {
    /// The reference's database.
    pub legacy: LegacyDatabase,
    /// The database that is imported into.
    pub database: Database,
    /// Whether anything is stored.
    pub mode: Mode,
    /// Whether a service may be running.
    pub company: Company,
    /// The folder in which the reference kept the bytes of files.
    pub attachments: Option<PathBuf>,
    /// Where bytes go; not used by a dry run.
    pub files: Option<FileStore>,
    /// What "today" means.
    pub time_zone: Tz,
    /// Where the time comes from.
    pub clock: Clock,
    /// Who hears how it comes on.
    pub progress: Box<dyn Progress>,
}

/// One import.
#[derive(Debug)]
pub struct Importer {
    legacy: LegacyDatabase,
    database: Database,
    repo: ImportRepo,
    mode: Mode,
    bytes: Option<Bytestreams>,
    policy: Policy,
    clock: Clock,
    started_at: Timestamp,
    progress: Told,
    report: Mutex<Report>,
    tasks: TaskTracker,
    versions: VersionNumbers,
    missing: MissingVersions,
    cache: VersionCache,
    people: People,
    bound_tables: BTreeMap<String, String>,
    loose_files: LooseFiles,
}

impl Importer {
    /// Opens an import, or goes on with one that was interrupted.
    ///
    /// # Errors
    /// There is nothing to import, a service is running, another database's import is unfinished here, or a database is
    /// unavailable.
    pub async fn open(request: ImportRequest) -> anyhow::Result<Arc<Self>> {
        let name = request.legacy.name().to_owned();
        ensure!(
            !request.legacy.is_empty().await?,
            "there is no database {name} on the server to import from, or it is empty"
        );
        let now = request.clock.now();
        if request.company == Company::Alone && request.mode == Mode::Write {
            refuse_beside_a_service(&request.database, now).await?;
        }
        let repo = ImportRepo::new(&request.database);
        let run = begun(&repo, &name, now, request.mode).await?;
        let store = request.files.filter(|_| request.mode == Mode::Write);
        let mut importer = Self {
            bytes: request.attachments.map(|folder| Bytestreams { folder, store }),
            legacy: request.legacy,
            database: request.database,
            repo,
            mode: request.mode,
            policy: Policy {
                // Of the import's beginning, whenever it goes on.
                today: run
                    .started_at
                    .to_chrono()
                    .with_timezone(&request.time_zone)
                    .date_naive(),
                default_sla_minutes: Vec::new(),
                mail_domains: Vec::new(),
            },
            clock: request.clock,
            started_at: run.started_at,
            progress: Told(request.progress),
            report: Mutex::new(Report::default()),
            tasks: TaskTracker::new(),
            versions: VersionNumbers::default(),
            missing: MissingVersions::default(),
            cache: VersionCache::new(),
            people: People::default(),
            bound_tables: BTreeMap::new(),
            loose_files: LooseFiles::default(),
        };
        importer.look_around().await?;
        Ok(Arc::new(importer))
    }

    /// Imports everything and compares both databases.
    ///
    /// # Errors
    /// A database or the store of files is unavailable; the next import goes on where this one stopped.
    pub async fn run(self: &Arc<Self>) -> anyhow::Result<Report> {
        self.import().await?;
        self.verify().await?;
        if self.mode == Mode::Write {
            self.list_findings().await?;
            let run = ImportRun {
                source: self.legacy.name().to_owned(),
                started_at: self.started_at,
                finished_at: Some(self.clock.now()),
            };
            self.repo.keep_run(&run).await?;
        }
        Ok(self.report().clone())
    }

    /// Imports everything without comparing.
    ///
    /// # Errors
    /// As [`Importer::run`].
    pub async fn import(self: &Arc<Self>) -> anyhow::Result<()> {
        self.workflows().await?;
        self.published_versions().await?;
        self.lookups().await?;
        self.user_access().await?;
        self.admin_users().await?;
        self.admin_audit().await?;
        self.wordings().await?;
        self.config().await?;
        self.tickets().await?;
        self.files().await?;
        self.mails().await?;
        self.notices().await?;
        self.conversations().await
    }

    /// Lists what is to be looked at as it is kept, whatever was told before an interruption or twice.
    async fn list_findings(&self) -> anyhow::Result<()> {
        let mut told = Report::default();
        let mut findings = self.repo.all_findings().await?;
        while findings.advance().await? {
            told.keep(vec![findings.deserialize_current()?]);
        }
        let mut report = self.report();
        report.listed = told.listed;
        report.to_look_at = told.to_look_at;
        Ok(())
    }

    /// What is needed of small collections while large ones are walked.
    async fn look_around(&mut self) -> anyhow::Result<()> {
        self.versions = self.read_version_numbers().await?;
        self.missing = self.read_missing_versions().await?;
        self.people = self.read_people(LegacyCollection::UserAccess).await?;
        self.bound_tables = self.newest_bound_tables().await?;
        self.loose_files = self.read_loose_files().await?;
        Ok(())
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is begun here and unfinished, or a new beginning.
async fn begun(repo: &ImportRepo, source: &str, now: Timestamp, mode: Mode) -> anyhow::Result<ImportRun> {
    let known = repo.run().await?;
    if let Some(run) = known.filter(|run| run.finished_at.is_none()) {
        if run.source != source {
            bail!(
                "an import of {} is unfinished here; finish it before another database is imported",
                run.source
            );
        }
        return Ok(run);
    }
    let run = ImportRun {
        source: source.to_owned(),
        started_at: now,
        finished_at: None,
    };
    if mode == Mode::Write {
        repo.keep_run(&run).await.context("the import cannot be begun")?;
    }
    Ok(run)
}

/// Processes of a service hold leases, and leave them behind when they die.
async fn refuse_beside_a_service(database: &Database, now: Timestamp) -> anyhow::Result<()> {
    let leases = LeaseRepo::new(database);
    let is_served = leases.any_since(now.plus_minutes(-SILENCE_MINUTES)).await?;
    ensure!(
        !is_served,
        "a service is running on the database {}, or has died within the last {SILENCE_MINUTES} minutes. Stop it first, \
         or import beside it with --alongside: people see tickets while they come in, and nothing that is there is changed",
        database.name()
    );
    Ok(())
}

/// The one who hears, with the words for stages.
#[derive(Debug)]
struct Told(Box<dyn Progress>);

impl Told {
    fn begin(&self, stage: Stage, expected: u64, done: i64) {
        self.0
            .begin(stage.as_str(), expected, u64::try_from(done).unwrap_or(0));
    }

    fn begin_named(&self, what: &str, expected: u64) {
        self.0.begin(what, expected, 0);
    }

    fn at(&self, done: i64) {
        self.0.at(u64::try_from(done).unwrap_or(0));
    }

    fn end(&self) {
        self.0.end();
    }
}
