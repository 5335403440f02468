//! Any command on any ticket, out of five bytes: who, what, at which step, in which variant, how much later.

use crate::domain::id::{AttachmentId, ChangeRequestId, HandoverId, TicketStepId};
use crate::domain::import::ImportedTicket;
use crate::domain::json::JsonObject;
use crate::domain::ticket::Ticket;
use crate::engine::Command;
use crate::engine::command::{CreateTicket, InfoTarget, NamedPerson};
use crate::engine::testing::graphs::{answers, rows_done};
use crate::engine::testing::{named, object};
use serde_json::json;

/// The kinds of commands, named as in [`Command`].
pub(super) const KINDS: [&str; 29] = [
    "Create",
    "SubmitForm",
    "Approve",
    "Reject",
    "ApproverSkip",
    "ManagerSkip",
    "CompleteTask",
    "SaveDraft",
    "Assign",
    "Reassign",
    "ReassignApproval",
    "RequestInfo",
    "RespondInfo",
    "Hold",
    "Resume",
    "Cancel",
    "RequestHandover",
    "DecideHandover",
    "CancelHandover",
    "AddNote",
    "AddRequesterNote",
    "AcknowledgeSla",
    "CreateChangeRequest",
    "ApproveChangeRequest",
    "RejectChangeRequest",
    "CancelChangeRequest",
    "FireTimers",
    "Import",
    "TakeUp",
];

/// Who acts, and who is named: those of the tests, one whom the directory does not know, and one whose access was taken
/// away.
pub(super) const PEOPLE: [&str; 12] = [
    "ann", "mia", "one", "two", "carl", "cora", "bob", "root", "eve", "luke", "nobody", "revoked",
];

/// How many minutes later a command comes.
const LATER: [i64; 8] = [0, 0, 1, 5, 30, 60, 180, 3_000];

/// One wish: a command that somebody may or may not be able to give.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) who: u8,
    pub(super) what: u8,
    pub(super) at: u8,
    pub(super) variant: u8,
    pub(super) later: u8,
}

impl Wish {
    /// Who gives it.
    pub(super) fn who(self) -> &'static str {
        pick(&PEOPLE, self.who)
    }

    /// How much later than the one before it, in minutes.
    pub(super) fn minutes(self) -> i64 {
        pick(&LATER, self.later)
    }

    /// The kind of command.
    pub(super) fn kind(self) -> &'static str {
        pick(&KINDS, self.what)
    }

    /// The command, on the ticket as it is.
    pub(super) fn command(self, ticket: &Ticket) -> Command {
        let step = self.step(ticket);
        match self.kind() {
            "Create" => Command::Create(CreateTicket {
                ticket_id: ticket.id.clone(),
                title: self.text(),
                description: self.perhaps_text(),
                initial_form_values: self.values(),
                attachment_ids: self.files(),
                initial_form_step_ids: vec![],
            }),
            "SubmitForm" => Command::SubmitForm {
                step,
                form_values: self.values(),
                attachment_ids: self.files(),
            },
            "Approve" => Command::Approve {
                step,
                comment: self.perhaps_text(),
            },
            "Reject" => Command::Reject {
                step,
                comment: self.perhaps_text(),
            },
            "ApproverSkip" => Command::ApproverSkip {
                step,
                comment: self.perhaps_text(),
            },
            "ManagerSkip" => Command::ManagerSkip {
                step,
                reason: self.text(),
            },
            "CompleteTask" => Command::CompleteTask {
                output_values: self.output(ticket, &step),
                step,
                execution_notes: self.perhaps_text(),
                attachment_ids: self.files(),
            },
            "SaveDraft" => Command::SaveDraft {
                step,
                draft_values: self.values(),
                execution_notes: self.perhaps_text(),
            },
            "Assign" => Command::Assign {
                step,
                agent: self.person(),
            },
            "Reassign" => Command::Reassign {
                step,
                agent: self.person(),
                reason: self.perhaps_text(),
            },
            "ReassignApproval" => Command::ReassignApproval {
                step,
                approver: self.person(),
                reason: self.perhaps_text(),
            },
            "Hold" => Command::Hold {
                step,
                reason: self.text(),
            },
            "Resume" => Command::Resume { step },
            "Cancel" => Command::Cancel {
                reason: self.perhaps_text(),
            },
            "AcknowledgeSla" => Command::AcknowledgeSla {
                step,
                notes: self.perhaps_text(),
            },
            "FireTimers" => Command::FireTimers,
            "Import" => Command::Import(Box::new(ImportedTicket {
                ticket: ticket.clone(),
                repairs: vec![],
            })),
            "TakeUp" => Command::TakeUp,
            kind => self.conversation(ticket, kind, step),
        }
    }

    /// What people say and ask on a ticket, and what follows from it.
    fn conversation(self, ticket: &Ticket, kind: &str, step: TicketStepId) -> Command {
        match kind {
            "RequestInfo" => Command::RequestInfo {
                step,
                question_text: self.text(),
                target: self.target(),
                subject: self.perhaps_text(),
                attachment_ids: self.files(),
            },
            "RespondInfo" => Command::RespondInfo {
                step,
                response_text: self.text(),
                attachment_ids: self.files(),
            },
            "RequestHandover" => Command::RequestHandover {
                step,
                reason: self.text(),
                suggested_agent: self.variant.is_multiple_of(2).then(|| self.person().email),
            },
            "DecideHandover" => Command::DecideHandover {
                step,
                handover: self.handover(ticket),
                approved: self.variant % 4 < 3,
                new_agent: self.variant.is_multiple_of(2).then(|| self.person()),
                comment: self.perhaps_text(),
            },
            "CancelHandover" => Command::CancelHandover {
                step,
                handover: self.handover(ticket),
            },
            "AddNote" => Command::AddNote {
                step,
                content: self.text(),
                attachment_ids: self.files(),
            },
            "CreateChangeRequest" => Command::CreateChangeRequest {
                proposed_form_values: self.proposed(),
                proposed_attachment_ids: self.variant.is_multiple_of(3).then(|| self.files()),
                reason: self.text(),
            },
            "ApproveChangeRequest" => Command::ApproveChangeRequest {
                change_request: self.change_request(ticket),
                notes: self.perhaps_text(),
            },
            "RejectChangeRequest" => Command::RejectChangeRequest {
                change_request: self.change_request(ticket),
                notes: self.perhaps_text(),
            },
            "CancelChangeRequest" => Command::CancelChangeRequest {
                change_request: self.change_request(ticket),
            },
            _ => Command::AddRequesterNote {
                content: self.text(),
                attachment_ids: self.files(),
            },
        }
    }

    /// A live step mostly; one of eight times any, or one that is not there.
    fn step(self, ticket: &Ticket) -> TicketStepId {
        let steps = ticket.steps.iter();
        let live: Vec<_> = steps.filter(|step| step.is_live()).map(|step| &step.id).collect();
        let steps = ticket.steps.iter();
        let all: Vec<_> = steps.map(|step| &step.id).collect();
        let pool = if live.is_empty() || self.at % 8 == 7 {
            all
        } else {
            live
        };
        let chosen = pool.get(usize::from(self.at / 8) % pool.len().max(1));
        match chosen.filter(|_| self.at != u8::MAX) {
            Some(step) => (*step).clone(),
            None => TicketStepId::derived("nowhere"),
        }
    }

    fn text(self) -> String {
        pick(
            &["text", "another text", "a \"third\" {one}\n", "ß\u{0}\u{202e}"],
            self.variant / 8,
        )
        .to_owned()
    }

    fn perhaps_text(self) -> Option<String> {
        (self.variant >= 32).then(|| self.text())
    }

    fn values(self) -> JsonObject {
        object(match self.variant % 8 {
            0 => answers(true),
            1 => answers(false),
            2 => json!({}),
            3 => json!({"start_text": "changed", "ask_text": "changed", "amount": 1e300, "kind": "two"}),
            4 => json!({"start_amount": "ten", "__section_rows": 5, "__section_items": [{"item": ["x"]}, 3]}),
            5 => {
                json!({"ask_text": null, "start_kind": ["a"], "start_day": "2026-02-30", "start_text": {"a": 1}})
            }
            6 => {
                json!({"start_text": self.text(), "amount": -0.0, "item": [], "__section_items": [{"item": "x"}], "linked_rows": [5, {}]})
            }
            _ => json!({"start_text": "x".repeat(usize::from(self.variant)), "$set": {"a.b": 1}, "": null}),
        })
    }

    /// What an agent enters: any values, or what the task has rows for.
    fn output(self, ticket: &Ticket, step: &TicketStepId) -> JsonObject {
        let found = ticket.step(step).and_then(|step| step.task.as_ref());
        match found.and_then(|task| rows_done(task, self.at % 8 != 6)) {
            Some(rows) if self.variant.is_multiple_of(4) => rows,
            Some(_) | None => self.values(),
        }
    }

    /// A new text for the first form, or new rows; one of two times any values.
    fn proposed(self) -> JsonObject {
        let text = format!("{} {}", self.text(), self.at);
        match self.variant % 8 {
            0 => object(json!({"ask_text": text})),
            2 => object(json!({"start_text": text})),
            4 => object(json!({"__section_items": [{"item": text}, {}, {"item": "another"}]})),
            6 => object(json!({"__section_rows": [{"rows_amount": self.at}, {"rows_amount": 50}]})),
            _ => self.values(),
        }
    }

    fn files(self) -> Vec<AttachmentId> {
        let count = [0, 0, 0, 1, 2, 0, 0, 3]
            .get(usize::from(self.variant / 16) % 8)
            .copied();
        (0..count.unwrap_or(0))
            .map(|file| AttachmentId::derived(&format!("file {} {file}", self.at % 4)))
            .collect()
    }

    fn person(self) -> NamedPerson {
        named(pick(&PEOPLE, self.variant / 4))
    }

    fn target(self) -> Option<InfoTarget> {
        let step_name = (self.variant % 4 == 3).then(|| "work".to_owned());
        (!self.variant.is_multiple_of(4)).then(|| InfoTarget {
            // Somebody who plays: an open question waits for its answer.
            email: named(pick(&PEOPLE[..10], self.variant / 4)).email,
            step_name,
        })
    }

    fn handover(self, ticket: &Ticket) -> HandoverId {
        match ticket.handovers.last() {
            Some(handover) if self.at % 16 != 15 => handover.id.clone(),
            _ => HandoverId::derived("none"),
        }
    }

    fn change_request(self, ticket: &Ticket) -> ChangeRequestId {
        match ticket.change_requests.last() {
            Some(request) if self.at % 16 != 15 => request.id.clone(),
            _ => ChangeRequestId::derived("none"),
        }
    }
}

fn pick<T: Copy>(from: &[T], at: u8) -> T {
    from[usize::from(at) % from.len()]
}
