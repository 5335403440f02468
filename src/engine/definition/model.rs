//! Typed views of a definition (contract http-workflows 3.2 to 3.6). Absent and `null` mean the same everywhere.

use super::published::PublishedField;
use crate::domain::id::{BranchKey, LookupId, StepKey, WorkflowId, WorkflowVersionId};
use crate::domain::person::Email;
use crate::domain::ticket::ApprovalRule;
use crate::domain::workflow::{Definition, StepType, TransitionEvent, VersionRef};
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// A published version, compiled: step index, edges per event, branch membership.
#[derive(Debug, Clone)]
pub struct CompiledWorkflow {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The version.
    pub version_id: WorkflowVersionId,
    /// The version's number.
    pub version_number: i32,
    /// The workflow's name when published.
    pub name: String,
    /// The workflow's category when published.
    pub category: Option<String>,
    /// The first step; the first listed one when the definition names none.
    pub start: StepKey,
    /// The steps in definition order.
    pub steps: IndexMap<StepKey, Arc<StepDefinition>>,
    /// Outgoing edges by source and event, in definition order.
    pub edges: IndexMap<(StepKey, TransitionEvent), Vec<Edge>>,
    /// The join that waits for each fork.
    pub join_of: HashMap<StepKey, StepKey>,
    /// The innermost branch each step is drawn in: fork and branch. Steps outside of all branches are absent.
    pub branch_of: HashMap<StepKey, BranchLabel>,
    /// The place of each step in the order in which pages show them.
    pub place_of: HashMap<StepKey, usize>,
    /// The definition as stored, for answers.
    pub definition: Definition,
    /// Roughly how much memory it takes, for the cache's bound.
    pub weight: usize,
}

/// The innermost branch a step is drawn in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchLabel {
    /// The template step of the fork.
    pub fork: StepKey,
    /// The branch within it.
    pub branch: BranchKey,
    /// The branch's name.
    pub name: String,
}

impl CompiledWorkflow {
    /// The reference under which this version is found.
    pub fn version_ref(&self) -> VersionRef {
        VersionRef {
            workflow_id: self.workflow_id.clone(),
            version_number: self.version_number,
        }
    }

    /// The definition of a step.
    pub fn step(&self, key: &StepKey) -> Option<&Arc<StepDefinition>> {
        self.steps.get(key)
    }

    /// The branches of a fork in order; none of any other step.
    pub fn branches_of(&self, fork: &StepKey) -> &[BranchDefinition] {
        match self.step(fork).map(|step| &step.kind) {
            Some(StepKind::Fork(fork)) => &fork.branches,
            Some(_) | None => &[],
        }
    }

    /// The edges that leave a step on an event, in definition order.
    pub fn edges_on(&self, step: &StepKey, event: TransitionEvent) -> &[Edge] {
        self.edges.get(&(step.clone(), event)).map_or(&[], Vec::as_slice)
    }
}

/// An edge of the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// Where it leads.
    pub to: StepKey,
    /// When it may be followed; `None` always.
    pub condition: Option<ConditionGroup>,
    /// Higher beats lower among edges of the same kind.
    pub priority: i64,
}

/// Conditions joined by one word (contract engine-core 4.4).
#[derive(Debug, Clone, PartialEq)]
pub struct ConditionGroup {
    /// How they are joined.
    pub logic: Logic,
    /// The conditions; an empty list holds.
    pub conditions: Vec<Condition>,
}

/// How conditions are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logic {
    /// All must hold.
    All,
    /// One must hold.
    Any,
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// A dotted path into `{ticket, form_values, current_step}`.
    pub field: String,
    /// How it is compared.
    pub operator: Operator,
    /// What it is compared with.
    pub value: Value,
}

impl Condition {
    /// The key of the form value that it looks at, however the path is written; none when it looks at something else,
    /// or at a part of a value.
    pub fn form_value_key(&self) -> Option<&str> {
        let path = self.field.strip_prefix("ticket.").unwrap_or(&self.field);
        path.strip_prefix("form_values.").filter(|key| !key.contains('.'))
    }
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is named like its word in definitions")]
pub enum Operator {
    Equals,
    NotEquals,
    GreaterThan,
    LessThan,
    GreaterThanOrEquals,
    LessThanOrEquals,
    Contains,
    NotContains,
    In,
    NotIn,
    IsEmpty,
    IsNotEmpty,
}

/// A step's definition.
#[derive(Debug, Clone)]
pub struct StepDefinition {
    /// The key.
    pub key: StepKey,
    /// The name.
    pub name: String,
    /// Whether the workflow may end here when no edge is drawn.
    pub is_terminal: bool,
    /// When it is due.
    pub sla: Option<Sla>,
    /// What is particular to its type.
    pub kind: StepKind,
    /// What answers show of it.
    pub published: Vec<PublishedField>,
    /// The step as stored.
    pub raw: Map<String, Value>,
}

impl StepDefinition {
    /// The type of the step.
    pub fn step_type(&self) -> StepType {
        match &self.kind {
            StepKind::Form(_) => StepType::Form,
            StepKind::Approval(_) => StepType::Approval,
            StepKind::Task(_) => StepType::Task,
            StepKind::Notify(_) => StepType::Notify,
            StepKind::Fork(_) => StepType::Fork,
            StepKind::Join(_) => StepType::Join,
            StepKind::SubWorkflow(_) => StepType::SubWorkflow,
        }
    }

    /// The form of the step: of a form step, or the agent's form of a task.
    pub fn form(&self) -> Option<&FormDefinition> {
        match &self.kind {
            StepKind::Form(form) => Some(form),
            StepKind::Task(task) => Some(&task.form),
            StepKind::Approval(_)
            | StepKind::Notify(_)
            | StepKind::Fork(_)
            | StepKind::Join(_)
            | StepKind::SubWorkflow(_) => None,
        }
    }
}

/// What is particular to a type of step.
#[derive(Debug, Clone)]
pub enum StepKind {
    /// The requester fills in a form.
    Form(FormDefinition),
    /// People approve.
    Approval(ApprovalDefinition),
    /// An agent works.
    Task(TaskDefinition),
    /// People are told.
    Notify(NotifyDefinition),
    /// Branches start.
    Fork(ForkDefinition),
    /// Branches meet.
    Join(JoinDefinition),
    /// An embedded version runs.
    SubWorkflow(SubWorkflowDefinition),
}

/// When a step is due and who is told (contract http-workflows 3.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sla {
    /// Minutes from activation, more than zero.
    pub due_minutes: i64,
    /// Reminders before.
    pub reminders: Vec<SlaRule>,
    /// Escalations after.
    pub escalations: Vec<SlaRule>,
}

/// One reminder or escalation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlaRule {
    /// Minutes before or after due.
    pub minutes: i64,
    /// Tokens or addresses; empty means the default.
    pub recipients: Vec<String>,
}

/// A form: fields, some of them in sections (contract http-workflows 3.5).
#[derive(Debug, Clone, Default)]
pub struct FormDefinition {
    /// The fields in definition order.
    pub fields: Vec<Field>,
    /// The sections in definition order.
    pub sections: Vec<Section>,
}

/// A section of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// The key.
    pub id: String,
    /// The title.
    pub title: String,
    /// Whether it is a list of rows.
    pub is_repeating: bool,
    /// The least number of rows; 0 for none.
    pub min_rows: usize,
}

impl Section {
    /// The key under which a repeating section's rows are found in form values.
    pub fn values_key(&self) -> String {
        format!("__section_{}", self.id)
    }
}

/// The type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is named like its word in definitions")]
pub enum FieldType {
    Text,
    Textarea,
    Number,
    Date,
    Select,
    Multiselect,
    Checkbox,
    File,
    UserSelect,
    LookupUserSelect,
}

/// A field of a form.
#[derive(Debug, Clone)]
pub struct Field {
    /// The key, one flat namespace across all forms of a ticket.
    pub key: String,
    /// The label.
    pub label: String,
    /// The type.
    pub field_type: FieldType,
    /// Whether it must be filled in when no rule says otherwise.
    pub required: bool,
    /// The choices of SELECT and MULTISELECT.
    pub options: Vec<String>,
    /// The section it is in.
    pub section_id: Option<String>,
    /// Rules on its value.
    pub rules: FieldRules,
    /// Rules that change whether it is required, and its dates.
    pub conditional_requirements: Vec<RequirementRule>,
}

/// Rules on a field's value.
#[derive(Debug, Clone, Default)]
pub struct FieldRules {
    /// The least number of characters; 0 for none.
    pub min_length: usize,
    /// The greatest number of characters; 0 for none.
    pub max_length: usize,
    /// The least number.
    pub min_value: Option<f64>,
    /// The greatest number.
    pub max_value: Option<f64>,
    /// What the whole text must match; a pattern that does not compile is refused at publish.
    pub pattern: Option<regex::Regex>,
    /// Which dates are allowed.
    pub dates: DateRules,
    /// The form whose field supplies a lookup user's key.
    pub lookup_step_id: Option<StepKey>,
    /// The field that supplies a lookup user's key.
    pub lookup_field_key: Option<String>,
}

/// Which dates are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateRules {
    /// Before today.
    pub past: bool,
    /// Today.
    pub today: bool,
    /// After today.
    pub future: bool,
}

impl Default for DateRules {
    fn default() -> Self {
        Self {
            past: true,
            today: true,
            future: true,
        }
    }
}

/// A rule that decides whether a field is required (contract engine-core 5.3).
#[derive(Debug, Clone)]
pub struct RequirementRule {
    /// How the conditions are joined.
    pub logic: Logic,
    /// The conditions, the primary one first.
    pub when: Vec<RequirementCondition>,
    /// Whether the field is then required; `None` leaves the static flag.
    pub then_required: Option<bool>,
    /// The dates then allowed; `None` leaves the static ones.
    pub then_dates: Option<DateRules>,
}

/// One condition of a requirement rule.
#[derive(Debug, Clone)]
pub struct RequirementCondition {
    /// The field looked at.
    pub field_key: String,
    /// The form it is on, when said.
    pub step_id: Option<StepKey>,
    /// How it is compared; only the six words of the contract, others never hold.
    pub operator: Option<Operator>,
    /// What it is compared with.
    pub value: Value,
}

/// An approval (contract http-workflows 3.4).
#[derive(Debug, Clone)]
pub struct ApprovalDefinition {
    /// How approvers are found.
    pub approvers: ApproverSource,
    /// Whom to ask when the first choice is missing.
    pub spoc: Option<Email>,
    /// Who assigns following tasks, by address; the first approver when absent or unknown.
    pub primary: Option<Email>,
}

/// How approvers are found.
#[derive(Debug, Clone)]
pub enum ApproverSource {
    /// Several people at once.
    Parallel {
        /// Who, in order, no doubles.
        approvers: Vec<NamedApprover>,
        /// How their votes decide.
        rule: ApprovalRule,
        /// Whether one rejection decides against.
        veto: bool,
    },
    /// The requester's manager.
    RequesterManager,
    /// A fixed person.
    Specific(NamedApprover),
    /// The contact address.
    Spoc,
    /// The first rule that holds names the person.
    Conditional {
        /// The rules in order.
        rules: Vec<ApproverRule>,
        /// Whom to ask when none holds.
        fallback: Option<Email>,
    },
    /// Whoever was assigned to another step.
    StepAssignee(StepKey),
    /// The primary user of a lookup entry.
    Lookup {
        /// The table.
        lookup_id: LookupId,
        /// The form whose field holds the key.
        source_step_id: Option<StepKey>,
        /// The field that holds the key.
        source_field_key: String,
    },
    /// The configuration is incomplete; refused at publish, an approver-resolution error at run time.
    Incomplete(String),
}

/// An approver as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedApprover {
    /// The address.
    pub email: Email,
    /// The object id, when configured.
    pub aad_id: Option<String>,
    /// The name, when configured.
    pub display_name: Option<String>,
}

/// One rule of a conditional approver.
#[derive(Debug, Clone)]
pub struct ApproverRule {
    /// The comparison, over `form_values.<field_key>`.
    pub condition: Condition,
    /// Who approves when it holds.
    pub approver: NamedApprover,
}

/// A task.
#[derive(Debug, Clone)]
pub struct TaskDefinition {
    /// What the agent should do.
    pub instructions: Option<String>,
    /// Whether notes must be given with completion; true when absent.
    pub execution_notes_required: bool,
    /// The agent's form: `output_fields` when not empty, else `fields`.
    pub form: FormDefinition,
    /// The repeating section that the agent's form repeats over.
    pub linked: Option<LinkedSource>,
}

/// A repeating section of an earlier form that a task works through row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkedSource {
    /// The form.
    pub source_step_id: StepKey,
    /// The section.
    pub source_section_id: String,
    /// The fields shown beside each row.
    pub context_field_keys: Vec<String>,
}

/// A notification.
#[derive(Debug, Clone)]
pub struct NotifyDefinition {
    /// The template's key as configured; `TICKET_COMPLETED` when absent.
    pub template: String,
    /// Tokens and addresses; the requester when empty.
    pub recipients: Vec<String>,
}

/// What a failing branch does to the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailurePolicy {
    /// The whole scope fails.
    FailAll,
    /// The others go on.
    ContinueOthers,
    /// The others are cancelled, then the whole scope fails.
    CancelOthers,
}

/// A fork.
#[derive(Debug, Clone)]
pub struct ForkDefinition {
    /// The branches in order.
    pub branches: Vec<BranchDefinition>,
    /// What a failing branch does to the others.
    pub failure_policy: FailurePolicy,
}

/// A branch of a fork.
#[derive(Debug, Clone)]
pub struct BranchDefinition {
    /// The key.
    pub key: BranchKey,
    /// The name.
    pub name: String,
    /// Its first step.
    pub start: StepKey,
    /// The colour it is drawn in.
    pub color: Option<String>,
}

/// When a join passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinMode {
    /// Every branch that has not failed, at least one.
    All,
    /// One branch.
    Any,
    /// More than half of all branches.
    Majority,
}

/// A join.
#[derive(Debug, Clone)]
pub struct JoinDefinition {
    /// The fork it waits for.
    pub fork: StepKey,
    /// When it passes.
    pub mode: JoinMode,
    /// How long it waits after the fork was activated, in minutes.
    pub timeout_minutes: Option<i64>,
}

/// An embedded workflow.
#[derive(Debug, Clone)]
pub struct SubWorkflowDefinition {
    /// The pinned version.
    pub version: VersionRef,
    /// The embedded workflow's name when it was drawn in.
    pub name: String,
}
