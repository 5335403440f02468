//! The versions that imported tickets run, compiled; read from the reference as they are needed and kept within a bound.

use super::stage::Notes;
use super::ticket::LegacyTicket;
use super::{Importer, person};
use crate::domain::id::{StepKey, WorkflowId, WorkflowVersionId};
use crate::domain::json::JsonObject;
use crate::domain::workflow::{Definition, VersionRef, WorkflowVersion};
use crate::engine::Definitions;
use crate::engine::definition::{CompiledWorkflow, compile};
use crate::repositories::legacy::{Fields, LegacyCollection};
use quick_cache::sync::Cache;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// How many compiled versions are kept.
const KEPT: usize = 2_000;

/// Compiled versions by reference.
#[derive(Debug)]
pub(super) struct VersionCache(Cache<VersionRef, Option<Arc<CompiledWorkflow>>>);

impl VersionCache {
    pub(super) fn new() -> Self {
        Self(Cache::new(KEPT))
    }
}

/// The versions of a ticket, and the one that had to be made up for it.
#[derive(Debug, Clone)]
pub(super) struct TicketVersions {
    pub(super) definitions: Definitions,
    pub(super) stand_in: Option<WorkflowVersion>,
}

impl Importer {
    /// The versions that a ticket runs; one that is missing is made of the ticket's own steps.
    pub(super) async fn versions_of(&self, legacy: &LegacyTicket) -> anyhow::Result<TicketVersions> {
        let pinned = self.pinned(legacy);
        let (own, stand_in) = if let Some(own) = self.compiled(&pinned).await? {
            (own, None)
        } else {
            let version = stand_in(legacy, &pinned);
            let own = Arc::new(compile(&version).0);
            (own, Some(version))
        };
        let mut definitions = Definitions::of(own);
        for version in legacy.embedded_versions() {
            self.embed(&mut definitions, &version).await?;
        }
        Ok(TicketVersions {
            definitions,
            stand_in,
        })
    }

    /// Adds an embedded version, or the knowledge that there is none.
    pub(super) async fn embed(&self, into: &mut Definitions, version: &VersionRef) -> anyhow::Result<()> {
        if !into.embedded.contains_key(version) {
            let found = self.compiled(version).await?;
            into.embedded.insert(version.clone(), found);
        }
        Ok(())
    }

    /// The version a ticket names by id, else by workflow and number.
    fn pinned(&self, legacy: &LegacyTicket) -> VersionRef {
        let fields = legacy.fields();
        let known = fields
            .text("workflow_version_id")
            .and_then(|id| self.versions.of(id));
        known.map_or_else(
            || VersionRef {
                workflow_id: WorkflowId::from_stored(fields.text("workflow_id").unwrap_or_default()),
                version_number: legacy.version_number(),
            },
            |(workflow, number)| VersionRef {
                workflow_id: workflow.clone(),
                version_number: *number,
            },
        )
    }

    async fn compiled(&self, version: &VersionRef) -> anyhow::Result<Option<Arc<CompiledWorkflow>>> {
        if let Some(known) = self.cache.0.get(version) {
            return Ok(known);
        }
        let found = match self.versions.id_of(&version.workflow_id, version.version_number) {
            Some(id) => {
                self.legacy
                    .by_ids(LegacyCollection::WorkflowVersions, &[id.to_owned()])
                    .await?
            }
            None => Vec::new(),
        };
        let compiled = found.first().map(|document| {
            let mut notes = Notes::new(LegacyCollection::WorkflowVersions);
            Arc::new(compile(&self.version(Fields(document), &mut notes)).0)
        });
        self.cache.0.insert(version.clone(), compiled.clone());
        Ok(compiled)
    }
}

/// A version for reading: the steps as the ticket has them, without edges, so that nothing moves on by it.
fn stand_in(legacy: &LegacyTicket, pinned: &VersionRef) -> WorkflowVersion {
    let fields = legacy.fields();
    let own = legacy
        .all(LegacyCollection::TicketSteps)
        .filter(|step| step.text("parent_sub_workflow_step_id").is_none());
    let steps: Vec<Value> = own.map(|step| Value::Object(drawn_again(step))).collect();
    let start = fields.text("workflow_start_step_id").map(StepKey::from);
    let definition: JsonObject = [
        ("steps".to_owned(), Value::Array(steps)),
        ("transitions".to_owned(), json!([])),
        ("start_step_id".to_owned(), json!(start)),
    ]
    .into_iter()
    .collect();
    let name = fields
        .text("workflow_name")
        .unwrap_or("Unknown workflow")
        .to_owned();
    let id = fields.text("workflow_version_id").map_or_else(
        || WorkflowVersionId::derived(&format!("{}:{}", pinned.workflow_id, pinned.version_number)),
        WorkflowVersionId::from_stored,
    );
    WorkflowVersion {
        id,
        workflow_id: pinned.workflow_id.clone(),
        version_number: pinned.version_number,
        name,
        description: None,
        category: None,
        tags: Vec::new(),
        definition: Definition(definition),
        published_by: person::nobody(),
        published_at: fields
            .instant("created_at")
            .unwrap_or(crate::domain::time::Timestamp::from_millis(0)),
        change_summary: Some(
            "Made by an import of the steps of a ticket; the version itself was missing.".to_owned(),
        ),
    }
}

/// What a ticket's step copies from its definition.
fn drawn_again(step: Fields<'_>) -> Map<String, Value> {
    let copied = [
        "fields",
        "sections",
        "instructions",
        "execution_notes_required",
        "output_fields",
    ];
    let copied = copied
        .into_iter()
        .chain(["branches", "failure_policy", "source_fork_step_id", "join_mode"]);
    let data = step.json("data");
    let mut drawn = Map::new();
    for key in ["step_id", "step_name", "step_type"] {
        drawn.insert(key.to_owned(), json!(step.text(key)));
    }
    for key in copied {
        if let Some(value) = data.get(key) {
            drawn.insert(key.to_owned(), value.clone());
        }
    }
    drawn
}
