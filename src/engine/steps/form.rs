//! Form steps: the requester fills them in.

use crate::domain::id::TicketStepId;
use crate::domain::notice::TemplateKey;
use crate::domain::refusal::Refusal;
use crate::engine::definition::StepDefinition;
use crate::engine::notices::Message;
use crate::engine::turn::Turn;
use serde_json::json;

/// The form waits for the requester, who is told unless this form belongs to raising the ticket (HZ-32).
pub(super) fn activate(
    turn: &mut Turn<'_>,
    id: &TicketStepId,
    definition: &StepDefinition,
) -> Result<(), Refusal> {
    let requester = turn.ticket.requester.clone();
    turn.change_step(id)?.assignee = Some(requester.clone());
    let is_first = turn.step(id)?.container.is_none() && definition.key == turn.ticket.workflow.start_step_id;
    if !is_first || turn.step(id)?.round > 1 {
        let message = Message::new(
            TemplateKey::FormPending,
            "Form to fill in",
            format!(
                "\"{}\" of \"{}\" waits for you.",
                definition.name, turn.ticket.title
            ),
            json!({"form_name": definition.name}),
        );
        turn.notify(&requester, &message.about(id));
    }
    Ok(())
}
