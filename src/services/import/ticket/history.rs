//! What goes to collections beside the ticket: events, notes and versions of the form data from before the import.
//!
//! Their keys have the sequence number 0, which no command of ours has, and count on in the order of time: so they sort
//! before everything that happens later, and a repeated import makes the same keys.

use super::change_requests::{attachment_changes, field_changes, form_data};
use super::draft::Draft;
use super::head::distinct;
use super::id_of;
use crate::domain::audit::{AuditEvent, AuditEventType};
use crate::domain::id::{
    AttachmentId, AuditEventId, ChangeRequestId, RequesterNoteId, TicketId, TicketStepId,
};
use crate::domain::import::RepairRule;
use crate::domain::json::JsonObject;
use crate::domain::tail::StableKey;
use crate::domain::ticket::{FormVersion, FormVersionSource, NoteBody, NoteKind};
use crate::domain::time::Timestamp;
use crate::repositories::audit_repo::AuditRow;
use crate::repositories::form_version_repo::FormVersionRow;
use crate::repositories::legacy::{Fields, LegacyCollection};
use crate::repositories::note_repo::NoteRow;
use crate::repositories::relayed::RelayedRow;
use serde_json::Value;

/// The sequence number of what happened before the import.
pub(crate) const BEFORE: i64 = 0;

/// What happened before the import, each list by time.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) events: Vec<AuditRow>,
    pub(crate) notes: Vec<NoteRow>,
    pub(crate) forms: Vec<FormVersionRow>,
}

/// Reads all of it.
pub(super) fn read(draft: &mut Draft<'_>) -> History {
    let mut n = 0;
    let events = events(draft);
    let events = events
        .into_iter()
        .map(|(event, correlation)| row(&draft.ticket.id, &mut n, event.at, correlation, event))
        .collect();
    let mut notes = notes(draft);
    notes.sort_by_key(|note| note.at);
    let notes = notes
        .into_iter()
        .map(|note| row(&draft.ticket.id, &mut n, note.at, String::new(), note))
        .collect();
    let forms = forms(draft);
    let forms = forms
        .into_iter()
        .map(|form| row(&draft.ticket.id, &mut n, form.created_at, String::new(), form))
        .collect();
    History { events, notes, forms }
}

fn row<T>(ticket: &TicketId, n: &mut i64, at: Timestamp, correlation_id: String, body: T) -> RelayedRow<T> {
    let key = StableKey {
        ticket_id: ticket.clone(),
        seq: BEFORE,
        n: *n,
    };
    *n += 1;
    RelayedRow {
        ticket_id: ticket.clone(),
        seq: key.seq,
        n: key.n,
        key,
        at,
        correlation_id,
        body,
    }
}

fn events(draft: &mut Draft<'_>) -> Vec<(AuditEvent, String)> {
    let legacy = draft.legacy;
    let mut documents: Vec<Fields<'_>> = legacy.all(LegacyCollection::AuditEvents).collect();
    documents.sort_by_cached_key(|fields| {
        // Text keeps the microseconds that order the events of one command.
        let text = fields.text("timestamp").unwrap_or_default().to_owned();
        (
            fields.instant("timestamp"),
            text,
            id_of(*fields, "audit_event_id").to_owned(),
        )
    });
    let mut events = Vec::with_capacity(documents.len());
    for fields in documents {
        let event = event(draft, fields);
        events.push((event, fields.owned("correlation_id").unwrap_or_default()));
    }
    events
}

fn event(draft: &mut Draft<'_>, fields: Fields<'_>) -> AuditEvent {
    let id = id_of(fields, "audit_event_id");
    let mut details = fields.json("details");
    let word = fields.text("event_type").unwrap_or_default();
    let event_type = fields.word("event_type").unwrap_or_else(|| {
        details.insert("event_type".to_owned(), Value::from(word));
        draft.note(
            RepairRule::UnknownAuditEvent,
            id,
            "event_type",
            word,
            "IMPORTED_EVENT",
        );
        AuditEventType::ImportedEvent
    });
    AuditEvent {
        event_type,
        ticket_step_id: fields.text("ticket_step_id").map(TicketStepId::from_stored),
        actor: draft.somebody(fields, "actor", id),
        details,
        at: fields.instant("timestamp").unwrap_or(draft.ticket.created_at),
        imported_id: Some(AuditEventId::from_stored(id)),
    }
}

fn notes(draft: &mut Draft<'_>) -> Vec<NoteBody> {
    let legacy = draft.legacy;
    let mut notes = Vec::new();
    for step in legacy.all(LegacyCollection::TicketSteps) {
        let id = id_of(step, "ticket_step_id").to_owned();
        let Some(data) = step.object("data") else { continue };
        for note in data.objects("notes") {
            let kind = NoteKind::Step(TicketStepId::from_stored(id.as_str()));
            let note = note_body(draft, note, "timestamp", kind, &id);
            notes.push(note);
        }
    }
    let ticket = legacy.id();
    for (at, note) in legacy.fields().objects("requester_notes").enumerate() {
        let id = note.text("note_id").map_or_else(
            || RequesterNoteId::derived(&format!("{ticket}:{at}")),
            RequesterNoteId::from_stored,
        );
        let note = note_body(draft, note, "created_at", NoteKind::Requester(id), ticket);
        notes.push(note);
    }
    notes
}

fn note_body(draft: &mut Draft<'_>, note: Fields<'_>, at: &str, kind: NoteKind, subject: &str) -> NoteBody {
    NoteBody {
        kind,
        content: note.owned("content").unwrap_or_default(),
        author: draft.somebody(note, "actor", subject),
        at: note.instant(at).unwrap_or(draft.ticket.created_at),
        attachment_ids: distinct(note.texts("attachment_ids")),
    }
}

fn forms(draft: &mut Draft<'_>) -> Vec<FormVersion> {
    let legacy = draft.legacy;
    let mut versions: Vec<FormVersion> = Vec::new();
    for fields in legacy.fields().objects("form_versions") {
        let version = form_version(draft, fields);
        // A crash and a retry added a version twice (T8); what was added first counts.
        if versions.iter().any(|known| known.version == version.version) {
            let number = version.version.to_string();
            draft.note(
                RepairRule::ChangeRequestHalfApplied,
                legacy.id(),
                "form_versions",
                &number,
                "",
            );
        } else {
            versions.push(version);
        }
    }
    versions.sort_by_key(|version| version.version);
    versions
}

fn form_version(draft: &mut Draft<'_>, fields: Fields<'_>) -> FormVersion {
    let id = draft.legacy.id();
    let number = fields
        .whole("version")
        .and_then(|number| i32::try_from(number).ok());
    FormVersion {
        version: number.unwrap_or(1),
        data: form_data(fields),
        created_at: fields.instant("created_at").unwrap_or(draft.ticket.created_at),
        created_by: draft
            .person(fields, "created_by", id)
            .unwrap_or_else(|| draft.ticket.requester.clone()),
        source: fields.word("source").unwrap_or(FormVersionSource::Original),
        change_request_id: fields.text("change_request_id").map(ChangeRequestId::from_stored),
        approved_by: draft.person(fields, "approved_by", id),
        field_changes: field_changes(fields),
        attachment_changes: attachment_changes(fields),
    }
}

/// The files that a ticket names in values, notes, questions and outputs.
pub(super) fn files_of(draft: &Draft<'_>, history: &History) -> Vec<AttachmentId> {
    let ticket = &draft.ticket;
    let mut found = ticket.attachment_ids.clone();
    let mut values: Vec<&JsonObject> = vec![&ticket.form_values];
    for step in &ticket.steps {
        values.extend(&step.form_values);
        if let Some(work) = &step.task {
            values.extend(&work.output_values);
            values.extend(&work.draft_values);
            found.extend(work.attachment_ids.iter().cloned());
        }
    }
    for info in &ticket.info_requests {
        found.extend(info.request_attachment_ids.iter().cloned());
        found.extend(info.response_attachment_ids.iter().cloned());
    }
    for note in &history.notes {
        found.extend(note.body.attachment_ids.iter().cloned());
    }
    let mut named = Vec::new();
    for object in values {
        object.values().for_each(|value| collect(value, &mut named));
    }
    found.extend(named.into_iter().map(AttachmentId::from_stored));
    found.sort();
    found.dedup();
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            if text.starts_with(AttachmentId::PREFIX) && text.len() < 64 {
                found.push(text.clone());
            }
        }
        Value::Array(list) => list.iter().for_each(|item| collect(item, found)),
        Value::Object(map) => map.values().for_each(|item| collect(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
