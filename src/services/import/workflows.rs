//! Workflows, their versions and their lookup tables.

use super::person;
use super::stage::{Notes, Stage, subject};
use super::{Importer, Mode};
use crate::domain::id::{LookupEntryId, LookupId, WorkflowId, WorkflowVersionId};
use crate::domain::import::RepairRule;
use crate::domain::lookup::{LookupEntry, LookupPerson, LookupTable};
use crate::domain::person::Email;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Definition, WorkflowStatus, WorkflowTemplate, WorkflowVersion};
use crate::engine::definition::compile;
use crate::repositories::legacy::{Fields, LegacyCollection};
use crate::repositories::{lookup_repo, workflow_repo, workflow_version_repo};
use std::collections::BTreeMap;

/// The versions of all workflows by id, with the numbers they get here; small, because versions are made by people.
#[derive(Debug, Default)]
pub(super) struct VersionNumbers {
    by_id: BTreeMap<String, (WorkflowId, i32)>,
    newest: BTreeMap<WorkflowId, i32>,
}

impl VersionNumbers {
    /// The workflow and number of a version.
    pub(super) fn of(&self, version_id: &str) -> Option<&(WorkflowId, i32)> {
        self.by_id.get(version_id)
    }

    /// The newest version's number of a workflow.
    pub(super) fn newest(&self, workflow: &WorkflowId) -> Option<i32> {
        self.newest.get(workflow).copied()
    }

    /// The id of the version with a number.
    pub(super) fn id_of(&self, workflow: &WorkflowId, number: i32) -> Option<&str> {
        let mut found = self.by_id.iter();
        found
            .find(|(_, (of, own))| of == workflow && *own == number)
            .map(|(id, _)| id.as_str())
    }
}

impl Importer {
    /// Reads the numbers of all versions. Of several with one number the first published keeps it.
    pub(super) async fn read_version_numbers(&self) -> anyhow::Result<VersionNumbers> {
        let mut found: BTreeMap<WorkflowId, Vec<(i32, Option<Timestamp>, String)>> = BTreeMap::new();
        let mut documents = self.legacy.walk(LegacyCollection::WorkflowVersions, None).await?;
        while documents.advance().await? {
            let document = documents.deserialize_current()?;
            let fields = Fields(&document);
            let workflow = WorkflowId::from_stored(fields.text("workflow_id").unwrap_or_default());
            let number = fields
                .whole("version_number")
                .and_then(|number| i32::try_from(number).ok());
            let id = subject(fields, "workflow_version_id");
            let published = fields.instant("published_at");
            found
                .entry(workflow)
                .or_default()
                .push((number.unwrap_or(1).max(1), published, id));
        }
        let mut numbers = VersionNumbers::default();
        for (workflow, mut versions) in found {
            versions.sort();
            let mut free = versions.iter().map(|(number, ..)| *number).max().unwrap_or(0);
            let mut taken = None;
            for (number, _, id) in versions {
                let own = if taken == Some(number) {
                    free = free.saturating_add(1);
                    free
                } else {
                    number
                };
                taken = Some(number);
                numbers.by_id.insert(id, (workflow.clone(), own));
            }
            numbers.newest.insert(workflow, free);
        }
        Ok(numbers)
    }

    /// Imports the workflows that can be edited, and an archived one for versions whose workflow was deleted.
    pub(super) async fn workflows(&self) -> anyhow::Result<()> {
        self.walk(Stage::Workflows, workflow_repo::COLLECTION, |fields, notes| {
            vec![self.template(fields, notes)]
        })
        .await
    }

    fn template(&self, fields: Fields<'_>, notes: &mut Notes) -> WorkflowTemplate {
        let id = WorkflowId::from_stored(subject(fields, "workflow_id"));
        let newest = self.versions.newest(&id);
        let told = fields
            .whole("published_version")
            .or_else(|| fields.whole("current_version"));
        let told = told.and_then(|number| i32::try_from(number).ok());
        if newest != told {
            let remark = format!("current version {told:?} is {newest:?}");
            notes.tell(RepairRule::CurrentVersionRecomputed, id.as_str(), remark);
        }
        let created_at = instant(fields, "created_at");
        let status = match fields.word("status") {
            Some(WorkflowStatus::Published) if newest.is_none() => WorkflowStatus::Draft,
            told => told.unwrap_or(WorkflowStatus::Draft),
        };
        WorkflowTemplate {
            name: fields.owned("name").unwrap_or_else(|| id.to_string()),
            description: fields.owned("description"),
            category: fields.owned("category"),
            tags: fields.texts("tags"),
            status,
            definition: definition(fields, id.as_str(), notes),
            change_summary: fields.owned("change_summary"),
            created_by: person::of(fields, "created_by"),
            created_at,
            updated_at: fields.instant("updated_at").unwrap_or(created_at),
            published_version: newest,
            version: fields.whole("version").unwrap_or(1).max(1),
            id,
        }
    }

    /// Imports the published versions.
    pub(super) async fn published_versions(&self) -> anyhow::Result<()> {
        self.walk(
            Stage::Versions,
            workflow_version_repo::COLLECTION,
            |fields, notes| {
                let version = self.version(fields, notes);
                let (_, findings) = compile(&version);
                if let Some(first) = findings.first() {
                    let remark = format!(
                        "{} faults, the first: {} {}",
                        findings.len(),
                        first.path,
                        first.message
                    );
                    notes.tell(RepairRule::DefinitionDoesNotParse, version.id.as_str(), remark);
                }
                vec![version]
            },
        )
        .await?;
        self.archive_deleted_workflows().await
    }

    /// A published version as it is stored here.
    pub(super) fn version(&self, fields: Fields<'_>, notes: &mut Notes) -> WorkflowVersion {
        let id = WorkflowVersionId::from_stored(subject(fields, "workflow_version_id"));
        let told = fields
            .whole("version_number")
            .and_then(|number| i32::try_from(number).ok());
        let number = self.versions.of(id.as_str()).map_or(1, |(_, number)| *number);
        if told != Some(number) {
            let remark = format!("version number {told:?} is {number}");
            notes.tell(RepairRule::VersionNumberTwice, id.as_str(), remark);
        }
        WorkflowVersion {
            workflow_id: WorkflowId::from_stored(fields.text("workflow_id").unwrap_or_default()),
            version_number: number,
            name: fields.owned("name").unwrap_or_else(|| id.to_string()),
            description: fields.owned("description"),
            category: fields.owned("category"),
            tags: fields.texts("tags"),
            definition: definition(fields, id.as_str(), notes).unwrap_or_default(),
            published_by: person::of(fields, "published_by"),
            published_at: instant(fields, "published_at"),
            change_summary: fields.owned("change_summary"),
            id,
        }
    }

    /// The reference deletes workflows for good although their versions, tables and tickets stay.
    async fn archive_deleted_workflows(&self) -> anyhow::Result<()> {
        let mut notes = Notes::new(LegacyCollection::Workflows);
        let mut archived = Vec::new();
        for (workflow, newest) in &self.versions.newest {
            let is_there = self
                .legacy
                .by_ids(LegacyCollection::Workflows, &[workflow.to_string()])
                .await?;
            if !is_there.is_empty() {
                continue;
            }
            let Some(id) = self.versions.id_of(workflow, *newest) else {
                continue;
            };
            let documents = self
                .legacy
                .by_ids(LegacyCollection::WorkflowVersions, &[id.to_owned()])
                .await?;
            let Some(document) = documents.first() else {
                continue;
            };
            let version = self.version(
                Fields(document),
                &mut Notes::new(LegacyCollection::WorkflowVersions),
            );
            notes.tell(
                RepairRule::WorkflowWasDeleted,
                workflow.as_str(),
                "it is kept as archived",
            );
            archived.push(WorkflowTemplate {
                id: workflow.clone(),
                name: version.name,
                description: version.description,
                category: version.category,
                tags: version.tags,
                status: WorkflowStatus::Archived,
                definition: Some(version.definition),
                change_summary: version.change_summary,
                created_by: version.published_by,
                created_at: version.published_at,
                updated_at: version.published_at,
                published_version: Some(*newest),
                version: 1,
            });
        }
        self.store(workflow_repo::COLLECTION, &archived, &mut notes)
            .await?;
        notes.tally.made = i64::try_from(archived.len()).unwrap_or(i64::MAX);
        if self.mode == Mode::Write {
            self.repo.keep_findings(&notes.findings).await?;
        }
        // Concluded anew by every run, so that it is counted once.
        self.report()
            .stages
            .entry(Stage::Workflows)
            .or_default()
            .add(&notes.tally);
        Ok(())
    }

    /// Imports the lookup tables.
    pub(super) async fn lookups(&self) -> anyhow::Result<()> {
        let bound = self.newest_bound_tables().await?;
        self.walk(Stage::Lookups, lookup_repo::COLLECTION, |fields, notes| {
            vec![table_of(fields, &bound, notes)]
        })
        .await
    }

    /// The table that counts for each field: the newest active one, since the reference lets several be bound.
    pub(super) async fn newest_bound_tables(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let mut newest: BTreeMap<String, (Option<Timestamp>, String)> = BTreeMap::new();
        let mut documents = self.legacy.walk(LegacyCollection::WorkflowLookups, None).await?;
        while documents.advance().await? {
            let document = documents.deserialize_current()?;
            let fields = Fields(&document);
            let Some(field) = bound_field(fields) else {
                continue;
            };
            let own = (fields.instant("created_at"), subject(fields, "lookup_id"));
            let known = newest.entry(field).or_insert_with(|| own.clone());
            if own > *known {
                *known = own;
            }
        }
        Ok(newest.into_iter().map(|(field, (_, id))| (field, id)).collect())
    }
}

/// The field that an active table is bound to.
fn bound_field(fields: Fields<'_>) -> Option<String> {
    if !fields.flag("is_active").unwrap_or(true) {
        return None;
    }
    let step = fields.text("source_step_id")?;
    let key = fields.text("source_field_key")?;
    Some(format!(
        "{}|{step}|{key}",
        fields.text("workflow_id").unwrap_or_default()
    ))
}

/// A table as it is stored here.
pub(super) fn table_of(
    fields: Fields<'_>,
    bound: &BTreeMap<String, String>,
    notes: &mut Notes,
) -> LookupTable {
    let id = subject(fields, "lookup_id");
    let counts = bound_field(fields).is_none_or(|field| bound.get(&field) == Some(&id));
    if !counts {
        notes.tell(
            RepairRule::TableBoundTwice,
            &id,
            "a newer table is bound to the same field",
        );
    }
    LookupTable {
        id: LookupId::from_stored(id.as_str()),
        workflow_id: WorkflowId::from_stored(fields.text("workflow_id").unwrap_or_default()),
        name: fields.owned("name").unwrap_or_else(|| id.clone()),
        description: fields.owned("description"),
        source_step_id: fields.owned("source_step_id").filter(|_| counts),
        source_field_key: fields.owned("source_field_key").filter(|_| counts),
        entries: entries_of(fields, &id, notes),
        created_by: person::of(fields, "created_by"),
        created_at: instant(fields, "created_at"),
        updated_by: fields
            .object("updated_by")
            .and_then(person::read)
            .map(|read| read.person),
        updated_at: fields.instant("updated_at"),
        is_active: fields.flag("is_active").unwrap_or(true),
        version: fields.whole("version").unwrap_or(1).max(1),
    }
}

fn entries_of(table: Fields<'_>, id: &str, notes: &mut Notes) -> Vec<LookupEntry> {
    let mut entries = Vec::new();
    for (at, fields) in table.objects("entries").enumerate() {
        let mut entry = entry_of(fields, &format!("{id}:{at}"), id, notes);
        let told = entry.users.clone();
        entry.settle_users();
        if entry.users != told {
            notes.tell(RepairRule::LookupUsersSettled, id, format!("of {:?}", entry.key));
        }
        entries.push(entry);
    }
    entries
}

fn entry_of(fields: Fields<'_>, seed: &str, table: &str, notes: &mut Notes) -> LookupEntry {
    let users = fields.objects("users").filter_map(|user| {
        let Some(read) = person::read(user) else {
            notes.tell(RepairRule::PersonWithoutAddress, table, "nobody in an entry");
            return None;
        };
        if read.lacks_address {
            notes.tell(RepairRule::PersonWithoutAddress, table, "somebody of an entry");
        }
        if read.fabricated_id.is_some() {
            let remark = format!("of {}", read.person.email);
            notes.tell(RepairRule::FabricatedObjectId, table, remark);
        }
        let recorded = read.person;
        Some(LookupPerson {
            aad_id: recorded.aad_id,
            email: Email::from_stored(recorded.email.as_str()),
            display_name: recorded.display_name,
            is_primary: user.flag("is_primary").unwrap_or(false),
            order: user.whole("order").unwrap_or(0),
        })
    });
    LookupEntry {
        entry_id: fields
            .text("entry_id")
            .map_or_else(|| LookupEntryId::derived(seed), LookupEntryId::from_stored),
        key: fields.owned("key").unwrap_or_default(),
        display_label: fields.owned("display_label"),
        users: users.collect(),
        is_active: fields.flag("is_active").unwrap_or(true),
    }
}

/// The definition as it is; absent when there is none.
fn definition(fields: Fields<'_>, id: &str, notes: &mut Notes) -> Option<Definition> {
    let stored = fields.value("definition")?;
    let Some(object) = fields.object("definition") else {
        let remark = format!(
            "its definition is no object: {}",
            super::ticket::compare::shortened(&stored.to_string())
        );
        notes.tell(RepairRule::DefinitionDoesNotParse, id, remark);
        return None;
    };
    Some(Definition(object.to_json()))
}

fn instant(fields: Fields<'_>, key: &str) -> Timestamp {
    fields.instant(key).unwrap_or(Timestamp::from_millis(0))
}
