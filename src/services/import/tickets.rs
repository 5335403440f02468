//! The stage of tickets: batches of them with all that belongs to them are folded, taken over, brought on where they stand
//! still, and stored; what goes beside a ticket is stored before it.

use super::facts::{Decided, import_command};
use super::stage::{Notes, Stage};
use super::ticket::{Folded, LegacyTicket, fold, id_of};
use super::verify::Verification;
use super::{Importer, Mode};
use crate::domain::audit::{AuditEvent, AuditEventType};
use crate::domain::effect::WorkHistory;
use crate::domain::id::TicketId;
use crate::domain::import::{ImportedTicket, Repair, RepairRule, RepairedField};
use crate::domain::stored_file::StoredFile;
use crate::domain::tail::{RecentKey, RecordedCommand, TailEntry, TailItem};
use crate::domain::ticket::{FormVersion, NoteBody, Ticket};
use crate::domain::workflow::WorkflowVersion;
use crate::engine::{Command, Decision, Definitions, FactSheet, responsibility, work_index};
use crate::repositories::attachment_claims;
use crate::repositories::import_repo::Finding;
use crate::repositories::legacy::{Fields, LegacyCollection, SortedByTicket};
use crate::repositories::relayed::{Relayed, RelayedRow};
use crate::repositories::ticket_repo::{self, NewTicket, Origin};
use crate::repositories::workflow_version_repo;
use crate::services::execute::batch;
use bson::{Bson, Document, RawDocumentBuf};
use futures::{TryStreamExt, stream};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many tickets a batch has.
const BATCH: usize = 128;
/// How many batches are worked on at the same time.
const SIDE_BY_SIDE: usize = 4;

/// Tickets as read, with what has no index by ticket.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) last: Bson,
    pub(super) tickets: Vec<Document>,
    sorted: BTreeMap<LegacyCollection, Vec<Document>>,
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

/// A ticket taken over and, where it stood still, brought on.
struct TakenOver {
    ticket: Ticket,
    /// What taking it over caused, to be stored at once.
    entries: Vec<TailEntry>,
    /// What bringing it on caused, left to the relay like what any command causes.
    tail: Vec<TailEntry>,
    keys: Vec<RecentKey>,
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
        let finished = chunks
            .map_ok(|chunk| {
                let importer = Arc::clone(self);
                let work = self.tasks.spawn(async move { importer.chunk(chunk).await });
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

    async fn chunk(&self, chunk: Chunk) -> anyhow::Result<(Bson, Notes, Verification)> {
        let last = chunk.last.clone();
        let mut notes = Notes::new(LegacyCollection::Tickets);
        let mut verification = Verification::default();
        let mut made = Made::default();
        notes.tally.read = i64::try_from(chunk.tickets.len()).unwrap_or(i64::MAX);
        for legacy in self.with_all(chunk).await? {
            if TicketId::try_from(legacy.id().to_owned()).is_err() {
                let id = legacy.id().to_owned();
                notes.leave(RepairRule::Unreadable, &id, "its id is none", &legacy.ticket);
                continue;
            }
            let Some((folded, taken, definitions)) = self.ticket(&legacy, &mut made, &mut notes).await?
            else {
                continue;
            };
            if self.mode == Mode::DryRun {
                verification.compare(&legacy, &folded.imported);
                verification.compare_history(&legacy, &folded.history);
            }
            keep(folded, &taken, &definitions, &mut made)?;
            notes.tally.made += 1;
        }
        self.store_all(made, &mut notes).await?;
        Ok((last, notes, verification))
    }

    /// The tickets of a chunk, each with everything that belongs to it.
    pub(super) async fn with_all(&self, chunk: Chunk) -> anyhow::Result<Vec<LegacyTicket>> {
        let ids: Vec<String> = chunk
            .tickets
            .iter()
            .map(|ticket| id_of(Fields(ticket), "ticket_id").to_owned())
            .collect();
        let indexed: Vec<LegacyCollection> = LegacyCollection::OF_TICKETS
            .into_iter()
            .filter(|collection| !chunk.sorted.contains_key(collection))
            .collect();
        let read = indexed
            .iter()
            .map(|collection| self.legacy.of_tickets(*collection, &ids));
        let read = futures::future::try_join_all(read).await?;
        let mut tickets: Vec<LegacyTicket> = chunk
            .tickets
            .into_iter()
            .map(|ticket| LegacyTicket {
                ticket,
                of: BTreeMap::new(),
            })
            .collect();
        let places: BTreeMap<String, usize> = ids.into_iter().zip(0..).collect();
        for (collection, documents) in indexed.into_iter().zip(read).chain(chunk.sorted) {
            for document in documents {
                let owner = Fields(&document).text("ticket_id").and_then(|id| places.get(id));
                if let Some(ticket) = owner.and_then(|at| tickets.get_mut(*at)) {
                    ticket.of.entry(collection).or_default().push(document);
                }
            }
        }
        tickets.iter_mut().for_each(LegacyTicket::sort);
        Ok(tickets)
    }

    async fn ticket(
        &self,
        legacy: &LegacyTicket,
        made: &mut Made,
        notes: &mut Notes,
    ) -> anyhow::Result<Option<(Folded, TakenOver, Definitions)>> {
        let mut versions = self.versions_of(legacy).await?;
        let mut folded = fold(legacy, &versions.definitions);
        if let Some(version) = versions.stand_in.take() {
            let remark = format!(
                "version {} of {} is missing",
                version.version_number, version.workflow_id
            );
            note(
                &mut folded.imported,
                RepairRule::VersionIsMissing,
                Vec::new(),
                Some(remark.clone()),
            );
            notes
                .findings
                .push(finding(RepairRule::VersionIsMissing, legacy.id(), &remark));
            if !made.versions.contains(&version) {
                made.versions.push(version);
            }
        }
        self.adopt_files(&mut folded, made).await?;
        let definitions = &mut versions.definitions;
        let first = match self.take_over_and_up(&mut folded.imported, definitions).await? {
            Ok(taken) => taken,
            Err(reason) => {
                notes.leave(RepairRule::Unreadable, legacy.id(), reason, &legacy.ticket);
                return Ok(None);
            }
        };
        for repair in &folded.imported.repairs {
            notes.tally.count(repair.rule);
        }
        for entry in &first.tail {
            if let TailItem::Audit(event) = &entry.item
                && event.event_type == AuditEventType::ImportRepair
                && let Some(rule) = event.details.get("rule").and_then(|rule| rule.as_str())
                && let Some(rule) = RepairRule::ALL.iter().find(|known| known.as_str() == rule)
            {
                notes.tally.count(*rule);
            }
        }
        let helpless = folded
            .imported
            .repairs
            .iter()
            .find(|repair| repair.rule == RepairRule::NeedsAdministrator);
        if let Some(repair) = helpless {
            let remark = repair.remark.clone().unwrap_or_default();
            notes
                .findings
                .push(finding(RepairRule::NeedsAdministrator, legacy.id(), &remark));
        }
        Ok(Some((folded, first, versions.definitions)))
    }

    /// Takes a ticket over and brings it on; when that cannot be done, it is marked and stays as it was. The inner error
    /// says why it cannot even be taken over.
    async fn take_over_and_up(
        &self,
        imported: &mut ImportedTicket,
        definitions: &mut Definitions,
    ) -> anyhow::Result<Result<TakenOver, String>> {
        let mut taken = match self.taken_over(imported, definitions)? {
            Ok(taken) => taken,
            Err(reason) => return Ok(Err(reason)),
        };
        if !taken.ticket.is_live() {
            return Ok(Ok(taken));
        }
        let up = self.take_up(&taken.ticket, definitions).await?;
        let reason = match &up {
            Decided::Refused(reason) => Some(reason.clone()),
            Decided::Applied(up, _) => out_of_reach(&up.ticket),
            Decided::Nothing => out_of_reach(&taken.ticket),
        };
        if let Some(reason) = reason {
            note(imported, RepairRule::NeedsAdministrator, Vec::new(), Some(reason));
            taken = match self.taken_over(imported, definitions)? {
                Ok(taken) => taken,
                Err(reason) => return Ok(Err(reason)),
            };
        }
        if let Decided::Applied(up, sheet) = up {
            taken.bring_on(*up, &sheet)?;
        }
        Ok(Ok(taken))
    }

    fn taken_over(
        &self,
        imported: &ImportedTicket,
        definitions: &Definitions,
    ) -> anyhow::Result<Result<TakenOver, String>> {
        let command = import_command(imported.clone());
        Ok(match self.take_over(&command, definitions) {
            Ok((decision, sheet)) => Ok(TakenOver::of(&command, *decision, &sheet)?),
            Err(reason) => Err(reason),
        })
    }

    /// Files that the ticket names and that were linked nowhere become the ticket's (HZ-20, C14).
    async fn adopt_files(&self, folded: &mut Folded, made: &mut Made) -> anyhow::Result<()> {
        let loose: Vec<String> = folded
            .files
            .iter()
            .map(ToString::to_string)
            .filter(|id| self.loose_files.contains(id))
            .collect();
        if loose.is_empty() {
            return Ok(());
        }
        let ticket = folded.imported.ticket.id.clone();
        let fields = loose.iter().map(|id| RepairedField {
            subject: id.clone(),
            field: "ticket_id".to_owned(),
            before: String::new(),
            after: ticket.to_string(),
        });
        let fields = fields.collect();
        note(&mut folded.imported, RepairRule::UnlinkedFile, fields, None);
        let documents = self.legacy.by_ids(LegacyCollection::Attachments, &loose).await?;
        let mut unheard = Notes::new(LegacyCollection::Attachments);
        for document in &documents {
            // The stage of files tells what is missing of them.
            let file = self
                .file(Fields(document), Some(ticket.clone()), &mut unheard)
                .await?;
            made.files.push(file);
        }
        Ok(())
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
            self.repo.insert(RecordedCommand::COLLECTION, &made.commands),
            self.repo.insert(AuditEvent::COLLECTION, &made.events),
            self.repo.insert(NoteBody::COLLECTION, &made.notes),
            self.repo.insert(FormVersion::COLLECTION, &made.forms),
            self.repo.insert(WorkHistory::COLLECTION, &made.histories),
        )?;
        let beside = [beside.0, beside.1, beside.2, beside.3, beside.4];
        let (inserted, refused) = self
            .repo
            .insert_documents(ticket_repo::COLLECTION, &made.tickets)
            .await?;
        self.report().inserted += inserted as u64;
        for row in refused
            .iter()
            .chain(beside.iter().flat_map(|(_, refused)| refused))
        {
            let ticket = made
                .tickets
                .get(row.at)
                .and_then(|ticket| ticket.get_str("_id").ok());
            let remark = format!("the database refuses a part of it: {}", row.reason);
            notes.tell(RepairRule::Unreadable, ticket.unwrap_or("a ticket"), remark);
        }
        Ok(())
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

impl TakenOver {
    fn of(command: &Command, decision: Decision, sheet: &FactSheet) -> anyhow::Result<Self> {
        let key = format!("import:{}", decision.ticket.id);
        let recorded = record(command, sheet, &key)?;
        let keys = vec![recent(&key, &decision.ticket, sheet)];
        let entries = batch::entries(
            &decision.ticket,
            sheet,
            recorded,
            decision.events,
            decision.effects,
        );
        Ok(Self {
            ticket: decision.ticket,
            entries,
            tail: Vec::new(),
            keys,
        })
    }

    fn bring_on(&mut self, decision: Decision, sheet: &FactSheet) -> anyhow::Result<()> {
        let key = format!("import:{}:take-up", decision.ticket.id);
        let recorded = record(&Command::TakeUp, sheet, &key)?;
        self.keys.push(recent(&key, &decision.ticket, sheet));
        self.tail = batch::entries(
            &decision.ticket,
            sheet,
            recorded,
            decision.events,
            decision.effects,
        );
        self.ticket = decision.ticket;
        Ok(())
    }
}

fn finding(rule: RepairRule, ticket: &str, remark: &str) -> Finding {
    let collection = LegacyCollection::Tickets.as_str();
    Finding {
        key: format!("{collection}:{ticket}:{}", rule.as_str()),
        collection: collection.to_owned(),
        subject: ticket.to_owned(),
        rule,
        remark: remark.to_owned(),
        document: None,
    }
}

/// Why nobody but an administrator could do anything, if that is so.
fn out_of_reach(ticket: &Ticket) -> Option<String> {
    responsibility::is_out_of_reach(ticket)
        .then(|| "nobody but an administrator can pass over the task that is open".to_owned())
}

fn note(imported: &mut ImportedTicket, rule: RepairRule, fields: Vec<RepairedField>, remark: Option<String>) {
    match imported.repairs.iter_mut().find(|repair| repair.rule == rule) {
        Some(known) => {
            known.fields.extend(fields);
            known.remark = known.remark.take().or(remark);
        }
        None => imported.repairs.push(Repair { rule, fields, remark }),
    }
}

fn record(command: &Command, sheet: &FactSheet, key: &str) -> anyhow::Result<RecordedCommand> {
    Ok(RecordedCommand {
        key: key.to_owned(),
        fingerprint: String::new(),
        created: None,
        command: serde_json::to_string(command)?,
        facts: serde_json::to_string(sheet)?,
    })
}

fn recent(key: &str, ticket: &Ticket, sheet: &FactSheet) -> RecentKey {
    RecentKey {
        key: key.to_owned(),
        fingerprint: String::new(),
        created: None,
        seq: ticket.version,
        at: sheet.now,
        attempt: String::new(),
    }
}

/// Reads tickets in the order of their ids, beside what has no index by ticket.
pub(super) struct TicketReader {
    tickets: mongodb::Cursor<Document>,
    sorted: Vec<(LegacyCollection, SortedByTicket)>,
}

impl TicketReader {
    /// Begins after `after`.
    pub(super) async fn open(importer: &Importer, after: Option<&Bson>) -> anyhow::Result<Self> {
        let mut sorted = Vec::new();
        for collection in LegacyCollection::OF_TICKETS {
            if !importer.legacy.finds_by_ticket(collection).await? {
                sorted.push((
                    collection,
                    SortedByTicket::new(importer.legacy.clone(), collection),
                ));
            }
        }
        Ok(Self {
            tickets: importer.legacy.walk(LegacyCollection::Tickets, after).await?,
            sorted,
        })
    }

    /// The next tickets; none at the end.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Chunk>> {
        let mut tickets = Vec::with_capacity(BATCH);
        while tickets.len() < BATCH && self.tickets.advance().await? {
            tickets.push(self.tickets.deserialize_current()?);
        }
        let Some(last) = tickets.last().and_then(|ticket| ticket.get("_id")).cloned() else {
            return Ok(None);
        };
        let ids = || tickets.iter().map(|ticket| id_of(Fields(ticket), "ticket_id"));
        let (first, newest) = (ids().min().unwrap_or_default(), ids().max().unwrap_or_default());
        let mut sorted = BTreeMap::new();
        for (collection, reader) in &mut self.sorted {
            sorted.insert(*collection, reader.of_range(first, newest).await?);
        }
        Ok(Some(Chunk {
            last,
            tickets,
            sorted,
        }))
    }
}
