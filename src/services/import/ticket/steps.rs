//! Steps: one instance per document, in definition order, then those of embedded runs.

use super::draft::Draft;
use super::head::distinct;
use super::id_of;
use crate::domain::id::{BranchKey, StepKey, TicketStepId, WorkflowId};
use crate::domain::import::RepairRule;
use crate::domain::person::{Email, Person};
use crate::domain::ticket::{
    ApprovalRound, ApprovalRule, BranchRef, EmbeddedRun, Hold, Phase, Skip, Step, StepState, TaskWork,
};
use crate::domain::workflow::{StepType, VersionRef};
use crate::repositories::legacy::{Fields, LegacyCollection};

/// Reads every step of the ticket.
pub(super) fn read(draft: &mut Draft<'_>) {
    let legacy = draft.legacy;
    let mut steps: Vec<Step> = Vec::new();
    for fields in legacy.all(LegacyCollection::TicketSteps) {
        let step = read_one(draft, fields);
        steps.push(step);
    }
    number_rounds(&mut steps);
    sort(draft, &mut steps);
    draft.ticket.steps = steps;
    place_in_branches(draft);
}

/// The embedded version that a container's document names.
pub(super) fn embedded_version(fields: Fields<'_>) -> Option<VersionRef> {
    version_in(fields.object("data")?)
}

fn version_in(data: Fields<'_>) -> Option<VersionRef> {
    Some(VersionRef {
        workflow_id: WorkflowId::from_stored(data.text("sub_workflow_id")?),
        version_number: i32::try_from(data.whole("sub_workflow_version")?).ok()?,
    })
}

fn read_one(draft: &mut Draft<'_>, fields: Fields<'_>) -> Step {
    let id = TicketStepId::from_stored(id_of(fields, "ticket_step_id"));
    let key = StepKey::from(fields.text("step_id").unwrap_or_default());
    let defined = draft.definitions.own.step(&key).map(|step| step.step_type());
    let kind: StepType = fields.word("step_type").or(defined).unwrap_or(StepType::Task);
    let name = fields.text("step_name").unwrap_or(key.as_str()).to_owned();
    let mut step = Step::not_started(id.clone(), key, name, kind);
    let state = state_of(draft, fields, &id);
    step.phase = phase_of(state);
    if kind == StepType::Join && state == StepState::WaitingForBranches {
        step.phase = Phase::NotStarted;
        draft.touch(RepairRule::JoinThatWaits, id.as_str());
    }
    step.container = fields
        .text("parent_sub_workflow_step_id")
        .map(TicketStepId::from_stored);
    step.container_order = fields
        .whole("sub_workflow_step_order")
        .and_then(|order| u32::try_from(order).ok());
    step.assignee = draft.person(fields, "assigned_to", id.as_str());
    step.outcome = fields.word("outcome");
    step.started_at = fields.instant("started_at");
    step.completed_at = fields.instant("completed_at");
    step.due_at = fields.instant("due_at");
    step.version = fields.whole("version").unwrap_or(1).max(1);
    if let Some(data) = fields.object("data") {
        read_data(draft, &mut step, data, state);
    }
    if kind == StepType::Task && step.phase != Phase::NotStarted && step.task.is_none() {
        step.task = Some(TaskWork::default());
    }
    if kind == StepType::Approval {
        step.approval = round_of(draft, fields, &step);
    }
    draft.states.insert(id, state);
    step
}

fn state_of(draft: &mut Draft<'_>, fields: Fields<'_>, id: &TicketStepId) -> StepState {
    fields.word("state").unwrap_or_else(|| {
        draft.touch(RepairRule::StateOfAnotherType, id.as_str());
        if fields.instant("completed_at").is_some() {
            StepState::Completed
        } else {
            StepState::NotStarted
        }
    })
}

const fn phase_of(state: StepState) -> Phase {
    match state {
        StepState::NotStarted => Phase::NotStarted,
        StepState::Active
        | StepState::WaitingForApproval
        | StepState::WaitingForRequester
        | StepState::WaitingForAgent
        | StepState::WaitingForBranches
        | StepState::WaitingForCr
        | StepState::OnHold => Phase::Live,
        StepState::Completed => Phase::Completed,
        StepState::Rejected => Phase::Rejected,
        StepState::Skipped => Phase::Skipped,
        StepState::Cancelled => Phase::Cancelled,
    }
}

/// What people did to the step, which the reference keeps beside copies of the definition.
fn read_data(draft: &mut Draft<'_>, step: &mut Step, data: Fields<'_>, state: StepState) {
    let id = step.id.to_string();
    step.form_values = data.object("form_values").map(Fields::to_json);
    let notes = data.objects("notes").count();
    step.note_count = u32::try_from(notes).unwrap_or(u32::MAX);
    step.hold = hold_of(data, step, state);
    step.sla_acknowledged_at = data.instant("sla_acknowledged_at");
    if let Some(reason) = data.text("skipped_reason") {
        step.skip = Some(Skip {
            reason: reason.to_owned(),
            skipped_by: by_address(data.text("skipped_by")),
        });
    }
    if step.kind == StepType::SubWorkflow
        && let Some(version) = version_in(data)
    {
        let count = data.whole("sub_workflow_step_count").unwrap_or(0);
        step.embedded = Some(EmbeddedRun {
            name: data.owned("sub_workflow_name").unwrap_or_default(),
            step_count: u32::try_from(count).unwrap_or(0),
            start_step_id: StepKey::from(data.text("sub_workflow_start_step_id").unwrap_or_default()),
            version,
            pending_end: None,
        });
    }
    if step.kind == StepType::Task && step.phase != Phase::NotStarted {
        step.task = Some(TaskWork {
            execution_notes: data.owned("execution_notes"),
            output_values: data.object("output_values").map(Fields::to_json),
            attachment_ids: distinct(data.texts("attachment_ids")),
            draft_values: data.object("draft_values").map(Fields::to_json),
            draft_execution_notes: data.owned("draft_execution_notes"),
            draft_saved_at: data.instant("draft_saved_at"),
            draft_saved_by: draft.person(data, "draft_saved_by", &id),
            linked: linked_of(data),
        });
    }
}

fn linked_of(data: Fields<'_>) -> Option<crate::domain::json::JsonObject> {
    data.value("linked_rows")?;
    let all = data.to_json();
    let own = ["linked_rows", "linked_source_info"];
    let kept = all
        .into_map()
        .into_iter()
        .filter(|(key, _)| own.contains(&key.as_str()));
    Some(kept.collect())
}

fn hold_of(data: Fields<'_>, step: &Step, state: StepState) -> Option<Hold> {
    let is_held = state == StepState::OnHold;
    if !is_held && data.value("held_at").is_none() {
        return None;
    }
    let held_at = data.instant("held_at").or(step.started_at)?;
    let resumed_at = data.instant("resumed_at").filter(|at| *at >= held_at);
    Some(Hold {
        reason: data.owned("hold_reason").unwrap_or_default(),
        held_at,
        held_by: by_address(data.text("held_by")),
        resumed_at: if is_held {
            None
        } else {
            resumed_at.or(step.completed_at).or(Some(held_at))
        },
        resumed_by: data
            .text("resumed_by")
            .filter(|_| !is_held)
            .map(|address| by_address(Some(address))),
    })
}

/// A person of whom only the address was kept.
fn by_address(address: Option<&str>) -> Person {
    Person::from_email(Email::from_stored(address.unwrap_or("unknown@unknown.invalid")))
}

/// How an approval is decided; the votes themselves are documents of their own.
fn round_of(draft: &Draft<'_>, fields: Fields<'_>, step: &Step) -> Option<ApprovalRound> {
    let mut votes = draft
        .legacy
        .all(LegacyCollection::ApprovalTasks)
        .filter(|task| task.text("ticket_step_id") == Some(step.id.as_str()))
        .peekable();
    if step.phase == Phase::NotStarted && votes.peek().is_none() {
        return None;
    }
    let first = votes
        .peek()
        .and_then(|task| task.object("approver"))
        .and_then(|approver| approver.owned("email"));
    let rule = match fields.text("parallel_approval_rule") {
        Some("ALL") => ApprovalRule::All,
        Some("ANY") => ApprovalRule::Any,
        Some(_) | None => ApprovalRule::Single,
    };
    let primary = fields
        .owned("primary_approver_email")
        .or_else(|| step.assignee.as_ref().map(|person| person.email.to_string()))
        .or(first)
        .unwrap_or_else(|| "unknown@unknown.invalid".to_owned());
    Some(ApprovalRound {
        rule,
        veto: true,
        primary: Email::from_stored(primary),
    })
}

/// Several documents for one template step count as rounds, the older first.
fn number_rounds(steps: &mut [Step]) {
    steps.sort_by(|a, b| (a.started_at, &a.id).cmp(&(b.started_at, &b.id)));
    for at in 1..steps.len() {
        let (before, rest) = steps.split_at_mut(at);
        if let Some(step) = rest.first_mut() {
            let earlier = before
                .iter()
                .filter(|other| other.key == step.key && other.container == step.container);
            step.round = u32::try_from(earlier.count()).unwrap_or(0).saturating_add(1);
        }
    }
}

fn sort(draft: &Draft<'_>, steps: &mut [Step]) {
    let own = &draft.definitions.own;
    let place = |key: &StepKey| own.steps.get_index_of(key).unwrap_or(usize::MAX);
    steps.sort_by_cached_key(|step| match &step.container {
        None => (
            0,
            String::new(),
            place(&step.key),
            step.round,
            step.id.to_string(),
        ),
        Some(container) => {
            let order = step.container_order.and_then(|order| usize::try_from(order).ok());
            let order = order.unwrap_or(usize::MAX);
            (1, container.to_string(), order, step.round, step.id.to_string())
        }
    });
}

/// A step that was reached runs in the innermost branch it is drawn in; without a definition, in the one it is labelled
/// with. The labels of the reference lose the outer branch behind an inner join (engine-core 8.6).
fn place_in_branches(draft: &mut Draft<'_>) {
    let legacy = draft.legacy;
    let mut placed: Vec<(TicketStepId, BranchRef)> = Vec::new();
    for fields in legacy.all(LegacyCollection::TicketSteps) {
        let Some(step) = draft
            .ticket
            .steps
            .iter()
            .find(|step| step.id.as_str() == id_of(fields, "ticket_step_id"))
            .filter(|step| step.phase != Phase::NotStarted)
        else {
            continue;
        };
        let workflow = draft.workflow_in(step.container.as_ref());
        let drawn = workflow.filter(|workflow| workflow.step(&step.key).is_some());
        let label = match drawn {
            Some(workflow) => workflow
                .branch_of
                .get(&step.key)
                .map(|label| (label.fork.clone(), label.branch.clone())),
            None => fields
                .text("parent_fork_step_id")
                .zip(fields.text("branch_id"))
                .map(|(fork, branch)| (StepKey::from(fork), BranchKey(branch.to_owned()))),
        };
        let Some((fork, branch)) = label else { continue };
        if let Some(instance) = draft.ticket.newest_instance(step.container.as_ref(), &fork) {
            let at = BranchRef {
                fork: instance.id.clone(),
                branch,
            };
            placed.push((step.id.clone(), at));
        }
    }
    for (id, at) in placed {
        if let Some(step) = draft.ticket.step_mut(&id) {
            step.branch = Some(at);
        }
    }
}
