//! Builds notices: template, channel, payload and in-app text (contract http-admin-notifications 12.3 and 15.1).
//!
//! Every payload carries `ticket_id`, `ticket_title`, `workflow_id` and `workflow_name`. Each person is told of one
//! thing once per command.

use super::decision::Effect;
use super::turn::{Turn, as_object};
use crate::domain::id::TicketStepId;
use crate::domain::notice::{Channel, Notice, NoticeCategory, TemplateKey};
use crate::domain::person::Person;
use serde_json::{Value, json};

/// What a notice says; [`Turn::notify`] adds what all notices have in common.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The template.
    pub(crate) template: TemplateKey,
    /// How it is delivered.
    pub(crate) channel: Channel,
    /// The in-app title.
    pub(crate) title: &'static str,
    /// The in-app message.
    pub(crate) text: String,
    /// What the template needs beyond the common values.
    pub(crate) payload: Value,
    /// The step it is about.
    pub(crate) step: Option<TicketStepId>,
    /// Who caused it, when that is shown.
    pub(crate) by: Option<Person>,
    /// Where it is listed, when not where its template says.
    pub(crate) category: Option<NoticeCategory>,
    /// Where it leads, when not where its template says.
    pub(crate) action_url: Option<&'static str>,
}

impl Message {
    /// A message by mail and in-app.
    pub(crate) fn new(
        template: TemplateKey,
        title: &'static str,
        text: impl Into<String>,
        payload: Value,
    ) -> Self {
        Self {
            template,
            channel: Channel::MailAndInApp,
            title,
            text: text.into(),
            payload,
            step: None,
            by: None,
            category: None,
            action_url: None,
        }
    }

    /// The same about a step.
    #[must_use]
    pub(crate) fn about(mut self, step: &TicketStepId) -> Self {
        self.step = Some(step.clone());
        self
    }

    /// The same with its cause shown.
    #[must_use]
    pub(crate) fn by(mut self, person: &Person) -> Self {
        self.by = Some(person.clone());
        self
    }

    /// The same in-app only.
    #[must_use]
    pub(crate) fn in_app_only(mut self) -> Self {
        self.channel = Channel::InApp;
        self
    }

    /// The same listed elsewhere, leading elsewhere.
    #[must_use]
    pub(crate) fn listed(mut self, category: NoticeCategory, action_url: &'static str) -> Self {
        self.category = Some(category);
        self.action_url = Some(action_url);
        self
    }
}

impl Turn<'_> {
    /// Tells `recipient`, unless the same was said to the same person in this turn already.
    pub(crate) fn notify(&mut self, recipient: &Person, message: &Message) {
        let said = self.effects().iter().any(|effect| {
            matches!(effect, Effect::Notice(known)
                if known.template == message.template
                    && known.ticket_step_id == message.step
                    && known.title == message.title
                    && known.recipient.is_same(recipient))
        });
        if said {
            return;
        }
        let mut payload = as_object(message.payload.clone());
        payload.insert("ticket_id".to_owned(), json!(self.ticket.id));
        payload.insert("ticket_title".to_owned(), json!(self.ticket.title));
        payload.insert("workflow_id".to_owned(), json!(self.ticket.workflow.workflow_id));
        payload.insert("workflow_name".to_owned(), json!(self.ticket.workflow.name));
        payload.insert(
            "requester_name".to_owned(),
            json!(self.ticket.requester.display_name),
        );
        payload.insert("requester_email".to_owned(), json!(self.ticket.requester.email));
        if let Some(step) = message.step.as_ref().and_then(|id| self.ticket.step(id)) {
            payload.insert("step_name".to_owned(), json!(step.name));
            let branch = step.branch.as_ref().and_then(|at| self.ticket.branch(at));
            payload.insert("branch_name".to_owned(), json!(branch.map(|branch| &branch.name)));
        }
        let notice = Notice {
            template: message.template,
            channel: message.channel,
            recipient: recipient.clone(),
            payload,
            category: message.category.unwrap_or_else(|| category_of(message.template)),
            title: message.title.to_owned(),
            message: message.text.clone(),
            action_url: message
                .action_url
                .map_or_else(|| self.url_of(message.template), str::to_owned),
            actor: message.by.clone(),
            ticket_step_id: message.step.clone(),
        };
        self.effect(Effect::Notice(notice));
    }

    /// Tells everybody in `recipients` but the actor.
    pub(crate) fn notify_others<'p>(
        &mut self,
        recipients: impl IntoIterator<Item = &'p Person>,
        message: &Message,
    ) {
        let actor = self.actor().person.clone();
        for recipient in recipients {
            if !recipient.is_same(&actor) {
                self.notify(recipient, message);
            }
        }
    }

    fn url_of(&self, template: TemplateKey) -> String {
        let ticket = &self.ticket.id;
        match template {
            TemplateKey::ApprovalPending | TemplateKey::ApprovalReassigned => "/manager/approvals".to_owned(),
            TemplateKey::TaskAssigned | TemplateKey::TaskReassigned => "/agent/tasks".to_owned(),
            TemplateKey::ChangeRequestPending => "/manager/change-requests".to_owned(),
            TemplateKey::NoteAdded => format!("/tickets/{ticket}?tab=activity"),
            TemplateKey::RequesterNoteAdded => format!("/tickets/{ticket}?tab=messages"),
            TemplateKey::TicketCreated
            | TemplateKey::Approved
            | TemplateKey::Rejected
            | TemplateKey::Skipped
            | TemplateKey::InfoRequested
            | TemplateKey::InfoResponded
            | TemplateKey::FormPending
            | TemplateKey::TaskCompleted
            | TemplateKey::SlaReminder
            | TemplateKey::SlaEscalation
            | TemplateKey::TicketCancelled
            | TemplateKey::TicketCompleted
            | TemplateKey::LookupUserAssigned
            | TemplateKey::ChangeRequestSubmitted
            | TemplateKey::ChangeRequestApproved
            | TemplateKey::ChangeRequestRejected
            | TemplateKey::ChangeRequestCancelled
            | TemplateKey::ChangeRequestWorkflowPaused
            | TemplateKey::ChangeRequestWorkflowResumed => format!("/tickets/{ticket}"),
        }
    }
}

const fn category_of(template: TemplateKey) -> NoticeCategory {
    match template {
        TemplateKey::ApprovalPending
        | TemplateKey::ApprovalReassigned
        | TemplateKey::Approved
        | TemplateKey::Rejected
        | TemplateKey::Skipped
        | TemplateKey::ChangeRequestPending => NoticeCategory::Approval,
        TemplateKey::InfoRequested | TemplateKey::InfoResponded => NoticeCategory::InfoRequest,
        TemplateKey::TaskAssigned
        | TemplateKey::TaskReassigned
        | TemplateKey::TaskCompleted
        | TemplateKey::NoteAdded => NoticeCategory::Task,
        TemplateKey::SlaReminder | TemplateKey::SlaEscalation => NoticeCategory::System,
        TemplateKey::TicketCreated
        | TemplateKey::FormPending
        | TemplateKey::RequesterNoteAdded
        | TemplateKey::TicketCancelled
        | TemplateKey::TicketCompleted
        | TemplateKey::LookupUserAssigned
        | TemplateKey::ChangeRequestSubmitted
        | TemplateKey::ChangeRequestApproved
        | TemplateKey::ChangeRequestRejected
        | TemplateKey::ChangeRequestCancelled
        | TemplateKey::ChangeRequestWorkflowPaused
        | TemplateKey::ChangeRequestWorkflowResumed => NoticeCategory::Ticket,
    }
}

/// The first `limit` characters of a text.
pub(crate) fn preview(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}
