//! Wordings of mails, the configuration, the history of mails, and the bell.

use super::stage::{Notes, Stage, subject};
use super::{Importer, families};
use crate::domain::id::{NotificationId, TemplateOverrideId, TicketId};
use crate::domain::import::RepairRule;
use crate::domain::notice::{NoticeCategory, TemplateKey};
use crate::domain::person::{Email, PersonKey};
use crate::domain::time::Timestamp;
use crate::repositories::inapp_row::{DEFAULT_RETENTION_DAYS, InappRow};
use crate::repositories::legacy::{Fields, LegacyCollection};
use crate::repositories::outbox_row::{OutboxRow, OutboxStatus};
use crate::repositories::system_config_repo::{self, ConfigChange};
use crate::repositories::template_override_repo::{self, TemplateOverride};
use crate::repositories::{inapp_repo, outbox_repo};
use crate::services::templates::{sanitized_body, sanitized_subject};
use std::collections::BTreeMap;

/// Who is said to have changed what an import changes.
const IMPORT: &str = "import@workflow-ops.invalid";

impl Importer {
    /// Imports administrators' wordings; of several for one message the newest counts.
    pub(super) async fn wordings(&self) -> anyhow::Result<()> {
        let mut newest: BTreeMap<String, (bool, Option<Timestamp>, String)> = BTreeMap::new();
        let mut documents = self
            .legacy
            .walk(LegacyCollection::EmailTemplateOverrides, None)
            .await?;
        while documents.advance().await? {
            let document = documents.deserialize_current()?;
            let fields = Fields(&document);
            let own = (
                fields.flag("is_active").unwrap_or(true),
                fields
                    .instant("updated_at")
                    .or_else(|| fields.instant("created_at")),
                subject(fields, "template_id"),
            );
            let known = newest.entry(worded(fields)).or_insert_with(|| own.clone());
            if own > *known {
                *known = own;
            }
        }
        self.walk(
            Stage::Wordings,
            template_override_repo::COLLECTION,
            |fields, notes| {
                let counts = newest.get(&worded(fields)).map(|(_, _, id)| id.as_str());
                wording(fields, counts, notes).into_iter().collect()
            },
        )
        .await
    }

    /// Imports the configuration, as far as administrators have not set it here.
    pub(super) async fn config(&self) -> anyhow::Result<()> {
        let ids = [system_config_repo::ID.to_owned()];
        let stored = self
            .repo
            .rows_of(system_config_repo::COLLECTION, "_id", &ids)
            .await?;
        let mut is_set = stored
            .iter()
            .any(|row| row.get_str("updated_by").ok() != Some(IMPORT));
        self.walk(Stage::Config, system_config_repo::COLLECTION, |fields, notes| {
            let row = system_config_repo::row(&config_of(fields), IMPORT, self.started_at);
            let taken = (!std::mem::replace(&mut is_set, true)).then_some(row);
            let is_whole = taken
                .as_ref()
                .is_some_and(|row| families::agree(Stage::Config, fields, Fields(row)));
            if !is_whole {
                let id = subject(fields, "config_id");
                notes.tell(
                    RepairRule::ConfigNotTaken,
                    &id,
                    "what cannot be, or is set here already, is left out",
                );
            }
            taken.into_iter().collect()
        })
        .await
    }

    /// Imports the history of mails; none of it is sent.
    pub(super) async fn mails(&self) -> anyhow::Result<()> {
        let now = self.started_at;
        self.walk(Stage::Mails, outbox_repo::COLLECTION, |fields, notes| {
            mail_rows(fields, now, notes)
        })
        .await
    }

    /// Imports the bell, from where it is read and from where nobody read it.
    pub(super) async fn notices(&self) -> anyhow::Result<()> {
        let now = self.started_at;
        for stage in [Stage::Notices, Stage::NoticesElsewhere] {
            self.walk(stage, inapp_repo::COLLECTION, |fields, notes| {
                let row = notice_row(fields, now, notes);
                if let (Some(row), Stage::NoticesElsewhere) = (&row, stage) {
                    notes.tell(
                        RepairRule::NoticeNobodySaw,
                        row.notification_id.as_str(),
                        "it comes into the bell",
                    );
                }
                row.into_iter().collect()
            })
            .await?;
        }
        Ok(())
    }
}

fn config_of(fields: Fields<'_>) -> ConfigChange {
    let limits = fields.object("default_sla_minutes").map(|minutes| {
        let steps = minutes.0.keys().filter(|step| step.ends_with("_STEP"));
        steps
            .filter_map(|step| Some((step.clone(), minutes.whole(step)?)))
            .collect()
    });
    let types = fields.texts("allowed_mime_types");
    ConfigChange {
        default_sla_minutes: limits,
        allowed_mime_types: (!types.is_empty()).then_some(types),
        max_attachment_size_mb: fields.whole("max_attachment_size_mb").filter(|size| *size > 0),
        notification_retry_max: fields.whole("notification_retry_max").filter(|most| *most > 0),
    }
}

/// Which message a wording is for.
fn worded(fields: Fields<'_>) -> String {
    let workflow = fields.text("workflow_id").unwrap_or_default();
    format!("{}|{workflow}", fields.text("template_key").unwrap_or_default())
}

fn wording(fields: Fields<'_>, counts: Option<&str>, notes: &mut Notes) -> Option<TemplateOverride> {
    let id = subject(fields, "template_id");
    let Some(template_key) = fields.text("template_key").and_then(TemplateKey::from_word) else {
        notes.leave(RepairRule::Unreadable, &id, "there is no such message", fields.0);
        return None;
    };
    if counts != Some(id.as_str()) {
        notes.leave(
            RepairRule::WordingTwice,
            &id,
            "a newer wording is for the same message",
            fields.0,
        );
        return None;
    }
    let (subject, body) = (fields.owned("custom_subject"), fields.owned("custom_body"));
    let clean_subject = subject.as_deref().map(sanitized_subject);
    let clean_body = body.as_deref().map(sanitized_body);
    if clean_subject != subject || clean_body != body {
        notes.tell(
            RepairRule::WordingSanitised,
            &id,
            "what may not stand in a mail is taken out",
        );
    }
    Some(TemplateOverride {
        template_id: TemplateOverrideId::from_stored(id),
        template_key,
        workflow_id: fields.owned("workflow_id"),
        custom_subject: clean_subject,
        custom_body: clean_body,
        is_active: fields.flag("is_active").unwrap_or(true),
        created_at: fields.instant("created_at").unwrap_or(Timestamp::from_millis(0)),
        created_by: fields.owned("created_by").unwrap_or_default(),
        updated_at: fields.instant("updated_at"),
        updated_by: fields.owned("updated_by"),
    })
}

fn mail_rows(fields: Fields<'_>, now: Timestamp, notes: &mut Notes) -> Vec<OutboxRow> {
    let id = subject(fields, "notification_id");
    let Some(template_key) = fields.text("template_key").and_then(TemplateKey::from_word) else {
        notes.leave(RepairRule::Unreadable, &id, "there is no such message", fields.0);
        return Vec::new();
    };
    let mut recipients: Vec<Email> = Vec::new();
    for address in fields.texts("recipients") {
        let address = Email::from_stored(address.trim());
        if address.as_str().contains('@') && !recipients.contains(&address) {
            recipients.push(address);
        }
    }
    if recipients.is_empty() {
        notes.leave(RepairRule::Unreadable, &id, "it has no recipient", fields.0);
        return Vec::new();
    }
    if recipients.len() > 1 {
        notes.tell(
            RepairRule::SharedRecipients,
            &id,
            format!("{} recipients", recipients.len()),
        );
    }
    let told: OutboxStatus = fields.word("status").unwrap_or(OutboxStatus::Failed);
    let is_held = told == OutboxStatus::Pending;
    if is_held {
        notes.tell(
            RepairRule::PendingMailHeld,
            &id,
            "it is kept as failed; send it again when it is still wanted",
        );
    }
    let status = if is_held { OutboxStatus::Failed } else { told };
    let held = "it was waiting when it was imported; whether it had been sent is not known";
    let whole = |key: &str| fields.whole(key).and_then(|number| i32::try_from(number).ok());
    let retry_count = whole("retry_count").unwrap_or(0);
    let created_at = fields.instant("created_at").unwrap_or(Timestamp::from_millis(0));
    let rows = recipients.into_iter().enumerate().map(|(at, recipient)| {
        let key = if at == 0 {
            format!("import:{id}")
        } else {
            format!("import:{id}:{at}")
        };
        OutboxRow {
            notification_id: if at == 0 {
                NotificationId::from_stored(id.as_str())
            } else {
                NotificationId::derived(&key)
            },
            key,
            ticket_id: fields.text("ticket_id").map(TicketId::from_stored),
            template_key,
            recipients: vec![recipient],
            payload: fields.json("payload"),
            status,
            retry_count,
            attempts_total: retry_count + i32::from(status == OutboxStatus::Sent),
            last_error: if is_held {
                Some(held.to_owned())
            } else {
                fields
                    .owned("last_error")
                    .map(|error| error.chars().take(500).collect())
            },
            due_at: None,
            next_retry_at: None,
            locked_by: None,
            locked_until: None,
            lock_acquired_at: None,
            created_at,
            sent_at: fields.instant("sent_at"),
            failed_at: (status == OutboxStatus::Failed).then_some(if is_held { now } else { created_at }),
            cancelled_at: (status == OutboxStatus::Cancelled).then_some(created_at),
            cancelled_by: None,
            rendered: None,
            provider_message_id: None,
            correlation_id: None,
        }
    });
    rows.collect()
}

fn notice_row(fields: Fields<'_>, now: Timestamp, notes: &mut Notes) -> Option<InappRow> {
    let id = subject(fields, "notification_id");
    let Some(address) = fields
        .text("recipient_email")
        .map(str::trim)
        .filter(|text| text.contains('@'))
    else {
        notes.leave(RepairRule::Unreadable, &id, "it has no recipient", fields.0);
        return None;
    };
    let created_at = fields.instant("created_at").unwrap_or(now);
    let kept_until = created_at.plus_minutes(DEFAULT_RETENTION_DAYS * 24 * 60);
    let expires_at = fields.instant("expires_at").unwrap_or(kept_until);
    if expires_at <= now {
        notes.tally.count(RepairRule::NoticeExpired);
        return None;
    }
    let email = Email::from_stored(address.to_lowercase());
    let aad_id = fields
        .owned("recipient_aad_id")
        .filter(|id| !id.starts_with("mock-"));
    let mut recipient_keys = vec![PersonKey::of_email(&email)];
    recipient_keys.extend(aad_id.as_deref().map(PersonKey::of_aad));
    let is_read = fields.flag("is_read").unwrap_or(false);
    Some(InappRow {
        key: format!("import:{id}"),
        notification_id: NotificationId::from_stored(id),
        recipient_keys,
        recipient_email: email.key(),
        recipient_aad_id: aad_id,
        category: fields.word("category").unwrap_or(NoticeCategory::System),
        template_key: None,
        title: fields.owned("title").unwrap_or_default(),
        message: fields.owned("message").unwrap_or_default(),
        ticket_id: fields.text("ticket_id").map(TicketId::from_stored),
        action_url: fields
            .owned("action_url")
            .filter(|url| url.starts_with('/') && !url.starts_with("//")),
        actor_email: fields.owned("actor_email"),
        actor_display_name: fields.owned("actor_display_name"),
        is_read,
        read_at: fields.instant("read_at").filter(|_| is_read),
        dismissed_at: None,
        created_at,
        expires_at,
    })
}
