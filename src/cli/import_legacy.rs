//! `workflow-ops import-legacy`: brings the reference backend's database over.

use super::print;
use crate::clients::object_store::FileStore;
use crate::config::Settings;
use crate::domain::time::Clock;
use crate::repositories::indexes;
use crate::repositories::legacy::LegacyDatabase;
use crate::services::import::{Company, ImportRequest, Importer, Mode, Progress, Report};
use crate::{lifecycle, telemetry};
use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use secrecy::SecretString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often plain output tells how far it is.
const SAID_EVERY: Duration = Duration::from_secs(10);

/// What to import.
#[derive(Debug, Args)]
pub struct ImportLegacy {
    /// The address of the server with the reference backend's database; it is only read.
    #[arg(long, value_name = "URI", env = "LEGACY_MONGO_URI", hide_env_values = true)]
    from: String,
    /// The name of that database.
    #[arg(long, value_name = "NAME")]
    db: String,
    /// The folder in which it kept the bytes of attachments.
    #[arg(long, value_name = "FOLDER")]
    attachments: Option<PathBuf>,
    /// Write nothing; the report is the same.
    #[arg(long)]
    dry_run: bool,
    /// Import although a service is running on the target database.
    #[arg(long)]
    alongside: bool,
    /// Write the whole report as JSON to this file as well.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Imports, verifies and tells.
///
/// # Errors
/// The import cannot take place or was interrupted, or a difference between both databases is not explained.
pub(super) async fn run(wanted: ImportLegacy) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    telemetry::init_logging(&settings.log)?;
    let open = lifecycle::open_database(&settings).await?;
    let imported = import(&wanted, &settings, open.database).await;
    if let Some(server) = open.embedded {
        server.stop().await;
    }
    let report = imported?;
    print(report.to_text().trim_end())?;
    if let Some(file) = &wanted.report {
        let text = serde_json::to_string_pretty(&report.to_json())?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let unexplained = report
        .verified
        .as_ref()
        .map_or(0, |verified| verified.unexplained);
    anyhow::ensure!(
        unexplained == 0,
        "{unexplained} differences are not explained by any repair"
    );
    Ok(())
}

async fn import(
    wanted: &ImportLegacy,
    settings: &Settings,
    database: mongodb::Database,
) -> anyhow::Result<Report> {
    let mode = if wanted.dry_run { Mode::DryRun } else { Mode::Write };
    if let Some(folder) = &wanted.attachments {
        anyhow::ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    }
    let legacy = LegacyDatabase::connect(&SecretString::from(wanted.from.as_str()), &wanted.db)
        .await
        .context("the database to import from does not answer")?;
    if mode == Mode::Write {
        indexes::ensure(&database).await?;
    }
    let files = match mode {
        Mode::Write if wanted.attachments.is_some() => Some(FileStore::open(&settings.attachments)?),
        Mode::Write | Mode::DryRun => None,
    };
    let target = database.name().to_owned();
    let importer = Importer::open(ImportRequest {
        legacy,
        database,
        mode,
        company: if wanted.alongside {
            Company::Alongside
        } else {
            Company::Alone
        },
        attachments: wanted.attachments.clone(),
        files,
        time_zone: settings.business_time_zone,
        clock: Clock::System,
        progress: progress(),
    })
    .await?;
    let from = &wanted.db;
    print(&match mode {
        Mode::Write => format!("importing {from} into {target}; interrupted, it goes on where it stopped"),
        Mode::DryRun => format!("reading {from} without writing anything"),
    })?;
    importer.run().await
}

fn progress() -> Box<dyn Progress> {
    if std::io::stderr().is_terminal() {
        Box::new(Bar(Mutex::new(ProgressBar::hidden())))
    } else {
        Box::new(Lines(Mutex::new(Line {
            what: String::new(),
            expected: 0,
            done: 0,
            said: Instant::now(),
        })))
    }
}

/// A progress bar on a terminal.
#[derive(Debug)]
struct Bar(Mutex<ProgressBar>);

impl Bar {
    fn with(&self, work: impl FnOnce(&mut ProgressBar)) {
        if let Ok(mut bar) = self.0.lock() {
            work(&mut bar);
        }
    }
}

impl Progress for Bar {
    fn begin(&self, what: &str, expected: u64, done: u64) {
        let template = "{msg:32} [{bar:30}] {pos}/{len}, {per_sec}, {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.with(|bar| {
            *bar = ProgressBar::new(expected).with_style(style);
            bar.set_message(what.to_owned());
            bar.set_position(done);
        });
    }

    fn at(&self, done: u64) {
        self.with(|bar| bar.set_position(done));
    }

    fn end(&self) {
        self.with(|bar| bar.finish());
    }
}

/// Plain lines where there is no terminal: one at the end of each stage, and one every ten seconds of a long one.
#[derive(Debug)]
struct Lines(Mutex<Line>);

#[derive(Debug)]
struct Line {
    what: String,
    expected: u64,
    done: u64,
    said: Instant,
}

impl Line {
    fn say(&mut self) {
        self.said = Instant::now();
        // Progress is lost with the pipe that it is written to; the import is not.
        let _ = print(&format!("{}: {} of {}", self.what, self.done, self.expected));
    }
}

impl Progress for Lines {
    fn begin(&self, what: &str, expected: u64, done: u64) {
        if let Ok(mut line) = self.0.lock() {
            *line = Line {
                what: what.to_owned(),
                expected,
                done,
                said: Instant::now(),
            };
        }
    }

    fn at(&self, done: u64) {
        if let Ok(mut line) = self.0.lock() {
            line.done = done;
            if line.said.elapsed() >= SAID_EVERY {
                line.say();
            }
        }
    }

    fn end(&self) {
        if let Ok(mut line) = self.0.lock() {
            line.say();
        }
    }
}
