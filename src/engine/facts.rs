//! Facts: everything from outside that a decision depends on, resolved before `decide` is called.
//!
//! [`FactSheet`] is recorded with the command, so a decision can be repeated at any time. Published versions are
//! immutable and therefore recorded by reference only ([`Definitions`]).

use super::definition::CompiledWorkflow;
use crate::domain::attachment::AttachmentFact;
use crate::domain::id::{AttachmentId, LookupId, StepKey, TicketStepId, WorkflowId};
use crate::domain::lookup::LookupTable;
use crate::domain::person::{Actor, Email, Person, Personas};
use crate::domain::ticket::Ticket;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{StepType, VersionRef};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What `decide` is given beside the aggregate and the command.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What is recorded with the command.
    pub sheet: &'a FactSheet,
    /// The pinned version and the embedded ones.
    pub definitions: &'a Definitions,
}

/// The recorded facts of one command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FactSheet {
    /// Who acts.
    pub actor: Actor,
    /// When.
    pub now: Timestamp,
    /// The request's correlation id.
    pub correlation_id: String,
    /// Settings that decisions depend on.
    pub policy: Policy,
    /// The actor's manager: `None` not asked, `Some(None)` asked and there is none.
    #[serde(default)]
    pub manager: Option<ManagerFact>,
    /// People looked up by address.
    #[serde(default)]
    pub people: Vec<PersonFact>,
    /// Lookup tables asked.
    #[serde(default)]
    pub lookups: Vec<LookupFact>,
    /// Files named by the command.
    #[serde(default)]
    pub attachments: Vec<NamedAttachment>,
}

impl FactSheet {
    /// A sheet on which nothing has been looked up yet.
    pub fn new(actor: Actor, now: Timestamp, correlation_id: String, policy: Policy) -> Self {
        Self {
            actor,
            now,
            correlation_id,
            policy,
            manager: None,
            people: Vec::new(),
            lookups: Vec::new(),
            attachments: Vec::new(),
        }
    }

    /// What is known of an address, if it was looked up.
    pub fn person(&self, email: &Email) -> Option<&PersonFact> {
        self.people.iter().find(|fact| fact.email == *email)
    }

    /// What a lookup table answered, if it was asked.
    pub fn lookup(&self, question: &LookupQuestion) -> Option<&LookupFact> {
        self.lookups.iter().find(|fact| fact.question == *question)
    }

    /// What is known of a file, if it was looked up.
    pub fn attachment(&self, id: &AttachmentId) -> Option<&NamedAttachment> {
        self.attachments.iter().find(|named| named.id == *id)
    }
}

/// Settings that decisions depend on; recorded, so that a replay does not see later ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Today in the business time zone.
    pub today: NaiveDate,
    /// Due minutes by step type for steps without their own; only when an administrator has saved them.
    pub default_sla_minutes: Vec<(StepType, i64)>,
    /// Domains to which literal NOTIFY recipients may belong, lower case; the requester's own is always one.
    pub mail_domains: Vec<String>,
}

/// The manager of a requester, as the directory said when the ticket was raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagerFact {
    /// The manager, if there is one and the directory answered.
    pub person: Option<Person>,
}

/// A person looked up by address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonFact {
    /// The address asked for.
    pub email: Email,
    /// The directory's record, when it knows the address.
    pub person: Option<Person>,
    /// The address of that person's manager, when known.
    pub manager: Option<Person>,
    /// Whether an administrator has deactivated the person.
    pub revoked: bool,
    /// The personas the person holds.
    #[serde(default)]
    pub personas: Personas,
    /// The personas that an administrator took away.
    #[serde(default)]
    pub taken_away: Personas,
}

/// A question to a lookup table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookupQuestion {
    /// The entry with this key in this table of this workflow.
    Table {
        /// The workflow the table must belong to.
        workflow_id: WorkflowId,
        /// The table.
        lookup_id: LookupId,
        /// The entry's key.
        key: String,
    },
    /// The entry with this key in the active table bound to this field of this workflow.
    Bound {
        /// The workflow the table must belong to.
        workflow_id: WorkflowId,
        /// The form the table is bound to.
        step_id: StepKey,
        /// The field the table is bound to.
        field_key: String,
        /// The entry's key.
        key: String,
    },
}

/// A lookup table's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupFact {
    /// What was asked.
    pub question: LookupQuestion,
    /// The users of the active entry in their order; empty when there is no such entry.
    pub users: Vec<LookupUser>,
}

impl LookupFact {
    /// The answer of the table that was found, if one was.
    pub fn of(question: LookupQuestion, table: Option<&LookupTable>) -> Self {
        let (LookupQuestion::Table { key, .. } | LookupQuestion::Bound { key, .. }) = &question;
        let users = table.map(|table| table.users_of(key)).unwrap_or_default();
        let users = users.into_iter().map(|user| LookupUser {
            person: user.to_person(),
            is_primary: user.is_primary,
        });
        Self {
            users: users.collect(),
            question,
        }
    }
}

/// A user of a lookup entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupUser {
    /// Who.
    pub person: Person,
    /// Whether this is the entry's primary user.
    pub is_primary: bool,
}

/// A file named by a command, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedAttachment {
    /// The file.
    pub id: AttachmentId,
    /// What is known, if it exists.
    pub fact: Option<AttachmentFact>,
}

/// A fact that `decide` found missing; the service fetches it outside the ticket's turn and asks again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// The actor's manager ([`FactSheet::manager`]).
    Manager,
    /// A person by address ([`FactSheet::people`]).
    Person(Email),
    /// A lookup table's answer ([`FactSheet::lookups`]).
    Lookup(LookupQuestion),
    /// Files ([`FactSheet::attachments`]).
    Attachments(Vec<AttachmentId>),
    /// An embedded version ([`Definitions::embedded`]).
    Embedded(VersionRef),
}

/// The compiled versions a ticket runs.
#[derive(Debug, Clone)]
pub struct Definitions {
    /// The version the ticket is pinned to.
    pub own: Arc<CompiledWorkflow>,
    /// Embedded versions by reference; `None` when there is no such version.
    pub embedded: BTreeMap<VersionRef, Option<Arc<CompiledWorkflow>>>,
}

impl Definitions {
    /// Only the pinned version.
    pub fn of(own: Arc<CompiledWorkflow>) -> Self {
        Self {
            own,
            embedded: BTreeMap::new(),
        }
    }

    /// The version whose steps live in a container of the ticket, or in none; absent when there is no such version.
    pub fn workflow_in(
        &self,
        ticket: &Ticket,
        container: Option<&TicketStepId>,
    ) -> Option<&Arc<CompiledWorkflow>> {
        let Some(container) = container else {
            return Some(&self.own);
        };
        let run = ticket.step(container)?.embedded.as_ref()?;
        self.embedded.get(&run.version)?.as_ref()
    }
}
