//! A turn of a ticket: a batch of commands decided one after another in memory and committed by one write.
//!
//! Invariants: nothing is answered before it is committed; a command that is refused, panics or still needs facts
//! leaves no trace; a refusal is answered only on a state that was current after the command came in, either because
//! it was read since or because the batch's own commit proved it.

use super::batch::{Batch, NEWEST_EVENTS, Outcome};
use super::request::{CommandKey, Executed, ExpectedVersion};
use crate::domain::error::ServiceError;
use crate::domain::id::{AttachmentId, TicketId};
use crate::domain::refusal::Refusal;
use crate::domain::tail::{RECENT_KEYS, RecentKey, TAIL_ENTRIES};
use crate::domain::ticket::Ticket;
use crate::domain::workflow::VersionRef;
use crate::engine::{Command, Definitions, FactSheet, Need, work_index};
use crate::repositories::audit_repo::AuditRow;
use crate::repositories::ticket_repo::TicketRepo;
use crate::repositories::ticket_tails::StoredTail;
use crate::repositories::ticket_write::{Commit, CommitOutcome};
use crate::services::facts::FactSource;
use crate::services::relay::Relay;
use backon::{BackoffBuilder, ExponentialBuilder};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// How often a batch is decided again after another process was faster.
const RACES: usize = 12;
/// A tail that is heavier than this makes the next command wait for the relay, in bytes of the whole document.
const HEAVY_DOCUMENT: usize = 12 * 1024 * 1024;
/// How often a turn waits for the relay before its commands are told to come back.
const RELAY_WAITS: usize = 3;

/// A command with all that is known for it.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// The command.
    pub(crate) command: Arc<Command>,
    /// The facts gathered so far.
    pub(crate) sheet: FactSheet,
    /// Embedded versions it turned out to need.
    pub(crate) embedded: Vec<VersionRef>,
    /// The key it will be committed under.
    pub(crate) key: CommandKey,
    /// Whether older commands than the ticket remembers have been searched for the key.
    pub(crate) key_searched: bool,
    /// The version the caller expects.
    pub(crate) expected: Option<ExpectedVersion>,
    /// Files that have been claimed for it.
    pub(crate) claimed: HashSet<AttachmentId>,
}

/// A command on its way, and where its answer goes.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// The command.
    pub(crate) prepared: Prepared,
    /// Where the answer goes; closed when the client went away.
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// What a turn answers.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Committed, or found to be done.
    Done(Executed),
    /// Refused, or not carried out.
    Failed(ServiceError),
    /// Facts are missing.
    Needs(Vec<Need>),
    /// Files must be claimed first.
    Claims(Vec<AttachmentId>),
    /// Older commands must be searched for the key first.
    SearchKey,
}

/// The ticket as this process knows it between two batches.
#[derive(Debug)]
pub(crate) struct Held {
    pub(super) ticket: Arc<Ticket>,
    pub(super) recent_keys: VecDeque<RecentKey>,
    pub(super) definitions: Definitions,
    pub(super) newest: Vec<AuditRow>,
    tail_entries: usize,
    bytes: usize,
}

/// Decides and commits batches; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    tickets: TicketRepo,
    facts: FactSource,
    relay: Relay,
}

/// How a batch goes on after an attempt to commit it.
enum Next {
    Done,
    Again(Vec<Envelope>),
    OneByOne(Vec<Envelope>),
}

impl Turns {
    pub(crate) const fn new(tickets: TicketRepo, facts: FactSource, relay: Relay) -> Self {
        Self {
            tickets,
            facts,
            relay,
        }
    }

    /// Decides and commits a batch; every envelope is answered.
    pub(crate) async fn run(&self, ticket_id: &TicketId, held: &mut Option<Held>, batch: Vec<Envelope>) {
        let mut queue = VecDeque::from([batch]);
        while let Some(batch) = queue.pop_front() {
            if let Some(rest) = self.run_batch(ticket_id, held, batch).await {
                // The server refused the batch as a whole: alone, only the guilty command fails.
                queue.extend(rest.into_iter().map(|envelope| vec![envelope]));
            }
        }
    }

    async fn run_batch(
        &self,
        ticket_id: &TicketId,
        held: &mut Option<Held>,
        batch: Vec<Envelope>,
    ) -> Option<Vec<Envelope>> {
        let mut pauses = pauses();
        let mut relay_waits = 0;
        let mut is_fresh = false;
        let mut waiting = batch;
        loop {
            waiting.retain(|envelope| !envelope.answer.is_closed());
            if waiting.is_empty() {
                return None;
            }
            let mut known = match held.take() {
                Some(known) => known,
                None => match self.load(ticket_id).await {
                    Ok(Some(known)) => {
                        is_fresh = true;
                        known
                    }
                    Ok(None) => return fail_all(waiting, || Refusal::TicketNotFound.into()),
                    Err(error) => return fail_with(waiting, error),
                },
            };
            if known.is_full() {
                relay_waits += 1;
                if relay_waits > RELAY_WAITS {
                    return fail_all(waiting, unavailable);
                }
                if let Err(error) = self.relay.flush(ticket_id).await {
                    return fail_with(waiting, error);
                }
                continue;
            }
            if let Err(error) = self.embed(&mut known, &waiting).await {
                return fail_with(waiting, error);
            }
            let decided = Batch::decide(&known, &self.facts, waiting);
            if decided.is_empty() {
                if is_fresh {
                    *held = Some(known);
                    decided.answer();
                    return None;
                }
                // What is known may be older than the commands: look again before refusing.
                waiting = decided.into_envelopes();
                continue;
            }
            match self.commit(known, held, decided).await {
                Next::Done => return None,
                Next::OneByOne(rest) => return Some(rest),
                Next::Again(rest) => {
                    is_fresh = false;
                    waiting = rest;
                    let Some(pause) = pauses.next() else {
                        metrics::counter!("workflow_commit_gave_up_total").increment(1);
                        return fail_all(waiting, unavailable);
                    };
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn commit(&self, known: Held, held: &mut Option<Held>, decided: Batch) -> Next {
        let work = work_index::derive(decided.ticket(), &known.definitions);
        let commit = Commit {
            base: known.ticket.version,
            ticket: decided.ticket(),
            work: &work,
            keys: decided.keys(),
            entries: decided.entries(),
        };
        let started = tokio::time::Instant::now();
        let outcome = self.tickets.writes().commit(&commit).await;
        metrics::histogram!("workflow_commit_seconds").record(started.elapsed().as_secs_f64());
        match outcome {
            Ok(CommitOutcome::Committed { bytes }) => {
                metrics::counter!("workflow_commands_total").increment(decided.keys().len() as u64);
                *held = Some(known.after(&decided, bytes));
                let entries = decided.answer();
                self.relay.hand_over(entries);
                Next::Done
            }
            Ok(CommitOutcome::Lost) => {
                metrics::counter!("workflow_commit_lost_races_total").increment(1);
                Next::Again(decided.into_envelopes())
            }
            Ok(CommitOutcome::TooLarge) => refuse(decided, || Refusal::TicketTooLarge.into()),
            Ok(CommitOutcome::Refused(reason)) => {
                tracing::error!(ticket.id = %known.ticket.id, reason, "the database refused a commit");
                let text = format!("the database refused a commit: {reason}");
                refuse(decided, move || ServiceError::defect(text.clone()))
            }
            Err(error) => {
                fail_with(decided.into_envelopes(), error.into());
                Next::Done
            }
        }
    }

    async fn load(&self, ticket_id: &TicketId) -> Result<Option<Held>, ServiceError> {
        let Some(loaded) = self.tickets.load(ticket_id).await? else {
            return Ok(None);
        };
        let definitions = self.facts.definitions_of(&loaded.ticket).await?;
        Ok(Some(Held {
            ticket: Arc::new(loaded.ticket),
            recent_keys: loaded.recent_keys.into(),
            definitions,
            newest: newest_of(&loaded.tail),
            tail_entries: loaded.tail.len(),
            bytes: loaded.bytes,
        }))
    }

    async fn embed(&self, known: &mut Held, waiting: &[Envelope]) -> Result<(), ServiceError> {
        for version in waiting.iter().flat_map(|envelope| &envelope.prepared.embedded) {
            self.facts.embed(&mut known.definitions, version).await?;
        }
        Ok(())
    }
}

impl Held {
    fn is_full(&self) -> bool {
        self.tail_entries >= TAIL_ENTRIES || self.bytes >= HEAVY_DOCUMENT
    }

    /// What is known after a commit. The relay takes entries away meanwhile, so the counts are upper bounds; at the
    /// bound the ticket is read again.
    fn after(mut self, decided: &Batch, bytes: usize) -> Self {
        self.ticket = Arc::clone(decided.state());
        self.recent_keys.extend(decided.keys().iter().cloned());
        let surplus = self.recent_keys.len().saturating_sub(RECENT_KEYS);
        self.recent_keys.drain(..surplus);
        self.newest = decided.newest().to_vec();
        self.tail_entries = self.tail_entries.saturating_add(decided.entries().len());
        self.bytes = self.bytes.saturating_add(bytes);
        self
    }
}

fn newest_of(tail: &StoredTail) -> Vec<AuditRow> {
    let mut events = AuditRow::all_of(&tail.entries);
    let surplus = events.len().saturating_sub(NEWEST_EVENTS);
    events.drain(..surplus);
    events
}

/// A batch of one is to blame itself; of several, each is tried alone.
fn refuse(decided: Batch, error: impl Fn() -> ServiceError) -> Next {
    if decided.keys().len() > 1 {
        return Next::OneByOne(decided.into_envelopes());
    }
    let mut rest = Vec::new();
    for (envelope, outcome) in decided.into_outcomes() {
        if matches!(outcome, Outcome::Applied(_)) {
            let _ = envelope.answer.send(Answer::Failed(error()));
        } else {
            rest.push(envelope);
        }
    }
    Next::Again(rest)
}

fn fail_all(waiting: Vec<Envelope>, error: impl Fn() -> ServiceError) -> Option<Vec<Envelope>> {
    for envelope in waiting {
        let _ = envelope.answer.send(Answer::Failed(error()));
    }
    None
}

/// Tells everybody that the batch failed; the first one's error carries the cause into the log.
fn fail_with(waiting: Vec<Envelope>, error: ServiceError) -> Option<Vec<Envelope>> {
    let is_defect = matches!(error, ServiceError::Defect(_));
    let text = error.to_string();
    let mut first = Some(error);
    fail_all_with(waiting, || {
        first.take().unwrap_or_else(|| {
            if is_defect {
                ServiceError::defect(text.clone())
            } else {
                unavailable()
            }
        })
    })
}

fn fail_all_with(waiting: Vec<Envelope>, mut error: impl FnMut() -> ServiceError) -> Option<Vec<Envelope>> {
    for envelope in waiting {
        let _ = envelope.answer.send(Answer::Failed(error()));
    }
    None
}

fn unavailable() -> ServiceError {
    ServiceError::Unavailable {
        retry_after: Duration::from_secs(1),
        source: None,
    }
}

fn pauses() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(2))
        .with_max_delay(Duration::from_millis(150))
        .with_max_times(RACES)
        .with_jitter()
        .build()
}
