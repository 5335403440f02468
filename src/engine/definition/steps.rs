//! Reads single steps of a definition into their typed views (contract http-workflows 3.4 and 3.6).

use super::compile::{Findings, filled, present, text};
use super::forms;
use super::model::{
    ApprovalDefinition, ApproverRule, ApproverSource, BranchDefinition, Condition, FailurePolicy,
    ForkDefinition, JoinDefinition, JoinMode, LinkedSource, NamedApprover, NotifyDefinition, Operator, Sla,
    SlaRule, StepDefinition, StepKind, SubWorkflowDefinition, TaskDefinition,
};
use super::published;
use crate::domain::id::{BranchKey, LookupId, StepKey, WorkflowId};
use crate::domain::person::Email;
use crate::domain::ticket::ApprovalRule;
use crate::domain::workflow::{StepType, VersionRef};
use serde_json::{Map, Value};

/// Longest due time accepted: ten years in minutes.
const LONGEST_MINUTES: i64 = 5_256_000;

/// Reads a step; none when it has no key or no known type.
pub(super) fn read(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> Option<StepDefinition> {
    let Some(key) = filled(raw, "step_id") else {
        findings.add(format!("{path}.step_id"), "a step needs a step_id");
        return None;
    };
    let step_type = present(raw, "step_type")
        .and_then(Value::as_str)
        .and_then(StepType::from_word);
    let Some(step_type) = step_type else {
        findings.add(format!("{path}.step_type"), "unknown step type");
        return None;
    };
    let kind = match step_type {
        StepType::Form => StepKind::Form(forms::read(raw, "fields", path, findings)),
        StepType::Approval => StepKind::Approval(read_approval(raw, path, findings)),
        StepType::Task => StepKind::Task(read_task(raw, path, findings)),
        StepType::Notify => StepKind::Notify(read_notify(raw)),
        StepType::Fork => StepKind::Fork(read_fork(raw, path, findings)),
        StepType::Join => StepKind::Join(read_join(raw, path, findings)),
        StepType::SubWorkflow => StepKind::SubWorkflow(read_sub_workflow(raw, path, findings)),
    };
    Some(StepDefinition {
        key: StepKey::from(key),
        name: filled(raw, "step_name").unwrap_or(key).to_owned(),
        is_terminal: flag(raw, "is_terminal").unwrap_or(false),
        sla: read_sla(raw, path, findings),
        published: published::fields(&kind, raw),
        kind,
        raw: raw.clone(),
    })
}

/// A truth value under `key`; anything else is absent.
pub(super) fn flag(raw: &Map<String, Value>, key: &str) -> Option<bool> {
    raw.get(key).and_then(Value::as_bool)
}

/// The objects of the list under `key`, with their paths.
pub(super) fn objects<'a>(
    raw: &'a Map<String, Value>,
    key: &str,
    path: &str,
    findings: &mut Findings,
) -> Vec<(String, &'a Map<String, Value>)> {
    let Some(value) = present(raw, key) else {
        return Vec::new();
    };
    let Some(list) = value.as_array() else {
        findings.add(format!("{path}.{key}"), "must be a list");
        return Vec::new();
    };
    let mut objects = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let item_path = format!("{path}.{key}[{index}]");
        match item.as_object() {
            Some(object) => objects.push((item_path, object)),
            None => findings.add(item_path, "must be an object"),
        }
    }
    objects
}

/// The texts of the list under `key`.
pub(super) fn texts(raw: &Map<String, Value>, key: &str) -> Vec<String> {
    let list = raw.get(key).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str)
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(str::to_owned)
        .collect()
}

fn word<T>(
    raw: &Map<String, Value>,
    key: &str,
    path: &str,
    findings: &mut Findings,
    known: &[(&str, T)],
    default: T,
) -> T
where
    T: Copy,
{
    let Some(value) = present(raw, key) else {
        return default;
    };
    let found = known
        .iter()
        .find(|(word, _)| value.as_str().is_some_and(|given| given == *word));
    if let Some((_, meaning)) = found {
        *meaning
    } else {
        findings.add(format!("{path}.{key}"), "unknown word");
        default
    }
}

fn email(raw: &Map<String, Value>, key: &str, path: &str, findings: &mut Findings) -> Option<Email> {
    let given = filled(raw, key)?;
    let parsed = Email::try_from(given).ok();
    if parsed.is_none() {
        findings.add(format!("{path}.{key}"), "not a valid e-mail address");
    }
    parsed
}

fn read_sla(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> Option<Sla> {
    let sla = present(raw, "sla")?.as_object()?;
    let path = format!("{path}.sla");
    let due_minutes = present(sla, "due_minutes").and_then(Value::as_i64).unwrap_or(0);
    if due_minutes == 0 {
        return None;
    }
    if !(1..=LONGEST_MINUTES).contains(&due_minutes) {
        findings.add(format!("{path}.due_minutes"), "must be from 1 to 5256000");
        return None;
    }
    let mut rules = |list: &str, minutes: &str| -> Vec<SlaRule> {
        let mut read = Vec::new();
        for (item_path, rule) in objects(sla, list, &path, findings) {
            match present(rule, minutes).and_then(Value::as_i64) {
                Some(value) if (0..=LONGEST_MINUTES).contains(&value) => {
                    read.push(SlaRule {
                        minutes: value,
                        recipients: texts(rule, "recipients"),
                    });
                }
                _ => findings.add(
                    format!("{item_path}.{minutes}"),
                    "must be a whole number of minutes",
                ),
            }
        }
        read
    };
    let reminders = rules("reminders", "minutes_before_due");
    let escalations = rules("escalations", "minutes_after_due");
    Some(Sla {
        due_minutes,
        reminders,
        escalations,
    })
}

fn read_approval(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> ApprovalDefinition {
    let approvers = read_parallel(raw, path, findings).unwrap_or_else(|| read_single(raw, path, findings));
    ApprovalDefinition {
        approvers,
        spoc: email(raw, "spoc_email", path, findings),
        primary: email(raw, "primary_approver_email", path, findings),
    }
}

/// Parallel mode: a rule is set and the list is not empty once a specific approver has been put first (engine-core 6.1).
///
/// Beyond `ALL` and `ANY` a designer may write `MAJORITY`, `required_approvals: n` or `approval_percentage: p`, and
/// `veto: false` to let the others outvote a rejection. With ALL every rejection decides against.
fn read_parallel(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> Option<ApproverSource> {
    present(raw, "parallel_approval")?;
    let words = [
        ("ALL", ApprovalRule::All),
        ("ANY", ApprovalRule::Any),
        ("MAJORITY", ApprovalRule::Majority),
    ];
    let mut rule = word(
        raw,
        "parallel_approval",
        path,
        findings,
        &words,
        ApprovalRule::All,
    );
    let mut approvers: Vec<NamedApprover> = Vec::new();
    let infos = objects(raw, "parallel_approvers_info", path, findings);
    for address in texts(raw, "parallel_approvers") {
        let Ok(address) = Email::try_from(address) else {
            findings.add(
                format!("{path}.parallel_approvers"),
                "holds an invalid e-mail address",
            );
            continue;
        };
        if approvers.iter().any(|known| known.email == address) {
            continue;
        }
        let info = infos.iter().map(|(_, info)| *info).find(|info| {
            filled(info, "email")
                .and_then(|text| Email::try_from(text).ok())
                .is_some_and(|known| known == address)
        });
        approvers.push(NamedApprover {
            aad_id: info.and_then(|info| filled(info, "aad_id")).map(str::to_owned),
            display_name: info
                .and_then(|info| filled(info, "display_name"))
                .map(str::to_owned),
            email: address,
        });
    }
    let specific = named(raw, "specific_approver", path, findings);
    if let Some(specific) = specific.filter(|one| approvers.iter().all(|known| known.email != one.email)) {
        approvers.insert(0, specific);
    }
    if approvers.is_empty() {
        return None;
    }
    let whole = |key: &str| {
        present(raw, key)
            .and_then(Value::as_u64)
            .and_then(|number| u32::try_from(number).ok())
    };
    if let Some(required) = whole("required_approvals") {
        rule = ApprovalRule::Required(required);
    } else if let Some(percentage) = whole("approval_percentage") {
        rule = ApprovalRule::Percentage(percentage);
    }
    let veto = flag(raw, "veto").unwrap_or(true);
    Some(ApproverSource::Parallel {
        approvers,
        rule,
        veto,
    })
}

fn read_single(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> ApproverSource {
    let incomplete = |what: &str| ApproverSource::Incomplete(what.to_owned());
    match text(raw, "approver_resolution").unwrap_or("REQUESTER_MANAGER") {
        "REQUESTER_MANAGER" => ApproverSource::RequesterManager,
        "SPOC_EMAIL" if filled(raw, "spoc_email").is_none() => incomplete("spoc_email is missing"),
        "SPOC_EMAIL" => ApproverSource::Spoc,
        "SPECIFIC_EMAIL" => named(raw, "specific_approver", path, findings).map_or_else(
            || incomplete("specific_approver_email is missing"),
            ApproverSource::Specific,
        ),
        "STEP_ASSIGNEE" => filled(raw, "step_assignee_step_id").map_or_else(
            || incomplete("step_assignee_step_id is missing"),
            |key| ApproverSource::StepAssignee(StepKey::from(key)),
        ),
        "CONDITIONAL" => read_conditional(raw, path, findings),
        "FROM_LOOKUP" => match (filled(raw, "lookup_id"), filled(raw, "lookup_source_field_key")) {
            (Some(lookup), Some(field)) => ApproverSource::Lookup {
                lookup_id: LookupId::from_stored(lookup),
                source_step_id: filled(raw, "lookup_source_step_id").map(StepKey::from),
                source_field_key: field.to_owned(),
            },
            _ => incomplete("lookup_id or lookup_source_field_key is missing"),
        },
        other => {
            findings.add(
                format!("{path}.approver_resolution"),
                "unknown approver resolution",
            );
            ApproverSource::Incomplete(format!("unknown approver resolution {other}"))
        }
    }
}

fn read_conditional(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> ApproverSource {
    let mut rules = Vec::new();
    for (rule_path, rule) in objects(raw, "conditional_approver_rules", path, findings) {
        let operator = filled(rule, "operator").and_then(Operator::from_word);
        let field = filled(rule, "field_key");
        let approver = named(rule, "approver", &rule_path, findings);
        let (Some(operator), Some(field), Some(approver)) = (operator, field, approver) else {
            findings.add(
                rule_path,
                "a rule needs field_key, a known operator and approver_email",
            );
            continue;
        };
        let field = field.strip_prefix("form_values.").unwrap_or(field);
        let condition = Condition {
            field: format!("form_values.{field}"),
            operator,
            value: rule.get("value").cloned().unwrap_or(Value::Null),
        };
        rules.push(ApproverRule { condition, approver });
    }
    if rules.is_empty() {
        return ApproverSource::Incomplete("conditional_approver_rules is empty".to_owned());
    }
    ApproverSource::Conditional {
        rules,
        fallback: email(raw, "conditional_fallback_approver", path, findings),
    }
}

/// `<prefix>_email` with `<prefix>_aad_id` and `<prefix>_display_name`.
fn named(
    raw: &Map<String, Value>,
    prefix: &str,
    path: &str,
    findings: &mut Findings,
) -> Option<NamedApprover> {
    Some(NamedApprover {
        email: email(raw, &format!("{prefix}_email"), path, findings)?,
        aad_id: filled(raw, &format!("{prefix}_aad_id")).map(str::to_owned),
        display_name: filled(raw, &format!("{prefix}_display_name")).map(str::to_owned),
    })
}

fn read_task(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> TaskDefinition {
    let older = raw
        .get("output_fields")
        .and_then(Value::as_array)
        .is_some_and(|fields| !fields.is_empty());
    let form = forms::read(
        raw,
        if older { "output_fields" } else { "fields" },
        path,
        findings,
    );
    let linked = present(raw, "linked_repeating_source")
        .and_then(Value::as_object)
        .and_then(|linked| {
            Some(LinkedSource {
                source_step_id: StepKey::from(filled(linked, "source_step_id")?),
                source_section_id: filled(linked, "source_section_id")?.to_owned(),
                context_field_keys: texts(linked, "context_field_keys"),
            })
        });
    TaskDefinition {
        instructions: text(raw, "instructions").map(str::to_owned),
        execution_notes_required: flag(raw, "execution_notes_required").unwrap_or(true),
        form,
        linked,
    }
}

fn read_notify(raw: &Map<String, Value>) -> NotifyDefinition {
    NotifyDefinition {
        template: filled(raw, "notification_template")
            .unwrap_or("TICKET_COMPLETED")
            .to_owned(),
        recipients: texts(raw, "recipients"),
    }
}

fn read_fork(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> ForkDefinition {
    let mut branches = Vec::new();
    for (branch_path, branch) in objects(raw, "branches", path, findings) {
        let (Some(key), Some(start)) = (filled(branch, "branch_id"), filled(branch, "start_step_id")) else {
            findings.add(branch_path, "a branch needs branch_id and start_step_id");
            continue;
        };
        branches.push(BranchDefinition {
            key: BranchKey(key.to_owned()),
            name: filled(branch, "branch_name").unwrap_or(key).to_owned(),
            start: StepKey::from(start),
            color: filled(branch, "color").map(str::to_owned),
        });
    }
    let words = [
        ("FAIL_ALL", FailurePolicy::FailAll),
        ("CONTINUE_OTHERS", FailurePolicy::ContinueOthers),
        ("CANCEL_OTHERS", FailurePolicy::CancelOthers),
    ];
    let failure_policy = word(
        raw,
        "failure_policy",
        path,
        findings,
        &words,
        FailurePolicy::FailAll,
    );
    ForkDefinition {
        branches,
        failure_policy,
    }
}

fn read_join(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> JoinDefinition {
    let words = [
        ("ALL", JoinMode::All),
        ("ANY", JoinMode::Any),
        ("MAJORITY", JoinMode::Majority),
    ];
    JoinDefinition {
        fork: StepKey::from(filled(raw, "source_fork_step_id").unwrap_or_default()),
        mode: word(raw, "join_mode", path, findings, &words, JoinMode::All),
        timeout_minutes: present(raw, "timeout_minutes")
            .and_then(Value::as_i64)
            .filter(|minutes| (1..=LONGEST_MINUTES).contains(minutes)),
    }
}

fn read_sub_workflow(raw: &Map<String, Value>, path: &str, findings: &mut Findings) -> SubWorkflowDefinition {
    let id = filled(raw, "sub_workflow_id").unwrap_or_default();
    let number = present(raw, "sub_workflow_version")
        .and_then(Value::as_i64)
        .and_then(|n| i32::try_from(n).ok());
    if number.is_none_or(|number| number < 1) {
        findings.add(
            format!("{path}.sub_workflow_version"),
            "must be a version number from 1",
        );
    }
    SubWorkflowDefinition {
        version: VersionRef {
            workflow_id: WorkflowId::from_stored(id),
            version_number: number.unwrap_or(0),
        },
        name: filled(raw, "sub_workflow_name").unwrap_or(id).to_owned(),
    }
}
