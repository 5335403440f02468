//! Says what is wrong with a definition: shape, forms, approvers, and every graph on which a ticket could be stranded.
//!
//! The same checks run at save, validate and publish; errors block publishing, warnings never do (contract
//! http-workflows 2.5, engine-core HZ-51). The words in [`Finding::kind`] are the contract's; further ones are ours.

mod approvers;
mod coverage;
mod form_rules;
mod graph;
mod routes;
mod structure;

use super::compile::compile;
use super::model::CompiledWorkflow;
use crate::domain::id::{WorkflowId, WorkflowVersionId};
use crate::domain::json::JsonObject;
use crate::domain::person::Person;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Definition, VersionRef, WorkflowVersion};
use graph::Graph;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use structure::too_large;

/// Something that is wrong or doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A stable word, for example `MISSING_APPROVER`.
    pub kind: &'static str,
    /// What is wrong, for people.
    pub message: String,
    /// Where, for example `steps[2].branches`.
    pub path: Option<String>,
    /// Facts for programs.
    pub details: Map<String, Value>,
}

impl Finding {
    pub(super) fn new(kind: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            path: Some(path.into()),
            details: Map::new(),
        }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// What blocks publishing.
    pub errors: Vec<Finding>,
    /// What does not.
    pub warnings: Vec<Finding>,
}

impl Report {
    /// Whether the definition may be published.
    pub fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    fn error(&mut self, kind: &'static str, path: impl Into<String>, message: impl Into<String>) {
        self.errors.push(Finding::new(kind, path, message));
    }

    fn warning(&mut self, kind: &'static str, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Finding::new(kind, path, message));
    }
}

/// What an embedded reference leads to.
#[derive(Debug, Clone)]
pub enum EmbeddedFact {
    /// There is no such workflow.
    NoWorkflow,
    /// The workflow has no such version.
    NoVersion,
    /// The version.
    Found(Arc<CompiledWorkflow>),
}

/// What the checks need to know besides the definition.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The workflow the definition belongs to.
    pub workflow_id: WorkflowId,
    /// What its embedded references lead to.
    pub embedded: BTreeMap<VersionRef, EmbeddedFact>,
    /// The ids of the workflow's lookup tables; `None` when they are not known and not checked.
    pub lookups: Option<BTreeSet<String>>,
}

impl Surroundings {
    /// Nothing but the workflow's id.
    pub fn of(workflow_id: WorkflowId) -> Self {
        Self {
            workflow_id,
            embedded: BTreeMap::new(),
            lookups: None,
        }
    }
}

/// Checks a definition.
pub fn validate(definition: &Definition, around: &Surroundings) -> Report {
    let mut report = Report::default();
    if let Some(finding) = too_large(&definition.0) {
        report.errors.push(finding);
        return report;
    }
    structure::check(definition, &mut report);
    let (workflow, findings) = compile(&provisional(definition, around));
    for finding in findings {
        // Structure names these faults by the contract's own words.
        let known = report
            .errors
            .iter()
            .any(|error| error.path.as_deref() == Some(finding.path.as_str()));
        if !known {
            report.error("SCHEMA_ERROR", finding.path, finding.message);
        }
    }
    form_rules::check(&workflow, &mut report);
    approvers::check(&workflow, around, &mut report);
    structure::check_embedded(&workflow, around, &mut report);
    if report.errors.is_empty() {
        let graph = Graph::of(&workflow);
        routes::check(&workflow, &graph, around, &mut report);
        graph::check(&workflow, &graph, around, &mut report);
    }
    report
}

/// Compiles a definition that is not a version yet, as the checks and dry runs see it.
pub fn compile_draft(definition: &Definition, workflow_id: &WorkflowId) -> CompiledWorkflow {
    compile(&provisional(definition, &Surroundings::of(workflow_id.clone()))).0
}

fn provisional(definition: &Definition, around: &Surroundings) -> WorkflowVersion {
    WorkflowVersion {
        id: WorkflowVersionId::derived(around.workflow_id.as_str()),
        workflow_id: around.workflow_id.clone(),
        version_number: 0,
        name: String::new(),
        description: None,
        category: None,
        tags: Vec::new(),
        definition: definition.clone(),
        published_by: Person::from_email(crate::domain::person::Email::from_stored("nobody@localhost")),
        published_at: Timestamp::from_millis(0),
        change_summary: None,
    }
}

/// The steps and transitions of a definition, normalised for storage: exactly three keys, transitions of exactly seven
/// (contract http-workflows 3.1), with missing edges from the ends of branches to their joins added (2.6).
pub fn normalise(definition: &Map<String, Value>) -> Definition {
    let mut normal = JsonObject::new();
    let steps = definition
        .get("steps")
        .cloned()
        .unwrap_or_else(|| Value::Array(Vec::new()));
    normal.insert("steps".to_owned(), steps);
    let transitions = definition
        .get("transitions")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let transitions: Vec<Value> = transitions.iter().map(normal_transition).collect();
    normal.insert("transitions".to_owned(), Value::Array(transitions));
    let start = definition.get("start_step_id").cloned().unwrap_or(Value::Null);
    normal.insert("start_step_id".to_owned(), start);
    super::autofix::add_join_edges(Definition(normal))
}

fn normal_transition(transition: &Value) -> Value {
    const KEYS: [&str; 7] = [
        "transition_id",
        "from_step_id",
        "to_step_id",
        "on_event",
        "trigger_event",
        "condition",
        "priority",
    ];
    let Some(map) = transition.as_object() else {
        return transition.clone();
    };
    let value = |key: &str| match map.get(key) {
        Some(value) if !(key == "priority" && value.is_null()) => value.clone(),
        _ if key == "priority" => Value::from(0),
        _ => Value::Null,
    };
    Value::Object(KEYS.iter().map(|key| ((*key).to_owned(), value(key))).collect())
}

/// What in a definition cannot be read as meant, without judging the graph.
pub fn schema_findings(definition: &Definition) -> Vec<super::compile::SchemaFinding> {
    let id = WorkflowId::derived("draft");
    compile(&provisional(definition, &Surroundings::of(id))).1
}
