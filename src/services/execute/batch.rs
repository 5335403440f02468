//! A batch in memory: each command is decided on the state the one before it left, none sees another's refusal.

use super::request::{Executed, ExpectedVersion};
use super::turn::{Answer, Envelope, Held, Prepared};
use crate::domain::audit::AuditEvent;
use crate::domain::error::ServiceError;
use crate::domain::id::{AttachmentId, random_key};
use crate::domain::refusal::Refusal;
use crate::domain::tail::{RECENT_KEYS, RecentKey, RecordedCommand, StableKey, TailEntry, TailItem};
use crate::domain::ticket::Ticket;
use crate::engine::{
    Command, Decision, Definitions, Effect, FactSheet, Facts, Need, Undecided, Verdict, decide,
};
use crate::repositories::audit_repo::AuditRow;
use crate::services::facts::FactSource;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// How long a client's idempotency key is honoured, in minutes.
pub(super) const KEY_MINUTES: i64 = 24 * 60;

/// How many events an answer shows.
pub(crate) const NEWEST_EVENTS: usize = 5;

/// What one command of a batch came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// It takes effect with this batch's commit.
    Applied(Executed),
    /// It had its effect before.
    Found(Executed),
    /// It is refused or failed.
    Failed(ServiceError),
    /// Facts are missing.
    Needs(Vec<Need>),
    /// Files must be claimed first.
    Claims(Vec<AttachmentId>),
    /// Older commands must be searched for its key first.
    SearchKey,
}

/// A batch that has been decided and not yet committed.
#[derive(Debug)]
pub(super) struct Batch {
    state: Arc<Ticket>,
    /// The word of the write that will commit it.
    attempt: String,
    keys: Vec<RecentKey>,
    entries: Vec<TailEntry>,
    newest: Vec<AuditRow>,
    outcomes: Vec<(Envelope, Outcome)>,
}

impl Batch {
    /// Decides commands one after another on what is known of the ticket.
    pub(super) fn decide(known: &Held, facts: &FactSource, envelopes: Vec<Envelope>) -> Self {
        let mut batch = Self {
            state: Arc::clone(&known.ticket),
            attempt: random_key(),
            keys: Vec::new(),
            entries: Vec::new(),
            newest: known.newest.clone(),
            outcomes: Vec::with_capacity(envelopes.len()),
        };
        for envelope in envelopes {
            let outcome = batch.decide_one(known, facts, &envelope.prepared);
            batch.outcomes.push((envelope, outcome));
        }
        batch
    }

    /// Whether nothing takes effect.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The aggregate after the batch.
    pub(super) fn ticket(&self) -> &Ticket {
        &self.state
    }

    /// The aggregate after the batch, shared.
    pub(super) fn state(&self) -> &Arc<Ticket> {
        &self.state
    }

    /// The keys of the commands that take effect.
    pub(super) fn keys(&self) -> &[RecentKey] {
        &self.keys
    }

    /// What they caused.
    pub(super) fn entries(&self) -> &[TailEntry] {
        &self.entries
    }

    /// The newest events that the relay had not carried on when the ticket was loaded, or that came since.
    pub(super) fn newest(&self) -> &[AuditRow] {
        &self.newest
    }

    /// Gives the commands back, undecided.
    pub(super) fn into_envelopes(self) -> Vec<Envelope> {
        self.outcomes.into_iter().map(|(envelope, _)| envelope).collect()
    }

    /// Gives the commands back with what they came to.
    pub(super) fn into_outcomes(self) -> Vec<(Envelope, Outcome)> {
        self.outcomes
    }

    /// Answers every command, once the batch is committed or has nothing to commit; returns what it caused.
    pub(super) fn answer(self) -> Vec<TailEntry> {
        for (envelope, outcome) in self.outcomes {
            let answer = match outcome {
                Outcome::Applied(executed) | Outcome::Found(executed) => Answer::Done(executed),
                Outcome::Failed(error) => Answer::Failed(error),
                Outcome::Needs(needs) => Answer::Needs(needs),
                Outcome::Claims(ids) => Answer::Claims(ids),
                Outcome::SearchKey => Answer::SearchKey,
            };
            // Nobody listens when the client went away; what is committed stays so.
            let _ = envelope.answer.send(answer);
        }
        self.entries
    }

    fn decide_one(&mut self, known: &Held, facts: &FactSource, prepared: &Prepared) -> Outcome {
        let mut sheet = prepared.sheet.clone();
        facts.stamp(&mut sheet, Some(self.state.updated_at));
        if prepared.key.from_client {
            let recent = self.keys.iter().rev().chain(known.recent_keys.iter().rev());
            let oldest = sheet.now.plus_minutes(-KEY_MINUTES);
            let first = recent
                .filter(|recent| recent.at >= oldest)
                .find(|recent| recent.key == prepared.key.key);
            if let Some(first) = first {
                return self.repeat_of(first, &prepared.key.fingerprint);
            }
            let remembered = i64::try_from(RECENT_KEYS).unwrap_or(i64::MAX);
            if !prepared.key_searched && self.state.version > remembered {
                return Outcome::SearchKey;
            }
        }
        match decide_safely(Some(&self.state), &prepared.command, &sheet, &known.definitions) {
            Err(outcome) => self.unless_unexpected(prepared, outcome),
            Ok(Verdict::AlreadyDone { created }) => Outcome::Found(self.executed(created, Vec::new(), false)),
            Ok(Verdict::Applied(decision)) => {
                if let Some(conflict) = self.conflict(prepared.expected) {
                    return Outcome::Failed(conflict);
                }
                let unclaimed = unclaimed(&decision, prepared);
                if !unclaimed.is_empty() {
                    return Outcome::Claims(unclaimed);
                }
                self.apply(*decision, prepared, &sheet)
            }
        }
    }

    fn apply(&mut self, decision: Decision, prepared: &Prepared, sheet: &FactSheet) -> Outcome {
        if decision.ticket.version != self.state.version + 1 {
            return Outcome::Failed(ServiceError::defect(
                "a decision must count the version up by one",
            ));
        }
        let recorded = match record(prepared, sheet, decision.created.clone()) {
            Ok(recorded) => recorded,
            Err(error) => return Outcome::Failed(error),
        };
        self.keys.push(RecentKey {
            key: prepared.key.key.clone(),
            fingerprint: prepared.key.fingerprint.clone(),
            created: decision.created.clone(),
            seq: decision.ticket.version,
            at: sheet.now,
            attempt: self.attempt.clone(),
        });
        self.state = Arc::new(decision.ticket);
        let caused = entries(&self.state, sheet, recorded, decision.events, decision.effects);
        let events = AuditRow::all_of(&caused);
        self.entries.extend(caused);
        let executed = self.executed(decision.created, events.clone(), false);
        self.newest.extend(events);
        let surplus = self.newest.len().saturating_sub(NEWEST_EVENTS);
        self.newest.drain(..surplus);
        Outcome::Applied(executed)
    }

    /// The answer to a command whose key is known: the first one's success, if the body is the same.
    fn repeat_of(&self, first: &RecentKey, fingerprint: &str) -> Outcome {
        if first.fingerprint == fingerprint {
            Outcome::Found(self.executed(first.created.clone(), Vec::new(), true))
        } else {
            Outcome::Failed(ServiceError::IdempotencyKeyReused)
        }
    }

    /// A caller who expects another version is told so, unless the ticket is none of the caller's business.
    fn unless_unexpected(&self, prepared: &Prepared, outcome: Outcome) -> Outcome {
        let hides_the_ticket = matches!(
            &outcome,
            Outcome::Failed(ServiceError::Refused(
                Refusal::PermissionDenied(_) | Refusal::TicketNotFound
            ))
        );
        let is_refused = matches!(&outcome, Outcome::Failed(ServiceError::Refused(_)));
        if hides_the_ticket || !is_refused {
            return outcome;
        }
        self.conflict(prepared.expected).map_or(outcome, Outcome::Failed)
    }

    fn conflict(&self, expected: Option<ExpectedVersion>) -> Option<ServiceError> {
        let current = self.state.version;
        match expected? {
            ExpectedVersion::IfMatch(version) if version != current => {
                Some(ServiceError::PreconditionFailed {
                    current_version: current,
                })
            }
            ExpectedVersion::Body(expected) if expected != current => {
                Some(Refusal::ConcurrencyConflict { expected, current }.into())
            }
            ExpectedVersion::IfMatch(_) | ExpectedVersion::Body(_) => None,
        }
    }

    fn executed(&self, created: Option<String>, events: Vec<AuditRow>, replayed: bool) -> Executed {
        Executed {
            ticket: Arc::clone(&self.state),
            version: self.state.version,
            created,
            events,
            before: Some(self.newest.clone()),
            replayed,
        }
    }
}

/// Decides, and turns a refusal or a panic into an outcome; neither leaves a trace, since `decide` works on a copy.
pub(super) fn decide_safely(
    ticket: Option<&Ticket>,
    command: &Command,
    sheet: &FactSheet,
    definitions: &Definitions,
) -> Result<Verdict, Outcome> {
    let facts = Facts { sheet, definitions };
    match catch_unwind(AssertUnwindSafe(|| decide(ticket, command, &facts))) {
        Ok(Ok(verdict)) => Ok(verdict),
        Ok(Err(Undecided::Refused(refusal))) => Err(Outcome::Failed(refusal.into())),
        Ok(Err(Undecided::Needs(needs))) => Err(Outcome::Needs(needs)),
        Err(_panic) => Err(Outcome::Failed(ServiceError::defect("the engine panicked"))),
    }
}

/// Files the decision links that neither are the ticket's nor claimed.
pub(super) fn unclaimed(decision: &Decision, prepared: &Prepared) -> Vec<AttachmentId> {
    let is_linked = |id: &AttachmentId| {
        let named = prepared
            .sheet
            .attachment(id)
            .and_then(|named| named.fact.as_ref());
        named.is_some_and(|fact| fact.ticket_id.as_ref() == Some(&decision.ticket.id))
    };
    let mut unclaimed = Vec::new();
    for effect in &decision.effects {
        if let Effect::Link(link) = effect
            && !prepared.claimed.contains(&link.attachment_id)
            && !is_linked(&link.attachment_id)
        {
            unclaimed.push(link.attachment_id.clone());
        }
    }
    unclaimed
}

/// The command as it is recorded.
pub(super) fn record(
    prepared: &Prepared,
    sheet: &FactSheet,
    created: Option<String>,
) -> Result<RecordedCommand, ServiceError> {
    let text = |result: serde_json::Result<String>| {
        result.map_err(|error| ServiceError::Defect(anyhow::Error::new(error)))
    };
    Ok(RecordedCommand {
        key: prepared.key.key.clone(),
        fingerprint: prepared.key.fingerprint.clone(),
        created,
        command: text(serde_json::to_string(prepared.command.as_ref()))?,
        facts: text(serde_json::to_string(sheet))?,
    })
}

/// The tail entries of one command: the command itself, then what happened, then what must follow.
pub(crate) fn entries(
    ticket: &Ticket,
    sheet: &FactSheet,
    recorded: RecordedCommand,
    events: Vec<AuditEvent>,
    effects: Vec<Effect>,
) -> Vec<TailEntry> {
    let command = std::iter::once(TailItem::Command(Box::new(recorded)));
    let events = events.into_iter().map(|event| TailItem::Audit(Box::new(event)));
    let effects = effects
        .into_iter()
        .map(|effect| TailItem::Effect(Box::new(effect)));
    command
        .chain(events)
        .chain(effects)
        .zip(0..)
        .map(|(item, n)| TailEntry {
            key: StableKey {
                ticket_id: ticket.id.clone(),
                seq: ticket.version,
                n,
            },
            at: sheet.now,
            correlation_id: sheet.correlation_id.clone(),
            item,
        })
        .collect()
}
