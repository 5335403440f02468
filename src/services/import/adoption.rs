//! Files that were linked nowhere become a ticket's that names them (HZ-20, C14): of several tickets the first by id,
//! whichever is ready first.

use super::stage::{Notes, subject};
use super::take_over::note;
use super::ticket::Folded;
use super::{Importer, Mode};
use crate::domain::id::TicketId;
use crate::domain::import::{RepairRule, RepairedField};
use crate::domain::stored_file::StoredFile;
use crate::repositories::attachment_claims;
use crate::repositories::legacy::{Fields, LegacyCollection};
use anyhow::Context;
use bson::{Bson, doc};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How many files are looked up at once.
const ASKED: usize = 1_000;

/// Files that were linked nowhere, with the ticket that has adopted each; few, because the reference links what a
/// command names.
#[derive(Debug, Default)]
pub(super) struct LooseFiles(Mutex<BTreeMap<String, Option<TicketId>>>);

impl LooseFiles {
    /// The ticket that has adopted a file.
    pub(super) fn adopted_by(&self, id: &str) -> Option<TicketId> {
        self.files().get(id).cloned().flatten()
    }

    /// Whose a file is now that `ticket` names it; none when it was linked all along.
    fn claim(&self, id: &str, ticket: &TicketId) -> Option<TicketId> {
        let mut files = self.files();
        let owner = files.get_mut(id)?;
        Some(owner.get_or_insert_with(|| ticket.clone()).clone())
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Option<TicketId>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives each batch its place in the order in which files are adopted.
#[derive(Debug)]
pub(super) struct Turns(oneshot::Receiver<()>);

/// A batch's place.
#[derive(Debug)]
pub(super) struct Turn {
    before: oneshot::Receiver<()>,
    own: oneshot::Sender<()>,
}

impl Turns {
    pub(super) fn new() -> Self {
        let (own, first) = oneshot::channel();
        // Nobody is before the first.
        let _heard = own.send(());
        Self(first)
    }

    pub(super) fn next(&mut self) -> Turn {
        let (own, after) = oneshot::channel();
        let before = std::mem::replace(&mut self.0, after);
        Turn { before, own }
    }
}

impl Turn {
    /// Waits until every batch before has had its turn.
    ///
    /// # Errors
    /// One of them has failed.
    pub(super) async fn come(self) -> anyhow::Result<Held> {
        self.before.await.context("the batch before has failed")?;
        Ok(Held(self.own))
    }
}

/// A turn that has come.
#[derive(Debug)]
pub(super) struct Held(oneshot::Sender<()>);

impl Held {
    /// Lets the next batch have its turn.
    pub(super) fn pass_on(self) {
        // Behind the last one nobody listens.
        let _heard = self.0.send(());
    }
}

impl Importer {
    /// Finds out which files are linked nowhere, and which of them an earlier run gave to a ticket.
    pub(super) async fn read_loose_files(&self) -> anyhow::Result<LooseFiles> {
        let nowhere = doc! {"ticket_id": {"$in": ["", Bson::Null]}};
        let documents = self.legacy.find(LegacyCollection::Attachments, nowhere).await?;
        let mut files: BTreeMap<String, Option<TicketId>> = documents
            .iter()
            .map(|document| (subject(Fields(document), "attachment_id"), None))
            .collect();
        if self.mode == Mode::Write {
            let ids: Vec<String> = files.keys().cloned().collect();
            for some in ids.chunks(ASKED) {
                for row in self
                    .repo
                    .rows_of(attachment_claims::COLLECTION, "_id", some)
                    .await?
                {
                    let row = Fields(&row);
                    if let (Some(id), Some(ticket)) = (row.owned("_id"), row.text("ticket_id")) {
                        files.insert(id, Some(TicketId::from_stored(ticket)));
                    }
                }
            }
        }
        Ok(LooseFiles(Mutex::new(files)))
    }

    /// Makes the loose files that a ticket names the ticket's, and says so in its audit trail; those that an earlier
    /// ticket has adopted stay that one's. Returns what it has adopted.
    pub(super) fn adopt_files(&self, folded: &mut Folded) -> Vec<String> {
        let ticket = folded.imported.ticket.id.clone();
        let (mut adopted, mut others) = (Vec::new(), Vec::new());
        for file in &folded.files {
            match self.loose_files.claim(file.as_str(), &ticket) {
                Some(owner) if owner == ticket => adopted.push(file.to_string()),
                Some(owner) => others.push(format!("{file} has become a file of {owner}")),
                None => {}
            }
        }
        if !adopted.is_empty() || !others.is_empty() {
            let fields = adopted.iter().map(|file| RepairedField {
                subject: file.clone(),
                field: "ticket_id".to_owned(),
                before: String::new(),
                after: ticket.to_string(),
            });
            let fields = fields.collect();
            let remark = (!others.is_empty()).then(|| others.join(", "));
            note(&mut folded.imported, RepairRule::UnlinkedFile, fields, remark);
        }
        adopted
    }

    /// The records of files that a ticket has adopted.
    pub(super) async fn adopted(
        &self,
        files: &[String],
        ticket: &TicketId,
    ) -> anyhow::Result<Vec<StoredFile>> {
        let documents = self.legacy.by_ids(LegacyCollection::Attachments, files).await?;
        // The stage of files tells what is missing of them.
        let mut unheard = Notes::new(LegacyCollection::Attachments);
        let mut records = Vec::with_capacity(documents.len());
        for document in &documents {
            let record = self
                .file(Fields(document), Some(ticket.clone()), &mut unheard)
                .await?;
            records.push(record);
        }
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn batches_have_their_turns_in_order_and_none_behind_one_that_failed() {
        let mut turns = Turns::new();
        let (first, second, third, fourth) = (turns.next(), turns.next(), turns.next(), turns.next());
        let mut second = Box::pin(second.come());
        assert!(futures::poll!(&mut second).is_pending());
        first.come().await.unwrap().pass_on();
        second.await.unwrap().pass_on();
        drop(third);
        assert!(fourth.come().await.is_err());
    }
}
