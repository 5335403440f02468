//! What the verification compares of documents that are no tickets: which facts, and where they are stored here.

use super::stage::Stage;
use crate::domain::time::Timestamp;
use crate::repositories::legacy::Fields;
use crate::repositories::legacy::fields::json_of;
use crate::repositories::{
    admin_audit_repo, admin_user_repo, attachment_claims, inapp_repo, lookup_repo, outbox_repo,
    template_override_repo, user_access_repo, workflow_repo, workflow_version_repo,
};
use bson::Bson;
use serde_json::Value;

/// A family and its facts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) stage: Stage,
    /// The public id in the reference's documents.
    pub(super) id: &'static str,
    /// The collection here.
    pub(super) target: &'static str,
    /// The public id here.
    pub(super) ours: &'static str,
    /// Facts by their names there and their paths here.
    facts: &'static [(&'static str, &'static str)],
    /// Whether documents that have long expired are left behind.
    pub(super) may_expire: bool,
}

const fn family(
    stage: Stage,
    id: &'static str,
    target: &'static str,
    ours: &'static str,
    facts: &'static [(&'static str, &'static str)],
) -> Family {
    Family {
        stage,
        id,
        target,
        ours,
        facts,
        may_expire: matches!(stage, Stage::Notices | Stage::NoticesElsewhere),
    }
}

const NOTICE: &[(&str, &str)] = &[
    ("title", "title"),
    ("message", "message"),
    ("is_read", "is_read"),
    ("ticket_id", "ticket_id"),
];

/// Every family whose documents have ids of their own.
pub(super) const ALL: [Family; 11] = [
    family(
        Stage::Workflows,
        "workflow_id",
        workflow_repo::COLLECTION,
        "_id",
        &[
            ("name", "name"),
            ("status", "status"),
            ("definition", "definition"),
            ("category", "category"),
        ],
    ),
    family(
        Stage::Versions,
        "workflow_version_id",
        workflow_version_repo::COLLECTION,
        "_id",
        &[
            ("name", "name"),
            ("definition", "definition"),
            ("version_number", "version_number"),
            ("workflow_id", "workflow_id"),
        ],
    ),
    family(
        Stage::Lookups,
        "lookup_id",
        lookup_repo::COLLECTION,
        "_id",
        &[
            ("name", "name"),
            ("is_active", "is_active"),
            ("source_field_key", "source_field_key"),
        ],
    ),
    family(
        Stage::UserAccess,
        "user_access_id",
        user_access_repo::COLLECTION,
        "user_access_id",
        &[
            ("email", "email"),
            ("is_active", "is_active"),
            ("has_agent_access", "agent.granted"),
        ],
    ),
    family(
        Stage::AdminUsers,
        "admin_user_id",
        admin_user_repo::COLLECTION,
        "admin_user_id",
        &[("email", "email"), ("role", "role"), ("is_active", "is_active")],
    ),
    family(
        Stage::AdminAudit,
        "audit_id",
        admin_audit_repo::COLLECTION,
        "audit_id",
        &[
            ("action", "action"),
            ("actor_email", "actor_email"),
            ("timestamp", "timestamp"),
        ],
    ),
    family(
        Stage::Wordings,
        "template_id",
        template_override_repo::COLLECTION,
        "_id",
        &[
            ("template_key", "template_key"),
            ("custom_subject", "custom_subject"),
            ("custom_body", "custom_body"),
        ],
    ),
    family(
        Stage::Files,
        "attachment_id",
        attachment_claims::COLLECTION,
        "_id",
        &[
            ("original_filename", "original_filename"),
            ("mime_type", "mime_type"),
            ("size_bytes", "size_bytes"),
        ],
    ),
    family(
        Stage::Mails,
        "notification_id",
        outbox_repo::COLLECTION,
        "notification_id",
        &[
            ("status", "status"),
            ("template_key", "template_key"),
            ("ticket_id", "ticket_id"),
            ("payload", "payload"),
        ],
    ),
    family(
        Stage::Notices,
        "notification_id",
        inapp_repo::COLLECTION,
        "notification_id",
        NOTICE,
    ),
    family(
        Stage::NoticesElsewhere,
        "notification_id",
        inapp_repo::COLLECTION,
        "notification_id",
        NOTICE,
    ),
];

/// The family that a stage imports.
pub(super) fn of(stage: Stage) -> Option<Family> {
    ALL.into_iter().find(|family| family.stage == stage)
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
        for (name, path) in self.facts {
            let before = normal(legacy.value(name));
            let after = normal(at_path(ours, path));
            if before != after {
                found.push((*name, before.to_string(), after.to_string()));
            }
        }
        found
    }
}

fn at_path<'a>(fields: Fields<'a>, path: &str) -> Option<&'a Bson> {
    match path.split_once('.') {
        Some((first, rest)) => at_path(fields.object(first)?, rest),
        None => fields.value(path),
    }
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
