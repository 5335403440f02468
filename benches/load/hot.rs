//! One ticket that fifty people vote on at the same moment: fifty branches of a fork, each with its approver, and the
//! join that waits for all of them.

use crate::bare::Bare;
use crate::http::{Call, Connection};
use crate::people::{Member, People};
use crate::rounds::{median, settle};
use crate::service::{Service, address_of};
use crate::shapes::{Commit, Rehearsal};
use crate::template::{Copy, new_ticket_id};
use anyhow::Context;
use bson::{Document, RawDocumentBuf, doc};
use mongodb::Database;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use workflow_ops::domain::id::{TicketId, TicketStepId};
use workflow_ops::domain::time::Clock;

/// How many vote.
pub(crate) const VOTERS: usize = 50;

/// A rehearsed vote.
#[derive(Debug)]
pub(crate) struct Ballot {
    /// Who votes on which step.
    pub(crate) votes: Vec<(Member, TicketStepId)>,
    /// The creation, then every vote.
    pub(crate) commits: Vec<Commit>,
}

/// What rounds of votes came to.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct HotFigures {
    /// Against how many processes.
    pub(crate) processes: usize,
    /// Fifty serial updates of the bare driver, in milliseconds, round by round.
    pub(crate) bare: Vec<f64>,
    /// Fifty votes at the same moment, in milliseconds, round by round.
    pub(crate) service: Vec<f64>,
}

/// The workflow that is voted on.
pub(crate) fn definition(people: &People) -> Map<String, Value> {
    let voters: Vec<&str> = people
        .actors
        .iter()
        .take(VOTERS)
        .map(|voter| voter.member.actor.person.email.as_str())
        .collect();
    let mut steps = vec![
        json!({"step_id": "ask", "step_name": "Ask", "step_type": "FORM_STEP", "order": 0, "is_start": true,
            "fields": [{"field_key": "model", "field_label": "Model", "field_type": "TEXT", "required": true, "order": 0}]}),
        json!({"step_id": "split", "step_name": "Everybody", "step_type": "FORK_STEP", "order": 1,
            "failure_policy": "FAIL_ALL", "branches": (0..voters.len()).map(|n| json!({
                "branch_id": format!("b{n}"), "branch_name": format!("Voter {n}"), "start_step_id": format!("v{n}"),
            })).collect::<Vec<_>>()}),
    ];
    let mut transitions = vec![json!({
        "transition_id": "begin", "from_step_id": "ask", "to_step_id": "split", "on_event": "SUBMIT_FORM", "priority": 0,
    })];
    for (n, voter) in voters.iter().enumerate() {
        steps.push(
            json!({"step_id": format!("v{n}"), "step_name": format!("Vote {n}"), "step_type": "APPROVAL_STEP",
            "order": n + 2, "branch_id": format!("b{n}"), "parent_fork_step_id": "split",
            "approver_resolution": "SPECIFIC_EMAIL", "specific_approver_email": voter,
            "specific_approver_display_name": format!("Voter {n}")}),
        );
        transitions.push(
            json!({"transition_id": format!("t{n}"), "from_step_id": format!("v{n}"),
            "to_step_id": "meet", "on_event": "APPROVE", "priority": 0}),
        );
    }
    steps.push(
        json!({"step_id": "meet", "step_name": "All", "step_type": "JOIN_STEP", "order": 90,
        "source_fork_step_id": "split", "join_mode": "ALL"}),
    );
    steps.push(
        json!({"step_id": "done", "step_name": "Done", "step_type": "NOTIFY_STEP", "order": 91,
        "is_terminal": true, "recipients": ["requester"], "notification_template": "TICKET_COMPLETED"}),
    );
    transitions.push(
        json!({"transition_id": "end", "from_step_id": "meet", "to_step_id": "done",
        "on_event": "COMPLETE_TASK", "priority": 0}),
    );
    let definition = json!({"start_step_id": "ask", "steps": steps, "transitions": transitions});
    definition.as_object().cloned().unwrap_or_default()
}

/// Measures rounds of votes beside the same number of serial updates.
pub(crate) async fn measure(
    rehearsal: &Rehearsal,
    ballot: &Ballot,
    bare: &Bare,
    services: &[Service],
    rounds: usize,
) -> anyhow::Result<HotFigures> {
    let database = rehearsal.database();
    let mut connections = Vec::new();
    for client in 0..ballot.votes.len() {
        connections.push(Connection::open(address_of(services, client)?).await?);
    }
    let mut figures = HotFigures {
        processes: services.len(),
        bare: Vec::new(),
        service: Vec::new(),
    };
    for round in 0..=rounds {
        let serial = serial_updates(database, ballot, bare).await?;
        let id = lay_in(database, ballot).await?;
        let begun = Instant::now();
        let votes = ballot.votes.iter().zip(std::mem::take(&mut connections));
        let votes = votes.map(|((voter, step), mut connection)| {
            let path = format!("/api/v1/tickets/{id}/steps/{step}/approve");
            let call = Call::post(path, &voter.bearer, &json!({"comment": "Fine with me."}));
            tokio::spawn(async move { connection.send(&call).await.map(|_| connection) })
        });
        for vote in futures::future::join_all(votes).await {
            connections.push(vote??);
        }
        let together = begun.elapsed();
        settle(database).await?;
        verify(database, &id).await?;
        // The first round warms up.
        if round > 0 {
            figures.bare.push(milliseconds(serial));
            figures.service.push(milliseconds(together));
        }
    }
    crate::say(&format!(
        "hot ticket, {} process(es): {VOTERS} votes in {:.0} ms, {VOTERS} serial bare updates in {:.0} ms; all decided, one join",
        figures.processes,
        median(figures.service.clone()),
        median(figures.bare.clone()),
    ));
    Ok(figures)
}

async fn lay_in(database: &Database, ballot: &Ballot) -> anyhow::Result<TicketId> {
    let id = new_ticket_id();
    let created = ballot.commits.first().context("no vote was rehearsed")?;
    let document = created.stored.copy(&copy(&id))?;
    database
        .collection::<RawDocumentBuf>("tickets")
        .insert_one(&document)
        .await?;
    Ok(id)
}

async fn serial_updates(database: &Database, ballot: &Ballot, bare: &Bare) -> anyhow::Result<Duration> {
    let id = lay_in(database, ballot).await?;
    let begun = Instant::now();
    for commit in ballot.commits.iter().skip(1) {
        bare.update(commit, id.clone()).await?;
    }
    let took = begun.elapsed();
    bare.settle().await;
    Ok(took)
}

/// Every vote counts, and the join was passed once.
async fn verify(database: &Database, id: &TicketId) -> anyhow::Result<()> {
    let found = database
        .collection::<Document>("tickets")
        .find_one(doc! {"_id": id.as_str()})
        .await?;
    let ticket = found.context("the ticket vanished")?;
    let status = ticket.get_document("ticket")?.get_str("status")?.to_owned();
    anyhow::ensure!(status == "COMPLETED", "after all votes the ticket is {status}");
    let joins = database
        .collection::<Document>("audit_events")
        .count_documents(doc! {"ticket_id": id.as_str(), "body.event_type": "JOIN_COMPLETED"})
        .await?;
    anyhow::ensure!(joins == 1, "the join was passed {joins} times");
    Ok(())
}

fn copy(id: &TicketId) -> Copy {
    Copy {
        ticket: id.clone(),
        now: Clock::System.now(),
    }
}

fn milliseconds(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
