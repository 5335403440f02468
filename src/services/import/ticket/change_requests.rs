//! Change requests, as they were stored.

use super::draft::Draft;
use super::head::distinct;
use super::id_of;
use crate::domain::id::{AttachmentId, ChangeRequestId, StepKey};
use crate::domain::json::JsonObject;
use crate::domain::ticket::{AttachmentChange, ChangeRequest, ChangeRequestStatus, FieldChange, FormData};
use crate::repositories::legacy::fields::json_of;
use crate::repositories::legacy::{Fields, LegacyCollection};

/// Reads all of them, by time.
pub(super) fn read(draft: &mut Draft<'_>) {
    let legacy = draft.legacy;
    for fields in legacy.all(LegacyCollection::ChangeRequests) {
        let request = request(draft, fields);
        draft.ticket.change_requests.push(request);
    }
    draft
        .ticket
        .change_requests
        .sort_by_key(|request| request.requested_at);
}

fn request(draft: &mut Draft<'_>, fields: Fields<'_>) -> ChangeRequest {
    let id = id_of(fields, "change_request_id");
    let number = |key: &str| fields.whole(key).and_then(|number| i32::try_from(number).ok());
    let requested_at = fields
        .instant("requested_at")
        .or_else(|| fields.instant("created_at"))
        .unwrap_or(draft.ticket.created_at);
    ChangeRequest {
        id: ChangeRequestId::from_stored(id),
        status: fields.word("status").unwrap_or(ChangeRequestStatus::Cancelled),
        from_version: number("from_version").unwrap_or(1),
        to_version: number("to_version"),
        original_data: fields.object("original_data").map(form_data).unwrap_or_default(),
        proposed_data: fields.object("proposed_data").map(form_data).unwrap_or_default(),
        field_changes: field_changes(fields),
        attachment_changes: attachment_changes(fields),
        requested_by: draft.somebody(fields, "requested_by", id),
        reason: fields.owned("reason").unwrap_or_default(),
        requested_at,
        assigned_to: draft.somebody(fields, "assigned_to", id),
        reviewed_by: draft.person(fields, "reviewed_by", id),
        reviewed_at: fields.instant("reviewed_at"),
        review_notes: fields.owned("review_notes"),
        updated_at: fields.instant("updated_at").unwrap_or(requested_at),
    }
}

/// Values with their files.
pub(super) fn form_data(fields: Fields<'_>) -> FormData {
    FormData {
        form_values: fields.json("form_values"),
        attachment_ids: distinct(fields.texts("attachment_ids")),
    }
}

/// The differences as the reference told them, however odd (S23).
pub(super) fn field_changes(fields: Fields<'_>) -> Vec<FieldChange> {
    let changes = fields.objects("field_changes");
    changes
        .map(|change| FieldChange {
            form_name: change.owned("form_name").unwrap_or_default(),
            step_id: StepKey::from(change.text("step_id").unwrap_or_default()),
            field_key: change.owned("field_key").unwrap_or_default(),
            field_label: change.owned("field_label").unwrap_or_default(),
            old_value: wrapped(change, "old_value"),
            new_value: wrapped(change, "new_value"),
        })
        .collect()
}

fn wrapped(change: Fields<'_>, key: &str) -> JsonObject {
    let value = change
        .value(key)
        .map(|value| ("value".to_owned(), json_of(value)));
    value.into_iter().collect()
}

/// The files that differ; those that do not are not told.
pub(super) fn attachment_changes(fields: Fields<'_>) -> Vec<AttachmentChange> {
    let changes = fields.objects("attachment_changes");
    changes
        .filter_map(|change| {
            Some(AttachmentChange {
                attachment_id: AttachmentId::from_stored(change.text("attachment_id")?),
                filename: change.owned("filename").unwrap_or_default(),
                action: change.word("action")?,
            })
        })
        .collect()
}
