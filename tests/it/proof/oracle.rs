//! What must hold of a database at rest (design 10): every committed command is recorded once, what it caused is where
//! it belongs once and nothing else is there, and every ticket is the fold of its commands.

use bson::{Document, doc};
use futures::{StreamExt, TryStreamExt};
use mongodb::Collection;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use workflow_ops::app::App;
use workflow_ops::domain::audit::{AuditEvent, AuditEventType};
use workflow_ops::domain::effect::{Effect, GrantedPersona, WorkHistory};
use workflow_ops::domain::id::TicketId;
use workflow_ops::domain::tail::{RecordedCommand, TailEntry, TailItem};
use workflow_ops::domain::ticket::{AssignmentStatus, FormVersion, JoinProgress, NoteBody, Ticket};
use workflow_ops::domain::workflow::StepType;
use workflow_ops::repositories::inapp_row::InappRow;
use workflow_ops::repositories::outbox_row::OutboxRow;
use workflow_ops::repositories::relayed::{Relayed, RelayedRow};
use workflow_ops::repositories::ticket_repo::{IndexedTicket, TicketRepo};
use workflow_ops::repositories::user_access_repo::UserAccessRow;
use workflow_ops::services::replay::Replay;

/// Tickets that are looked at side by side.
const SIDE_BY_SIDE: usize = 4;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// How many tickets there are.
    pub(crate) tickets: usize,
    /// How many rows were compared with what the commands say.
    pub(crate) rows: usize,
    /// What must not be, one line each.
    pub(crate) violations: Vec<String>,
}

/// Looks at every ticket of a database whose tails are empty.
pub(crate) async fn look(app: &App) -> Found {
    let mut found = Found::default();
    let health = app.execute.relay().health().await.unwrap();
    if (health.parked, health.open) != (0, 0) {
        found.violations.push(format!(
            "{} entries are parked, {} tails are open",
            health.parked, health.open
        ));
    }
    let mut ids = Vec::new();
    let repo = TicketRepo::new(&app.database);
    loop {
        let more = repo.ids_after(ids.last(), 1_000).await.unwrap();
        if more.is_empty() {
            break;
        }
        ids.extend(more);
    }
    found.tickets = ids.len();
    let looks = ids.into_iter().map(|id| {
        let app = app.clone();
        async move {
            tokio::spawn(async move { look_at(&app, &id).await })
                .await
                .unwrap()
        }
    });
    let mut looks = futures::stream::iter(looks).buffer_unordered(SIDE_BY_SIDE);
    let mut expected: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut granted: BTreeSet<(String, &'static str)> = BTreeSet::new();
    while let Some(looked) = looks.next().await {
        found.violations.extend(looked.violations);
        granted.extend(looked.granted);
        for (collection, rows) in looked.rows {
            *expected.entry(collection).or_default() += rows;
        }
    }
    for (collection, rows) in &expected {
        found.rows += rows;
        let stored = app
            .database
            .collection::<Document>(collection)
            .count_documents(doc! {})
            .await
            .unwrap();
        if stored != *rows as u64 {
            let what = format!("{collection} has {stored} rows instead of {rows}: some belong to no ticket");
            found.violations.push(what);
        }
    }
    found.violations.extend(ungranted(app, granted).await);
    found
}

/// What was seen of one ticket.
#[derive(Debug, Default)]
struct Looked {
    violations: Vec<String>,
    rows: BTreeMap<&'static str, usize>,
    granted: Vec<(String, &'static str)>,
}

async fn look_at(app: &App, id: &TicketId) -> Looked {
    let mut looked = Looked::default();
    let replay = Replay::of(app);
    let replayed = replay.ticket(id).await.unwrap();
    if let Some(difference) = replayed.difference {
        looked
            .violations
            .push(format!("{id} is not the fold of its commands: {difference}"));
    }
    let stored = TicketRepo::new(&app.database)
        .read_indexed(id)
        .await
        .unwrap()
        .unwrap();
    look_at_aggregate(&stored, &mut looked.violations);
    let rows = Rows { app, id };
    let commands = rows
        .of::<RelayedRow<RecordedCommand>>(RecordedCommand::COLLECTION, &mut looked)
        .await;
    look_at_commands(&stored, &commands, &mut looked.violations);
    let entries = match replay.entries(id).await {
        Ok(entries) => entries,
        Err(error) => {
            looked
                .violations
                .push(format!("{id} cannot be decided again: {error}"));
            return looked;
        }
    };
    rows.compare::<RecordedCommand>(&entries, &mut looked).await;
    rows.compare::<AuditEvent>(&entries, &mut looked).await;
    rows.compare::<NoteBody>(&entries, &mut looked).await;
    rows.compare::<FormVersion>(&entries, &mut looked).await;
    rows.compare::<WorkHistory>(&entries, &mut looked).await;
    rows.compare_notices(&entries, &mut looked).await;
    look_at_events(&stored.ticket, &entries, &mut looked);
    looked
}

/// Every version was made by one command, and no key was carried out twice.
fn look_at_commands(
    stored: &IndexedTicket,
    rows: &[RelayedRow<RecordedCommand>],
    violations: &mut Vec<String>,
) {
    let id = &stored.ticket.id;
    let mut versions: Vec<i64> = rows.iter().map(|row| row.seq).collect();
    versions.sort_unstable();
    if versions != (1..=stored.version).collect::<Vec<i64>>() {
        violations.push(format!(
            "{id}: version {} was made by commands {versions:?}",
            stored.version
        ));
    }
    let keys: BTreeSet<&str> = rows.iter().map(|row| row.body.key.as_str()).collect();
    if keys.len() != rows.len() {
        violations.push(format!("{id}: a command was carried out twice"));
    }
}

/// No step, vote or assignment is doubled, and somebody can act as long as the ticket is live.
fn look_at_aggregate(stored: &IndexedTicket, violations: &mut Vec<String>) {
    let ticket = &stored.ticket;
    let steps = ticket
        .steps
        .iter()
        .map(|step| (&step.container, &step.key, step.round));
    must_differ(&ticket.id, "step", steps, violations);
    let votes = ticket
        .approval_tasks
        .iter()
        .map(|task| (&task.ticket_step_id, task.approver.email.key()));
    must_differ(&ticket.id, "approval task", votes, violations);
    let active = ticket
        .assignments
        .iter()
        .filter(|assignment| assignment.status == AssignmentStatus::Active);
    must_differ(
        &ticket.id,
        "active assignment",
        active.map(|active| &active.ticket_step_id),
        violations,
    );
    let forks = ticket.forks.iter().map(|fork| &fork.fork);
    must_differ(&ticket.id, "fork", forks, violations);
    if !ticket.is_live() {
        return;
    }
    let form_waits = ticket
        .steps
        .iter()
        .any(|step| step.is_live() && step.kind == StepType::Form);
    if !form_waits && stored.work.rows.is_empty() && ticket.next_timer_at().is_none() {
        violations.push(format!("{} is live and nobody can act on it", ticket.id));
    }
}

/// What happens once happened once, and nothing happened after the end.
fn look_at_events(ticket: &Ticket, entries: &[TailEntry], looked: &mut Looked) {
    let mut once = Vec::new();
    let mut ends = 0;
    let mut joins = 0;
    for entry in entries {
        match &entry.item {
            TailItem::Audit(event) => match event.event_type {
                AuditEventType::StepActivated | AuditEventType::ForkActivated => {
                    once.push((event.event_type, event.ticket_step_id.clone()));
                }
                AuditEventType::JoinCompleted => joins += 1,
                AuditEventType::TicketCompleted | AuditEventType::CancelTicket => {
                    ends += 1;
                    if entry.key.seq != ticket.version {
                        looked
                            .violations
                            .push(format!("{} was changed after its end", ticket.id));
                    }
                }
                _ => {}
            },
            TailItem::Effect(effect) => {
                if let Effect::Grant(grant) = effect.as_ref() {
                    let persona = match grant.persona {
                        GrantedPersona::Manager => "manager",
                        GrantedPersona::Agent => "agent",
                    };
                    looked.granted.push((grant.person.email.key(), persona));
                }
            }
            TailItem::Command(_) => {}
        }
    }
    must_differ(
        &ticket.id,
        "activation",
        once.iter().map(|(kind, step)| (format!("{kind:?}"), step)),
        &mut looked.violations,
    );
    if ends > 1 {
        looked
            .violations
            .push(format!("{} ended {ends} times", ticket.id));
    }
    let passed = ticket
        .forks
        .iter()
        .filter(|fork| fork.progress == JoinProgress::Passed)
        .count();
    if joins != passed {
        looked
            .violations
            .push(format!("{}: {joins} joins of {passed} forks", ticket.id));
    }
}

fn must_differ<T: Ord + Debug>(
    id: &TicketId,
    what: &str,
    all: impl Iterator<Item = T>,
    violations: &mut Vec<String>,
) {
    let mut seen = BTreeSet::new();
    for one in all {
        if let Some(twice) = seen.replace(one) {
            violations.push(format!("{id}: the {what} {twice:?} is there twice"));
        }
    }
}

/// The rows of one ticket.
struct Rows<'a> {
    app: &'a App,
    id: &'a TicketId,
}

impl Rows<'_> {
    /// All rows of a collection whose stable key names the ticket.
    async fn of<T: DeserializeOwned + Send + Sync>(&self, collection: &str, looked: &mut Looked) -> Vec<T> {
        let rows: Collection<T> = self.app.database.collection(collection);
        let of_ticket = doc! {"_id": {"$gte": format!("{}:", self.id), "$lt": format!("{};", self.id)}};
        match rows.find(of_ticket).await.unwrap().try_collect().await {
            Ok(rows) => rows,
            Err(error) => {
                looked.violations.push(format!(
                    "{}: rows of {collection} cannot be read: {error}",
                    self.id
                ));
                Vec::new()
            }
        }
    }

    /// The rows are those that the entries say, word for word.
    async fn compare<T: Relayed + PartialEq + Debug>(&self, entries: &[TailEntry], looked: &mut Looked) {
        let expected: Vec<RelayedRow<T>> = entries.iter().filter_map(RelayedRow::of).collect();
        let stored: Vec<RelayedRow<T>> = self.of(T::COLLECTION, looked).await;
        let by_key = |rows: Vec<RelayedRow<T>>| -> BTreeMap<String, RelayedRow<T>> {
            rows.into_iter().map(|row| (row.key.to_string(), row)).collect()
        };
        compare(T::COLLECTION, &by_key(expected), &by_key(stored), looked);
    }

    /// Every notice is in the outbox, in the bell, or in both, as its channel says.
    async fn compare_notices(&self, entries: &[TailEntry], looked: &mut Looked) {
        let mut mails = BTreeMap::new();
        let mut bells = BTreeMap::new();
        for entry in entries {
            let TailItem::Effect(effect) = &entry.item else {
                continue;
            };
            let Effect::Notice(notice) = effect.as_ref() else {
                continue;
            };
            let key = entry.key.to_string();
            if let Some(row) = OutboxRow::of(notice, &key, self.id, entry.at, &entry.correlation_id) {
                mails.insert(key.clone(), (row.template_key, row.recipients));
            }
            if let Some(row) = InappRow::of(notice, &key, self.id, entry.at, 1) {
                bells.insert(key, (row.title, row.recipient_email));
            }
        }
        let stored: Vec<OutboxRow> = self.of("notification_outbox", looked).await;
        let stored = stored
            .into_iter()
            .map(|row| (row.key, (row.template_key, row.recipients)))
            .collect();
        compare("notification_outbox", &mails, &stored, looked);
        let stored: Vec<InappRow> = self.of("inapp_notifications", looked).await;
        let stored = stored
            .into_iter()
            .map(|row| (row.key, (row.title, row.recipient_email)))
            .collect();
        compare("inapp_notifications", &bells, &stored, looked);
    }
}

fn compare<T: PartialEq>(
    collection: &'static str,
    expected: &BTreeMap<String, T>,
    stored: &BTreeMap<String, T>,
    looked: &mut Looked,
) {
    *looked.rows.entry(collection).or_default() += stored.len();
    for (key, row) in expected {
        match stored.get(key) {
            None => looked
                .violations
                .push(format!("{key} is lost: it is not in {collection}")),
            Some(found) if found != row => looked
                .violations
                .push(format!("{key} of {collection} is another")),
            Some(_) => {}
        }
    }
    for key in stored.keys().filter(|key| !expected.contains_key(*key)) {
        looked
            .violations
            .push(format!("{key} of {collection} follows from no command"));
    }
}

/// Whoever was given a persona by a ticket holds it, unless an administrator took it away.
async fn ungranted(app: &App, granted: BTreeSet<(String, &'static str)>) -> Vec<String> {
    let rows: Vec<UserAccessRow> = app
        .database
        .collection("user_access")
        .find(doc! {})
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    let holds = |(email, persona): &(String, &'static str)| {
        rows.iter().filter(|row| row.email_key == *email).any(|row| {
            let state = if *persona == "manager" {
                &row.manager
            } else {
                &row.agent
            };
            state.granted || state.taken_by_admin
        })
    };
    let lost = granted.iter().filter(|grant| !holds(grant));
    lost.map(|(email, persona)| format!("{email} was not given the persona {persona}"))
        .collect()
}
