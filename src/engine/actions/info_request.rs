//! Questions and answers (contract engine-actions 4.1 to 4.3, A6, S1, S3, C9, C11).

use super::Acted;
use crate::domain::audit::AuditEventType;
use crate::domain::id::{AttachmentId, InfoRequestId, TicketStepId};
use crate::domain::notice::TemplateKey;
use crate::domain::person::Person;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{InfoRequest, InfoRequestStatus, TargetRole};
use crate::domain::workflow::StepType;
use crate::engine::command::InfoTarget;
use crate::engine::decision::Undecided;
use crate::engine::named_person;
use crate::engine::notices::{Message, preview};
use crate::engine::permission_guard::{self, StepAction};
use crate::engine::timers;
use crate::engine::turn::Turn;
use serde_json::json;

/// How long an identical question counts as the repeat of an open one, in milliseconds (design 8).
const REPEAT_MILLIS: i64 = 60_000;

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) text: &'a str,
    pub(super) subject: Option<&'a str>,
    pub(super) target: Option<&'a InfoTarget>,
    pub(super) attachments: &'a [AttachmentId],
}

/// Asks; the step waits until the answer.
pub(super) fn request(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    question: Question<'_>,
) -> Result<Acted, Undecided> {
    if let Some(first) = repeated(turn, id, question) {
        return Ok(Acted::AlreadyDone(Some(first)));
    }
    permission_guard::check_step(
        &turn.ticket,
        turn.actor(),
        StepAction::RequestInfo,
        turn.step(id)?,
    )?;
    let actor = turn.actor().person.clone();
    let (target, role) = target(turn, question.target)?;
    if target.is_same(&actor) {
        return Err(Refusal::invalid("a question cannot be put to oneself").into());
    }
    turn.link_attachments(question.attachments, None, "info_request")?;
    let info = InfoRequest {
        id: InfoRequestId::derived(&turn.draw_seed()),
        ticket_step_id: id.clone(),
        requested_by: actor.clone(),
        requested_from: target.clone(),
        target_role: role,
        subject: question.subject.map(str::to_owned),
        question_text: question.text.to_owned(),
        request_attachment_ids: question.attachments.to_vec(),
        status: InfoRequestStatus::Open,
        response_text: None,
        response_attachment_ids: Vec::new(),
        responded_by: None,
        requested_at: turn.now(),
        responded_at: None,
    };
    turn.created = Some(info.id.to_string());
    turn.ticket.info_requests.push(info);
    turn.change_step(id)?;
    turn.audit(
        AuditEventType::RequestInfo,
        Some(id),
        json!({"question": question.text}),
    );
    let message = Message::new(
        TemplateKey::InfoRequested,
        "Question for you",
        preview(question.text, 100),
        json!({
            "requestor_name": actor.display_name,
            "question": question.text,
            "subject": question.subject,
            "attachment_count": question.attachments.len(),
        }),
    );
    turn.notify(&target, &message.about(id).by(&actor));
    Ok(Acted::Applied)
}

/// Answers the open question; the step goes on where it was, and its due time moves by the time it waited (S12).
pub(super) fn respond(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    text: &str,
    attachments: &[AttachmentId],
) -> Result<Acted, Undecided> {
    if has_answered(turn, id, text) {
        return Ok(Acted::AlreadyDone(None));
    }
    permission_guard::check_step(
        &turn.ticket,
        turn.actor(),
        StepAction::RespondInfo,
        turn.step(id)?,
    )?;
    turn.link_attachments(attachments, None, "info_response")?;
    let (now, actor) = (turn.now(), turn.actor().person.clone());
    let open = turn.ticket.info_requests.iter_mut();
    let mut open = open.filter(|info| info.ticket_step_id == *id && info.status == InfoRequestStatus::Open);
    let Some(info) = open.next() else {
        return Err(Refusal::invalid_state("no question is open on this step").into());
    };
    info.status = InfoRequestStatus::Responded;
    info.response_text = Some(text.to_owned());
    info.response_attachment_ids = attachments.to_vec();
    info.responded_by = Some(actor.clone());
    info.responded_at = Some(now);
    let (asker, waited_since) = (info.requested_by.clone(), info.requested_at);
    timers::postpone(turn, id, now.since(waited_since).num_milliseconds())?;
    let summary = preview(text, 200);
    turn.audit(
        AuditEventType::RespondInfo,
        Some(id),
        json!({"response_summary": summary}),
    );
    let message = Message::new(
        TemplateKey::InfoResponded,
        "Question answered",
        format!(
            "{} answered your question on \"{}\".",
            actor.display_name, turn.ticket.title
        ),
        json!({"responder_name": actor.display_name, "response_summary": summary}),
    );
    turn.notify(&asker, &message.about(id).by(&actor));
    Ok(Acted::Applied)
}

/// The id of the actor's identical question that is still open and less than a minute old.
fn repeated(turn: &Turn<'_>, id: &TicketStepId, question: Question<'_>) -> Option<String> {
    let open = turn.ticket.open_question(id)?;
    let asked = question
        .target
        .map_or(&turn.ticket.requester.email, |target| &target.email);
    let same = open.question_text == question.text
        && open.requested_from.email == *asked
        && open.subject.as_deref() == question.subject
        && open.requested_by.is_same(&turn.actor().person);
    let fresh = turn.now().since(open.requested_at).num_milliseconds() <= REPEAT_MILLIS;
    (same && fresh).then(|| open.id.to_string())
}

/// Whether the actor gave exactly this answer to the step's latest question.
fn has_answered(turn: &Turn<'_>, id: &TicketStepId, text: &str) -> bool {
    let latest = turn
        .ticket
        .info_requests
        .iter()
        .rfind(|info| info.ticket_step_id == *id);
    latest.is_some_and(|info| {
        info.status == InfoRequestStatus::Responded
            && info.response_text.as_deref() == Some(text)
            && info
                .responded_by
                .as_ref()
                .is_some_and(|by| by.is_same(&turn.actor().person))
    })
}

/// Who is asked and in what part, in the contract's order: by step name, the requester, the manager, an assignee, and
/// at last somebody the directory confirms.
fn target(turn: &Turn<'_>, wanted: Option<&InfoTarget>) -> Result<(Person, TargetRole), Undecided> {
    let ticket = &turn.ticket;
    let Some(wanted) = wanted else {
        return Ok((ticket.requester.clone(), TargetRole::Requester));
    };
    let worked = ticket.steps.iter().rev().filter_map(|step| {
        let assignee = step
            .assignee
            .as_ref()
            .filter(|person| person.email == wanted.email)?;
        Some((step, assignee))
    });
    let mut worked: Vec<_> = worked.collect();
    worked.sort_by_key(|(step, _)| std::cmp::Reverse(step.started_at));
    if let Some(name) = &wanted.step_name
        && let Some((step, person)) = worked.iter().find(|(step, _)| step.name == *name)
    {
        return Ok(((*person).clone(), role_on(step.kind)));
    }
    if ticket.requester.email == wanted.email {
        return Ok((ticket.requester.clone(), TargetRole::Requester));
    }
    if let Some(manager) = ticket
        .manager
        .as_ref()
        .filter(|manager| manager.email == wanted.email)
    {
        return Ok((manager.clone(), TargetRole::ApprovalStep));
    }
    if let Some((step, person)) = worked.first() {
        return Ok(((*person).clone(), role_on(step.kind)));
    }
    if let Some(person) = permission_guard::participants(ticket).find(|person| person.email == wanted.email) {
        let approves = ticket
            .approval_tasks
            .iter()
            .any(|task| task.approver.is_same(person));
        let role = if approves {
            TargetRole::ApprovalStep
        } else {
            TargetRole::TaskStep
        };
        return Ok((person.clone(), role));
    }
    let fact = named_person::fact(turn, &wanted.email)?;
    let person = fact
        .person
        .clone()
        .ok_or_else(|| Refusal::invalid("nobody with this address is known"))?;
    Ok((person, TargetRole::Unknown))
}

const fn role_on(kind: StepType) -> TargetRole {
    match kind {
        StepType::Approval => TargetRole::ApprovalStep,
        StepType::Form => TargetRole::FormStep,
        StepType::Task => TargetRole::TaskStep,
        StepType::Notify | StepType::Fork | StepType::Join | StepType::SubWorkflow => TargetRole::Unknown,
    }
}
