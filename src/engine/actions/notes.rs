//! Notes on steps and messages of the requester (contract engine-actions 4.12 and 4.13).
//!
//! Bodies go to `ticket_notes`; the ticket keeps counts and fingerprints, so notes never conflict with each other.

use super::Acted;
use crate::domain::audit::AuditEventType;
use crate::domain::id::{AttachmentId, RequesterNoteId, TicketStepId, hex12};
use crate::domain::notice::TemplateKey;
use crate::domain::person::Person;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{ApprovalDecision, NoteBody, NoteKind, NoteMark, Step, limits};
use crate::engine::decision::{Effect, Undecided};
use crate::engine::notices::{Message, preview};
use crate::engine::permission_guard::{self, StepAction, TicketAction};
use crate::engine::turn::Turn;
use serde_json::json;

/// How long an identical note counts as an automatic repeat, in milliseconds (design 8).
const REPEAT_MILLIS: i64 = 60_000;

/// Writes a note on a step.
pub(super) fn add_to_step(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    content: &str,
    attachments: &[AttachmentId],
) -> Result<Acted, Undecided> {
    permission_guard::check_step(&turn.ticket, turn.actor(), StepAction::AddNote, turn.step(id)?)?;
    if is_repeat(turn, id.as_str(), content) {
        return Ok(Acted::AlreadyDone(None));
    }
    turn.link_attachments(attachments, None, "note")?;
    keep(turn, NoteKind::Step(id.clone()), content, attachments)?;
    turn.change_step(id)?.note_count += 1;
    turn.audit(
        AuditEventType::NoteAdded,
        Some(id),
        json!({"note_preview": preview(content, 100)}),
    );
    let author = turn.actor().person.clone();
    let step = turn.step(id)?.clone();
    let message = Message::new(
        TemplateKey::NoteAdded,
        "New note",
        format!(
            "{} added a note to \"{}\".",
            author.display_name, turn.ticket.title
        ),
        json!({
            "step_type": step.kind,
            "note_author": author.display_name,
            "note_preview": preview(content, 200),
        }),
    );
    let readers = readers(turn, &step);
    turn.notify_others(&readers, &message.about(id).by(&author));
    Ok(Acted::Applied)
}

/// Writes a message as the requester.
pub(super) fn add_as_requester(
    turn: &mut Turn<'_>,
    content: &str,
    attachments: &[AttachmentId],
) -> Result<Acted, Undecided> {
    permission_guard::check_ticket(&turn.ticket, turn.actor(), &TicketAction::AddRequesterNote)?;
    if is_repeat(turn, "ticket", content) {
        return Ok(Acted::AlreadyDone(None));
    }
    turn.link_attachments(attachments, None, "requester_note")?;
    let id = RequesterNoteId::derived(&turn.draw_seed());
    turn.created = Some(id.to_string());
    keep(turn, NoteKind::Requester(id), content, attachments)?;
    turn.ticket.requester_note_count += 1;
    let details = json!({"note_preview": preview(content, 100), "note_type": "requester_note"});
    turn.audit(AuditEventType::RequesterNoteAdded, None, details);
    let author = turn.actor().person.clone();
    let message = Message::new(
        TemplateKey::RequesterNoteAdded,
        "New message",
        format!(
            "{} wrote a message on \"{}\".",
            author.display_name, turn.ticket.title
        ),
        json!({"note_preview": preview(content, 200)}),
    );
    let live: Vec<Step> = turn
        .ticket
        .steps
        .iter()
        .filter(|step| step.is_live())
        .cloned()
        .collect();
    let readers: Vec<Person> = live.iter().flat_map(|step| workers(turn, step)).collect();
    turn.notify_others(&readers, &message.by(&author));
    Ok(Acted::Applied)
}

/// Whoever works on a step: its assignee and its pending approvers.
fn workers(turn: &Turn<'_>, step: &Step) -> Vec<Person> {
    let pending = turn
        .ticket
        .approval_tasks_of(&step.id)
        .filter(|task| task.decision == ApprovalDecision::Pending);
    step.assignee
        .iter()
        .cloned()
        .chain(pending.map(|task| task.approver.clone()))
        .collect()
}

fn readers(turn: &Turn<'_>, step: &Step) -> Vec<Person> {
    let mut readers = workers(turn, step);
    readers.push(turn.ticket.requester.clone());
    readers
}

fn fingerprint(turn: &Turn<'_>, target: &str, content: &str) -> String {
    hex12(&format!(
        "{target}\n{}\n{content}",
        turn.actor().person.email.key()
    ))
}

fn is_repeat(turn: &Turn<'_>, target: &str, content: &str) -> bool {
    let fingerprint = fingerprint(turn, target, content);
    turn.ticket.recent_notes.iter().any(|mark| {
        mark.fingerprint == fingerprint && turn.now().since(mark.at).num_milliseconds() <= REPEAT_MILLIS
    })
}

fn keep(
    turn: &mut Turn<'_>,
    kind: NoteKind,
    content: &str,
    attachments: &[AttachmentId],
) -> Result<(), Refusal> {
    let on_steps: u32 = turn.ticket.steps.iter().map(|step| step.note_count).sum();
    if on_steps.saturating_add(turn.ticket.requester_note_count) >= limits::NOTES {
        let limit = usize::try_from(limits::NOTES).unwrap_or(usize::MAX);
        return Err(Refusal::LimitReached { what: "notes", limit });
    }
    let target = match &kind {
        NoteKind::Step(id) => id.to_string(),
        NoteKind::Requester(_) => "ticket".to_owned(),
    };
    let now = turn.now();
    let mark = NoteMark {
        fingerprint: fingerprint(turn, &target, content),
        at: now,
    };
    let marks = &mut turn.ticket.recent_notes;
    marks.retain(|mark| now.since(mark.at).num_milliseconds() <= REPEAT_MILLIS);
    if marks.len() >= limits::RECENT_NOTES {
        marks.remove(0);
    }
    marks.push(mark);
    turn.effect(Effect::Note(NoteBody {
        kind,
        content: content.to_owned(),
        author: turn.actor().person.clone(),
        at: now,
        attachment_ids: attachments.to_vec(),
    }));
    Ok(())
}
