//! Verification: both databases are read once more and compared, document by document, fact by fact. A difference is
//! explained only by a repair or a finding that tells of this very document.

use super::families::{self, Family};
use super::report::Verified;
use super::stage::{Notes, Stage, next_batch, subject};
use super::ticket::history::{BEFORE, History};
use super::ticket::{LegacyTicket, compare, id_of};
use super::ticket_reader::{Chunk, TicketReader};
use super::{Importer, Mode};
use crate::domain::audit::AuditEvent;
use crate::domain::import::{ImportedTicket, RepairRule};
use crate::domain::tail::RecordedCommand;
use crate::domain::ticket::{FormVersion, NoteBody, Ticket};
use crate::engine::{Command, Definitions, FactSheet, Facts, Verdict, decide, work_index};
use crate::repositories::audit_repo::AuditRow;
use crate::repositories::form_version_repo::FormVersionRow;
use crate::repositories::import_repo::{Finding, ImportedRow};
use crate::repositories::legacy::{Fields, LegacyCollection};
use crate::repositories::note_repo::NoteRow;
use crate::repositories::relayed::RelayedRow;
use bson::{Document, doc};
use std::collections::{BTreeMap, BTreeSet};

/// What comparing a part of both databases has come to.
#[derive(Debug, Default)]
pub(super) struct Verification {
    found: Verified,
    /// Documents that belong to tickets, as many as were met with their tickets.
    met: BTreeMap<LegacyCollection, u64>,
}

impl Verified {
    pub(super) fn take(&mut self, part: Verification) {
        self.compared += part.found.compared;
        self.explained += part.found.explained;
        let told = part.found.differences.len() as u64;
        for difference in part.found.differences {
            let (before, after) = (difference.before, difference.after);
            self.add(&difference.subject, &difference.field, before, after);
        }
        self.unexplained += part.found.unexplained.saturating_sub(told);
        for (collection, count) in part.met {
            *self.met.entry(collection).or_default() += count;
        }
    }
}

impl Verification {
    fn differs(
        &mut self,
        subject: &str,
        field: &str,
        before: impl std::fmt::Display,
        after: impl std::fmt::Display,
    ) {
        self.found
            .add(subject, field, format!("{before}"), format!("{after}"));
    }

    /// Compares a ticket's documents with what was taken over of them.
    pub(super) fn compare(&mut self, legacy: &LegacyTicket, imported: &ImportedTicket) {
        self.found.compared += 1;
        for collection in LegacyCollection::OF_TICKETS {
            let count = legacy.all(collection).count() as u64;
            self.found.compared += count;
            *self.met.entry(collection).or_default() += count;
        }
        for difference in compare::differences(legacy, &imported.ticket) {
            let told = difference.to_field();
            let mut repairs = imported.repairs.iter().flat_map(|repair| &repair.fields);
            if repairs.any(|field| *field == told) {
                self.found.explained += 1;
            } else {
                self.differs(&told.subject, &told.field, told.before, told.after);
            }
        }
    }

    /// Compares a ticket's events, notes and form versions with what is kept of them.
    pub(super) fn compare_history(&mut self, legacy: &LegacyTicket, kept: &History) {
        let id = legacy.id();
        let mut events: BTreeMap<&str, (Option<&str>, Option<i64>)> = BTreeMap::new();
        for event in legacy.all(LegacyCollection::AuditEvents) {
            let at = event
                .instant("timestamp")
                .map(crate::domain::time::Timestamp::millis);
            events.insert(id_of(event, "audit_event_id"), (event.text("event_type"), at));
        }
        let mut met = 0;
        for row in &kept.events {
            let public = row.body.public_id(&row.key);
            let word = serde_json::to_value(row.body.event_type).unwrap_or_default();
            match events.get(public.as_str()) {
                Some((told, at)) if at.is_none_or(|at| at == row.at.millis()) => {
                    met += 1;
                    if word.as_str() != *told && word != "IMPORTED_EVENT" {
                        self.differs(public.as_str(), "event_type", format!("{told:?}"), word);
                    }
                }
                Some((_, at)) => self.differs(public.as_str(), "timestamp", format!("{at:?}"), row.at),
                None => self.differs(public.as_str(), "exists", false, true),
            }
        }
        if met != events.len() {
            self.differs(id, "audit_events", events.len(), met);
        }
        let mut told: Vec<String> = Vec::new();
        for step in legacy.all(LegacyCollection::TicketSteps) {
            if let Some(data) = step.object("data") {
                told.extend(
                    data.objects("notes")
                        .map(|note| note.owned("content").unwrap_or_default()),
                );
            }
        }
        let own = legacy.fields().objects("requester_notes");
        told.extend(own.map(|note| note.owned("content").unwrap_or_default()));
        let mut ours: Vec<String> = kept.notes.iter().map(|note| note.body.content.clone()).collect();
        told.sort();
        ours.sort();
        if told != ours {
            self.differs(id, "notes", told.len(), ours.len());
        }
        let mut versions: BTreeMap<i64, serde_json::Value> = BTreeMap::new();
        for version in legacy.fields().objects("form_versions") {
            let values = || version.json("form_values").to_value();
            versions
                .entry(version.whole("version").unwrap_or(1))
                .or_insert_with(values);
        }
        for (number, values) in versions {
            let ours = kept
                .forms
                .iter()
                .find(|form| i64::from(form.body.version) == number);
            if ours.map(|form| form.body.data.form_values.to_value()) != Some(values) {
                self.differs(id, "form_versions", number, "other values or none");
            }
        }
    }
}

/// What is stored of a chunk's tickets.
struct Stored {
    tickets: BTreeMap<String, ImportedRow>,
    commands: BTreeMap<String, Vec<RelayedRow<RecordedCommand>>>,
    events: BTreeMap<String, Vec<AuditRow>>,
    notes: BTreeMap<String, Vec<NoteRow>>,
    forms: BTreeMap<String, Vec<FormVersionRow>>,
}

impl Importer {
    /// Compares both databases.
    pub(super) async fn verify(&self) -> anyhow::Result<()> {
        if self.mode == Mode::Write {
            for family in families::ALL {
                self.verify_family(family).await?;
            }
            self.verify_tickets().await?;
        }
        self.find_strays().await
    }

    async fn verify_tickets(&self) -> anyhow::Result<()> {
        let expected = self.legacy.estimate(LegacyCollection::Tickets).await?;
        self.progress.begin_named("verifying tickets", expected);
        let mut reader = TicketReader::open(self, None).await?;
        let mut done = 0;
        while let Some(chunk) = reader.next().await? {
            done += i64::try_from(chunk.tickets.len())?;
            let part = self.verify_chunk(chunk).await?;
            self.report().verified.get_or_insert_default().take(part);
            self.progress.at(done);
        }
        self.progress.end();
        Ok(())
    }

    async fn verify_chunk(&self, chunk: Chunk) -> anyhow::Result<Verification> {
        let ids: Vec<String> = chunk
            .tickets
            .iter()
            .map(|ticket| id_of(Fields(ticket), "ticket_id").to_owned())
            .collect();
        let (legacy, mut stored) = futures::try_join!(self.with_all(chunk), self.stored(&ids))?;
        let left = self
            .repo
            .findings_of(LegacyCollection::Tickets.as_str(), &ids)
            .await?;
        let left: BTreeSet<&str> = left
            .iter()
            .filter(|finding| finding.document.is_some())
            .map(|finding| finding.subject.as_str())
            .collect();
        let mut found = Verification::default();
        for ticket in legacy {
            let id = ticket.id().to_owned();
            let Some(row) = stored.tickets.remove(&id) else {
                for collection in LegacyCollection::OF_TICKETS {
                    *found.met.entry(collection).or_default() += ticket.all(collection).count() as u64;
                }
                if left.contains(id.as_str()) {
                    found.found.explained += 1;
                } else {
                    found.differs(&id, "exists", true, false);
                }
                continue;
            };
            let commands = stored.commands.remove(&id).unwrap_or_default();
            let Some(imported) = commands.first().and_then(|row| imported_by(&row.body)) else {
                found.differs(&id, "ticket_commands", "its import", "none");
                continue;
            };
            found.compare(&ticket, &imported);
            let history = History {
                events: stored.events.remove(&id).unwrap_or_default(),
                notes: stored.notes.remove(&id).unwrap_or_default(),
                forms: stored.forms.remove(&id).unwrap_or_default(),
            };
            found.compare_history(&ticket, &history);
            if let Some(reason) = self.fold_again(&ticket, &row, commands).await? {
                found.differs(&id, "replay", "equal to the stored ticket", reason);
            }
        }
        Ok(found)
    }

    async fn stored(&self, ids: &[String]) -> anyhow::Result<Stored> {
        let before = || doc! {"seq": BEFORE};
        let (tickets, commands, events, notes, forms) = futures::try_join!(
            self.repo.tickets(ids),
            self.repo.relayed::<RecordedCommand>(ids, Document::new()),
            self.repo.relayed::<AuditEvent>(ids, before()),
            self.repo.relayed::<NoteBody>(ids, before()),
            self.repo.relayed::<FormVersion>(ids, before()),
        )?;
        let mut stored = Stored {
            tickets: BTreeMap::new(),
            commands: by_ticket(commands),
            events: by_ticket(events),
            notes: by_ticket(notes),
            forms: by_ticket(forms),
        };
        for row in tickets {
            let id = row.ticket.id.to_string();
            let tail = row.tail.iter().filter_map(RelayedRow::<RecordedCommand>::of);
            stored.commands.entry(id.clone()).or_default().extend(tail);
            stored.tickets.insert(id, row);
        }
        for commands in stored.commands.values_mut() {
            commands.sort_by_key(|row| row.seq);
            commands.dedup_by_key(|row| row.seq);
        }
        Ok(stored)
    }

    /// Why the stored ticket is not the fold of its commands, if that is so.
    async fn fold_again(
        &self,
        legacy: &LegacyTicket,
        row: &ImportedRow,
        commands: Vec<RelayedRow<RecordedCommand>>,
    ) -> anyhow::Result<Option<String>> {
        let mut definitions = self.versions_of(legacy).await?.definitions;
        for step in &row.ticket.steps {
            if let Some(run) = &step.embedded {
                self.embed(&mut definitions, &run.version).await?;
            }
        }
        let mut ticket: Option<Ticket> = None;
        for recorded in commands.iter().filter(|recorded| recorded.seq <= row.version) {
            match apply(ticket.as_ref(), &recorded.body, &definitions) {
                Ok(next) => ticket = Some(next),
                Err(reason) => return Ok(Some(format!("command {}: {reason}", recorded.seq))),
            }
        }
        let Some(ticket) = ticket else {
            return Ok(Some("no command is recorded".to_owned()));
        };
        let is_equal = ticket == row.ticket
            && ticket.version == row.version
            && work_index::derive(&ticket, &definitions) == row.work;
        Ok((!is_equal).then(|| "another ticket".to_owned()))
    }

    async fn verify_family(&self, family: Family) -> anyhow::Result<()> {
        let expected = self.legacy.estimate(family.stage.collection()).await?;
        self.progress
            .begin_named(&format!("verifying {}", family.stage.as_str()), expected);
        let mut documents = self.legacy.walk(family.stage.collection(), None).await?;
        loop {
            let batch = next_batch(&mut documents).await?;
            if batch.is_empty() {
                self.progress.end();
                return Ok(());
            }
            let all = || batch.iter().map(Fields);
            let ids: Vec<String> = all().map(|fields| subject(fields, family.id)).collect();
            let keys: Vec<String> = all().map(|fields| family.key_of(fields)).collect();
            let rows = self.repo.rows_of(family.target, family.ours, &keys).await?;
            let findings = self.repo.findings_of(family.stage.as_str(), &ids).await?;
            self.compare_family(family, &batch, &rows, &findings);
        }
    }

    /// Compares documents of a family with the rows made of them.
    pub(super) fn compare_family(
        &self,
        family: Family,
        batch: &[Document],
        rows: &[Document],
        findings: &[Finding],
    ) {
        let mut part = Verification::default();
        let ours: BTreeMap<&str, &Document> = rows
            .iter()
            .filter_map(|row| Some((row.get_str(family.ours).ok()?, row)))
            .collect();
        for document in batch {
            let fields = Fields(document);
            let id = subject(fields, family.id);
            part.found.compared += 1;
            let is_told = findings.iter().any(|finding| finding.subject == id)
                || (family.is_past)(fields, self.started_at);
            let differences = match ours.get(family.key_of(fields).as_str()) {
                Some(row) => family.differences(fields, Fields(row)),
                None => vec![("exists", "true".to_owned(), "false".to_owned())],
            };
            for (field, before, after) in differences {
                if is_told {
                    part.found.explained += 1;
                } else {
                    part.differs(&id, field, before, after);
                }
            }
        }
        self.report().verified.get_or_insert_default().take(part);
    }

    /// Documents of tickets that do not exist; looked for only where fewer were met with their tickets than there are.
    async fn find_strays(&self) -> anyhow::Result<()> {
        let met = self.report().verified.get_or_insert_default().met.clone();
        for collection in LegacyCollection::OF_TICKETS {
            if self.legacy.count(collection).await? > met.get(&collection).copied().unwrap_or(0) {
                self.find_strays_in(collection).await?;
            }
        }
        Ok(())
    }

    async fn find_strays_in(&self, collection: LegacyCollection) -> anyhow::Result<()> {
        let mut documents = self.legacy.walk(collection, None).await?;
        loop {
            let batch = next_batch(&mut documents).await?;
            if batch.is_empty() {
                return Ok(());
            }
            let owner = |document: &Document| Fields(document).owned("ticket_id").unwrap_or_default();
            let owners: Vec<String> = batch.iter().map(owner).collect();
            let known = self.legacy.by_ids(LegacyCollection::Tickets, &owners).await?;
            let known: BTreeSet<String> = known
                .iter()
                .map(|ticket| id_of(Fields(ticket), "ticket_id").to_owned())
                .collect();
            let mut notes = Notes::new(collection);
            for document in batch.iter().filter(|document| !known.contains(&owner(document))) {
                let id = subject(Fields(document), "_id");
                let remark = format!("there is no ticket {:?}", owner(document));
                notes.leave(RepairRule::TicketIsMissing, &id, remark, document);
            }
            if self.mode == Mode::Write {
                self.repo.keep_findings(&notes.findings).await?;
            }
            let mut report = self.report();
            report.stages.entry(Stage::Tickets).or_default().add(&notes.tally);
            let explained = notes.findings.len() as u64;
            report.verified.get_or_insert_default().explained += explained;
            report.keep(notes.findings);
        }
    }
}

fn by_ticket<T>(rows: Vec<RelayedRow<T>>) -> BTreeMap<String, Vec<RelayedRow<T>>> {
    let mut sorted: BTreeMap<String, Vec<RelayedRow<T>>> = BTreeMap::new();
    for row in rows {
        sorted.entry(row.ticket_id.to_string()).or_default().push(row);
    }
    sorted
}

fn imported_by(recorded: &RecordedCommand) -> Option<ImportedTicket> {
    match serde_json::from_str(&recorded.command) {
        Ok(Command::Import(imported)) => Some(*imported),
        Ok(_) | Err(_) => None,
    }
}

fn apply(
    ticket: Option<&Ticket>,
    recorded: &RecordedCommand,
    definitions: &Definitions,
) -> Result<Ticket, String> {
    let command: Command = serde_json::from_str(&recorded.command).map_err(|error| error.to_string())?;
    let sheet: FactSheet = serde_json::from_str(&recorded.facts).map_err(|error| error.to_string())?;
    let facts = Facts {
        sheet: &sheet,
        definitions,
    };
    match decide(ticket, &command, &facts) {
        Ok(Verdict::Applied(decision)) => Ok(decision.ticket),
        Ok(Verdict::AlreadyDone { .. }) => Err("it had had its effect already".to_owned()),
        Err(undecided) => Err(format!("{undecided:?}")),
    }
}
