//! Mails and their figures on the wire.

use crate::api::extract::PageQuery;
use crate::api::view::wire_time::{wire_time, wire_time_option};
use crate::domain::notice::TemplateKey;
use crate::repositories::outbox_listed::ListedRow;
use crate::repositories::outbox_search::OutboxPage;
use crate::services::admin::outbox::ShownMail;
use crate::services::admin::outbox_figures::{OutboxCounts, OutboxFigures, StatusCounts};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A page of mails.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MailPage {
    /// The page.
    items: Vec<MailItem>,
    /// How many there are in all; counting over everybody stops at 10 000.
    total: u64,
    /// Which page, from 1.
    page: u64,
    /// How many a page holds at most.
    #[schema(minimum = 1, maximum = 100)]
    page_size: i64,
    /// How many pages there are.
    total_pages: u64,
}

/// A mail as it is listed.
#[derive(Debug, Serialize, ToSchema)]
struct MailItem {
    /// The mail's id.
    notification_id: String,
    /// The ticket it is about.
    ticket_id: Option<String>,
    /// One of the 26 keys, `UNKNOWN` in a row that cannot be read.
    template_key: &'static str,
    /// The template's name.
    template_name: String,
    /// The addresses; one, but for old mails.
    recipients: Vec<String>,
    /// `PENDING`, `SENT`, `FAILED` or `CANCELLED`.
    status: &'static str,
    /// Failed attempts since it was last asked for.
    retry_count: i32,
    /// Why the last attempt failed.
    last_error: Option<String>,
    /// When it was asked for.
    created_at: Option<String>,
    /// When the mail server took it.
    sent_at: Option<String>,
    /// When it is tried again.
    next_retry_at: Option<String>,
    /// Set while it is being sent.
    locked_by: Option<String>,
    /// Until when an attempt may take.
    locked_until: Option<String>,
    preview: MailPreview,
}

/// Values of a mail that help to recognise it.
#[derive(Debug, Serialize, ToSchema)]
struct MailPreview {
    /// The title of the ticket.
    ticket_title: Option<String>,
    /// Who raised it.
    requester_name: Option<String>,
    /// The step it is about.
    step_name: Option<String>,
    /// The ticket's workflow.
    workflow_name: Option<String>,
    /// That workflow's id.
    workflow_id: Option<String>,
}

/// A page of failed mails, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct FailedPage {
    /// The page.
    items: Vec<FailedItem>,
    /// How many there are in all; counting over everybody stops at 10 000.
    total: u64,
    /// Which page, from 1.
    page: u64,
    /// How many a page holds at most.
    #[schema(minimum = 1, maximum = 100)]
    page_size: i64,
}

/// A failed mail.
#[derive(Debug, Serialize, ToSchema)]
struct FailedItem {
    /// The mail's id.
    notification_id: String,
    /// The ticket it is about.
    ticket_id: Option<String>,
    /// Which template it is written by.
    template_key: &'static str,
    /// The addresses; one, but for old mails.
    recipients: Vec<String>,
    /// `PENDING`, `SENT`, `FAILED` or `CANCELLED`.
    status: &'static str,
    /// Failed attempts since it was last asked for.
    retry_count: i32,
    /// Why the last attempt failed.
    last_error: Option<String>,
    /// When it was asked for.
    created_at: Option<String>,
}

/// A ticket's mails.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TicketMails {
    ticket_id: String,
    notifications: Vec<TicketMail>,
    total: usize,
}

/// One of a ticket's mails.
#[derive(Debug, Serialize, ToSchema)]
struct TicketMail {
    /// The mail's id.
    notification_id: String,
    /// One of the 26 keys, `UNKNOWN` in a row that cannot be read.
    template_key: &'static str,
    /// The template's name.
    template_name: String,
    /// The addresses; one, but for old mails.
    recipients: Vec<String>,
    /// `PENDING`, `SENT`, `FAILED` or `CANCELLED`.
    status: &'static str,
    /// Failed attempts since it was last asked for.
    retry_count: i32,
    /// Why the last attempt failed.
    last_error: Option<String>,
    /// When it was asked for.
    created_at: Option<String>,
    /// When the mail server took it.
    sent_at: Option<String>,
    /// The subject as sent, or as it would be.
    email_subject: Option<String>,
    /// The HTML as sent, or as it would be.
    email_body: Option<String>,
}

/// One mail with what it says.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MailDetail {
    /// The mail's id.
    notification_id: String,
    /// The ticket it is about.
    ticket_id: Option<String>,
    /// Always `EMAIL`.
    notification_type: &'static str,
    /// One of the 26 keys, `UNKNOWN` in a row that cannot be read.
    template_key: &'static str,
    /// The template's name.
    template_name: String,
    /// The addresses; one, but for old mails.
    recipients: Vec<String>,
    /// `PENDING`, `SENT`, `FAILED` or `CANCELLED`.
    status: &'static str,
    /// Failed attempts since it was last asked for.
    retry_count: i32,
    /// Why the last attempt failed.
    last_error: Option<String>,
    /// When it is tried again.
    next_retry_at: Option<String>,
    /// Until when an attempt may take.
    locked_until: Option<String>,
    /// Set while it is being sent.
    locked_by: Option<String>,
    /// When it was asked for.
    created_at: Option<String>,
    /// When the mail server took it.
    sent_at: Option<String>,
    /// What the template is filled with.
    #[schema(value_type = Object)]
    payload: Map<String, Value>,
    /// What was sent, or would be.
    email_content: Option<MailContent>,
}

/// What a mail says; the body is sanitised HTML.
#[derive(Debug, Serialize, ToSchema)]
struct MailContent {
    /// The subject.
    subject: String,
    /// The HTML.
    body: String,
}

/// How many mails stand where, and when they were counted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OutboxCountsView {
    #[serde(flatten)]
    counts: StatusCountsView,
    /// When they were counted.
    generated_at: String,
}

/// How many mails stand where.
#[derive(Debug, Serialize, ToSchema)]
struct StatusCountsView {
    pending: i64,
    sent: i64,
    failed: i64,
    /// Cancelled ones included.
    total: i64,
}

/// The outbox in figures.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Dashboard {
    status_counts: StatusCountsView,
    /// The 20 commonest templates.
    template_counts: BTreeMap<String, i64>,
    /// How many mails have so many failed attempts.
    retry_distribution: BTreeMap<String, i64>,
    /// The ten commonest reasons of failure.
    common_errors: Vec<CommonError>,
    currently_locked: u64,
    /// Per cent of the total.
    success_rate: f64,
    /// Per cent of the total.
    failure_rate: f64,
    last_24_hours: StatusCountsView,
    /// When the figures over all mails were taken.
    generated_at: String,
}

/// A reason of failure.
#[derive(Debug, Serialize, ToSchema)]
struct CommonError {
    error: String,
    count: i64,
}

impl MailPage {
    pub(super) fn new(found: OutboxPage, page: PageQuery) -> Self {
        Self {
            items: found.rows.into_iter().map(Into::into).collect(),
            total: found.total,
            page: page.page,
            page_size: page.page_size,
            total_pages: found.total.div_ceil(page.page_size.unsigned_abs().max(1)),
        }
    }
}

impl FailedPage {
    pub(super) fn new(found: OutboxPage, page: PageQuery) -> Self {
        Self {
            items: found.rows.into_iter().map(Into::into).collect(),
            total: found.total,
            page: page.page,
            page_size: page.page_size,
        }
    }
}

impl TicketMails {
    pub(super) fn new(ticket_id: String, mails: Vec<ShownMail>) -> Self {
        Self {
            ticket_id,
            total: mails.len(),
            notifications: mails.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ListedRow> for MailItem {
    fn from(row: ListedRow) -> Self {
        let text = |name: &str| {
            row.payload
                .get(name)
                .and_then(Value::as_str)
                .map(ToOwned::to_owned)
        };
        Self {
            preview: MailPreview {
                ticket_title: text("ticket_title"),
                requester_name: text("requester_name"),
                step_name: text("step_name"),
                workflow_name: text("workflow_name"),
                workflow_id: text("workflow_id"),
            },
            notification_id: row.notification_id,
            ticket_id: row.ticket_id,
            template_key: key_word(row.template_key),
            template_name: key_name(row.template_key),
            recipients: row.recipients,
            status: row.status.as_str(),
            retry_count: row.retry_count,
            last_error: row.last_error,
            created_at: wire_time_option(row.created_at),
            sent_at: wire_time_option(row.sent_at),
            next_retry_at: wire_time_option(row.next_retry_at),
            locked_by: row.locked_by,
            locked_until: wire_time_option(row.locked_until),
        }
    }
}

impl From<ListedRow> for FailedItem {
    fn from(row: ListedRow) -> Self {
        Self {
            notification_id: row.notification_id,
            ticket_id: row.ticket_id,
            template_key: key_word(row.template_key),
            recipients: row.recipients,
            status: row.status.as_str(),
            retry_count: row.retry_count,
            last_error: row.last_error,
            created_at: wire_time_option(row.created_at),
        }
    }
}

impl From<ShownMail> for TicketMail {
    fn from(mail: ShownMail) -> Self {
        let row = mail.row;
        let (email_subject, email_body) = mail.content.unzip();
        Self {
            notification_id: row.notification_id,
            template_key: key_word(row.template_key),
            template_name: key_name(row.template_key),
            recipients: row.recipients,
            status: row.status.as_str(),
            retry_count: row.retry_count,
            last_error: row.last_error,
            created_at: wire_time_option(row.created_at),
            sent_at: wire_time_option(row.sent_at),
            email_subject,
            email_body,
        }
    }
}

impl From<ShownMail> for MailDetail {
    fn from(mail: ShownMail) -> Self {
        let row = mail.row;
        Self {
            notification_id: row.notification_id,
            ticket_id: row.ticket_id,
            notification_type: "EMAIL",
            template_key: key_word(row.template_key),
            template_name: key_name(row.template_key),
            recipients: row.recipients,
            status: row.status.as_str(),
            retry_count: row.retry_count,
            last_error: row.last_error,
            next_retry_at: wire_time_option(row.next_retry_at),
            locked_until: wire_time_option(row.locked_until),
            locked_by: row.locked_by,
            created_at: wire_time_option(row.created_at),
            sent_at: wire_time_option(row.sent_at),
            payload: row.payload.into_map(),
            email_content: mail.content.map(|(subject, body)| MailContent { subject, body }),
        }
    }
}

impl From<StatusCounts> for StatusCountsView {
    fn from(counts: StatusCounts) -> Self {
        Self {
            pending: counts.pending,
            sent: counts.sent,
            failed: counts.failed,
            total: counts.total,
        }
    }
}

impl From<OutboxCounts> for OutboxCountsView {
    fn from(counted: OutboxCounts) -> Self {
        Self {
            counts: counted.counts.into(),
            generated_at: wire_time(counted.generated_at),
        }
    }
}

impl From<OutboxFigures> for Dashboard {
    fn from(figures: OutboxFigures) -> Self {
        let counts = figures.counts;
        let retries = figures.retries.into_iter();
        Self {
            success_rate: counts.rate(counts.sent),
            failure_rate: counts.rate(counts.failed),
            status_counts: counts.into(),
            template_counts: figures.templates.into_iter().collect(),
            retry_distribution: retries
                .map(|(retries, count)| (retries.to_string(), count))
                .collect(),
            common_errors: figures
                .errors
                .into_iter()
                .map(|(error, count)| CommonError { error, count })
                .collect(),
            currently_locked: figures.in_flight,
            last_24_hours: figures.last_day.into(),
            generated_at: wire_time(figures.generated_at),
        }
    }
}

fn key_word(key: Option<TemplateKey>) -> &'static str {
    key.map_or("UNKNOWN", TemplateKey::as_str)
}

fn key_name(key: Option<TemplateKey>) -> String {
    key.map_or_else(|| "Unknown".to_owned(), TemplateKey::title)
}
