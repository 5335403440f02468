//! The stages of an import and the walk that all families of documents but tickets have in common: read a batch, make
//! rows of it, store them, keep how far it came.

use super::{Importer, Mode, families};
use crate::domain::import::RepairRule;
use crate::repositories::import_repo::{Finding, StageState, Tally};
use crate::repositories::legacy::{Fields, LegacyCollection};
use bson::{Bson, Document};
use serde::Serialize;

/// How many documents a batch has.
const BATCH: usize = 500;

/// A family of documents, in the order in which families are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is named like what it imports")]
pub enum Stage {
    Workflows,
    Versions,
    Lookups,
    UserAccess,
    AdminUsers,
    AdminAudit,
    Wordings,
    Config,
    Tickets,
    Files,
    Mails,
    Notices,
    NoticesElsewhere,
    Conversations,
}

impl Stage {
    /// Every stage in order.
    pub const ALL: [Self; 14] = [
        Self::Workflows,
        Self::Versions,
        Self::Lookups,
        Self::UserAccess,
        Self::AdminUsers,
        Self::AdminAudit,
        Self::Wordings,
        Self::Config,
        Self::Tickets,
        Self::Files,
        Self::Mails,
        Self::Notices,
        Self::NoticesElsewhere,
        Self::Conversations,
    ];

    /// The collection it reads.
    pub const fn collection(self) -> LegacyCollection {
        match self {
            Self::Workflows => LegacyCollection::Workflows,
            Self::Versions => LegacyCollection::WorkflowVersions,
            Self::Lookups => LegacyCollection::WorkflowLookups,
            Self::UserAccess => LegacyCollection::UserAccess,
            Self::AdminUsers => LegacyCollection::AdminUsers,
            Self::AdminAudit => LegacyCollection::AdminAudit,
            Self::Wordings => LegacyCollection::EmailTemplateOverrides,
            Self::Config => LegacyCollection::SystemConfig,
            Self::Files => LegacyCollection::Attachments,
            Self::Tickets => LegacyCollection::Tickets,
            Self::Mails => LegacyCollection::NotificationOutbox,
            Self::Notices => LegacyCollection::InappNotifications,
            Self::NoticesElsewhere => LegacyCollection::InAppNotifications,
            Self::Conversations => LegacyCollection::AiConversations,
        }
    }

    /// Its word in reports and in the kept state.
    pub const fn as_str(self) -> &'static str {
        self.collection().as_str()
    }
}

/// What the documents of a batch come to.
#[derive(Debug)]
pub(super) struct Notes {
    collection: LegacyCollection,
    pub(super) tally: Tally,
    pub(super) findings: Vec<Finding>,
}

impl Notes {
    pub(super) fn new(collection: LegacyCollection) -> Self {
        Self {
            collection,
            tally: Tally::default(),
            findings: Vec::new(),
        }
    }

    /// A document was repaired, or there is something to say of it.
    pub(super) fn tell(&mut self, rule: RepairRule, subject: &str, remark: impl Into<String>) {
        self.tally.count(rule);
        self.add(rule, subject, remark.into(), None);
    }

    /// What was repaired and counted elsewhere shows in this document too.
    pub(super) fn explain(&mut self, rule: RepairRule, subject: &str, remark: impl Into<String>) {
        self.add(rule, subject, remark.into(), None);
    }

    /// A document was left behind as it is.
    pub(super) fn leave(
        &mut self,
        rule: RepairRule,
        subject: &str,
        remark: impl Into<String>,
        document: &Document,
    ) {
        self.tally.left += 1;
        self.tally.count(rule);
        let text = serde_json::to_string(&*Fields(document).to_json()).ok();
        self.add(rule, subject, remark.into(), text);
    }

    /// A document was left behind that is nobody's business: what it holds is not told.
    pub(super) fn leave_unread(&mut self, rule: RepairRule, subject: &str, remark: impl Into<String>) {
        self.tally.left += 1;
        self.tell(rule, subject, remark);
    }

    fn add(&mut self, rule: RepairRule, subject: &str, remark: String, document: Option<String>) {
        let collection = self.collection.as_str();
        let key = format!("{collection}:{subject}:{}", rule.as_str());
        // Told once, as it is kept once: a dry run counts what the database would.
        if self.findings.iter().any(|known| known.key == key) {
            return;
        }
        self.findings.push(Finding {
            key,
            collection: collection.to_owned(),
            subject: subject.to_owned(),
            rule,
            remark,
            document,
        });
    }
}

impl Importer {
    /// Walks a family: `make` turns each document into rows for `target`.
    pub(super) async fn walk<T, F>(&self, stage: Stage, target: &str, mut make: F) -> anyhow::Result<()>
    where
        T: Serialize + Send + Sync,
        F: FnMut(Fields<'_>, &mut Notes) -> Vec<T>,
    {
        let mut state = self.begin(stage).await?;
        if state.done {
            return Ok(());
        }
        let mut documents = self.legacy.walk(stage.collection(), state.last.as_ref()).await?;
        loop {
            let batch = next_batch(&mut documents).await?;
            let Some(last) = batch.last().and_then(|document| document.get("_id")).cloned() else {
                return self.end(stage, state).await;
            };
            let mut notes = Notes::new(stage.collection());
            let mut rows = Vec::with_capacity(batch.len());
            for document in &batch {
                rows.extend(make(Fields(document), &mut notes));
            }
            notes.tally.read = i64::try_from(batch.len()).unwrap_or(i64::MAX);
            notes.tally.made = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            self.store(target, &rows, &mut notes).await?;
            if let (Mode::DryRun, Some(family)) = (self.mode, families::of(stage)) {
                let made: Vec<Document> = rows
                    .iter()
                    .map(bson::serialize_to_document)
                    .collect::<Result<_, _>>()?;
                self.compare_family(family, &batch, &made, &notes.findings);
            }
            self.advance(stage, &mut state, last, notes).await?;
        }
    }

    /// How far a stage has come.
    pub(super) async fn begin(&self, stage: Stage) -> anyhow::Result<StageState> {
        let expected = self.legacy.estimate(stage.collection()).await?;
        let state = match self.mode {
            Mode::Write => self.repo.stage(stage.as_str()).await?,
            Mode::DryRun => StageState::default(),
        };
        self.progress.begin(stage, expected, state.tally.read);
        if state.done {
            self.report().stages.insert(stage, state.tally.clone());
        }
        Ok(state)
    }

    /// Stores rows; what the server refuses is told. Returns how many are new.
    pub(super) async fn store<T>(&self, target: &str, rows: &[T], notes: &mut Notes) -> anyhow::Result<usize>
    where
        T: Serialize + Send + Sync,
    {
        if self.mode == Mode::DryRun || rows.is_empty() {
            return Ok(0);
        }
        let (inserted, refused) = self.repo.insert(target, rows).await?;
        self.report().inserted += inserted as u64;
        for row in refused {
            let subject = rows
                .get(row.at)
                .and_then(|row| bson::serialize_to_document(row).ok())
                .and_then(|row| row.get("_id").map(ToString::to_string))
                .unwrap_or_default();
            notes.tell(
                RepairRule::Unreadable,
                &subject,
                format!("the database refuses it: {}", row.reason),
            );
        }
        Ok(inserted)
    }

    /// Keeps that everything up to `last` is stored.
    pub(super) async fn advance(
        &self,
        stage: Stage,
        state: &mut StageState,
        last: Bson,
        notes: Notes,
    ) -> anyhow::Result<()> {
        state.tally.add(&notes.tally);
        state.last = Some(last);
        if self.mode == Mode::Write {
            self.repo.keep_findings(&notes.findings).await?;
            self.repo.keep_stage(stage.as_str(), state).await?;
        }
        self.report().keep(notes.findings);
        self.progress.at(state.tally.read);
        Ok(())
    }

    /// Keeps that a stage is through.
    pub(super) async fn end(&self, stage: Stage, mut state: StageState) -> anyhow::Result<()> {
        state.done = true;
        if self.mode == Mode::Write {
            self.repo.keep_stage(stage.as_str(), &state).await?;
        }
        self.progress.end();
        self.report().stages.insert(stage, state.tally);
        Ok(())
    }
}

/// The next documents of a cursor, none at its end.
pub(super) async fn next_batch(documents: &mut mongodb::Cursor<Document>) -> anyhow::Result<Vec<Document>> {
    let mut batch = Vec::with_capacity(BATCH);
    while batch.len() < BATCH && documents.advance().await? {
        batch.push(documents.deserialize_current()?);
    }
    Ok(batch)
}

/// A document's id for reports.
pub(super) fn subject(fields: Fields<'_>, key: &str) -> String {
    fields
        .owned(key)
        .or_else(|| fields.value("_id").map(ToString::to_string))
        .unwrap_or_default()
        .trim_matches('"')
        .to_owned()
}
