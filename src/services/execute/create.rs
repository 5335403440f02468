//! Creation: the insert of a new document, whose `_id` follows from person and key, so that a repeat meets the first one.

use super::batch::{self, KEY_MINUTES, Outcome};
use super::request::{CommandKey, CreateRequest, Executed, fingerprint, identity};
use super::turn::Prepared;
use super::{Execute, ROUNDS, executed};
use crate::domain::error::ServiceError;
use crate::domain::id::{TicketId, random_key};
use crate::domain::tail::RecentKey;
use crate::domain::time::Timestamp;
use crate::engine::command::CreateTicket;
use crate::engine::{Command, Decision, Definitions, FactSheet, Verdict, work_index};
use crate::repositories::audit_repo::AuditRow;
use crate::repositories::ticket_repo::{InsertOutcome, NewTicket, Origin};
use std::collections::HashSet;
use std::sync::Arc;

/// How often another id is drawn when one is taken by a stranger.
const SALTS: u32 = 8;
/// Within this time an identical create without a key is the first one again, in milliseconds (design 8).
const REPEAT_MILLIS: i64 = 60_000;

/// Under which key a create is looked for and stored.
struct CreateKey {
    key: CommandKey,
    /// How old a first one may be to be repeated, in milliseconds.
    honoured_millis: i64,
}

/// What an attempt under one id came to.
enum Attempt {
    Done(Executed),
    TakenByAnother,
}

impl Execute {
    /// Raises a ticket.
    ///
    /// # Errors
    /// As [`Execute::run`].
    pub async fn create(&self, request: CreateRequest) -> Result<Executed, ServiceError> {
        let person = &request.actor.person;
        let key = if let Some(sent) = &request.idempotency {
            CreateKey {
                key: CommandKey::of(Some(sent), person),
                honoured_millis: KEY_MINUTES * 60_000,
            }
        } else {
            let minute = self.facts.now().millis().div_euclid(REPEAT_MILLIS);
            let before = natural_key(&request, minute - 1);
            if let Some(first) = self.first_under(&before).await? {
                return Ok(first);
            }
            natural_key(&request, minute)
        };
        for salt in 0..SALTS {
            let id = ticket_id(&key.key.key, salt);
            match self.create_as(&id, &key, &request).await? {
                Attempt::Done(executed) => return Ok(executed),
                Attempt::TakenByAnother => {}
            }
        }
        Err(ServiceError::defect("no free ticket id could be drawn"))
    }

    /// The ticket that was created first under a key, if it is recent enough to be repeated.
    async fn first_under(&self, key: &CreateKey) -> Result<Option<Executed>, ServiceError> {
        for salt in 0..SALTS {
            let id = ticket_id(&key.key.key, salt);
            match self.existing(&id, key).await? {
                None => return Ok(None),
                Some(Attempt::Done(executed)) => return Ok(Some(executed)),
                Some(Attempt::TakenByAnother) => {}
            }
        }
        Ok(None)
    }

    /// What is stored under an id: the first create of this key, or somebody else's ticket.
    async fn existing(&self, id: &TicketId, key: &CreateKey) -> Result<Option<Attempt>, ServiceError> {
        let Some(stored) = self.tickets.load(id).await? else {
            return Ok(None);
        };
        let earliest = self.facts.now().plus_millis(-key.honoured_millis);
        if stored.origin.key != key.key.key || stored.ticket.created_at < earliest {
            return Ok(Some(Attempt::TakenByAnother));
        }
        if stored.origin.fingerprint != key.key.fingerprint {
            return Err(ServiceError::IdempotencyKeyReused);
        }
        let mut first = executed(stored.ticket, Some(id.to_string()), Vec::new());
        first.replayed = true;
        Ok(Some(Attempt::Done(first)))
    }

    async fn create_as(
        &self,
        id: &TicketId,
        key: &CreateKey,
        request: &CreateRequest,
    ) -> Result<Attempt, ServiceError> {
        let definitions = self.facts.definitions(&request.version).await?;
        let sheet = self
            .facts
            .sheet(request.actor.clone(), request.correlation_id.clone())
            .await?;
        let mut prepared = prepare(id, key, request, sheet);
        let result = self.decide_and_insert(id, key, &mut prepared, definitions).await;
        let error = match result {
            Ok(Attempt::TakenByAnother) => {
                self.give_back(id, &prepared).await;
                return Ok(Attempt::TakenByAnother);
            }
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        // A repeat may be refused where the first was not, the workflow being archived since, say: the first one counts.
        let is_unknown = matches!(error, ServiceError::Unavailable { .. });
        if !is_unknown {
            self.give_back(id, &prepared).await;
            if let Some(attempt) = self.existing(id, key).await? {
                return Ok(attempt);
            }
        }
        Err(error)
    }

    async fn give_back(&self, id: &TicketId, prepared: &Prepared) {
        let claimed: Vec<_> = prepared.claimed.iter().cloned().collect();
        if !claimed.is_empty() {
            self.facts.release(&claimed, id, &prepared.key.key).await;
        }
    }

    async fn decide_and_insert(
        &self,
        id: &TicketId,
        key: &CreateKey,
        prepared: &mut Prepared,
        mut definitions: Definitions,
    ) -> Result<Attempt, ServiceError> {
        for _ in 0..ROUNDS {
            let mut sheet = prepared.sheet.clone();
            self.facts.stamp(&mut sheet, None);
            match batch::decide_safely(None, &prepared.command, &sheet, &definitions) {
                Ok(Verdict::Applied(decision)) => {
                    let unclaimed = batch::unclaimed(&decision, prepared);
                    if unclaimed.is_empty() {
                        return self
                            .insert(id, key, prepared, &sheet, *decision, &definitions)
                            .await;
                    }
                    self.facts.claim(&unclaimed, id, &prepared.key.key).await?;
                    prepared.claimed.extend(unclaimed);
                }
                Ok(Verdict::AlreadyDone { .. }) => {
                    return Err(ServiceError::defect(
                        "a ticket cannot have been raised before it is",
                    ));
                }
                Err(Outcome::Needs(needs)) => {
                    self.facts
                        .gather(needs, &mut prepared.sheet, &mut prepared.embedded)
                        .await?;
                    for version in &prepared.embedded {
                        self.facts.embed(&mut definitions, version).await?;
                    }
                }
                Err(Outcome::Failed(error)) => return Err(error),
                Err(Outcome::Applied(_) | Outcome::Found(_) | Outcome::Claims(_) | Outcome::SearchKey) => {
                    return Err(ServiceError::defect("a decision has no such outcome"));
                }
            }
        }
        Err(ServiceError::defect("a create asks for ever more facts"))
    }

    async fn insert(
        &self,
        id: &TicketId,
        key: &CreateKey,
        prepared: &Prepared,
        sheet: &FactSheet,
        decision: Decision,
        definitions: &Definitions,
    ) -> Result<Attempt, ServiceError> {
        let ticket = decision.ticket;
        if ticket.version != 1 || ticket.id != *id {
            return Err(ServiceError::defect(
                "a new ticket must have version 1 and the id drawn for it",
            ));
        }
        let recorded = batch::record(prepared, sheet, Some(id.to_string()))?;
        let entries = batch::entries(&ticket, sheet, recorded, decision.events, decision.effects);
        let work = work_index::derive(&ticket, definitions);
        let origin = origin_of(key);
        let keys = [creating_key(key, id, sheet.now)];
        let new = NewTicket {
            id,
            version: ticket.version,
            origin: &origin,
            ticket: &ticket,
            work: &work,
            recent_keys: &keys,
            tail: &entries,
        };
        match self.tickets.writes().insert(&new).await? {
            InsertOutcome::Created => {
                metrics::counter!("workflow_commands_total").increment(1);
                let events = AuditRow::all_of(&entries);
                self.relay.hand_over(entries);
                Ok(Attempt::Done(executed(ticket, Some(id.to_string()), events)))
            }
            InsertOutcome::Taken => {
                // Another salt for an id that is taken by what cannot be read yet would be a second ticket.
                let found = self.existing(id, key).await?;
                found.ok_or_else(|| {
                    ServiceError::unavailable(anyhow::anyhow!("a taken id cannot be read yet"))
                })
            }
            InsertOutcome::TooLarge => Err(crate::domain::refusal::Refusal::TicketTooLarge.into()),
            InsertOutcome::Refused(reason) => Err(ServiceError::defect(format!(
                "the database refused a new ticket: {reason}"
            ))),
        }
    }
}

/// The key of a create that came without one: body and minute (design 3, creation).
fn natural_key(request: &CreateRequest, minute: i64) -> CreateKey {
    let person = identity(&request.actor.person);
    let mut key = fingerprint(&[&person, "create", &request.fingerprint, &minute.to_string()]);
    key.truncate(32);
    CreateKey {
        key: CommandKey {
            key,
            fingerprint: request.fingerprint.clone(),
            from_client: false,
        },
        honoured_millis: REPEAT_MILLIS,
    }
}

fn ticket_id(key: &str, salt: u32) -> TicketId {
    TicketId::derived(&fingerprint(&[key, &salt.to_string()]))
}

fn prepare(id: &TicketId, key: &CreateKey, request: &CreateRequest, sheet: FactSheet) -> Prepared {
    Prepared {
        command: Arc::new(Command::Create(CreateTicket {
            ticket_id: id.clone(),
            title: request.title.clone(),
            description: request.description.clone(),
            initial_form_values: request.initial_form_values.clone(),
            attachment_ids: request.attachment_ids.clone(),
            initial_form_step_ids: request.initial_form_step_ids.clone(),
        })),
        sheet,
        embedded: Vec::new(),
        key: key.key.clone(),
        key_searched: true,
        expected: None,
        claimed: HashSet::new(),
    }
}

fn origin_of(key: &CreateKey) -> Origin {
    Origin {
        key: key.key.key.clone(),
        fingerprint: key.key.fingerprint.clone(),
        attempt: random_key(),
    }
}

fn creating_key(key: &CreateKey, id: &TicketId, at: Timestamp) -> RecentKey {
    RecentKey {
        key: key.key.key.clone(),
        fingerprint: key.key.fingerprint.clone(),
        created: Some(id.to_string()),
        seq: 1,
        at,
        attempt: random_key(),
    }
}
