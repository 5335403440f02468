//! The bare driver: the same documents read and written in the same order under the same concerns, and nothing else.
//!
//! A command is the read of the ticket's document, the compare-and-set, and what the relay writes for it: rows in
//! batches across tickets, rank by rank, then out of the tails. A read is the queries of the page or list.

use crate::shapes::{Commit, RANKS};
use crate::template::Copy;
use bson::{Bson, Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use futures::future::try_join_all;
use mongodb::{Collection, Database};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;
use workflow_ops::domain::id::{TicketId, WorkflowId};
use workflow_ops::domain::ticket::TicketStatus;
use workflow_ops::domain::time::Clock;

/// As the service's relay.
const QUEUE: usize = 4_096;
const BATCH: usize = 256;
/// Audit events of a ticket's page.
const EVENTS: i64 = 50;
/// Rows of a page of the inbox.
const PAGE: usize = 20;

/// What the relay has to write for one command.
#[derive(Debug)]
struct Caused {
    ticket: TicketId,
    version: i64,
    entries: usize,
    rows: Vec<(&'static str, RawDocumentBuf)>,
}

/// The bare driver; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Bare {
    database: Database,
    tickets: Collection<RawDocumentBuf>,
    relay: mpsc::Sender<Caused>,
    open: Arc<AtomicUsize>,
}

impl Bare {
    /// Starts its relay.
    pub(crate) fn start(database: &Database) -> Self {
        let (relay, caused) = mpsc::channel(QUEUE);
        let open = Arc::new(AtomicUsize::new(0));
        tokio::spawn(carry_on(database.clone(), caused, Arc::clone(&open)));
        Self {
            database: database.clone(),
            tickets: database.collection("tickets"),
            relay,
            open,
        }
    }

    /// Waits until everything has been carried on.
    pub(crate) async fn settle(&self) {
        while self.open.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    /// A ticket's page: the ticket, and its newest audit events.
    pub(crate) async fn detail(&self, id: &TicketId) -> anyhow::Result<()> {
        let found = self.tickets.find_one(doc! {"_id": id.as_str()}).await?;
        anyhow::ensure!(found.is_some(), "a ticket vanished");
        let events = self.database.collection::<RawDocumentBuf>("audit_events");
        let newest = events
            .find(doc! {"ticket_id": id.as_str()})
            .sort(doc! {"seq": -1, "n": -1})
            .limit(EVENTS)
            .await?;
        let newest: Vec<RawDocumentBuf> = newest.try_collect().await?;
        anyhow::ensure!(!newest.is_empty(), "a ticket has no events");
        Ok(())
    }

    /// A page of an inbox: the person's small rows, and the tickets of the page.
    pub(crate) async fn inbox(&self, queues: &[String]) -> anyhow::Result<()> {
        let rows = self
            .tickets
            .find(doc! {"work.queues": {"$in": queues}})
            .projection(doc! {"work.rows": 1})
            .limit(5_000)
            .await?;
        let rows: Vec<RawDocumentBuf> = rows.try_collect().await?;
        let page: Vec<&str> = rows
            .iter()
            .take(PAGE)
            .filter_map(|row| row.get_str("_id").ok())
            .collect();
        let tickets = self
            .tickets
            .find(doc! {"_id": {"$in": page}})
            .projection(doc! {"version": 1, "ticket": 1, "work": 1})
            .await?;
        let tickets: Vec<RawDocumentBuf> = tickets.try_collect().await?;
        anyhow::ensure!(!tickets.is_empty(), "an inbox is empty");
        Ok(())
    }

    /// A manager's dashboard: how many managed tickets have each status, the tasks to assign, the newest tickets, and the
    /// steps at which the open ones stand.
    pub(crate) async fn dashboard(&self, managed: &[String], queues: &[String]) -> anyhow::Result<()> {
        let counts = vec![
            doc! {"$match": {"work.shelves": {"$in": managed}}},
            doc! {"$group": {"_id": "$work.status", "count": {"$sum": 1_i64}}},
        ];
        let counts: Vec<Document> = self.tickets.aggregate(counts).await?.try_collect().await?;
        anyhow::ensure!(!counts.is_empty(), "a manager manages nothing");
        let rows = self
            .tickets
            .find(doc! {"work.queues": {"$in": queues}})
            .projection(doc! {"version": 1, "work.rows": 1, "work.live": 1})
            .limit(5_000)
            .await?;
        let _rows: Vec<RawDocumentBuf> = rows.try_collect().await?;
        let newest = doc! {"work.updated_at": -1, "_id": -1};
        let recent = self
            .tickets
            .find(doc! {"work.shelves": {"$in": managed}, "work.status": {"$in": statuses(|_| true)?}})
            .sort(newest.clone())
            .projection(doc! {"version": 1, "ticket": 1})
            .limit(5)
            .await?;
        let _recent: Vec<RawDocumentBuf> = recent.try_collect().await?;
        let open = statuses(|status| !status.is_terminal())?;
        let live = self
            .tickets
            .find(doc! {"work.shelves": {"$in": managed}, "work.status": {"$in": open}})
            .sort(newest)
            .projection(doc! {"work.live": 1})
            .limit(5_000)
            .await?;
        let _live: Vec<RawDocumentBuf> = live.try_collect().await?;
        Ok(())
    }

    /// A creation: which version of the workflow is current, whether the ticket was raised in the minute before, and
    /// the insert.
    pub(crate) async fn create(
        &self,
        commit: &Commit,
        workflow: &WorkflowId,
        id: TicketId,
    ) -> anyhow::Result<()> {
        let workflows = self.database.collection::<RawDocumentBuf>("workflows");
        workflows.find_one(doc! {"_id": workflow.as_str()}).await?;
        let before = crate::template::new_ticket_id();
        self.tickets.find_one(doc! {"_id": before.as_str()}).await?;
        let copy = copy(id);
        let document = commit.write.copy(&copy)?;
        self.tickets.insert_one(&document).await?;
        self.hand_over(commit, &copy).await
    }

    /// A command: the read, the compare-and-set, and what follows from it.
    pub(crate) async fn command(&self, commit: &Commit, id: TicketId) -> anyhow::Result<()> {
        let found = self.tickets.find_one(doc! {"_id": id.as_str()}).await?;
        anyhow::ensure!(found.is_some(), "a ticket vanished");
        self.update(commit, id).await
    }

    /// The compare-and-set of a command and what follows from it, without the read.
    pub(crate) async fn update(&self, commit: &Commit, id: TicketId) -> anyhow::Result<()> {
        let copy = copy(id);
        let command = commit.write.copy(&copy)?;
        let reply = self.database.run_raw_command(command).await?;
        anyhow::ensure!(
            reply.get_i32("n").ok() == Some(1),
            "a compare-and-set missed: {reply}"
        );
        self.hand_over(commit, &copy).await
    }

    async fn hand_over(&self, commit: &Commit, copy: &Copy) -> anyhow::Result<()> {
        let rows = commit.rows.iter().map(|(name, row)| Ok((*name, row.copy(copy)?)));
        let caused = Caused {
            ticket: copy.ticket.clone(),
            version: commit.version,
            entries: commit.entries,
            rows: rows.collect::<anyhow::Result<_>>()?,
        };
        self.open.fetch_add(1, Ordering::SeqCst);
        self.relay.send(caused).await?;
        Ok(())
    }
}

/// The words of these statuses.
fn statuses(wanted: fn(TicketStatus) -> bool) -> anyhow::Result<Vec<Bson>> {
    let wanted = TicketStatus::ALL.into_iter().filter(|status| wanted(*status));
    Ok(wanted
        .map(|status| bson::serialize_to_bson(&status))
        .collect::<Result<_, _>>()?)
}

fn copy(ticket: TicketId) -> Copy {
    Copy {
        ticket,
        now: Clock::System.now(),
    }
}

async fn carry_on(database: Database, mut caused: mpsc::Receiver<Caused>, open: Arc<AtomicUsize>) {
    let mut batch = Vec::with_capacity(BATCH);
    while caused.recv_many(&mut batch, BATCH).await > 0 {
        let commands = batch.len();
        if let Err(error) = carry_batch(&database, std::mem::take(&mut batch)).await {
            crate::say(&format!("the bare driver's relay failed: {error:#}"));
        }
        open.fetch_sub(commands, Ordering::SeqCst);
    }
}

async fn carry_batch(database: &Database, batch: Vec<Caused>) -> anyhow::Result<()> {
    let mut by_collection: BTreeMap<&str, Vec<RawDocumentBuf>> = BTreeMap::new();
    let mut statements: Vec<Document> = Vec::with_capacity(batch.len());
    for caused in batch {
        let key = |n: usize| format!("{}:{}:{n}", caused.ticket, caused.version);
        let keys: Vec<String> = (0..caused.entries).map(key).collect();
        statements.push(doc! {
            "q": {"_id": caused.ticket.as_str()}, "u": {"$pull": {"tail": {"key": {"$in": keys}}}},
        });
        for (name, row) in caused.rows {
            by_collection.entry(name).or_default().push(row);
        }
    }
    for rank in RANKS {
        let inserts = rank.iter().filter_map(|name| {
            let rows = by_collection.get(name)?;
            let collection = database.collection::<RawDocumentBuf>(name);
            Some(async move { collection.insert_many(rows).ordered(false).await })
        });
        try_join_all(inserts).await?;
    }
    database
        .run_command(doc! {
            "update": "tickets", "updates": statements, "ordered": false, "writeConcern": {"w": 1},
        })
        .await?;
    Ok(())
}
