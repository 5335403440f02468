//! `audit_events`: what happened to tickets, once each, never changed.

use super::indexes::IndexSpec;
use super::relayed::{Relayed, RelayedRepo, RelayedRow};
use crate::domain::audit::AuditEvent;
use bson::doc;

/// Audit events, in the tail or in their collection.
pub type AuditRepo = RelayedRepo<AuditEvent>;

/// An audit event with its place.
pub type AuditRow = RelayedRow<AuditEvent>;

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let name = AuditEvent::COLLECTION;
    vec![
        IndexSpec::new(name, "ticket", doc! {"ticket_id": 1, "seq": -1, "n": -1}),
        IndexSpec::new(name, "newest", doc! {"at": -1, "_id": -1}),
        IndexSpec::new(
            name,
            "type_newest",
            doc! {"body.event_type": 1, "at": -1, "_id": -1},
        ),
        IndexSpec::new(
            name,
            "correlation_newest",
            doc! {"correlation_id": 1, "at": -1, "_id": -1},
        ),
    ]
}
