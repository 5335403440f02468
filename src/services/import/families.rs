//! What the verification compares of documents that are no tickets: which facts, and where they are stored here.

use super::conversations;
use super::stage::{Stage, subject};
use super::ticket::compare::shortened;
use crate::domain::time::Timestamp;
use crate::repositories::legacy::Fields;
use crate::repositories::legacy::fields::json_of;
use crate::repositories::{
    admin_audit_repo, admin_user_repo, attachment_claims, conversation_repo, inapp_repo, lookup_repo,
    outbox_repo, system_config_repo, template_override_repo, user_access_repo, workflow_repo,
    workflow_version_repo,
};
use bson::Bson;
use serde_json::{Value, json};

/// A fact: its name there, its path here, and one form for both sides.
#[derive(Debug, Clone, Copy)]
struct Fact {
    there: &'static str,
    here: &'static str,
    form: fn(Option<&Bson>) -> Value,
}

/// A fact of one name on both sides.
const fn same(name: &'static str) -> Fact {
    named(name, name)
}

const fn named(there: &'static str, here: &'static str) -> Fact {
    formed(there, here, normal)
}

const fn formed(there: &'static str, here: &'static str, form: fn(Option<&Bson>) -> Value) -> Fact {
    Fact { there, here, form }
}

/// A family and its facts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) stage: Stage,
    /// The public id in the reference's documents.
    pub(super) id: &'static str,
    /// The collection here.
    pub(super) target: &'static str,
    /// The field by which a document is found here.
    pub(super) ours: &'static str,
    /// What that field holds for a document of the reference.
    key: fn(Fields<'_>, &str) -> String,
    facts: &'static [Fact],
    /// Whether a document was past its time when the import began, and is left behind.
    pub(super) is_past: fn(Fields<'_>, Timestamp) -> bool,
}

const fn family(
    stage: Stage,
    id: &'static str,
    target: &'static str,
    ours: &'static str,
    facts: &'static [Fact],
) -> Family {
    Family {
        stage,
        id,
        target,
        ours,
        key: subject,
        facts,
        is_past: |_, _| false,
    }
}

const NOTICE: &[Fact] = &[same("title"), same("message"), same("is_read"), same("ticket_id")];

const fn notices(stage: Stage) -> Family {
    Family {
        is_past: has_expired,
        ..family(
            stage,
            "notification_id",
            inapp_repo::COLLECTION,
            "notification_id",
            NOTICE,
        )
    }
}

/// Every family whose documents have ids of their own.
pub(super) const ALL: [Family; 13] = [
    family(
        Stage::Workflows,
        "workflow_id",
        workflow_repo::COLLECTION,
        "_id",
        &[same("name"), same("status"), same("definition"), same("category")],
    ),
    family(
        Stage::Versions,
        "workflow_version_id",
        workflow_version_repo::COLLECTION,
        "_id",
        &[
            same("name"),
            same("definition"),
            same("version_number"),
            same("workflow_id"),
        ],
    ),
    family(
        Stage::Lookups,
        "lookup_id",
        lookup_repo::COLLECTION,
        "_id",
        &[
            same("name"),
            same("is_active"),
            same("source_field_key"),
            same("source_step_id"),
            formed("entries", "entries", entries),
        ],
    ),
    family(
        Stage::UserAccess,
        "user_access_id",
        user_access_repo::COLLECTION,
        "user_access_id",
        &[
            same("email"),
            same("is_active"),
            named("has_agent_access", "agent.granted"),
        ],
    ),
    family(
        Stage::AdminUsers,
        "admin_user_id",
        admin_user_repo::COLLECTION,
        "admin_user_id",
        &[same("email"), same("role"), same("is_active")],
    ),
    family(
        Stage::AdminAudit,
        "audit_id",
        admin_audit_repo::COLLECTION,
        "audit_id",
        &[same("action"), same("actor_email"), same("timestamp")],
    ),
    family(
        Stage::Wordings,
        "template_id",
        template_override_repo::COLLECTION,
        "_id",
        &[same("template_key"), same("custom_subject"), same("custom_body")],
    ),
    Family {
        key: |_, _| system_config_repo::ID.to_owned(),
        ..family(
            Stage::Config,
            "config_id",
            system_config_repo::COLLECTION,
            "_id",
            &[
                same("default_sla_minutes"),
                same("allowed_mime_types"),
                same("max_attachment_size_mb"),
                same("notification_retry_max"),
            ],
        )
    },
    family(
        Stage::Files,
        "attachment_id",
        attachment_claims::COLLECTION,
        "_id",
        &[
            same("original_filename"),
            same("mime_type"),
            same("size_bytes"),
            same("ticket_id"),
            same("uploaded_at"),
        ],
    ),
    family(
        Stage::Mails,
        "notification_id",
        outbox_repo::COLLECTION,
        "notification_id",
        &[
            same("status"),
            same("template_key"),
            same("ticket_id"),
            same("payload"),
        ],
    ),
    notices(Stage::Notices),
    notices(Stage::NoticesElsewhere),
    Family {
        key: conversations::key_of,
        is_past: conversations::has_rested,
        ..family(
            Stage::Conversations,
            "session_id",
            conversation_repo::COLLECTION,
            "_id",
            &[formed("messages", "messages", conversations::messages)],
        )
    },
];

/// The family that a stage imports.
pub(super) fn of(stage: Stage) -> Option<Family> {
    ALL.into_iter().find(|family| family.stage == stage)
}

/// Whether a document and the row made of it agree in every fact that is compared.
pub(super) fn agree(stage: Stage, legacy: Fields<'_>, ours: Fields<'_>) -> bool {
    of(stage).is_some_and(|family| family.differences(legacy, ours).is_empty())
}

/// Whether a notice was past its time when the import began.
pub(super) fn has_expired(fields: Fields<'_>, at: Timestamp) -> bool {
    let told = fields.instant("expires_at");
    let usual = fields.instant("created_at").map(|created| {
        created.plus_minutes(crate::repositories::inapp_row::DEFAULT_RETENTION_DAYS * 24 * 60)
    });
    told.or(usual).is_some_and(|expiry| expiry <= at)
}

impl Family {
    /// The facts that differ: name, before, after.
    pub(super) fn differences(
        &self,
        legacy: Fields<'_>,
        ours: Fields<'_>,
    ) -> Vec<(&'static str, String, String)> {
        let mut found = Vec::new();
        for Fact { there, here, form } in self.facts {
            let (before, after) = (form(legacy.value(there)), form(at_path(ours, here)));
            if before != after {
                found.push((
                    *there,
                    shortened(&before.to_string()),
                    shortened(&after.to_string()),
                ));
            }
        }
        found
    }

    /// What a document of the reference is found by here.
    pub(super) fn key_of(&self, legacy: Fields<'_>) -> String {
        (self.key)(legacy, self.id)
    }
}

fn at_path<'a>(fields: Fields<'a>, path: &str) -> Option<&'a Bson> {
    match path.split_once('.') {
        Some((first, rest)) => at_path(fields.object(first)?, rest),
        None => fields.value(path),
    }
}

/// A table's entries: every key with its label and its people in their order.
fn entries(value: Option<&Bson>) -> Value {
    let list = value.and_then(Bson::as_array).into_iter().flatten();
    let entries = list.filter_map(Bson::as_document).map(|entry| {
        let entry = Fields(entry);
        let users: Vec<Value> = entry.objects("users").map(listed).collect();
        json!([
            entry.text("key"),
            entry.text("display_label"),
            entry.flag("is_active").unwrap_or(true),
            users,
        ])
    });
    entries.collect()
}

fn listed(user: Fields<'_>) -> Value {
    json!([
        user.text("email").map(str::trim),
        user.text("display_name").map(str::trim),
        user.text("aad_id").map(str::trim),
        user.flag("is_primary").unwrap_or(false),
        user.whole("order").unwrap_or(0),
    ])
}

/// A fact in one form on both sides: times as on the wire, opaque JSON as a value, nothing as null.
fn normal(value: Option<&Bson>) -> Value {
    let Some(value) = value else { return Value::Null };
    if let Some(text) = value.as_str() {
        if text.is_empty() {
            return Value::Null;
        }
        if text.starts_with('{')
            && let Ok(object) = serde_json::from_str(text)
        {
            return object;
        }
        if text.len() >= 19
            && text.as_bytes().get(4) == Some(&b'-')
            && let Some(at) = crate::repositories::legacy::fields::instant(value)
        {
            return Value::from(at.to_wire());
        }
    }
    let value = json_of(value);
    if value.as_object().is_some_and(serde_json::Map::is_empty) {
        return Value::Null;
    }
    value.as_f64().map_or(value, Value::from)
}
