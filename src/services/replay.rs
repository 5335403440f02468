//! Replay: builds tickets again from their recorded commands and compares them with what is stored (design 10, 3).

use super::execute::batch;
use super::facts::FactSource;
use crate::app::App;
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::refusal::Refusal;
use crate::domain::tail::TailEntry;
use crate::domain::ticket::Ticket;
use crate::engine::{
    Command, Decision, Definitions, FactSheet, Facts, Need, Undecided, Verdict, decide, work_index,
};
use crate::repositories::ticket_command_repo::{TicketCommandRepo, TicketCommandRow};
use crate::repositories::ticket_repo::TicketRepo;

/// How many tickets one look takes.
const LOOK: i64 = 1_000;
/// How often a decision may ask for embedded versions.
const ROUNDS: usize = 64;

/// Builds tickets again from their commands.
#[derive(Debug, Clone)]
pub struct Replay {
    tickets: TicketRepo,
    commands: TicketCommandRepo,
    facts: FactSource,
}

/// What the replay of one ticket came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The ticket.
    pub ticket_id: TicketId,
    /// How many commands were applied.
    pub commands: usize,
    /// How the stored ticket differs; `None` when it equals the fold of its commands.
    pub difference: Option<String>,
}

/// What the replay of all tickets came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayReport {
    /// How many tickets were replayed.
    pub tickets: u64,
    /// How many commands were applied.
    pub commands: u64,
    /// The tickets that differ.
    pub different: Vec<Replayed>,
}

impl Replay {
    /// Replays tickets of this application's database.
    pub fn of(app: &App) -> Self {
        Self {
            tickets: TicketRepo::new(&app.database),
            commands: TicketCommandRepo::new(&app.database),
            facts: app.facts.clone(),
        }
    }

    /// Replays every ticket; `progress` is told after each.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn all(&self, mut progress: impl FnMut(&ReplayReport)) -> Result<ReplayReport, ServiceError> {
        let mut report = ReplayReport::default();
        let mut last = None;
        loop {
            let ids = self.tickets.ids_after(last.as_ref(), LOOK).await?;
            let Some(newest) = ids.last().cloned() else {
                return Ok(report);
            };
            for id in ids {
                let replayed = self.ticket(&id).await?;
                report.tickets += 1;
                report.commands += replayed.commands as u64;
                if replayed.difference.is_some() {
                    report.different.push(replayed);
                }
                progress(&report);
            }
            last = Some(newest);
        }
    }

    /// Replays one ticket. It may change meanwhile: only the commands up to the version that was read count.
    ///
    /// # Errors
    /// The database is unavailable, or there is no such ticket.
    pub async fn ticket(&self, id: &TicketId) -> Result<Replayed, ServiceError> {
        let found = self.tickets.read_indexed(id).await?;
        let stored = found.ok_or(Refusal::TicketNotFound)?;
        let rows = self.commands.up_to(id, stored.version).await?;
        let definitions = self.facts.definitions_of(&stored.ticket).await?;
        let difference = match self.fold(&rows, definitions).await? {
            Err(reason) => Some(reason),
            Ok((rebuilt, definitions)) => {
                let work = work_index::derive(&rebuilt, &definitions);
                differences(&[
                    ("the aggregate", rebuilt != stored.ticket),
                    ("the version", stored.version != stored.ticket.version),
                    ("the work index", work != stored.work),
                ])
            }
        };
        Ok(Replayed {
            ticket_id: id.clone(),
            commands: rows.len(),
            difference,
        })
    }

    /// What the commands of a ticket caused, decided again: equal to what they put into the tail when they were
    /// committed.
    ///
    /// # Errors
    /// The database is unavailable, or the ticket cannot be built again.
    pub async fn entries(&self, id: &TicketId) -> Result<Vec<TailEntry>, ServiceError> {
        let stored = self.tickets.read(id).await?.ok_or(Refusal::TicketNotFound)?;
        let rows = self.commands.up_to(id, stored.version).await?;
        let mut definitions = self.facts.definitions_of(&stored.ticket).await?;
        let mut ticket: Option<Ticket> = None;
        let mut entries = Vec::new();
        for row in rows {
            let (command, sheet) =
                read(&row).map_err(|error| ServiceError::Defect(anyhow::Error::new(error)))?;
            let applied = self
                .apply(ticket.as_ref(), &command, &sheet, &mut definitions)
                .await?;
            let decision = applied.map_err(ServiceError::defect)?;
            entries.extend(batch::entries(
                &decision.ticket,
                &sheet,
                row.body,
                decision.events,
                decision.effects,
            ));
            ticket = Some(decision.ticket);
        }
        Ok(entries)
    }

    async fn fold(
        &self,
        rows: &[TicketCommandRow],
        mut definitions: Definitions,
    ) -> Result<Result<(Ticket, Definitions), String>, ServiceError> {
        let mut ticket: Option<Ticket> = None;
        for row in rows {
            let (command, sheet) = match read(row) {
                Ok(read) => read,
                Err(error) => return Ok(Err(format!("command {} cannot be read: {error}", row.seq))),
            };
            match self
                .apply(ticket.as_ref(), &command, &sheet, &mut definitions)
                .await?
            {
                Ok(decision) => ticket = Some(decision.ticket),
                Err(reason) => return Ok(Err(format!("command {}: {reason}", row.seq))),
            }
        }
        Ok(ticket
            .map(|ticket| (ticket, definitions))
            .ok_or_else(|| "no command is recorded".to_owned()))
    }

    async fn apply(
        &self,
        ticket: Option<&Ticket>,
        command: &Command,
        sheet: &FactSheet,
        definitions: &mut Definitions,
    ) -> Result<Result<Decision, String>, ServiceError> {
        for _ in 0..ROUNDS {
            let facts = Facts { sheet, definitions };
            match decide(ticket, command, &facts) {
                Ok(Verdict::Applied(decision)) => return Ok(Ok(*decision)),
                Ok(Verdict::AlreadyDone { .. }) => {
                    return Ok(Err("had had its effect already when replayed".to_owned()));
                }
                Err(Undecided::Refused(refusal)) => {
                    return Ok(Err(format!("is refused when replayed: {refusal}")));
                }
                Err(Undecided::Needs(needs)) => {
                    for need in needs {
                        let Need::Embedded(version) = need else {
                            return Ok(Err(format!("asks for a fact that was not recorded: {need:?}")));
                        };
                        self.facts.embed(definitions, &version).await?;
                    }
                }
            }
        }
        Ok(Err("asks for ever more versions".to_owned()))
    }
}

fn read(row: &TicketCommandRow) -> serde_json::Result<(Command, FactSheet)> {
    let command = serde_json::from_str(&row.body.command)?;
    let sheet = serde_json::from_str(&row.body.facts)?;
    Ok((command, sheet))
}

fn differences(found: &[(&str, bool)]) -> Option<String> {
    let names: Vec<&str> = found
        .iter()
        .filter(|(_, differs)| *differs)
        .map(|(name, _)| *name)
        .collect();
    (!names.is_empty()).then(|| format!("{} differs", names.join(" and ")))
}
