//! Actions on steps; each is one command (contract http-tickets 4.4 to 7).

use super::action::CommandContext;
use super::request::{
    AcknowledgeSla, AddNote, AssignAgent, CompleteTask, Decide, DecideHandover, Hold, ReassignApproval,
    RequestHandover, RequestInfo, RespondInfo, SaveDraft, SkipStep, SubmitForm, attachments,
};
use super::view::ActionResponse;
use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiJson, ApiPath};
use crate::app::App;
use crate::domain::id::{HandoverId, TicketStepId};
use crate::domain::json::JsonObject;
use crate::engine::Command;
use axum::Json;
use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this family.
pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(submit_form))
        .routes(routes!(approve_step))
        .routes(routes!(reject_step))
        .routes(routes!(skip_step))
        .routes(routes!(complete_task))
        .routes(routes!(save_task_draft))
        .routes(routes!(assign_agent))
        .routes(routes!(reassign_agent))
        .routes(routes!(reassign_approval))
        .routes(routes!(request_info))
        .routes(routes!(respond_info))
        .routes(routes!(hold_task))
        .routes(routes!(request_handover))
        .routes(routes!(decide_handover))
        .routes(routes!(add_step_note))
        .routes(routes!(acknowledge_sla))
        .routes(routes!(resume_task))
        .routes(routes!(cancel_handover))
}

/// Submits a form.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/submit-form", tag = "tickets",
    operation_id = "submit_form", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = SubmitForm, responses((status = 200, body = ActionResponse)))]
async fn submit_form(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<SubmitForm>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::SubmitForm {
        step,
        form_values: JsonObject::from(body.form_values.clone()),
        attachment_ids: attachments(&body.attachment_ids)?,
    };
    context
        .act(&app, &ticket, &body, body.expected_version, command)
        .await
}

/// Approves.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/approve", tag = "tickets",
    operation_id = "approve_step", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = Decide, responses((status = 200, body = ActionResponse)))]
async fn approve_step(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<Decide>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::Approve {
        step,
        comment: body.comment.clone(),
    };
    context
        .act(&app, &ticket, &body, body.expected_version, command)
        .await
}

/// Rejects.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/reject", tag = "tickets",
    operation_id = "reject_step", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = Decide, responses((status = 200, body = ActionResponse)))]
async fn reject_step(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<Decide>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::Reject {
        step,
        comment: body.comment.clone(),
    };
    context
        .act(&app, &ticket, &body, body.expected_version, command)
        .await
}

/// Skips: an approval as its approver, or, with a reason, a form or task as the manager.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/skip", tag = "tickets",
    operation_id = "skip_step", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = SkipStep, responses((status = 200, body = ActionResponse)))]
async fn skip_step(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<SkipStep>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = match &body.reason {
        Some(reason) => Command::ManagerSkip {
            step,
            reason: reason.clone(),
        },
        None => Command::ApproverSkip {
            step,
            comment: body.comment.clone(),
        },
    };
    context
        .act(&app, &ticket, &body, body.expected_version, command)
        .await
}

/// Completes a task.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/complete", tag = "tickets",
    operation_id = "complete_task", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = CompleteTask, responses((status = 200, body = ActionResponse)))]
async fn complete_task(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<CompleteTask>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::CompleteTask {
        step,
        execution_notes: body.execution_notes.clone(),
        output_values: JsonObject::from(body.output_values.clone()),
        attachment_ids: attachments(&body.attachment_ids)?,
    };
    context
        .act(&app, &ticket, &body, body.expected_version, command)
        .await
}

/// Saves the draft of a task's output.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/save-draft", tag = "tickets",
    operation_id = "save_task_draft", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = SaveDraft, responses((status = 200, body = ActionResponse)))]
async fn save_task_draft(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<SaveDraft>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::SaveDraft {
        step,
        draft_values: JsonObject::from(body.draft_values.clone()),
        execution_notes: body.execution_notes.clone(),
    };
    context.act(&app, &ticket, &body, None, command).await
}

/// Assigns an agent to a task.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/assign", tag = "tickets",
    operation_id = "assign_agent", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = AssignAgent, responses((status = 200, body = ActionResponse)))]
async fn assign_agent(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<AssignAgent>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::Assign {
        step,
        agent: body.agent()?,
    };
    context
        .act(&app, &ticket, &body, body.expected_version, command)
        .await
}

/// Gives a task to another agent.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/reassign", tag = "tickets",
    operation_id = "reassign_agent", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = AssignAgent, responses((status = 200, body = ActionResponse)))]
async fn reassign_agent(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<AssignAgent>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::Reassign {
        step,
        agent: body.agent()?,
        reason: body.reason.clone(),
    };
    context
        .act(&app, &ticket, &body, body.expected_version, command)
        .await
}

/// Passes an approval on to somebody else.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/reassign-approval", tag = "tickets",
    operation_id = "reassign_approval", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = ReassignApproval, responses((status = 200, body = ActionResponse)))]
async fn reassign_approval(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<ReassignApproval>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::ReassignApproval {
        step,
        approver: body.approver()?,
        reason: body.reason.clone(),
    };
    context
        .act(&app, &ticket, &body, body.expected_version, command)
        .await
}

/// Asks a question; the step waits for the answer.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/request-info", tag = "tickets",
    operation_id = "request_info", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = RequestInfo, responses((status = 200, body = ActionResponse)))]
async fn request_info(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<RequestInfo>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::RequestInfo {
        step,
        question_text: body.question_text.clone(),
        target: body.target()?,
        subject: body.subject.clone(),
        attachment_ids: attachments(&body.attachment_ids)?,
    };
    context.act(&app, &ticket, &body, None, command).await
}

/// Answers the open question.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/respond-info", tag = "tickets",
    operation_id = "respond_info", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = RespondInfo, responses((status = 200, body = ActionResponse)))]
async fn respond_info(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<RespondInfo>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::RespondInfo {
        step,
        response_text: body.response_text.clone(),
        attachment_ids: attachments(&body.attachment_ids)?,
    };
    context.act(&app, &ticket, &body, None, command).await
}

/// Puts a task on hold.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/hold", tag = "tickets",
    operation_id = "hold_task", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = Hold, responses((status = 200, body = ActionResponse)))]
async fn hold_task(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<Hold>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::Hold {
        step,
        reason: body.reason.clone(),
    };
    context.act(&app, &ticket, &body, None, command).await
}

/// Asks to hand a task over.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/request-handover", tag = "tickets",
    operation_id = "request_handover", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = RequestHandover, responses((status = 200, body = ActionResponse)))]
async fn request_handover(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<RequestHandover>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::RequestHandover {
        step,
        reason: body.reason.clone(),
        suggested_agent: body.suggested()?,
    };
    context.act(&app, &ticket, &body, None, command).await
}

/// Decides a handover.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/decide-handover", tag = "tickets",
    operation_id = "decide_handover", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = DecideHandover, responses((status = 200, body = ActionResponse)))]
async fn decide_handover(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<DecideHandover>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::DecideHandover {
        step,
        handover: HandoverId::from_stored(body.handover_request_id.clone()),
        approved: body.approved,
        new_agent: body.new_agent()?,
        comment: body.comment.clone(),
    };
    context.act(&app, &ticket, &body, None, command).await
}

/// Adds a note to a step.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/add-note", tag = "tickets",
    operation_id = "add_step_note", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = AddNote, responses((status = 200, body = ActionResponse)))]
async fn add_step_note(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<AddNote>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::AddNote {
        step,
        content: body.content.clone(),
        attachment_ids: attachments(&body.attachment_ids)?,
    };
    context.act(&app, &ticket, &body, None, command).await
}

/// Acknowledges that a step is overdue.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/acknowledge-sla", tag = "tickets",
    operation_id = "acknowledge_sla", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    request_body = AcknowledgeSla, responses((status = 200, body = ActionResponse)))]
async fn acknowledge_sla(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
    ApiJson(body): ApiJson<AcknowledgeSla>,
) -> ApiResult<Json<ActionResponse>> {
    let step = TicketStepId::from_stored(step);
    let command = Command::AcknowledgeSla {
        step,
        notes: body.notes.clone(),
    };
    context.act(&app, &ticket, &body, None, command).await
}

/// Resumes a held task; a body is not needed.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/resume", tag = "tickets",
    operation_id = "resume_task", params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path)),
    responses((status = 200, body = ActionResponse)))]
async fn resume_task(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step)): ApiPath<(String, String)>,
) -> ApiResult<Json<ActionResponse>> {
    let command = Command::Resume {
        step: TicketStepId::from_stored(step),
    };
    context.act(&app, &ticket, &(), None, command).await
}

/// Withdraws a handover; a body is not needed.
#[utoipa::path(post, path = "/{ticket_id}/steps/{ticket_step_id}/cancel-handover/{handover_request_id}",
    tag = "tickets", operation_id = "cancel_handover",
    params(("ticket_id" = String, Path), ("ticket_step_id" = String, Path), ("handover_request_id" = String, Path)),
    responses((status = 200, body = ActionResponse)))]
async fn cancel_handover(
    State(app): State<App>,
    context: CommandContext,
    ApiPath((ticket, step, handover)): ApiPath<(String, String, String)>,
) -> ApiResult<Json<ActionResponse>> {
    let command = Command::CancelHandover {
        step: TicketStepId::from_stored(step),
        handover: HandoverId::from_stored(handover),
    };
    context.act(&app, &ticket, &(), None, command).await
}
