//! Rows of the outbox for tests of delivery.

use super::START;
use serde_json::{Value, json};
use workflow_ops::domain::id::{TicketId, random_key};
use workflow_ops::domain::json::JsonObject;
use workflow_ops::domain::notice::{Channel, Notice, NoticeCategory, TemplateKey};
use workflow_ops::domain::person::{Email, Person};
use workflow_ops::repositories::outbox_row::OutboxRow;

/// A notice about the ticket `title` to `recipient`.
pub(crate) fn notice(template: TemplateKey, recipient: &str, title: &str) -> Notice {
    let payload = json!({
        "ticket_id": "TKT-0123456789ab", "ticket_title": title, "workflow_id": "WF-0123456789ab",
        "workflow_name": "Hardware request", "requester_name": title, "approver_name": "Bob", "comment": title,
        "step_name": title,
    });
    let Value::Object(payload) = payload else {
        unreachable!()
    };
    Notice {
        template,
        channel: Channel::MailAndInApp,
        recipient: Person::from_email(Email::try_from(recipient).unwrap()),
        payload: JsonObject::from(payload),
        category: NoticeCategory::Ticket,
        title: title.to_owned(),
        message: title.to_owned(),
        action_url: "/tickets/TKT-0123456789ab".to_owned(),
        actor: None,
        ticket_step_id: None,
    }
}

/// A mail to `recipient` under a key of its own.
pub(crate) fn mail_to(recipient: &str) -> OutboxRow {
    mail(&notice(TemplateKey::Approved, recipient, "Laptop"))
}

/// The mail of a notice under a key of its own.
pub(crate) fn mail(notice: &Notice) -> OutboxRow {
    let ticket = TicketId::random();
    let key = format!("{ticket}:1:{}", random_key());
    OutboxRow::of(notice, &key, &ticket, START, "COR-test").unwrap()
}
