//! What bringing an imported ticket on depends on: answered from the reference's own records, never from outside, so that
//! a dry run and a repeat decide the same.

use super::Importer;
use super::stage::Notes;
use super::workflows::table_of;
use crate::domain::import::ImportedTicket;
use crate::domain::lookup::LookupTable;
use crate::domain::person::{Actor, Personas};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::Ticket;
use crate::engine::facts::{LookupFact, LookupQuestion, ManagerFact, PersonFact};
use crate::engine::{Command, Decision, Definitions, FactSheet, Facts, Need, Undecided, Verdict, decide};
use crate::repositories::legacy::{Fields, LegacyCollection};
use bson::doc;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// How often a decision may ask for facts.
const ROUNDS: usize = 64;

/// What a decision came to.
#[derive(Debug)]
pub(super) enum Decided {
    Applied(Box<Decision>, Box<FactSheet>),
    /// There is nothing to do.
    Nothing,
    Refused(String),
}

impl Importer {
    /// A sheet for what the import itself does.
    pub(super) fn sheet(&self) -> FactSheet {
        let correlation = format!("import-{}", self.started_at.millis());
        FactSheet::new(Actor::import(), self.started_at, correlation, self.policy.clone())
    }

    /// Takes a ticket over.
    pub(super) fn take_over(
        &self,
        command: &Command,
        definitions: &Definitions,
    ) -> Result<(Box<Decision>, FactSheet), String> {
        let sheet = self.sheet();
        match decide_safely(None, command, &sheet, definitions)? {
            Ok(Verdict::Applied(decision)) => Ok((decision, sheet)),
            Ok(Verdict::AlreadyDone { .. }) => Err("it was taken over before".to_owned()),
            Err(Undecided::Refused(refusal)) => Err(refusal.to_string()),
            Err(Undecided::Needs(needs)) => Err(format!("facts are missing: {needs:?}")),
        }
    }

    /// Brings a ticket on that stands still.
    pub(super) async fn take_up(
        &self,
        ticket: &Ticket,
        definitions: &mut Definitions,
    ) -> anyhow::Result<Decided> {
        let mut sheet = self.sheet();
        sheet.now = sheet.now.max(ticket.updated_at);
        for _ in 0..ROUNDS {
            let needs = match decide_safely(Some(ticket), &Command::TakeUp, &sheet, definitions) {
                Ok(Ok(Verdict::Applied(decision))) => {
                    return Ok(Decided::Applied(decision, Box::new(sheet)));
                }
                Ok(Ok(Verdict::AlreadyDone { .. })) => return Ok(Decided::Nothing),
                Ok(Err(Undecided::Refused(refusal))) => return Ok(Decided::Refused(told(&refusal))),
                Ok(Err(Undecided::Needs(needs))) => needs,
                Err(panicked) => return Ok(Decided::Refused(panicked)),
            };
            for need in needs {
                self.find_out(need, &mut sheet, definitions).await?;
            }
        }
        Ok(Decided::Refused("it asks for ever more facts".to_owned()))
    }

    async fn find_out(
        &self,
        need: Need,
        sheet: &mut FactSheet,
        definitions: &mut Definitions,
    ) -> anyhow::Result<()> {
        match need {
            Need::Manager => sheet.manager = Some(ManagerFact { person: None }),
            Need::Person(email) => {
                let known = self.people.by_email(&email);
                sheet.people.push(PersonFact {
                    person: known.map(|known| known.person.clone()),
                    manager: None,
                    revoked: known.is_some_and(|known| !known.is_active),
                    personas: Personas::default(),
                    taken_away: Personas::default(),
                    email,
                });
            }
            Need::Lookup(question) => {
                let answer = self.look_up(question).await?;
                sheet.lookups.push(answer);
            }
            Need::Attachments(ids) => {
                let unknown = ids.into_iter();
                let unknown = unknown.map(|id| crate::engine::facts::NamedAttachment { id, fact: None });
                sheet.attachments.extend(unknown);
            }
            Need::Embedded(version) => self.embed(definitions, &version).await?,
        }
        Ok(())
    }

    async fn look_up(&self, question: LookupQuestion) -> anyhow::Result<LookupFact> {
        let (LookupQuestion::Table { workflow_id, .. } | LookupQuestion::Bound { workflow_id, .. }) =
            &question;
        let documents = self
            .legacy
            .find(
                LegacyCollection::WorkflowLookups,
                doc! {"workflow_id": workflow_id.as_str()},
            )
            .await?;
        let mut notes = Notes::new(LegacyCollection::WorkflowLookups);
        let mut tables = documents
            .iter()
            .map(|document| table_of(Fields(document), &self.bound_tables, &mut notes));
        let table = tables.find(|table| table.is_active && answers(table, &question));
        Ok(LookupFact::of(question, table.as_ref()))
    }
}

fn answers(table: &LookupTable, question: &LookupQuestion) -> bool {
    match question {
        LookupQuestion::Table { lookup_id, .. } => table.id == *lookup_id,
        LookupQuestion::Bound {
            step_id, field_key, ..
        } => {
            table.source_step_id.as_deref() == Some(step_id.as_str())
                && table.source_field_key.as_deref() == Some(field_key)
        }
    }
}

fn told(refusal: &Refusal) -> String {
    refusal.to_string()
}

fn decide_safely(
    ticket: Option<&Ticket>,
    command: &Command,
    sheet: &FactSheet,
    definitions: &Definitions,
) -> Result<Result<Verdict, Undecided>, String> {
    let facts = Facts { sheet, definitions };
    catch_unwind(AssertUnwindSafe(|| decide(ticket, command, &facts)))
        .map_err(|_| "the engine panicked on it".to_owned())
}

/// The command that takes a ticket over.
pub(super) fn import_command(imported: ImportedTicket) -> Command {
    Command::Import(Box::new(imported))
}
