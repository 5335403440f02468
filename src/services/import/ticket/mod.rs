//! Folds a ticket of the reference, spread over nine collections, into one aggregate.
//!
//! Reading takes what is there as it is; the rules then repair what the reference's defects left inconsistent. Every
//! repair names its rule and is told field by field from a comparison with what was read, so that nothing changes
//! silently: what differs without a rule is a difference that the verification reports.

mod change_requests;
pub(super) mod compare;
mod draft;
mod forks;
mod head;
pub(super) mod history;
mod records;
mod rules;
mod steps;

use crate::domain::id::AttachmentId;
use crate::domain::import::ImportedTicket;
use crate::domain::workflow::VersionRef;
use crate::engine::Definitions;
use crate::repositories::legacy::{Fields, LegacyCollection};
use bson::Document;
use draft::Draft;
use history::History;
use std::collections::BTreeMap;

/// A ticket's documents, each list in the order of ids.
#[derive(Debug, Clone, Default)]
pub(super) struct LegacyTicket {
    pub(super) ticket: Document,
    pub(super) of: BTreeMap<LegacyCollection, Vec<Document>>,
}

/// A ticket folded, with what goes to collections beside it.
#[derive(Debug, Clone)]
pub(super) struct Folded {
    pub(super) imported: ImportedTicket,
    pub(super) history: History,
    /// Files that the ticket names anywhere.
    pub(super) files: Vec<AttachmentId>,
}

impl LegacyTicket {
    /// The ticket's own fields.
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields(&self.ticket)
    }

    /// Its id as stored.
    pub(super) fn id(&self) -> &str {
        id_of(self.fields(), "ticket_id")
    }

    /// The documents of a collection that belong to it.
    pub(super) fn all(&self, collection: LegacyCollection) -> impl Iterator<Item = Fields<'_>> {
        self.of.get(&collection).into_iter().flatten().map(Fields)
    }

    /// Puts each list in the order of ids, however the server handed it over.
    pub(super) fn sort(&mut self) {
        for documents in self.of.values_mut() {
            documents.sort_by(|a, b| match (a.get_str("_id"), b.get_str("_id")) {
                (Ok(a), Ok(b)) => a.cmp(b),
                (_, _) => told_id(a).cmp(&told_id(b)),
            });
        }
    }

    /// The versions that run inside it.
    pub(super) fn embedded_versions(&self) -> Vec<VersionRef> {
        let containers = self.all(LegacyCollection::TicketSteps);
        containers
            .filter_map(|step| steps::embedded_version(step))
            .collect()
    }
}

fn told_id(document: &Document) -> Option<String> {
    document.get("_id").map(ToString::to_string)
}

/// A document's public id; `_id` is the same.
pub(super) fn id_of<'a>(fields: Fields<'a>, key: &str) -> &'a str {
    fields
        .text(key)
        .or_else(|| fields.text("_id"))
        .unwrap_or_default()
}

/// Folds the documents of a ticket that runs these versions.
pub(super) fn fold(legacy: &LegacyTicket, definitions: &Definitions) -> Folded {
    let mut draft = Draft::new(legacy, definitions);
    head::read(&mut draft);
    steps::read(&mut draft);
    records::read(&mut draft);
    change_requests::read(&mut draft);
    forks::read(&mut draft);
    rules::apply(&mut draft);
    let history = history::read(&mut draft);
    let files = history::files_of(&draft, &history);
    let imported = draft.finish();
    Folded {
        imported,
        history,
        files,
    }
}
