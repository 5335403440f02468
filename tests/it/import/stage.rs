//! A generated database to import from, and what an import into another one leaves there.

use super::generator::{Generated, generate};
use crate::support::mongo;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::Database;
use secrecy::SecretString;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use workflow_ops::clients::object_store::FileStore;
use workflow_ops::config::{Settings, Sources};
use workflow_ops::domain::id::random_key;
use workflow_ops::domain::time::{Clock, Timestamp};
use workflow_ops::repositories::legacy::LegacyDatabase;
use workflow_ops::repositories::{indexes, mongo as store};
use workflow_ops::services::import::{Company, ImportRequest, Importer, Mode, Progress, Report};

/// A database to import from, with the folder of its files; both go with this value.
pub(crate) struct Legacy {
    pub(crate) database: Database,
    pub(crate) generated: Generated,
    pub(crate) folder: TempDir,
}

impl Legacy {
    /// A database with `count` tickets.
    pub(crate) async fn with(count: usize, seed: u64, now: Timestamp) -> Self {
        let database = open(&format!("l{}", &random_key()[..16])).await;
        let generated = generate(&database, count, seed, now).await;
        let folder = tempfile::tempdir().unwrap();
        let temp = folder.path().join("temp");
        std::fs::create_dir(&temp).unwrap();
        for name in ["ATT-000000000001_a.txt", "plan.txt"] {
            std::fs::write(temp.join(name), b"hello").unwrap();
        }
        std::fs::write(folder.path().join("outside.txt"), b"hello").unwrap();
        Self {
            database,
            generated,
            folder,
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.database.name()
    }

    /// Imports into `target` in this process.
    pub(crate) async fn import(&self, target: &Database, mode: Mode, clock: &Clock) -> Report {
        let settings = settings(self.folder.path());
        let importer = self.importer(target, mode, clock, &settings).await.unwrap();
        importer.run().await.unwrap()
    }

    /// An import into `target`, not begun yet.
    pub(crate) async fn importer(
        &self,
        target: &Database,
        mode: Mode,
        clock: &Clock,
        settings: &Settings,
    ) -> anyhow::Result<std::sync::Arc<Importer>> {
        let legacy = LegacyDatabase::connect(&SecretString::from(mongo::uri()), self.name()).await?;
        let files = (mode == Mode::Write).then(|| FileStore::open(&settings.attachments).unwrap());
        Importer::open(ImportRequest {
            legacy,
            database: target.clone(),
            mode,
            company: Company::Alone,
            attachments: Some(self.folder.path().to_owned()),
            files,
            time_zone: settings.business_time_zone,
            clock: clock.clone(),
            progress: Box::new(Silent),
        })
        .await
    }

    /// Drops the database.
    pub(crate) async fn drop(self) {
        self.database.drop().await.unwrap();
    }
}

/// Nobody hears it.
#[derive(Debug)]
struct Silent;

impl Progress for Silent {
    fn begin(&self, _what: &str, _expected: u64, _done: u64) {}
    fn at(&self, _done: u64) {}
    fn end(&self) {}
}

/// Settings whose files go below `folder`.
pub(crate) fn settings(folder: &Path) -> Settings {
    let stored: PathBuf = folder.join("stored");
    let pairs = [
        ("MONGO_URI", mongo::uri()),
        ("MONGO_DB", "unused"),
        ("STORAGE_PATH", stored.to_str().unwrap()),
    ];
    Settings::from_sources(Sources::of_pairs(&pairs)).unwrap()
}

/// A database of this run's server.
pub(crate) async fn open(name: &str) -> Database {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    store::connect(&SecretString::from(mongo::uri()), name, 16)
        .await
        .unwrap()
}

/// An empty database to import into.
pub(crate) async fn target() -> Database {
    let database = open(&format!("i{}", &random_key()[..16])).await;
    indexes::ensure(&database).await.unwrap();
    database
}

/// Every document of a database but how far the import has come, by collection and id.
pub(crate) async fn dump(database: &Database) -> BTreeMap<String, Vec<Document>> {
    let mut all = BTreeMap::new();
    for name in database.list_collection_names().await.unwrap() {
        if name == "import_state" {
            continue;
        }
        let rows = database.collection::<Document>(&name);
        let found = rows.find(doc! {}).sort(doc! {"_id": 1}).await.unwrap();
        let documents: Vec<Document> = found.try_collect().await.unwrap();
        if !documents.is_empty() {
            all.insert(name, documents);
        }
    }
    all
}

/// When the import into a database began.
async fn began(database: &Database) -> i64 {
    let state = database.collection::<Document>("import_state");
    let run = state.find_one(doc! {"_id": "run"}).await.unwrap().unwrap();
    run.get_datetime("started_at").unwrap().timestamp_millis()
}

/// A document with the moment of its import taken out, for imports that began at different times.
fn timeless(mut document: Document, began: i64) -> String {
    scrub(&mut document, began);
    let text = document.to_string().replace(&began.to_string(), "BEGAN");
    text.replace(&Timestamp::from_millis(began).to_wire(), "BEGAN")
}

/// How many documents two imports have left, all of them the same but for the moment of the import; where they part, what
/// each has there.
pub(crate) async fn same_documents(ours: &Database, theirs: &Database) -> Result<usize, (String, String)> {
    let names = async |database: &Database| {
        let names = database.list_collection_names().await.unwrap();
        let mut kept = BTreeSet::new();
        for name in names.into_iter().filter(|name| name != "import_state") {
            let rows = database.collection::<Document>(&name);
            if rows.find_one(doc! {}).await.unwrap().is_some() {
                kept.insert(name);
            }
        }
        kept
    };
    let (own, other) = (names(ours).await, names(theirs).await);
    if own != other {
        return Err((format!("{own:?}"), format!("{other:?}")));
    }
    let (own_began, other_began) = (began(ours).await, began(theirs).await);
    let mut same = 0;
    for name in own {
        let rows = async |database: &Database| {
            let rows = database.collection::<Document>(&name);
            rows.find(doc! {}).sort(doc! {"_id": 1}).await.unwrap()
        };
        let (mut own, mut other) = (rows(ours).await, rows(theirs).await);
        loop {
            let (a, b) = (own.try_next().await.unwrap(), other.try_next().await.unwrap());
            let (a, b) = (
                a.map(|a| timeless(a, own_began)),
                b.map(|b| timeless(b, other_began)),
            );
            if a != b {
                let told = |row: Option<String>| format!("{name}: {}", row.unwrap_or_default());
                return Err((told(a), told(b)));
            }
            if a.is_none() {
                break;
            }
            same += 1;
        }
    }
    Ok(same)
}

/// Timers and terms count from the import: their distance from it stays.
fn scrub(document: &mut Document, began: i64) {
    for (_, value) in document.iter_mut() {
        scrub_value(value, began);
    }
}

fn scrub_value(value: &mut Bson, began: i64) {
    match value {
        Bson::DateTime(at) if at.timestamp_millis() >= began => {
            *value = Bson::String(format!("began+{}", at.timestamp_millis() - began));
        }
        Bson::Document(inner) => scrub(inner, began),
        Bson::Array(list) => list.iter_mut().for_each(|item| scrub_value(item, began)),
        _ => {}
    }
}
