//! The stage of tickets: batches of them with all that belongs to them are folded, taken over, brought on where they stand
//! still, and stored; what goes beside a ticket is stored before it.

use super::adoption::{Turn, Turns};
use super::stage::{Notes, Stage};
use super::take_over::{TakenOver, note};
use super::ticket::{Folded, LegacyTicket, fold};
use super::ticket_reader::{Chunk, TicketReader};
use super::verify::Verification;
use super::{Importer, Mode};
use crate::domain::audit::{AuditEvent, AuditEventType};
use crate::domain::effect::WorkHistory;
use crate::domain::id::TicketId;
use crate::domain::import::RepairRule;
use crate::domain::stored_file::StoredFile;
use crate::domain::tail::{RecordedCommand, TailItem};
use crate::domain::ticket::{FormVersion, NoteBody};
use crate::domain::workflow::WorkflowVersion;
use crate::engine::{Definitions, work_index};
use crate::repositories::attachment_claims;
use crate::repositories::legacy::LegacyCollection;
use crate::repositories::relayed::{Relayed, RelayedRow};
use crate::repositories::ticket_repo::{self, NewTicket, Origin};
use crate::repositories::workflow_version_repo;
use bson::{Bson, RawDocumentBuf};
use futures::{TryStreamExt, stream};
use serde::Serialize;
use std::sync::Arc;

/// How many batches are worked on at the same time.
const SIDE_BY_SIDE: usize = 4;

/// A ticket that is folded and waits for what the batches before it adopt.
struct Pending {
    legacy: LegacyTicket,
    folded: Folded,
    definitions: Definitions,
    files: Vec<String>,
}

/// What a batch of tickets makes.
#[derive(Debug, Default)]
struct Made {
    versions: Vec<Arc<WorkflowVersion>>,
    files: Vec<StoredFile>,
    commands: Vec<RelayedRow<RecordedCommand>>,
    events: Vec<RelayedRow<AuditEvent>>,
    notes: Vec<RelayedRow<NoteBody>>,
    forms: Vec<RelayedRow<FormVersion>>,
    histories: Vec<RelayedRow<WorkHistory>>,
    tickets: Vec<RawDocumentBuf>,
}

impl Importer {
    /// Imports tickets.
    pub(super) async fn tickets(self: &Arc<Self>) -> anyhow::Result<()> {
        let mut state = self.begin(Stage::Tickets).await?;
        if state.done {
            return Ok(());
        }
        let reader = TicketReader::open(self, state.last.as_ref()).await?;
        let chunks = stream::try_unfold(reader, |mut reader| async move {
            let chunk = reader.next().await?;
            anyhow::Ok(chunk.map(|chunk| (chunk, reader)))
        });
        let mut turns = Turns::new();
        let finished = chunks
            .map_ok(|chunk| {
                let (importer, turn) = (Arc::clone(self), turns.next());
                let work = self.tasks.spawn(async move { importer.chunk(chunk, turn).await });
                async move { anyhow::Ok(work.await??) }
            })
            .try_buffered(SIDE_BY_SIDE);
        let mut finished = std::pin::pin!(finished);
        while let Some((last, notes, verification)) = finished.try_next().await? {
            if self.mode == Mode::DryRun {
                self.report().verified.get_or_insert_default().take(verification);
            }
            self.advance(Stage::Tickets, &mut state, last, notes).await?;
        }
        self.end(Stage::Tickets, state).await
    }

    async fn chunk(&self, chunk: Chunk, turn: Turn) -> anyhow::Result<(Bson, Notes, Verification)> {
        let last = chunk.last.clone();
        let mut notes = Notes::new(LegacyCollection::Tickets);
        let mut verification = Verification::default();
        let mut made = Made::default();
        let mut pending = Vec::with_capacity(chunk.tickets.len());
        notes.tally.read = i64::try_from(chunk.tickets.len()).unwrap_or(i64::MAX);
        for legacy in self.with_all(chunk).await? {
            if TicketId::try_from(legacy.id().to_owned()).is_err() {
                let id = legacy.id().to_owned();
                notes.leave(RepairRule::Unreadable, &id, "its id is none", &legacy.ticket);
                continue;
            }
            pending.push(self.folded(legacy, &mut made, &mut notes).await?);
        }
        let turn = turn.come().await?;
        for ticket in &mut pending {
            ticket.files = self.adopt_files(&mut ticket.folded);
        }
        turn.pass_on();
        for mut ticket in pending {
            let Some(taken) = self.taken(&mut ticket, &mut notes).await? else {
                continue;
            };
            made.files
                .extend(self.adopted(&ticket.files, &taken.ticket.id).await?);
            if self.mode == Mode::DryRun {
                verification.compare(&ticket.legacy, &ticket.folded.imported);
                verification.compare_history(&ticket.legacy, &ticket.folded.history);
            }
            keep(ticket.folded, &taken, &ticket.definitions, &mut made)?;
            notes.tally.made += 1;
        }
        self.store_all(made, &mut notes).await?;
        Ok((last, notes, verification))
    }

    async fn folded(
        &self,
        legacy: LegacyTicket,
        made: &mut Made,
        notes: &mut Notes,
    ) -> anyhow::Result<Pending> {
        let mut versions = self.versions_of(&legacy).await?;
        let mut folded = fold(&legacy, &versions.definitions);
        if let Some(version) = versions.stand_in.take() {
            let rule = RepairRule::VersionIsMissing;
            let remark = format!(
                "version {} of {} is missing",
                version.version_number, version.workflow_id
            );
            notes.explain(rule, legacy.id(), remark.clone());
            note(&mut folded.imported, rule, Vec::new(), Some(remark));
            if !made.versions.contains(&version) {
                made.versions.push(version);
            }
        }
        Ok(Pending {
            legacy,
            folded,
            definitions: versions.definitions,
            files: Vec::new(),
        })
    }

    async fn taken(&self, ticket: &mut Pending, notes: &mut Notes) -> anyhow::Result<Option<TakenOver>> {
        let (legacy, imported) = (&ticket.legacy, &mut ticket.folded.imported);
        let taken = match self.take_over_and_up(imported, &mut ticket.definitions).await? {
            Ok(taken) => taken,
            Err(reason) => {
                notes.leave(RepairRule::Unreadable, legacy.id(), reason, &legacy.ticket);
                return Ok(None);
            }
        };
        for repair in &imported.repairs {
            notes.tally.count(repair.rule);
        }
        for entry in &taken.tail {
            if let TailItem::Audit(event) = &entry.item
                && event.event_type == AuditEventType::ImportRepair
                && let Some(rule) = event.details.get("rule").and_then(|rule| rule.as_str())
                && let Some(rule) = RepairRule::ALL.iter().find(|known| known.as_str() == rule)
            {
                notes.tally.count(*rule);
            }
        }
        let mut repairs = imported.repairs.iter();
        if let Some(repair) = repairs.find(|repair| repair.rule == RepairRule::NeedsAdministrator) {
            let remark = repair.remark.clone().unwrap_or_default();
            notes.explain(repair.rule, legacy.id(), remark);
        }
        Ok(Some(taken))
    }

    async fn store_all(&self, made: Made, notes: &mut Notes) -> anyhow::Result<()> {
        if self.mode == Mode::DryRun {
            return Ok(());
        }
        let (versions, files) = (&made.versions, &made.files);
        self.store(workflow_version_repo::COLLECTION, versions, notes)
            .await?;
        self.store(attachment_claims::COLLECTION, files, notes).await?;
        let beside = futures::try_join!(
            self.store_beside(&made.commands),
            self.store_beside(&made.events),
            self.store_beside(&made.notes),
            self.store_beside(&made.forms),
            self.store_beside(&made.histories),
        )?;
        let beside = [beside.0, beside.1, beside.2, beside.3, beside.4];
        let (inserted, refused) = self
            .repo
            .insert_documents(ticket_repo::COLLECTION, &made.tickets)
            .await?;
        self.report().inserted += inserted as u64;
        let refused = refused.into_iter().map(|row| {
            let ticket = made.tickets.get(row.at);
            let id = ticket.and_then(|ticket| ticket.get_str("_id").ok());
            (id.unwrap_or_default().to_owned(), row.reason)
        });
        for (ticket, reason) in beside.into_iter().flatten().chain(refused) {
            let remark = format!("the database refuses a part of it: {reason}");
            notes.tell(RepairRule::Unreadable, &ticket, remark);
        }
        Ok(())
    }

    /// Stores what goes beside tickets; returns the tickets of which the server refuses something, and why.
    async fn store_beside<T>(&self, rows: &[RelayedRow<T>]) -> anyhow::Result<Vec<(String, String)>>
    where
        T: Relayed,
        RelayedRow<T>: Serialize + Send + Sync,
    {
        let (_, refused) = self.repo.insert(T::COLLECTION, rows).await?;
        let refused = refused.into_iter();
        let told = refused.filter_map(|row| Some((rows.get(row.at)?.ticket_id.to_string(), row.reason)));
        Ok(told.collect())
    }
}

fn keep(folded: Folded, taken: &TakenOver, definitions: &Definitions, made: &mut Made) -> anyhow::Result<()> {
    let ticket = &taken.ticket;
    let work = work_index::derive(ticket, definitions);
    let origin = Origin {
        key: format!("import:{}", ticket.id),
        fingerprint: String::new(),
        attempt: "import".to_owned(),
    };
    let new = NewTicket {
        id: &ticket.id,
        version: ticket.version,
        origin: &origin,
        ticket,
        work: &work,
        recent_keys: &taken.keys,
        tail: &taken.tail,
    };
    made.tickets.push(bson::serialize_to_raw_document_buf(&new)?);
    for entry in &taken.entries {
        made.commands.extend(RelayedRow::of(entry));
        made.events.extend(RelayedRow::of(entry));
        made.histories.extend(RelayedRow::of(entry));
    }
    made.events.extend(folded.history.events);
    made.notes.extend(folded.history.notes);
    made.forms.extend(folded.history.forms);
    Ok(())
}
