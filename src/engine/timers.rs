//! What happens by itself: due times, reminders and escalations of steps, and joins that stop waiting
//! (contract http-admin-notifications 16.3).
//!
//! A timer is part of the aggregate, so it fires once, whichever process saw it. After downtime only the newest of a
//! step's missed reminders and one of its escalations are sent, not the backlog.

use super::advance::{self, Moves};
use super::decision::Undecided;
use super::definition::{SlaRule, StepDefinition, StepKind};
use super::notices::Message;
use super::steps::{join, notify};
use super::turn::Turn;
use crate::domain::audit::AuditEventType;
use crate::domain::id::TicketStepId;
use crate::domain::notice::TemplateKey;
use crate::domain::person::Person;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalDecision, Step, Timer, TimerKind};
use crate::domain::time::Timestamp;
use serde_json::json;

/// Escalations repeat this often when the designer named none.
const REPEAT_MINUTES: i64 = 240;
/// And end after this many.
const MOST_REPEATS: u32 = 10;

/// Sets a step's due time and its timers; a step without a due time gets none.
pub(super) fn start_sla(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    definition: &StepDefinition,
) -> Result<(), Refusal> {
    if matches!(definition.kind, StepKind::SubWorkflow(_)) {
        return Ok(());
    }
    let own = definition.sla.as_ref().map(|sla| sla.due_minutes);
    let default = || {
        let defaults = &turn.sheet().policy.default_sla_minutes;
        defaults
            .iter()
            .find(|(kind, _)| *kind == definition.step_type())
            .map(|(_, minutes)| *minutes)
    };
    let Some(minutes) = own.or_else(default).filter(|minutes| *minutes > 0) else {
        return Ok(());
    };
    let due_at = turn.now().plus_minutes(minutes);
    turn.change_step(id)?.due_at = Some(due_at);
    set_timers(turn, id, definition, minutes, due_at);
    Ok(())
}

fn set_timers(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    definition: &StepDefinition,
    minutes: i64,
    due_at: Timestamp,
) {
    let sla = definition.sla.as_ref();
    let reminders = sla.map(|sla| sla.reminders.as_slice()).unwrap_or_default();
    let implicit = if minutes < 120 { minutes / 2 } else { 60 };
    let before: Vec<i64> = if reminders.is_empty() {
        vec![implicit]
    } else {
        reminders.iter().map(|rule| rule.minutes).collect()
    };
    for minutes_before in before {
        let at = due_at.plus_minutes(-minutes_before);
        if at > turn.now() {
            let kind = TimerKind::SlaReminder {
                step: id.clone(),
                minutes_before,
            };
            turn.ticket.timers.push(Timer { kind, due_at: at });
        }
    }
    for minutes_after in escalation_minutes(definition) {
        push_escalation(turn, id, minutes_after, due_at.plus_minutes(minutes_after));
    }
}

/// Sets the timers of an imported step that has a due time. Nobody has been told of what is overdue already; that begins
/// after the usual interval, so that a service does not start with a flood of mails.
pub(super) fn continue_sla(turn: &mut Turn<'_>, id: &TicketStepId) -> Result<(), Undecided> {
    let step = turn.step(id)?.clone();
    let Some(due_at) = step.due_at else { return Ok(()) };
    let definition = match turn.definition_of(&step) {
        Ok(definition) => definition,
        Err(Undecided::Refused(_)) => return Ok(()),
        Err(needs) => return Err(needs),
    };
    let minutes = step
        .started_at
        .map_or(0, |started| due_at.since(started).num_minutes());
    set_timers(turn, id, &definition, minutes, due_at);
    let later = turn.now().plus_minutes(REPEAT_MINUTES);
    let now = turn.now();
    for timer in &mut turn.ticket.timers {
        let own = matches!(&timer.kind, TimerKind::SlaEscalation { step, .. } if step == id);
        if own && timer.due_at <= now {
            timer.due_at = later;
        }
    }
    if step.sla_acknowledged_at.is_some() {
        stop_escalations(turn, id);
    }
    Ok(())
}

/// After how many minutes past the due time a step escalates; at once when the designer named none.
fn escalation_minutes(definition: &StepDefinition) -> Vec<i64> {
    let rules = definition.sla.as_ref().map(|sla| sla.escalations.as_slice());
    match rules.unwrap_or_default() {
        [] => vec![0],
        rules => rules.iter().map(|rule| rule.minutes).collect(),
    }
}

fn push_escalation(turn: &mut Turn<'_>, id: &TicketStepId, minutes_after: i64, due_at: Timestamp) {
    let kind = TimerKind::SlaEscalation {
        step: id.clone(),
        minutes_after,
        count: 0,
    };
    turn.ticket.timers.push(Timer { kind, due_at });
}

/// Moves a step's due time and timers by the time it was held or paused.
pub(super) fn postpone(turn: &mut Turn<'_>, id: &TicketStepId, millis: i64) -> Result<(), Refusal> {
    let step = turn.change_step(id)?;
    step.due_at = step.due_at.map(|due| due.plus_millis(millis));
    for timer in &mut turn.ticket.timers {
        let own = match &timer.kind {
            TimerKind::SlaReminder { step, .. } | TimerKind::SlaEscalation { step, .. } => step == id,
            TimerKind::JoinTimeout { .. } => false,
        };
        if own {
            timer.due_at = timer.due_at.plus_millis(millis);
        }
    }
    Ok(())
}

/// Moves the time at which joins stop waiting by the time a change request paused all work.
pub(super) fn postpone_joins(turn: &mut Turn<'_>, millis: i64) {
    for timer in &mut turn.ticket.timers {
        if matches!(timer.kind, TimerKind::JoinTimeout { .. }) {
            timer.due_at = timer.due_at.plus_millis(millis);
        }
    }
}

/// Removes the escalations of a step, because its assignee acknowledged that it is overdue.
pub(super) fn stop_escalations(turn: &mut Turn<'_>, id: &TicketStepId) {
    turn.ticket
        .timers
        .retain(|timer| !matches!(&timer.kind, TimerKind::SlaEscalation { step, .. } if step == id));
}

/// Forgets that the step's former assignee acknowledged it, and starts its escalations again (engine-actions S13): those
/// still to come, or the last one after the usual interval, so that the new assignee is not told off on arrival.
pub(super) fn forget_acknowledgement(turn: &mut Turn<'_>, id: &TicketStepId) -> Result<(), Undecided> {
    let step = turn.step(id)?.clone();
    let Some(due_at) = step.due_at.filter(|_| step.sla_acknowledged_at.is_some()) else {
        return Ok(());
    };
    let minutes = escalation_minutes(&*turn.definition_of(&step)?);
    if let Some(step) = turn.ticket.step_mut(id) {
        step.sla_acknowledged_at = None;
    }
    let now = turn.now();
    let to_come: Vec<i64> = minutes
        .iter()
        .copied()
        .filter(|after| due_at.plus_minutes(*after) > now)
        .collect();
    if to_come.is_empty() {
        let last = minutes.into_iter().max().unwrap_or(0);
        push_escalation(turn, id, last, now.plus_minutes(REPEAT_MINUTES));
    }
    for after in to_come {
        push_escalation(turn, id, after, due_at.plus_minutes(after));
    }
    Ok(())
}

/// Lets every due timer take effect; `false` when none was due.
pub(super) fn fire(turn: &mut Turn<'_>) -> Result<bool, Undecided> {
    let now = turn.now();
    // A timer whose clock stands still stays, though its time may have come: it moves when the wait is over.
    let timers = std::mem::take(&mut turn.ticket.timers);
    let (due, later): (Vec<Timer>, Vec<Timer>) = timers
        .into_iter()
        .partition(|timer| timer.due_at <= now && turn.ticket.timer_runs(timer));
    turn.ticket.timers = later;
    if due.is_empty() {
        return Ok(false);
    }
    let mut told: Vec<(TicketStepId, TemplateKey)> = Vec::new();
    // The newest first: of several missed ones only that one is sent.
    let mut due = due;
    due.sort_by_key(|timer| std::cmp::Reverse(timer.due_at));
    for timer in due {
        if turn.ticket.status.is_terminal() {
            break;
        }
        match timer.kind {
            TimerKind::SlaReminder { step, minutes_before } => {
                remind(turn, &step, minutes_before, &mut told)?;
            }
            TimerKind::SlaEscalation {
                step,
                minutes_after,
                count,
            } => {
                escalate(turn, &step, minutes_after, count, timer.due_at, &mut told)?;
            }
            TimerKind::JoinTimeout { fork } => {
                let mut moves = Moves::default();
                join::time_out(turn, &fork, &mut moves)?;
                advance::run(turn, moves)?;
            }
        }
    }
    Ok(true)
}

fn remind(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    minutes_before: i64,
    told: &mut Vec<(TicketStepId, TemplateKey)>,
) -> Result<(), Undecided> {
    let step = turn.step(id)?.clone();
    let Some(due_at) = step.due_at.filter(|due| *due > turn.now() && step.is_live()) else {
        return Ok(());
    };
    if told.contains(&(id.clone(), TemplateKey::SlaReminder)) {
        return Ok(());
    }
    told.push((id.clone(), TemplateKey::SlaReminder));
    let definition = turn.definition_of(&step)?;
    let rules = definition
        .sla
        .as_ref()
        .map(|sla| sla.reminders.as_slice())
        .unwrap_or_default();
    let people = recipients(turn, &step, rules, minutes_before, SlaKind::Reminder);
    let left = due_at.since(turn.now()).num_minutes();
    let message = Message::new(
        TemplateKey::SlaReminder,
        "Due soon",
        format!(
            "\"{}\" of \"{}\" is due in {}.",
            step.name,
            turn.ticket.title,
            readable(left)
        ),
        json!({
            "minutes_until_due": left,
            "time_remaining": readable(left),
            "assigned_to": step.assignee.as_ref().map(|person| &person.display_name),
            "due_at": due_at.to_wire(),
        }),
    );
    tell(
        turn,
        id,
        AuditEventType::SlaReminder,
        minutes_before,
        &people,
        &message.about(id),
    );
    Ok(())
}

fn escalate(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    minutes_after: i64,
    count: u32,
    was_due: Timestamp,
    told: &mut Vec<(TicketStepId, TemplateKey)>,
) -> Result<(), Undecided> {
    let step = turn.step(id)?.clone();
    let Some(due_at) = step.due_at.filter(|_| step.is_live()) else {
        return Ok(());
    };
    let definition = turn.definition_of(&step)?;
    let rules = definition
        .sla
        .as_ref()
        .map(|sla| sla.escalations.as_slice())
        .unwrap_or_default();
    if rules.is_empty() && count + 1 < MOST_REPEATS {
        let mut next = was_due.plus_minutes(REPEAT_MINUTES);
        while next <= turn.now() {
            next = next.plus_minutes(REPEAT_MINUTES);
        }
        let kind = TimerKind::SlaEscalation {
            step: id.clone(),
            minutes_after,
            count: count + 1,
        };
        turn.ticket.timers.push(Timer { kind, due_at: next });
    }
    if told.contains(&(id.clone(), TemplateKey::SlaEscalation)) {
        return Ok(());
    }
    told.push((id.clone(), TemplateKey::SlaEscalation));
    let people = recipients(turn, &step, rules, minutes_after, SlaKind::Escalation);
    let overdue = turn.now().since(due_at).num_minutes();
    let tenths = overdue.saturating_mul(10) / 60;
    let message = Message::new(
        TemplateKey::SlaEscalation,
        "Overdue",
        format!(
            "\"{}\" of \"{}\" is overdue by {}.",
            step.name,
            turn.ticket.title,
            readable(overdue)
        ),
        json!({
            "overdue_minutes": overdue,
            "overdue_hours": format!("{}.{}", tenths / 10, tenths % 10),
            "assigned_to": step.assignee.as_ref().map(|person| &person.display_name),
            "due_at": due_at.to_wire(),
        }),
    );
    tell(
        turn,
        id,
        AuditEventType::SlaEscalation,
        minutes_after,
        &people,
        &message.about(id),
    );
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SlaKind {
    Reminder,
    Escalation,
}

/// The configured people, else (or when nobody is who they say) those who work on the step and the manager; an
/// escalation tells the requester too.
fn recipients(turn: &Turn<'_>, step: &Step, rules: &[SlaRule], minutes: i64, kind: SlaKind) -> Vec<Person> {
    let configured = rules
        .iter()
        .find(|rule| rule.minutes == minutes)
        .map(|rule| rule.recipients.as_slice());
    let mut people: Vec<Person> = Vec::new();
    let at_work = || {
        let pending = turn
            .ticket
            .approval_tasks_of(&step.id)
            .filter(|t| t.decision == ApprovalDecision::Pending);
        step.assignee
            .iter()
            .cloned()
            .chain(pending.map(|task| task.approver.clone()))
            .collect::<Vec<_>>()
    };
    for word in configured.unwrap_or_default() {
        match word.to_lowercase().as_str() {
            "requester" => people.push(turn.ticket.requester.clone()),
            "manager" => people.extend(turn.ticket.manager.clone()),
            "assigned_agent" => people.extend(step.assignee.clone()),
            "approvers" => people.extend(at_work()),
            _ => people.extend(notify::literal(turn, word)),
        }
    }
    if people.is_empty() {
        people.extend(at_work());
        people.extend(turn.ticket.manager.clone());
        if kind == SlaKind::Escalation {
            people.push(turn.ticket.requester.clone());
        }
    }
    let mut distinct: Vec<Person> = Vec::new();
    for person in people {
        if !distinct.iter().any(|known| known.is_same(&person)) {
            distinct.push(person);
        }
    }
    distinct
}

fn tell(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    event: AuditEventType,
    minutes: i64,
    people: &[Person],
    message: &Message,
) {
    for person in people {
        turn.notify(person, message);
    }
    let addresses: Vec<_> = people.iter().map(|person| person.email.clone()).collect();
    turn.audit(
        event,
        Some(id),
        json!({"threshold_minutes": minutes, "recipients": addresses}),
    );
}

/// A span of minutes for people.
fn readable(minutes: i64) -> String {
    let (days, hours, rest) = (minutes / 1_440, minutes % 1_440 / 60, minutes % 60);
    let parts = [(days, "d"), (hours, "h"), (rest, "min")];
    let shown: Vec<_> = parts
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(n, unit)| format!("{n} {unit}"))
        .collect();
    if shown.is_empty() {
        "less than a minute".to_owned()
    } else {
        shown.join(" ")
    }
}
