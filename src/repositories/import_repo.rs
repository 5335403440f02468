//! `import_state` and `import_findings`: how far an import from the reference has come and what it has to tell, and the
//! writes of imported documents, each harmless when it is repeated.

use super::bounded_count::{self, COUNTED};
use super::indexes::IndexSpec;
use super::mongo::{WriteFault, classify};
use super::outbox_repo::insert_absent;
use super::relayed::{Relayed, RelayedRow};
use super::ticket_repo::COLLECTION as TICKETS;
use crate::domain::import::RepairRule;
use crate::domain::tail::TailEntry;
use crate::domain::ticket::Ticket;
use crate::domain::time::Timestamp;
use crate::domain::work::WorkIndex;
use bson::{Bson, Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::error::{ErrorKind, Result};
use mongodb::options::ReplaceOptions;
use mongodb::{Collection, Cursor, Database};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The collection of what an import has to tell an administrator.
pub const FINDINGS: &str = "import_findings";
/// The collection of how far the stages of an import have come.
pub const STATE: &str = "import_state";

const RUN: &str = "run";
/// How much of a document that was left behind is listed, in characters.
const QUOTED: i32 = 10_000;

/// The indexes of these collections.
pub fn indexes() -> Vec<IndexSpec> {
    vec![
        IndexSpec::new(FINDINGS, "rule", doc! {"rule": 1, "_id": 1}),
        IndexSpec::new(FINDINGS, "subject", doc! {"subject": 1, "_id": 1}),
    ]
}

/// Something that an import found in a document that belongs to no ticket, or could not repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The collection it came from, the document's id and the rule, so that a repeat finds the same.
    #[serde(rename = "_id")]
    pub key: String,
    /// The collection it came from.
    pub collection: String,
    /// The document's id.
    pub subject: String,
    /// The rule.
    pub rule: RepairRule,
    /// What there is to say.
    pub remark: String,
    /// The document as it was, as JSON text, when it was left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
}

/// Which findings are wanted; all of them by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingFilter {
    /// Any of these rules; every rule when empty.
    pub rules: Vec<RepairRule>,
    /// Only those that somebody must look at.
    pub only_to_look_at: bool,
    /// The collection they came from.
    pub collection: Option<String>,
    /// The document's id.
    pub subject: Option<String>,
}

impl FindingFilter {
    fn to_document(&self) -> Document {
        let mut filter = Document::new();
        if self.only_to_look_at || !self.rules.is_empty() {
            let rules = RepairRule::ALL.iter().copied();
            let wanted = rules
                .filter(|rule| self.rules.is_empty() || self.rules.contains(rule))
                .filter(|rule| !self.only_to_look_at || rule.needs_people());
            let words: Vec<&str> = wanted.map(RepairRule::as_str).collect();
            filter.insert("rule", doc! {"$in": words});
        }
        if let Some(collection) = &self.collection {
            // Keys begin with the collection; `;` follows `:`.
            let keys = doc! {"$gte": format!("{collection}:"), "$lt": format!("{collection};")};
            filter.insert("_id", keys);
        }
        if let Some(subject) = &self.subject {
            filter.insert("subject", subject);
        }
        filter
    }
}

/// What a stage has come to, in numbers that are the same however often it was interrupted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Documents read.
    pub read: i64,
    /// Documents that they make here.
    pub made: i64,
    /// Documents left behind, each with a finding.
    pub left: i64,
    /// Repairs by rule.
    #[serde(default)]
    pub repairs: BTreeMap<String, i64>,
}

impl Tally {
    /// Counts a repair.
    pub fn count(&mut self, rule: RepairRule) {
        *self.repairs.entry(rule.as_str().to_owned()).or_default() += 1;
    }

    /// Adds another's numbers.
    pub fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.made += other.made;
        self.left += other.left;
        for (rule, count) in &other.repairs {
            *self.repairs.entry(rule.clone()).or_default() += count;
        }
    }
}

/// How far a stage has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StageState {
    /// The id of the last document that is done.
    #[serde(default)]
    pub last: Option<Bson>,
    /// Whether all of them are.
    pub done: bool,
    /// What it has come to.
    pub tally: Tally,
}

/// An import from one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRun {
    /// The database it reads, by name.
    pub source: String,
    /// When it began; what an import does has this time.
    pub started_at: Timestamp,
    /// When it was through; a later run begins again and brings what is new.
    #[serde(default)]
    pub finished_at: Option<Timestamp>,
}

/// A ticket as the verification reads it.
#[derive(Debug, Clone, Deserialize)]
pub struct ImportedRow {
    /// The version.
    pub version: i64,
    /// The aggregate.
    pub ticket: Ticket,
    /// The derived work index.
    pub work: WorkIndex,
    /// What the relay has not carried on yet.
    pub tail: Vec<TailEntry>,
}

/// A document that the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Its place among those given.
    pub at: usize,
    /// Why.
    pub reason: String,
}

/// Access to an import's state and its writes; cheap to clone.
#[derive(Debug, Clone)]
pub struct ImportRepo {
    database: Database,
    state: Collection<Document>,
    findings: Collection<Finding>,
}

impl ImportRepo {
    /// The import's collections in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            state: database.collection(STATE),
            findings: database.collection(FINDINGS),
        }
    }

    /// The import that was begun here, if one was.
    pub async fn run(&self) -> Result<Option<ImportRun>> {
        self.state
            .clone_with_type::<ImportRun>()
            .find_one(doc! {"_id": RUN})
            .await
    }

    /// Keeps an import's data; one that begins anew forgets how far its stages had come.
    pub async fn keep_run(&self, run: &ImportRun) -> Result<()> {
        if run.finished_at.is_none() {
            self.state.delete_many(doc! {"_id": {"$ne": RUN}}).await?;
        }
        self.replace(RUN, run).await
    }

    /// How far a stage has come.
    pub async fn stage(&self, stage: &str) -> Result<StageState> {
        let found = self
            .state
            .clone_with_type::<StageState>()
            .find_one(doc! {"_id": stage})
            .await?;
        Ok(found.unwrap_or_default())
    }

    /// Keeps how far a stage has come, once all before it is stored.
    pub async fn keep_stage(&self, stage: &str, state: &StageState) -> Result<()> {
        self.replace(stage, state).await
    }

    async fn replace<T: Serialize>(&self, id: &str, value: &T) -> Result<()> {
        let mut document = bson::serialize_to_document(value)?;
        document.insert("_id", id);
        let options = ReplaceOptions::builder().upsert(true).build();
        self.state
            .replace_one(doc! {"_id": id}, document)
            .with_options(options)
            .await?;
        Ok(())
    }

    /// Keeps findings; those that are known already stay.
    pub async fn keep_findings(&self, findings: &[Finding]) -> Result<()> {
        insert_absent(&self.findings, findings).await.map(|_| ())
    }

    /// Every finding kept so far, in the order of their keys.
    pub async fn all_findings(&self) -> Result<Cursor<Finding>> {
        self.findings.find(doc! {}).sort(doc! {"_id": 1}).await
    }

    /// Findings in the order of their keys: `limit` of them after the first `skip`, of what was left behind the beginning;
    /// and how many there are, counted up to 10 000.
    pub async fn findings(
        &self,
        filter: &FindingFilter,
        skip: u64,
        limit: i64,
    ) -> Result<(Vec<Finding>, u64)> {
        let filter = filter.to_document();
        let total = bounded_count::count_up_to(&self.findings, filter.clone(), COUNTED).await?;
        let excerpt = doc! {"$substrCP": [{"$ifNull": ["$document", ""]}, 0, QUOTED]};
        let found = self
            .findings
            .find(filter)
            .projection(doc! {"collection": 1, "subject": 1, "rule": 1, "remark": 1, "document": excerpt})
            .sort(doc! {"_id": 1})
            .skip(skip)
            .limit(limit);
        let mut found: Vec<Finding> = found.await?.try_collect().await?;
        for finding in &mut found {
            finding.document = finding.document.take().filter(|text| !text.is_empty());
        }
        Ok((found, total))
    }

    /// The findings that tell of these documents of a collection.
    pub async fn findings_of(&self, collection: &str, subjects: &[String]) -> Result<Vec<Finding>> {
        let keys = subjects.iter().flat_map(|subject| {
            let rules = RepairRule::ALL.iter();
            rules.map(move |rule| format!("{collection}:{subject}:{}", rule.as_str()))
        });
        let keys: Vec<String> = keys.collect();
        self.findings
            .find(doc! {"_id": {"$in": keys}})
            .await?
            .try_collect()
            .await
    }

    /// The documents of a collection whose `field` is one of these.
    pub async fn rows_of(&self, collection: &str, field: &str, values: &[String]) -> Result<Vec<Document>> {
        self.database
            .collection::<Document>(collection)
            .find(doc! {field: {"$in": values}})
            .await?
            .try_collect()
            .await
    }

    /// The rows that the relay or an import has carried to a collection for these tickets, in the order of their keys.
    pub async fn relayed<T: Relayed>(
        &self,
        tickets: &[String],
        condition: Document,
    ) -> Result<Vec<RelayedRow<T>>> {
        let mut filter = doc! {"ticket_id": {"$in": tickets}};
        filter.extend(condition);
        self.database
            .collection::<RelayedRow<T>>(T::COLLECTION)
            .find(filter)
            .sort(doc! {"ticket_id": 1, "seq": 1, "n": 1})
            .await?
            .try_collect()
            .await
    }

    /// Tickets with what their tails still hold.
    pub async fn tickets(&self, ids: &[String]) -> Result<Vec<ImportedRow>> {
        self.database
            .collection::<ImportedRow>(TICKETS)
            .find(doc! {"_id": {"$in": ids}})
            .projection(doc! {"version": 1, "ticket": 1, "work": 1, "tail": 1})
            .await?
            .try_collect()
            .await
    }

    /// Inserts the documents whose `_id` is new; returns how many were, and which the server refused for good.
    pub async fn insert<T>(&self, collection: &str, rows: &[T]) -> Result<(usize, Vec<RefusedRow>)>
    where
        T: Serialize + Send + Sync,
    {
        let mut documents = Vec::with_capacity(rows.len());
        for row in rows {
            documents.push(bson::serialize_to_raw_document_buf(row)?);
        }
        self.insert_documents(collection, &documents).await
    }

    /// The same for documents that are BSON already.
    pub async fn insert_documents(
        &self,
        collection: &str,
        documents: &[RawDocumentBuf],
    ) -> Result<(usize, Vec<RefusedRow>)> {
        let target = self.database.collection::<RawDocumentBuf>(collection);
        match insert_absent(&target, documents).await {
            Ok(inserted) => Ok((inserted, Vec::new())),
            Err(error) if is_unknown(&error) => Err(error),
            Err(_) => insert_each(&target, documents).await,
        }
    }
}

/// Whether nobody knows what became of the writes, as opposed to some of them having been refused.
fn is_unknown(error: &mongodb::error::Error) -> bool {
    !matches!(error.kind.as_ref(), ErrorKind::InsertMany(_)) && classify(error) == WriteFault::Unknown
}

/// One by one, so that only the guilty document is left behind.
async fn insert_each(
    target: &Collection<RawDocumentBuf>,
    documents: &[RawDocumentBuf],
) -> Result<(usize, Vec<RefusedRow>)> {
    let (mut inserted, mut refused) = (0, Vec::new());
    for (at, document) in documents.iter().enumerate() {
        match target.insert_one(document).await {
            Ok(_) => inserted += 1,
            Err(error) => match classify(&error) {
                WriteFault::DuplicateKey => {}
                WriteFault::Refused => refused.push(RefusedRow {
                    at,
                    reason: error.to_string(),
                }),
                WriteFault::Unknown => return Err(error),
            },
        }
    }
    Ok((inserted, refused))
}
