//! The versions that imported tickets run, compiled; read from the reference as they are needed and kept within a bound.

use super::stage::Notes;
use super::ticket::LegacyTicket;
use super::{Importer, Mode, person};
use crate::domain::id::{StepKey, WorkflowId, WorkflowVersionId};
use crate::domain::json::JsonObject;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Definition, VersionRef, WorkflowVersion};
use crate::engine::Definitions;
use crate::engine::definition::{CompiledWorkflow, compile};
use crate::repositories::legacy::{Fields, LegacyCollection};
use crate::repositories::workflow_version_repo::WorkflowVersionRepo;
use quick_cache::sync::Cache;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many compiled versions are kept.
const KEPT: usize = 2_000;

/// Compiled versions by reference, and those that had to be made up.
#[derive(Debug)]
pub(super) struct VersionCache {
    compiled: Cache<VersionRef, Option<Arc<CompiledWorkflow>>>,
    made: Cache<VersionRef, StandIn>,
}

impl VersionCache {
    pub(super) fn new() -> Self {
        Self {
            compiled: Cache::new(KEPT),
            made: Cache::new(KEPT),
        }
    }
}

/// A version that had to be made up, as it is stored and compiled.
#[derive(Debug, Clone)]
struct StandIn {
    version: Arc<WorkflowVersion>,
    compiled: Arc<CompiledWorkflow>,
}

/// The versions that tickets run and that are missing, each with the ticket of whose steps it is made: the one created
/// first, whichever ticket is imported first.
#[derive(Debug, Default)]
pub(super) struct MissingVersions(BTreeMap<VersionRef, String>);

/// The versions of a ticket, and the one that had to be made up for it.
#[derive(Debug, Clone)]
pub(super) struct TicketVersions {
    pub(super) definitions: Definitions,
    pub(super) stand_in: Option<Arc<WorkflowVersion>>,
}

impl Importer {
    /// Finds out which versions are missing.
    pub(super) async fn read_missing_versions(&self) -> anyhow::Result<MissingVersions> {
        let mut first: BTreeMap<VersionRef, (Option<Timestamp>, String)> = BTreeMap::new();
        let mut pins = self.legacy.pins().await?;
        while pins.advance().await? {
            let group = pins.deserialize_current()?;
            let (Some(pin), Some(ticket)) = (Fields(&group).object("_id"), Fields(&group).object("first"))
            else {
                continue;
            };
            let pinned = self.pinned(pin);
            if self
                .versions
                .id_of(&pinned.workflow_id, pinned.version_number)
                .is_some()
            {
                continue;
            }
            let own = (
                ticket.instant("created_at"),
                ticket.owned("ticket_id").unwrap_or_default(),
            );
            let known = first.entry(pinned).or_insert_with(|| own.clone());
            if own < *known {
                *known = own;
            }
        }
        let missing = first.into_iter().map(|(version, (_, ticket))| (version, ticket));
        Ok(MissingVersions(missing.collect()))
    }

    /// The versions that a ticket runs; one that is missing is made of a ticket's steps.
    pub(super) async fn versions_of(&self, legacy: &LegacyTicket) -> anyhow::Result<TicketVersions> {
        let pinned = self.pinned(legacy.fields());
        let (own, stand_in) = if let Some(own) = self.compiled(&pinned).await? {
            (own, None)
        } else {
            let made = self.made_up(legacy, &pinned).await?;
            (made.compiled, Some(made.version))
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
    fn pinned(&self, fields: Fields<'_>) -> VersionRef {
        let known = fields
            .text("workflow_version_id")
            .and_then(|id| self.versions.of(id));
        known.map_or_else(
            || VersionRef {
                workflow_id: WorkflowId::from_stored(fields.text("workflow_id").unwrap_or_default()),
                version_number: version_number(fields),
            },
            |(workflow, number)| VersionRef {
                workflow_id: workflow.clone(),
                version_number: *number,
            },
        )
    }

    async fn compiled(&self, version: &VersionRef) -> anyhow::Result<Option<Arc<CompiledWorkflow>>> {
        if let Some(known) = self.cache.compiled.get(version) {
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
        self.cache.compiled.insert(version.clone(), compiled.clone());
        Ok(compiled)
    }

    /// The version that stands for a missing one: as it is stored here, else made of the steps of the ticket that was
    /// created first; of this one where none was known when the import began.
    async fn made_up(&self, legacy: &LegacyTicket, pinned: &VersionRef) -> anyhow::Result<StandIn> {
        if let Some(known) = self.cache.made.get(pinned) {
            return Ok(known);
        }
        let stored = match self.mode {
            Mode::Write => WorkflowVersionRepo::new(&self.database).find(pinned).await?,
            Mode::DryRun => None,
        };
        let version = match (stored, self.missing.0.get(pinned)) {
            (Some(stored), _) => stored,
            (None, Some(first)) if first != legacy.id() => {
                let first = self.first_ticket(first).await?;
                stand_in(first.as_ref().unwrap_or(legacy), pinned)
            }
            (None, Some(_) | None) => stand_in(legacy, pinned),
        };
        let made = StandIn {
            compiled: Arc::new(compile(&version).0),
            version: Arc::new(version),
        };
        self.cache.made.insert(pinned.clone(), made.clone());
        Ok(made)
    }

    /// A ticket with its steps.
    async fn first_ticket(&self, id: &str) -> anyhow::Result<Option<LegacyTicket>> {
        let ids = [id.to_owned()];
        let found = self.legacy.by_ids(LegacyCollection::Tickets, &ids).await?;
        let Some(ticket) = found.into_iter().next() else {
            return Ok(None);
        };
        let steps = self
            .legacy
            .of_tickets(LegacyCollection::TicketSteps, &ids)
            .await?;
        let mut first = LegacyTicket {
            ticket,
            of: BTreeMap::from([(LegacyCollection::TicketSteps, steps)]),
        };
        first.sort();
        Ok(Some(first))
    }
}

/// The number of the version that a ticket runs.
fn version_number(ticket: Fields<'_>) -> i32 {
    let number = ticket.whole("workflow_version");
    number.and_then(|number| i32::try_from(number).ok()).unwrap_or(1)
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
        published_at: fields.instant("created_at").unwrap_or(Timestamp::from_millis(0)),
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
