//! Approvers: every approval must be able to find one.

use super::{Report, Surroundings};
use crate::domain::ticket::ApprovalRule;
use crate::domain::workflow::StepType;
use crate::engine::definition::model::{
    ApprovalDefinition, ApproverSource, CompiledWorkflow, StepDefinition, StepKind,
};

pub(super) fn check(workflow: &CompiledWorkflow, around: &Surroundings, report: &mut Report) {
    for (index, step) in workflow.steps.values().enumerate() {
        if let StepKind::Approval(approval) = &step.kind {
            check_approval(
                workflow,
                step,
                approval,
                around,
                &format!("steps[{index}]"),
                report,
            );
        }
    }
}

fn check_approval(
    workflow: &CompiledWorkflow,
    step: &StepDefinition,
    approval: &ApprovalDefinition,
    around: &Surroundings,
    path: &str,
    report: &mut Report,
) {
    let name = &step.name;
    match &approval.approvers {
        ApproverSource::Incomplete(what) => {
            report.error(
                "APPROVER_INCOMPLETE",
                format!("{path}.approver_resolution"),
                format!("{name}: {what}"),
            );
        }
        ApproverSource::Parallel { approvers, rule, .. } => {
            check_parallel(name, approvers.len(), *rule, path, report);
            let unknown = approval
                .primary
                .as_ref()
                .filter(|primary| approvers.iter().all(|a| a.email != **primary));
            if unknown.is_some() {
                let message = format!("{name}: the primary approver is not one of the approvers");
                report.error(
                    "PRIMARY_NOT_APPROVER",
                    format!("{path}.primary_approver_email"),
                    message,
                );
            }
        }
        ApproverSource::StepAssignee(key) => {
            let path = format!("{path}.step_assignee_step_id");
            match workflow.step(key).map(|step| step.step_type()) {
                Some(StepType::Task | StepType::Approval | StepType::Form) => {}
                Some(StepType::Notify | StepType::Fork | StepType::Join | StepType::SubWorkflow) => {
                    report.error(
                        "STEP_ASSIGNEE_INVALID",
                        path,
                        format!("{name}: nobody is assigned to the step {key}"),
                    );
                }
                None => report.error(
                    "STEP_ASSIGNEE_UNKNOWN",
                    path,
                    format!("{name}: the step {key} does not exist"),
                ),
            }
        }
        ApproverSource::Lookup { lookup_id, .. } => {
            let known = around
                .lookups
                .as_ref()
                .is_none_or(|ids| ids.contains(lookup_id.as_str()));
            if !known {
                let message = format!("{name}: the lookup table does not belong to this workflow");
                report.error("LOOKUP_UNKNOWN", format!("{path}.lookup_id"), message);
            }
            warn_without_fallback(name, approval, path, report);
        }
        ApproverSource::RequesterManager => warn_without_fallback(name, approval, path, report),
        ApproverSource::Conditional { fallback, .. } => {
            if fallback.is_none() {
                warn_without_fallback(name, approval, path, report);
            }
        }
        ApproverSource::Specific(_) | ApproverSource::Spoc => {}
    }
}

fn check_parallel(name: &str, approvers: usize, rule: ApprovalRule, path: &str, report: &mut Report) {
    let wrong = match rule {
        ApprovalRule::Required(0) => Some("required_approvals must be at least 1".to_owned()),
        ApprovalRule::Required(number) if usize::try_from(number).unwrap_or(usize::MAX) > approvers => Some(
            format!("required_approvals is {number}, but there are {approvers} approvers"),
        ),
        ApprovalRule::Percentage(share) if !(1..=100).contains(&share) => {
            Some("approval_percentage must be from 1 to 100".to_owned())
        }
        ApprovalRule::Single
        | ApprovalRule::All
        | ApprovalRule::Any
        | ApprovalRule::Majority
        | ApprovalRule::Required(_)
        | ApprovalRule::Percentage(_) => None,
    };
    if let Some(message) = wrong {
        report.error(
            "APPROVAL_RULE_INVALID",
            format!("{path}.parallel_approval"),
            format!("{name}: {message}"),
        );
    }
}

fn warn_without_fallback(name: &str, approval: &ApprovalDefinition, path: &str, report: &mut Report) {
    if approval.spoc.is_none() {
        let message = format!("{name}: without spoc_email nobody can approve for people without a manager");
        report.warning("NO_FALLBACK_APPROVER", format!("{path}.spoc_email"), message);
    }
}
