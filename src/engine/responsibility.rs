//! Who is responsible for a task: the people who may assign it (contract engine-actions 10.3).

use crate::domain::id::TicketStepId;
use crate::domain::person::Person;
use crate::domain::ticket::{ApprovalDecision, BranchRef, Phase, Step, Ticket};
use crate::domain::workflow::StepType;

/// Everybody who may assign the task; the manager first, no doubles.
pub(crate) fn task_owners(ticket: &Ticket, step: &Step) -> Vec<Person> {
    let mut owners: Vec<Person> = ticket.manager.iter().cloned().collect();
    for approver in responsible_approvers(ticket, step) {
        if !owners.iter().any(|known| known.is_same(&approver)) {
            owners.push(approver);
        }
    }
    owners
}

/// Whether a live ticket has nothing open but tasks that nobody has and nobody but an administrator could pass over.
pub(crate) fn is_out_of_reach(ticket: &Ticket) -> bool {
    let mut open = ticket
        .steps
        .iter()
        .filter(|step| step.is_live() && step.kind != StepType::SubWorkflow);
    ticket.is_live()
        && open.all(|step| {
            step.kind == StepType::Task && step.assignee.is_none() && task_owners(ticket, step).is_empty()
        })
}

/// Whether the person has approved a completed approval of this ticket.
pub(crate) fn has_approved(ticket: &Ticket, person: &Person) -> bool {
    let completed = ticket
        .steps
        .iter()
        .filter(|step| step.kind == StepType::Approval && step.phase == Phase::Completed);
    completed
        .flat_map(|step| ticket.approval_tasks_of(&step.id))
        .any(|task| task.decision == ApprovalDecision::Approved && task.approver.is_same(person))
}

/// The person who answers for a completed approval: the primary approver of a parallel one, else who approved.
pub(crate) fn responsible_for(ticket: &Ticket, approval: &Step) -> Option<Person> {
    let round = approval.approval.as_ref();
    let primary = ticket
        .approval_tasks_of(&approval.id)
        .find(|task| round.is_some_and(|round| task.approver.email == round.primary))
        .map(|task| task.approver.clone());
    let who_approved = ticket
        .approval_tasks_of(&approval.id)
        .find(|task| task.decision == ApprovalDecision::Approved)
        .map(|task| task.approver.clone());
    primary.or(who_approved).or_else(|| approval.assignee.clone())
}

/// Looks outwards from the task: the latest approval of the innermost branch that has one; in a main flow all of them.
fn responsible_approvers(ticket: &Ticket, step: &Step) -> Vec<Person> {
    let mut container = step.container.clone();
    let mut branch = step.branch.clone();
    loop {
        let found = approvals_in(ticket, container.as_ref(), branch.as_ref());
        if branch.is_some() {
            if let Some(latest) = found.last() {
                return responsible_for(ticket, latest).into_iter().collect();
            }
        } else if !found.is_empty() {
            return found
                .into_iter()
                .filter_map(|approval| responsible_for(ticket, approval))
                .collect();
        }
        match outwards(ticket, container.as_ref(), branch.as_ref()) {
            Some((outer_container, outer_branch)) => (container, branch) = (outer_container, outer_branch),
            None => return Vec::new(),
        }
    }
}

/// The completed approvals directly in a scope, oldest first.
fn approvals_in<'a>(
    ticket: &'a Ticket,
    container: Option<&TicketStepId>,
    branch: Option<&BranchRef>,
) -> Vec<&'a Step> {
    let mut found: Vec<_> = ticket
        .steps
        .iter()
        .filter(|step| step.kind == StepType::Approval && step.phase == Phase::Completed)
        .filter(|step| step.container.as_ref() == container && step.branch.as_ref() == branch)
        .collect();
    found.sort_by_key(|step| step.completed_at);
    found
}

/// The scope around a scope.
pub(crate) fn outwards(
    ticket: &Ticket,
    container: Option<&TicketStepId>,
    branch: Option<&BranchRef>,
) -> Option<(Option<TicketStepId>, Option<BranchRef>)> {
    if let Some(branch) = branch {
        let fork = ticket.fork(&branch.fork)?;
        return Some((fork.container.clone(), fork.parent.clone()));
    }
    let step = ticket.step(container?)?;
    Some((step.container.clone(), step.branch.clone()))
}
