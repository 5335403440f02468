//! Audit events as exports show them: flat, one event a row.

use super::wire_time::wire_time;
use crate::api::export::ExportRow;
use crate::api::schema::words;
use crate::domain::audit::AuditEventType;
use crate::repositories::audit_repo::AuditRow;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Something that happened to a ticket, as a row of an export.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditTrailRow {
    /// The event's id.
    audit_event_id: String,
    /// The ticket.
    ticket_id: String,
    /// The step it is about.
    ticket_step_id: Option<String>,
    /// What happened.
    #[schema(schema_with = words::<AuditEventType>)]
    event_type: AuditEventType,
    /// Who did it.
    actor_email: String,
    /// Their name.
    actor_display_name: String,
    /// Their object id, when known.
    actor_aad_id: Option<String>,
    /// When it happened.
    timestamp: String,
    /// The request that caused it.
    correlation_id: String,
    /// Facts of the event; JSON text in CSV.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
}

impl From<AuditRow> for AuditTrailRow {
    fn from(row: AuditRow) -> Self {
        let actor = row.body.actor;
        Self {
            audit_event_id: row.key.audit_event_id().to_string(),
            ticket_id: row.ticket_id.to_string(),
            ticket_step_id: row.body.ticket_step_id.map(|id| id.to_string()),
            event_type: row.body.event_type,
            actor_email: actor.email.to_string(),
            actor_display_name: actor.display_name,
            actor_aad_id: actor.aad_id,
            timestamp: wire_time(row.body.at),
            correlation_id: row.correlation_id,
            details: row.body.details.into_map(),
        }
    }
}

impl ExportRow for AuditTrailRow {
    const COLUMNS: &'static [&'static str] = &[
        "audit_event_id",
        "ticket_id",
        "ticket_step_id",
        "event_type",
        "actor_email",
        "actor_display_name",
        "actor_aad_id",
        "timestamp",
        "correlation_id",
        "details",
    ];
}
