//! Ten tickets in different states, brought there by the same commands that people send.

use super::{Seeded, acting};
use crate::app::App;
use crate::clients::development_directory::DevelopmentDirectory;
use crate::domain::id::{StepKey, TicketStepId, WorkflowId};
use crate::domain::json::JsonObject;
use crate::domain::person::{Actor, Email};
use crate::domain::ticket::Ticket;
use crate::domain::work::Shelf;
use crate::engine::Command;
use crate::engine::command::NamedPerson;
use crate::services::execute::CommandRequest;
use crate::services::tickets::{ListOrder, ListQuery, NewTicket, SortBy, Sorting, TicketService};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

const ANN: &str = "ann.lee@example.com";
const BEN: &str = "ben.cole@example.com";
const MARK: &str = "mark.stone@example.com";
const IVAN: &str = "ivan.novak@example.com";

/// How far a ticket goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    Raised,
    Asked,
    Rejected,
    Cancelled,
    Approved,
    Assigned,
    Held,
    Completed,
}

/// Raises the tickets that are not there yet.
pub(super) async fn raise(
    app: &App,
    directory: &DevelopmentDirectory,
    published: &BTreeMap<String, WorkflowId>,
    progress: &mut impl FnMut(Seeded),
) -> anyhow::Result<()> {
    let plan = [
        ("Laptop for the new office", ANN, Until::Raised),
        ("Laptop for field work", ANN, Until::Asked),
        ("Second laptop", ANN, Until::Rejected),
        ("Laptop for a trainee", BEN, Until::Cancelled),
        ("Replacement laptop", BEN, Until::Approved),
        ("Workstation for design", ANN, Until::Assigned),
        ("Laptop waiting for parts", BEN, Until::Held),
        ("Laptop delivered", ANN, Until::Completed),
        ("Laptop delivered in Lyon", BEN, Until::Completed),
    ];
    let laptop = published
        .get("Laptop request")
        .ok_or_else(|| anyhow::anyhow!("the laptop workflow is missing"))?;
    for (title, who, until) in plan {
        let requester = acting(app, directory, who).await?;
        if !exists(app, &requester, title).await? {
            let ticket = raise_one(app, &requester, laptop, title, &laptop_values(app), "ask").await?;
            Drive {
                app,
                directory,
                ticket,
            }
            .until(&requester, until)
            .await?;
        }
        progress(Seeded {
            what: format!("ticket {title}"),
        });
    }
    let title = "Onboarding of Zoë Quinn";
    let requester = acting(app, directory, ANN).await?;
    let onboarding = published
        .get("Onboarding")
        .ok_or_else(|| anyhow::anyhow!("the onboarding workflow is missing"))?;
    if !exists(app, &requester, title).await? {
        let values = json!({"full_name": "Zoë Quinn", "first_day": tomorrow(app), "site": "Berlin"});
        let ticket = raise_one(app, &requester, onboarding, title, &values, "person").await?;
        let mut drive = Drive {
            app,
            directory,
            ticket,
        };
        let step = drive.step("approve")?;
        drive.play(MARK, Command::Approve { step, comment: None }).await?;
    }
    progress(Seeded {
        what: format!("ticket {title}"),
    });
    Ok(())
}

async fn exists(app: &App, requester: &Actor, title: &str) -> anyhow::Result<bool> {
    let query = ListQuery {
        filter: TicketService::scope(requester, Shelf::Mine),
        q: Some(title.to_owned()),
        sorting: Sorting {
            by: SortBy::CreatedAt,
            order: ListOrder::Ascending,
        },
        page: 1,
        page_size: 100,
    };
    let found = app.tickets.list(&query).await?;
    Ok(found.items.iter().any(|stored| stored.ticket.title == title))
}

async fn raise_one(
    app: &App,
    requester: &Actor,
    workflow: &WorkflowId,
    title: &str,
    values: &Value,
    form: &str,
) -> anyhow::Result<Arc<Ticket>> {
    let initial_form_values = JsonObject::from(values.as_object().cloned().unwrap_or_default());
    let new = NewTicket {
        workflow_id: workflow.to_string(),
        title: title.to_owned(),
        description: None,
        initial_form_values,
        attachment_ids: Vec::new(),
        initial_form_step_ids: vec![StepKey::from(form)],
        fingerprint: format!("seed {title}"),
    };
    Ok(app
        .tickets
        .raise(requester.clone(), new, "seed".to_owned(), None)
        .await?
        .ticket)
}

fn tomorrow(app: &App) -> String {
    app.clock
        .now()
        .plus_minutes(24 * 60)
        .to_wire()
        .chars()
        .take(10)
        .collect()
}

fn laptop_values(app: &App) -> Value {
    json!({
        "model": "Standard 14",
        "amount": 1400,
        "needed_by": tomorrow(app),
        "reason": "The present one no longer starts.",
        "cost_centre": "SA-1234",
        "__section_accessories": [{"item": "Docking station", "quantity": 1}],
    })
}

/// Brings one ticket on.
struct Drive<'a> {
    app: &'a App,
    directory: &'a DevelopmentDirectory,
    ticket: Arc<Ticket>,
}

impl Drive<'_> {
    async fn until(&mut self, requester: &Actor, until: Until) -> anyhow::Result<()> {
        let manager = self.step("manager")?;
        match until {
            Until::Raised => return Ok(()),
            Until::Asked => {
                let question = Command::RequestInfo {
                    step: manager,
                    question_text: "Which accessories do you really need?".to_owned(),
                    target: None,
                    subject: None,
                    attachment_ids: Vec::new(),
                };
                return self.play(MARK, question).await;
            }
            Until::Rejected => {
                let comment = Some("One laptop is enough.".to_owned());
                return self
                    .play(
                        MARK,
                        Command::Reject {
                            step: manager,
                            comment,
                        },
                    )
                    .await;
            }
            Until::Cancelled => {
                let reason = Some("No longer needed.".to_owned());
                return self.play_as(requester.clone(), Command::Cancel { reason }).await;
            }
            Until::Approved | Until::Assigned | Until::Held | Until::Completed => {}
        }
        self.play(
            MARK,
            Command::Approve {
                step: manager,
                comment: None,
            },
        )
        .await?;
        if until == Until::Approved {
            return Ok(());
        }
        let task = self.step("provision")?;
        let agent = NamedPerson {
            email: Email::try_from(IVAN)?,
            aad_id: None,
            display_name: None,
        };
        self.play(
            MARK,
            Command::Assign {
                step: task.clone(),
                agent,
            },
        )
        .await?;
        match until {
            Until::Held => {
                self.play(
                    IVAN,
                    Command::Hold {
                        step: task,
                        reason: "Waiting for parts.".to_owned(),
                    },
                )
                .await
            }
            Until::Completed => {
                let output = json!({"serial": "SN-0042-77", "handed_over": true});
                let output_values = JsonObject::from(output.as_object().cloned().unwrap_or_default());
                let execution_notes = Some("Installed and handed over.".to_owned());
                let attachment_ids = Vec::new();
                self.play(
                    IVAN,
                    Command::CompleteTask {
                        step: task,
                        execution_notes,
                        output_values,
                        attachment_ids,
                    },
                )
                .await
            }
            Until::Raised
            | Until::Asked
            | Until::Rejected
            | Until::Cancelled
            | Until::Approved
            | Until::Assigned => Ok(()),
        }
    }

    fn step(&self, key: &str) -> anyhow::Result<TicketStepId> {
        let step = self.ticket.newest_instance(None, &StepKey::from(key));
        step.map(|step| step.id.clone())
            .ok_or_else(|| anyhow::anyhow!("the ticket has no step {key}"))
    }

    async fn play(&mut self, who: &str, command: Command) -> anyhow::Result<()> {
        let actor = acting(self.app, self.directory, who).await?;
        self.play_as(actor, command).await
    }

    async fn play_as(&mut self, actor: Actor, command: Command) -> anyhow::Result<()> {
        let request = CommandRequest {
            ticket_id: self.ticket.id.clone(),
            command,
            actor,
            correlation_id: "seed".to_owned(),
            idempotency: None,
            expected: None,
        };
        self.ticket = self.app.execute.run(request).await?.ticket;
        Ok(())
    }
}
