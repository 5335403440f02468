//! A ticket while it is folded: the aggregate so far, and which rule touched what.

use super::LegacyTicket;
use super::compare;
use super::head;
use crate::domain::id::TicketStepId;
use crate::domain::import::{ImportedTicket, Repair, RepairRule, RepairedField};
use crate::domain::person::Person;
use crate::domain::ticket::{StepState, Ticket};
use crate::domain::time::Timestamp;
use crate::engine::Definitions;
use crate::engine::definition::CompiledWorkflow;
use crate::repositories::legacy::Fields;
use crate::services::import::person;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A ticket while it is folded.
pub(super) struct Draft<'a> {
    pub(super) legacy: &'a LegacyTicket,
    pub(super) definitions: &'a Definitions,
    pub(super) ticket: Ticket,
    /// The state each step had.
    pub(super) states: BTreeMap<TicketStepId, StepState>,
    touched: Vec<(RepairRule, String)>,
    noted: Vec<(RepairRule, RepairedField)>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(legacy: &'a LegacyTicket, definitions: &'a Definitions) -> Self {
        Self {
            legacy,
            definitions,
            ticket: head::blank(legacy, definitions),
            states: BTreeMap::new(),
            touched: Vec::new(),
            noted: Vec::new(),
        }
    }

    /// A rule has changed this subject; which fields is found out at the end.
    pub(super) fn touch(&mut self, rule: RepairRule, subject: impl Into<String>) {
        let touched = (rule, subject.into());
        if !self.touched.contains(&touched) {
            self.touched.push(touched);
        }
    }

    /// A rule has changed a field that documents are not compared by.
    pub(super) fn note(&mut self, rule: RepairRule, subject: &str, field: &str, before: &str, after: &str) {
        let noted = RepairedField {
            subject: subject.to_owned(),
            field: field.to_owned(),
            before: compare::shortened(before),
            after: compare::shortened(after),
        };
        if !self
            .noted
            .iter()
            .any(|(known, other)| *known == rule && *other == noted)
        {
            self.noted.push((rule, noted));
        }
    }

    /// When the ticket ended, or last changed.
    pub(super) fn ended_at(&self) -> Timestamp {
        self.ticket.completed_at.unwrap_or(self.ticket.updated_at)
    }

    /// The version whose steps live in `container`.
    pub(super) fn workflow_in(&self, container: Option<&TicketStepId>) -> Option<&'a CompiledWorkflow> {
        let workflow = self.definitions.workflow_in(&self.ticket, container);
        workflow.map(Arc::as_ref)
    }

    /// The person under `key`, when one is recorded there; `subject` is the document.
    pub(super) fn person(&mut self, fields: Fields<'_>, key: &str, subject: &str) -> Option<Person> {
        let recorded = person::read(fields.object(key)?)?;
        if recorded.lacks_address {
            self.touch(RepairRule::PersonWithoutAddress, subject);
        }
        if let Some(made_up) = &recorded.fabricated_id {
            let who = recorded.person.email.to_string();
            self.note(RepairRule::FabricatedObjectId, &who, "aad_id", made_up, "");
        }
        Some(recorded.person)
    }

    /// The same where somebody must be named.
    pub(super) fn somebody(&mut self, fields: Fields<'_>, key: &str, subject: &str) -> Person {
        self.person(fields, key, subject).unwrap_or_else(|| {
            self.touch(RepairRule::PersonWithoutAddress, subject);
            person::nobody()
        })
    }

    /// The aggregate with its repairs, each told by comparing what was read with what became of it.
    pub(super) fn finish(self) -> ImportedTicket {
        let mut repairs: Vec<Repair> = Vec::new();
        let differences = if self.touched.is_empty() {
            Vec::new()
        } else {
            compare::differences(self.legacy, &self.ticket)
        };
        for (rule, subject) in &self.touched {
            let own = differences
                .iter()
                .filter(|difference| difference.subject == *subject);
            let fields: Vec<RepairedField> = own.map(compare::Difference::to_field).collect();
            add(&mut repairs, *rule, fields);
        }
        for (rule, field) in self.noted {
            add(&mut repairs, rule, vec![field]);
        }
        ImportedTicket {
            ticket: self.ticket,
            repairs,
        }
    }
}

fn add(repairs: &mut Vec<Repair>, rule: RepairRule, fields: Vec<RepairedField>) {
    if let Some(known) = repairs.iter_mut().find(|repair| repair.rule == rule) {
        known.fields.extend(fields);
    } else {
        repairs.push(Repair {
            rule,
            fields,
            remark: None,
        });
    }
}
