//! Indexes as data: what every query relies on, created at start. A failing build stops the start.

use bson::{Document, doc};
use futures::{StreamExt, TryStreamExt};
use mongodb::options::{Collation, CollationStrength, IndexOptions};
use mongodb::{Database, IndexModel};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many collections are looked after at the same time.
const SIDE_BY_SIDE: usize = 8;

/// The server's own index of every collection.
const BY_ID: &str = "_id_";

/// One index.
#[derive(Debug, Clone)]
pub struct IndexSpec {
    /// The collection it is on.
    pub collection: &'static str,
    /// Its name, unique within the collection; a changed index gets a new name.
    pub name: &'static str,
    /// Its keys in order.
    pub keys: Document,
    /// Whether values must differ.
    pub unique: bool,
    /// The documents it covers; all when absent.
    pub partial: Option<Document>,
    /// Documents vanish this long after the date in the index's only key.
    pub expire_after: Option<Duration>,
    /// Whether text is compared without regard to case.
    pub ignore_case: bool,
}

impl IndexSpec {
    /// A plain index.
    pub fn new(collection: &'static str, name: &'static str, keys: Document) -> Self {
        Self {
            collection,
            name,
            keys,
            unique: false,
            partial: None,
            expire_after: None,
            ignore_case: false,
        }
    }

    /// The same, with values that must differ.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// The same, over these documents only.
    #[must_use]
    pub fn partial(mut self, filter: Document) -> Self {
        self.partial = Some(filter);
        self
    }

    /// The same, removing documents `after` the date in its key.
    #[must_use]
    pub fn expire_after(mut self, after: Duration) -> Self {
        self.expire_after = Some(after);
        self
    }

    /// The same, comparing text without regard to case.
    #[must_use]
    pub fn ignore_case(mut self) -> Self {
        self.ignore_case = true;
        self
    }

    fn model(&self) -> IndexModel {
        let mut options = IndexOptions::default();
        options.name = Some(self.name.to_owned());
        options.unique = self.unique.then_some(true);
        options.partial_filter_expression.clone_from(&self.partial);
        options.expire_after = self.expire_after;
        options.collation = self.ignore_case.then(ignore_case_collation);
        IndexModel::builder()
            .keys(self.keys.clone())
            .options(options)
            .build()
    }
}

/// The collation of indexes and queries that compare text without regard to case.
pub fn ignore_case_collation() -> Collation {
    Collation::builder()
        .locale("en")
        .strength(CollationStrength::Secondary)
        .build()
}

/// Every index of the service. Each repository adds its own rows.
pub fn all() -> Vec<IndexSpec> {
    [
        super::outbox_repo::indexes(),
        super::inapp_repo::indexes(),
        super::template_override_repo::indexes(),
        super::admin_audit_repo::indexes(),
        super::admin_user_repo::indexes(),
        super::workflow_repo::indexes(),
        super::workflow_version_repo::indexes(),
        super::bootstrap_repo::indexes(),
        super::idempotency_repo::indexes(),
        super::user_access_repo::indexes(),
        super::ticket_tails::indexes(),
        super::ticket_timers::indexes(),
        super::ticket_list_repo::indexes(),
        super::ticket_figures::indexes(),
        super::admin_figures::indexes(),
        super::audit_repo::indexes(),
        super::ticket_command_repo::indexes(),
        super::history_repo::indexes(),
        super::note_repo::indexes(),
        super::form_version_repo::indexes(),
        super::relay::indexes(),
        super::attachment_repo::indexes(),
        super::lookup_repo::indexes(),
        super::model_usage_repo::indexes(),
        super::import_repo::indexes(),
        super::conversation_repo::indexes(),
    ]
    .concat()
}

/// Creates what is missing; cheap when nothing is.
///
/// # Errors
/// The database is unavailable, or an index cannot be built: its name, collection and reason are in the error.
pub async fn ensure(database: &Database) -> anyhow::Result<()> {
    let mut by_collection: BTreeMap<&'static str, Vec<IndexSpec>> = BTreeMap::new();
    for spec in all() {
        by_collection.entry(spec.collection).or_default().push(spec);
    }
    let existing = database.list_collection_names().await?;
    futures::stream::iter(by_collection)
        .map(|(collection, specs)| {
            let is_there = existing.iter().any(|name| name == collection);
            ensure_of(database, collection, specs, is_there)
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect()
        .await
}

/// Creates what is missing of one collection.
async fn ensure_of(
    database: &Database,
    collection: &'static str,
    specs: Vec<IndexSpec>,
    is_there: bool,
) -> anyhow::Result<()> {
    let handle = database.collection::<Document>(collection);
    let mut missing = specs;
    if is_there {
        let present = handle.list_index_names().await?;
        let unknown = present
            .iter()
            .filter(|name| name.as_str() != BY_ID && !missing.iter().any(|spec| spec.name == name.as_str()));
        let unknown: Vec<_> = unknown.map(String::as_str).collect();
        if !unknown.is_empty() {
            // Not dropped here: a process of the version before may be reading from them.
            tracing::info!(collection, indexes = %unknown.join(", "), "these indexes are not used by this version");
        }
        missing.retain(|spec| !present.iter().any(|name| name == spec.name));
    } else {
        create_collection(database, collection).await?;
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|spec| spec.name).collect();
    let names = names.join(", ");
    tracing::info!(collection, indexes = %names, "building indexes");
    handle
        .create_indexes(missing.iter().map(IndexSpec::model))
        .await
        .map_err(|error| anyhow::anyhow!("cannot build the indexes {names} of {collection}: {error}"))?;
    Ok(())
}

/// Creates a collection; another process may have been faster.
async fn create_collection(database: &Database, name: &str) -> anyhow::Result<()> {
    const NAMESPACE_EXISTS: i32 = 48;
    let Err(error) = database.create_collection(name).await else {
        return Ok(());
    };
    if let mongodb::error::ErrorKind::Command(command) = error.kind.as_ref()
        && command.code == NAMESPACE_EXISTS
    {
        return Ok(());
    }
    Err(error.into())
}

/// The plan of a query as the server explains it; tests look for collection scans in it.
///
/// # Errors
/// The database is unavailable or refuses the command.
pub async fn explain(database: &Database, command: Document) -> mongodb::error::Result<Document> {
    database
        .run_command(doc! {"explain": command, "verbosity": "executionStats"})
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_index_is_listed_twice() {
        let mut names = std::collections::BTreeSet::new();
        for spec in all() {
            assert!(
                names.insert((spec.collection, spec.name)),
                "{} of {}",
                spec.name,
                spec.collection
            );
        }
    }
}
