//! A turn: the workspace of one decision.
//!
//! Actions and steps change the turn's copy of the aggregate and add events and effects to it. A refusal throws the
//! turn away, so a command takes full effect or none.

use super::decision::{
    AttachmentLink, Decision, Effect, GrantSource, GrantedPersona, PersonaGrant, Undecided,
};
use super::definition::{CompiledWorkflow, StepDefinition};
use super::facts::{FactSheet, Facts, Need};
use crate::domain::audit::{AuditEvent, AuditEventType};
use crate::domain::id::{AttachmentId, TicketStepId};
use crate::domain::json::JsonObject;
use crate::domain::person::{Actor, Person};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{Step, Ticket};
use crate::domain::time::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The workspace of one decision.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    /// The aggregate as it will be.
    pub(crate) ticket: Ticket,
    /// What is known.
    pub(crate) facts: Facts<'a>,
    /// The id of what this command creates.
    pub(crate) created: Option<String>,
    /// Steps that passed without a person so far, bounded by `limits::AUTOMATIC_STEPS`.
    pub(crate) automatic_steps: usize,
    events: Vec<AuditEvent>,
    effects: Vec<Effect>,
}

impl<'a> Turn<'a> {
    /// Opens a turn on a copy of `ticket`, its version counted up.
    pub(crate) fn open(ticket: Ticket, facts: Facts<'a>) -> Self {
        let mut turn = Self {
            ticket,
            facts,
            created: None,
            automatic_steps: 0,
            events: Vec::new(),
            effects: Vec::new(),
        };
        turn.ticket.version += 1;
        turn.ticket.updated_at = turn.now();
        turn
    }

    /// Opens a turn on a ticket that is taken over as it is, version and times included.
    pub(crate) fn take_over(ticket: Ticket, facts: Facts<'a>) -> Self {
        let (version, updated_at) = (ticket.version, ticket.updated_at);
        let mut turn = Self::open(ticket, facts);
        turn.ticket.version = version;
        turn.ticket.updated_at = updated_at;
        turn
    }

    /// Closes the turn into a decision.
    pub(crate) fn close(self) -> Decision {
        Decision {
            ticket: self.ticket,
            events: self.events,
            effects: self.effects,
            created: self.created,
        }
    }

    /// When the command takes effect.
    pub(crate) fn now(&self) -> Timestamp {
        self.facts.sheet.now
    }

    /// Who acts.
    pub(crate) fn actor(&self) -> &'a Actor {
        &self.facts.sheet.actor
    }

    /// The recorded facts.
    pub(crate) fn sheet(&self) -> &'a FactSheet {
        self.facts.sheet
    }

    /// The step instance with this id.
    pub(crate) fn step(&self, id: &TicketStepId) -> Result<&Step, Refusal> {
        self.ticket.step(id).ok_or(Refusal::StepNotFound)
    }

    /// The step instance with this id, to change it; counts its version up.
    pub(crate) fn change_step(&mut self, id: &TicketStepId) -> Result<&mut Step, Refusal> {
        let step = self.ticket.step_mut(id).ok_or(Refusal::StepNotFound)?;
        step.version += 1;
        Ok(step)
    }

    /// The version whose steps live directly in `container` (the ticket's own for `None`).
    pub(crate) fn workflow_in(
        &self,
        container: Option<&TicketStepId>,
    ) -> Result<Arc<CompiledWorkflow>, Undecided> {
        let Some(container) = container else {
            return Ok(Arc::clone(&self.facts.definitions.own));
        };
        let run = self
            .step(container)?
            .embedded
            .as_ref()
            .ok_or(Refusal::StepNotFound)?;
        match self.facts.definitions.embedded.get(&run.version) {
            Some(Some(workflow)) => Ok(Arc::clone(workflow)),
            Some(None) => Err(Refusal::WorkflowNotFound {
                message: format!(
                    "version {} of the embedded workflow {} is missing",
                    run.version.version_number, run.name
                ),
            }
            .into()),
            None => Err(Undecided::Needs(vec![Need::Embedded(run.version.clone())])),
        }
    }

    /// The definition of a step instance.
    pub(crate) fn definition_of(&self, step: &Step) -> Result<Arc<StepDefinition>, Undecided> {
        let workflow = self.workflow_in(step.container.as_ref())?;
        Ok(Arc::clone(workflow.step(&step.key).ok_or(Refusal::StepNotFound)?))
    }

    /// A seed for the next id; the same command on the same aggregate always draws the same ids.
    pub(crate) fn draw_seed(&mut self) -> String {
        self.ticket.ids_drawn += 1;
        format!("{}:{}", self.ticket.id, self.ticket.ids_drawn)
    }

    /// Records that something happened, by the actor.
    pub(crate) fn audit(&mut self, event_type: AuditEventType, step: Option<&TicketStepId>, details: Value) {
        let actor = self.actor().person.clone();
        self.audit_by(actor, event_type, step, details);
    }

    /// Records that something happened, by somebody else than the actor (the service itself).
    pub(crate) fn audit_by(
        &mut self,
        actor: Person,
        event_type: AuditEventType,
        step: Option<&TicketStepId>,
        details: Value,
    ) {
        let at = self.now();
        let details = as_object(details);
        self.events.push(AuditEvent {
            event_type,
            ticket_step_id: step.cloned(),
            actor,
            details,
            at,
            imported_id: None,
        });
    }

    /// Adds something that must follow.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// What must follow so far; `notices` looks here to tell each person of each thing once.
    pub(crate) fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// Lets `person` see the screens that new work needs (contract engine-actions 5); `details` gets the ticket and step added.
    pub(crate) fn grant(
        &mut self,
        person: &Person,
        persona: GrantedPersona,
        source: GrantSource,
        step: &TicketStepId,
        details: Value,
    ) {
        let mut details = as_object(details);
        details.insert("ticket_id".to_owned(), json!(self.ticket.id));
        details.insert("ticket_step_id".to_owned(), json!(step));
        self.effects.push(Effect::Grant(PersonaGrant {
            person: person.clone(),
            persona,
            source,
            granted_by: self.actor().person.clone(),
            details,
            at: self.now(),
        }));
    }

    /// Ties files to the ticket after checking that the actor may use them (design 3, attachments).
    ///
    /// Asks for the facts of files that have not been looked up.
    pub(crate) fn link_attachments(
        &mut self,
        ids: &[AttachmentId],
        step_id: Option<&str>,
        context: &str,
    ) -> Result<(), Undecided> {
        let sheet = self.sheet();
        let unknown: Vec<_> = ids
            .iter()
            .filter(|id| sheet.attachment(id).is_none())
            .cloned()
            .collect();
        if !unknown.is_empty() {
            return Err(Undecided::Needs(vec![Need::Attachments(unknown)]));
        }
        for id in ids {
            let fact = sheet.attachment(id).and_then(|named| named.fact.as_ref());
            let usable = fact.is_some_and(|fact| fact.usable_by(&self.actor().person, &self.ticket.id));
            if !usable {
                return Err(Refusal::AttachmentRefused(id.to_string()).into());
            }
            let link = AttachmentLink {
                attachment_id: id.clone(),
                step_id: step_id.map(str::to_owned),
                context: Some(context.to_owned()),
            };
            let again = self
                .effects
                .iter()
                .any(|effect| matches!(effect, Effect::Link(known) if known.attachment_id == *id));
            if !again {
                self.effects.push(Effect::Link(link));
            }
        }
        Ok(())
    }
}

/// The object in `value`, empty for anything else.
pub(crate) fn as_object(value: Value) -> JsonObject {
    match value {
        Value::Object(map) => JsonObject::from(map),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            JsonObject::new()
        }
    }
}
