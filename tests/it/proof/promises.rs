//! What the service told its callers, against what is stored: nothing acknowledged is lost, nothing was done twice, and
//! every mail went out under one `Message-ID`.

use super::courses::END_OF;
use super::deeds::{Deed, TIMER_MARK};
use super::ledger::{Acknowledged, Blow, Record};
use super::services::PROCESSES;
use crate::support::TakenMail;
use bson::{Document, doc};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use workflow_ops::app::App;
use workflow_ops::repositories::outbox_row::{OutboxRow, OutboxStatus};

/// Mails that a process sends at the same time; those that it has claimed beside them are not handed over yet.
const IN_FLIGHT: usize = 8;

/// The recorded command of a timer that came due.
const FIRE_TIMERS: &str = "\"fire_timers\"";

/// Everything acknowledged is stored once, with what it caused, and nothing else is.
pub(super) async fn kept(app: &App, record: &Record) -> Vec<String> {
    let mut violations = Vec::new();
    let mut told = BTreeSet::new();
    for (number, done) in &record.acknowledged {
        let ticket = &done.values().next().unwrap().ticket;
        told.insert(ticket.clone());
        let is_whole = record.ended.contains(number) && !record.taken_up.contains(number);
        let stored = Stored::read(app, ticket).await;
        violations.extend(stored.breaches(ticket, done, is_whole));
    }
    let tickets: Vec<Document> = rows(app, "tickets", doc! {}, doc! {"_id": 1}).await;
    let untold = tickets
        .iter()
        .filter(|row| !told.contains(row.get_str("_id").unwrap_or_default()))
        .count();
    // Whoever was raising a ticket when the trial was broken off was told nothing of it.
    let last = record
        .acknowledged
        .keys()
        .next_back()
        .copied()
        .unwrap_or_default();
    let silent = (1..=last)
        .filter(|number| !record.acknowledged.contains_key(number))
        .count();
    if untold > silent {
        violations.push(format!("{untold} tickets are there of which nobody was told"));
    }
    violations
}

/// What is stored of one ticket.
struct Stored {
    status: String,
    version: i64,
    keys: Vec<String>,
    /// How many commands were the service's own: timers that came due.
    timers: usize,
    events: Vec<String>,
    notes: Vec<String>,
}

impl Stored {
    async fn read(app: &App, id: &str) -> Self {
        let ticket = rows(
            app,
            "tickets",
            doc! {"_id": id},
            doc! {"version": 1, "ticket.status": 1},
        )
        .await;
        let of_ticket = doc! {"_id": {"$gte": format!("{id}:"), "$lt": format!("{id};")}};
        let word = async |collection: &str, field: &str| -> Vec<String> {
            let found = rows(
                app,
                collection,
                of_ticket.clone(),
                doc! {format!("body.{field}"): 1},
            )
            .await;
            let word = |row: &Document| Some(row.get_document("body").ok()?.get_str(field).ok()?.to_owned());
            found.iter().filter_map(word).collect()
        };
        let head = ticket.first();
        Self {
            status: head
                .and_then(|row| row.get_document("ticket").ok()?.get_str("status").ok())
                .unwrap_or("ABSENT")
                .to_owned(),
            version: head
                .and_then(|row| row.get_i64("version").ok())
                .unwrap_or_default(),
            keys: word("ticket_commands", "key").await,
            timers: word("ticket_commands", "command")
                .await
                .iter()
                .filter(|command| *command == FIRE_TIMERS)
                .count(),
            events: word("audit_events", "event_type").await,
            notes: word("ticket_notes", "content").await,
        }
    }

    fn breaches(&self, ticket: &str, done: &BTreeMap<String, Acknowledged>, is_whole: bool) -> Vec<String> {
        let mut breaches = Vec::new();
        for (key, command) in done {
            let times = self.keys.iter().filter(|stored| *stored == key).count();
            if times != 1 {
                breaches.push(format!(
                    "{ticket}: {:?} by {} was acknowledged and is there {times} times",
                    command.deed, command.who
                ));
            }
            if command.deed.shows_text()
                && self.notes.iter().filter(|note| **note == command.text).count() > 1
            {
                breaches.push(format!("{ticket}: the note \"{}\" is there twice", command.text));
            }
        }
        if !is_whole {
            return breaches;
        }
        if usize::try_from(self.version) != Ok(done.len() + self.timers) {
            breaches.push(format!(
                "{ticket}: {} commands were acknowledged and {} timers fired, {} commands were carried out",
                done.len(),
                self.timers,
                self.version
            ));
        }
        let mut expected: BTreeMap<&str, usize> = BTreeMap::new();
        for mark in done.values().filter_map(|command| command.deed.mark()) {
            *expected.entry(mark).or_default() += 1;
        }
        let title = done
            .values()
            .find(|command| command.deed == Deed::Raise)
            .map(|command| command.text.as_str());
        let course = title.unwrap_or_default().split(' ').next().unwrap_or_default();
        let overdue = usize::from(course == "late");
        expected.insert(TIMER_MARK, overdue);
        if self.timers != overdue {
            let what = format!("{ticket}: {} timers fired instead of {overdue}", self.timers);
            breaches.push(what);
        }
        for (mark, times) in expected {
            let found = self.events.iter().filter(|event| *event == mark).count();
            if found != times {
                breaches.push(format!("{ticket}: {found} events {mark} instead of {times}"));
            }
        }
        let written = done
            .values()
            .filter(|command| matches!(command.deed, Deed::Note | Deed::Message));
        let written: BTreeSet<&str> = written.map(|command| command.text.as_str()).collect();
        let kept: BTreeSet<&str> = self.notes.iter().map(String::as_str).collect();
        if written != kept || kept.len() != self.notes.len() {
            breaches.push(format!(
                "{ticket}: {} notes were written, {} are kept",
                written.len(),
                self.notes.len()
            ));
        }
        let end = END_OF
            .iter()
            .find(|(name, _)| *name == course)
            .map(|(_, end)| *end);
        if end != Some(self.status.as_str()) {
            breaches.push(format!(
                "{ticket} took the course {course} and is {}",
                self.status
            ));
        }
        breaches
    }
}

/// What became of the mails.
#[derive(Debug, Default)]
pub(super) struct Mails {
    /// How many there are.
    pub(super) sent: usize,
    /// How many arrived more than once.
    pub(super) doubled: usize,
    /// How many may have, by the blows that fell.
    pub(super) allowed: usize,
    /// What must not be.
    pub(super) violations: Vec<String>,
}

/// Every mail arrived, at the right address, under the id that follows from its key; and doubled are at most those that
/// were in flight at a blow.
pub(super) async fn delivered(app: &App, taken: &[TakenMail], record: &Record) -> Mails {
    let mut arrived: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for mail in taken {
        let id = mail.header("Message-ID").unwrap_or_default();
        arrived.entry(id).or_default().push(&mail.to[0]);
    }
    let outbox: Vec<OutboxRow> = app
        .database
        .collection("notification_outbox")
        .find(doc! {})
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let mut mails = Mails {
        sent: outbox.len(),
        // A process that is killed, or whose results cannot be written down, has so many under way.
        allowed: IN_FLIGHT
            * record
                .blows
                .iter()
                .map(|(blow, times)| {
                    if *blow == Blow::ServiceKilled {
                        *times
                    } else {
                        *times * PROCESSES
                    }
                })
                .sum::<usize>(),
        ..Mails::default()
    };
    let mut waiting = 0;
    for row in &outbox {
        let id = message_id(row);
        let to = row.recipients[0].as_str();
        match arrived.remove(&id) {
            _ if row.status == OutboxStatus::Pending => waiting += 1,
            _ if row.status != OutboxStatus::Sent => {
                mails
                    .violations
                    .push(format!("mail {} is {:?}", row.key, row.status));
            }
            None => mails.violations.push(format!(
                "mail {} to {to} is said to be sent and never arrived",
                row.key
            )),
            Some(copies) if copies.iter().any(|copy| !copy.eq_ignore_ascii_case(to)) => {
                mails
                    .violations
                    .push(format!("mail {} went to {copies:?} instead of {to}", row.key));
            }
            Some(copies) => mails.doubled += usize::from(copies.len() > 1) * (copies.len() - 1),
        }
    }
    if waiting > 0 {
        mails.violations.push(format!("{waiting} mails are not sent"));
    }
    for (id, to) in arrived {
        mails
            .violations
            .push(format!("a mail {id} to {to:?} follows from no row of the outbox"));
    }
    if mails.doubled > mails.allowed {
        let what = format!(
            "{} mails were doubled, at most {} were in flight",
            mails.doubled, mails.allowed
        );
        mails.violations.push(what);
    }
    mails
}

/// The id that follows from a mail's key.
fn message_id(row: &OutboxRow) -> String {
    let mut digest = hex::encode(Sha256::digest(row.key.as_bytes()));
    digest.truncate(24);
    format!("<{}.{digest}@contoso.example>", row.notification_id)
}

async fn rows(app: &App, collection: &str, filter: Document, projection: Document) -> Vec<Document> {
    let rows = app.database.collection::<Document>(collection);
    rows.find(filter)
        .projection(projection)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap()
}
