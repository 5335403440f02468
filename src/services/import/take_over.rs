//! A ticket taken over by a command of its own and, where it stood still, brought on by the same moves as every ticket.

use super::Importer;
use super::facts::{Decided, import_command};
use crate::domain::import::{ImportedTicket, Repair, RepairRule, RepairedField};
use crate::domain::tail::{RecentKey, RecordedCommand, TailEntry};
use crate::domain::ticket::Ticket;
use crate::engine::{Command, Decision, Definitions, FactSheet, responsibility};
use crate::services::execute::batch;

/// A ticket taken over and, where it stood still, brought on.
#[derive(Debug)]
pub(super) struct TakenOver {
    pub(super) ticket: Ticket,
    /// What taking it over caused, to be stored at once.
    pub(super) entries: Vec<TailEntry>,
    /// What bringing it on caused, left to the relay like what any command causes.
    pub(super) tail: Vec<TailEntry>,
    pub(super) keys: Vec<RecentKey>,
}

impl Importer {
    /// Takes a ticket over and brings it on; when that cannot be done, it is marked and stays as it was. The inner error
    /// says why it cannot even be taken over.
    pub(super) async fn take_over_and_up(
        &self,
        imported: &mut ImportedTicket,
        definitions: &mut Definitions,
    ) -> anyhow::Result<Result<TakenOver, String>> {
        let mut taken = match self.taken_over(imported, definitions)? {
            Ok(taken) => taken,
            Err(reason) => return Ok(Err(reason)),
        };
        if !taken.ticket.is_live() {
            return Ok(Ok(taken));
        }
        let up = self.take_up(&taken.ticket, definitions).await?;
        let reason = match &up {
            Decided::Refused(reason) => Some(reason.clone()),
            Decided::Applied(up, _) => out_of_reach(&up.ticket),
            Decided::Nothing => out_of_reach(&taken.ticket),
        };
        if let Some(reason) = reason {
            note(imported, RepairRule::NeedsAdministrator, Vec::new(), Some(reason));
            taken = match self.taken_over(imported, definitions)? {
                Ok(taken) => taken,
                Err(reason) => return Ok(Err(reason)),
            };
        }
        if let Decided::Applied(up, sheet) = up {
            taken.bring_on(*up, &sheet)?;
        }
        Ok(Ok(taken))
    }

    fn taken_over(
        &self,
        imported: &ImportedTicket,
        definitions: &Definitions,
    ) -> anyhow::Result<Result<TakenOver, String>> {
        let command = import_command(imported.clone());
        Ok(match self.take_over(&command, definitions) {
            Ok((decision, sheet)) => Ok(TakenOver::of(&command, *decision, &sheet)?),
            Err(reason) => Err(reason),
        })
    }
}

impl TakenOver {
    fn of(command: &Command, decision: Decision, sheet: &FactSheet) -> anyhow::Result<Self> {
        let key = format!("import:{}", decision.ticket.id);
        let recorded = record(command, sheet, &key)?;
        let keys = vec![recent(&key, &decision.ticket, sheet)];
        let entries = batch::entries(
            &decision.ticket,
            sheet,
            recorded,
            decision.events,
            decision.effects,
        );
        Ok(Self {
            ticket: decision.ticket,
            entries,
            tail: Vec::new(),
            keys,
        })
    }

    fn bring_on(&mut self, decision: Decision, sheet: &FactSheet) -> anyhow::Result<()> {
        let key = format!("import:{}:take-up", decision.ticket.id);
        let recorded = record(&Command::TakeUp, sheet, &key)?;
        self.keys.push(recent(&key, &decision.ticket, sheet));
        self.tail = batch::entries(
            &decision.ticket,
            sheet,
            recorded,
            decision.events,
            decision.effects,
        );
        self.ticket = decision.ticket;
        Ok(())
    }
}

/// Why nobody but an administrator could do anything, if that is so.
fn out_of_reach(ticket: &Ticket) -> Option<String> {
    responsibility::is_out_of_reach(ticket)
        .then(|| "nobody but an administrator can pass over the task that is open".to_owned())
}

/// Adds a repair, or to what is told of its rule already.
pub(super) fn note(
    imported: &mut ImportedTicket,
    rule: RepairRule,
    fields: Vec<RepairedField>,
    remark: Option<String>,
) {
    match imported.repairs.iter_mut().find(|repair| repair.rule == rule) {
        Some(known) => {
            known.fields.extend(fields);
            known.remark = known.remark.take().or(remark);
        }
        None => imported.repairs.push(Repair { rule, fields, remark }),
    }
}

fn record(command: &Command, sheet: &FactSheet, key: &str) -> anyhow::Result<RecordedCommand> {
    Ok(RecordedCommand {
        key: key.to_owned(),
        fingerprint: String::new(),
        created: None,
        command: serde_json::to_string(command)?,
        facts: serde_json::to_string(sheet)?,
    })
}

fn recent(key: &str, ticket: &Ticket, sheet: &FactSheet) -> RecentKey {
    RecentKey {
        key: key.to_owned(),
        fingerprint: String::new(),
        created: None,
        seq: ticket.version,
        at: sheet.now,
        attempt: String::new(),
    }
}
