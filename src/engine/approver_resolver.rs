//! Who approves a step: every kind of resolution with its fallbacks (contract engine-core 6.1, http-workflows 3.4).
//!
//! Nobody approves their own request while anybody else can (design 8): the requester is replaced by the step's contact
//! address, then by the requester's manager.

use super::condition_evaluator;
use super::decision::Undecided;
use super::definition::{ApprovalDefinition, ApproverSource, NamedApprover};
use super::facts::{LookupFact, LookupQuestion, Need};
use super::turn::Turn;
use crate::domain::id::{LookupId, StepKey};
use crate::domain::person::Person;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalRound, ApprovalRule, Step};
use serde_json::{Map, Value};

/// The approvers of a step and how they decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Approvers {
    /// Who, in order, no doubles; the primary one is among them.
    pub(crate) people: Vec<Person>,
    /// How their votes decide.
    pub(crate) round: ApprovalRound,
    /// Further users of the lookup entry, who are told.
    pub(crate) informed: Vec<Person>,
}

/// Finds the approvers of `step`.
pub(crate) fn resolve(
    turn: &Turn<'_>,
    step: &Step,
    approval: &ApprovalDefinition,
) -> Result<Approvers, Undecided> {
    let mut informed = Vec::new();
    let (people, rule, veto) = match &approval.approvers {
        ApproverSource::Parallel {
            approvers,
            rule,
            veto,
        } => (approvers.iter().map(person_of).collect(), *rule, *veto),
        ApproverSource::RequesterManager => {
            let person = turn
                .ticket
                .manager
                .clone()
                .or_else(|| spoc(approval))
                .ok_or(Refusal::ManagerNotFound)?;
            (vec![person], ApprovalRule::Single, true)
        }
        ApproverSource::Specific(approver) => (vec![person_of(approver)], ApprovalRule::Single, true),
        ApproverSource::Spoc => (
            vec![required(spoc(approval), "the step names no contact address")?],
            ApprovalRule::Single,
            true,
        ),
        ApproverSource::Conditional { rules, fallback } => {
            let person = conditional(turn, rules).or_else(|| fallback.clone().map(Person::from_email));
            let person = person
                .or_else(|| spoc(approval))
                .or_else(|| turn.ticket.manager.clone());
            (
                vec![required(
                    person,
                    "no rule for the approver holds and there is no fallback",
                )?],
                ApprovalRule::Single,
                true,
            )
        }
        ApproverSource::StepAssignee(key) => {
            let person = step_assignee(turn, step, key)?;
            let person = person
                .or_else(|| spoc(approval))
                .or_else(|| turn.ticket.manager.clone());
            (
                vec![required(
                    person,
                    "the step whose assignee should approve has none",
                )?],
                ApprovalRule::Single,
                true,
            )
        }
        ApproverSource::Lookup {
            lookup_id,
            source_step_id,
            source_field_key,
        } => {
            let key = lookup_key(turn, source_step_id.as_ref(), source_field_key);
            let person = from_lookup(turn, step, lookup_id, key.as_deref(), &mut informed)?;
            let person = person.or_else(|| spoc(approval));
            // Without a value only the contact address stands in: the manager was never meant for this choice.
            let person = if key.is_some() {
                person.or_else(|| turn.ticket.manager.clone())
            } else {
                person
            };
            (
                vec![required(person, "the lookup table has nobody for this value")?],
                ApprovalRule::Single,
                true,
            )
        }
        ApproverSource::Incomplete(what) => return Err(Refusal::ApproverResolution(what.clone()).into()),
    };
    Ok(without_self_approval(
        turn, approval, &people, rule, veto, informed,
    ))
}

/// Replaces the requester among the approvers by somebody else, if there is somebody else.
fn without_self_approval(
    turn: &Turn<'_>,
    approval: &ApprovalDefinition,
    people: &[Person],
    rule: ApprovalRule,
    veto: bool,
    informed: Vec<Person>,
) -> Approvers {
    let requester = &turn.ticket.requester;
    let substitute = spoc(approval).filter(|person| !person.is_same(requester));
    let substitute = substitute.or_else(|| {
        turn.ticket
            .manager
            .clone()
            .filter(|person| !person.is_same(requester))
    });
    let mut kept: Vec<Person> = Vec::new();
    for person in people {
        let is_self = person.is_same(requester);
        let chosen = match (&substitute, is_self) {
            (Some(other), true) => other.clone(),
            // Other approvers of a parallel step decide without the requester.
            (None, true) if people.iter().any(|other| !other.is_same(requester)) => continue,
            (None, true) | (_, false) => person.clone(),
        };
        if !kept.iter().any(|known| known.is_same(&chosen)) {
            kept.push(chosen);
        }
    }
    let primary = approval
        .primary
        .clone()
        .filter(|email| kept.iter().any(|person| person.email == *email));
    let primary = primary.or_else(|| kept.first().map(|person| person.email.clone()));
    let primary = primary.unwrap_or_else(|| requester.email.clone());
    Approvers {
        people: kept,
        round: ApprovalRound { rule, veto, primary },
        informed,
    }
}

fn required(person: Option<Person>, message: &str) -> Result<Person, Refusal> {
    person.ok_or_else(|| Refusal::ApproverResolution(message.to_owned()))
}

fn spoc(approval: &ApprovalDefinition) -> Option<Person> {
    approval.spoc.clone().map(Person::from_email)
}

fn person_of(named: &NamedApprover) -> Person {
    let mut person = Person::from_email(named.email.clone());
    person.aad_id.clone_from(&named.aad_id);
    if let Some(name) = &named.display_name {
        person.display_name.clone_from(name);
    }
    person
}

fn conditional(turn: &Turn<'_>, rules: &[super::definition::ApproverRule]) -> Option<Person> {
    let empty = Map::new();
    let context = condition_evaluator::Context {
        ticket: &empty,
        form_values: &turn.ticket.form_values,
        current_step: &empty,
    };
    let rule = rules
        .iter()
        .find(|rule| condition_evaluator::condition_holds(&rule.condition, context))?;
    Some(person_of(&rule.approver))
}

/// The assignee of another step: in the same scope first, then in the ticket's own workflow.
fn step_assignee(turn: &Turn<'_>, step: &Step, key: &StepKey) -> Result<Option<Person>, Refusal> {
    let near = turn.ticket.newest_instance(step.container.as_ref(), key);
    let found = near.or_else(|| turn.ticket.newest_instance(None, key));
    let found = found.ok_or_else(|| {
        Refusal::ApproverResolution(format!(
            "the step {key} whose assignee should approve does not exist"
        ))
    })?;
    Ok(found.assignee.clone())
}

/// The text by which the lookup entry is found: from the form values, else from the data of the step that asked for it.
fn lookup_key(turn: &Turn<'_>, source_step: Option<&StepKey>, field: &str) -> Option<String> {
    let from_values = turn.ticket.form_values.get(field);
    let from_step = || {
        let steps = turn
            .ticket
            .steps
            .iter()
            .filter(|step| Some(&step.key) == source_step);
        steps
            .filter_map(|step| step.form_values.as_ref()?.get(field))
            .next_back()
    };
    from_values.or_else(from_step).and_then(key_text)
}

/// A value as the key of a lookup entry; empty values are none.
pub(crate) fn key_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn from_lookup(
    turn: &Turn<'_>,
    step: &Step,
    lookup_id: &LookupId,
    key: Option<&str>,
    informed: &mut Vec<Person>,
) -> Result<Option<Person>, Undecided> {
    let Some(key) = key else { return Ok(None) };
    let workflow_id = turn.workflow_in(step.container.as_ref())?.workflow_id.clone();
    let question = LookupQuestion::Table {
        workflow_id,
        lookup_id: lookup_id.clone(),
        key: key.to_owned(),
    };
    let Some(LookupFact { users, .. }) = turn.sheet().lookup(&question) else {
        return Err(Undecided::Needs(vec![Need::Lookup(question)]));
    };
    let primary = users
        .iter()
        .find(|user| user.is_primary)
        .or_else(|| users.first());
    informed.extend(
        users
            .iter()
            .filter(|user| primary.is_none_or(|p| !p.person.is_same(&user.person)))
            .map(|user| user.person.clone()),
    );
    Ok(primary.map(|user| user.person.clone()))
}
