//! The courses that tickets take, chosen by seed and number alone, so that a course is the same when it is taken again.

use super::deeds::Deed::{
    AcceptProposal, Answer, Approve, Ask, AskForHandover, Assign, Cancel, Complete, Draft, HandOver, Hold,
    Message, Note, Propose, Resume,
};
use super::load::{Abandoned, Load, Walk};
use futures::future::try_join_all;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use std::time::Duration;
use tokio::try_join;

/// People whose manager is [`MARK`].
const REQUESTERS: [&str; 3] = ["ann.lee", "ben.cole", "zoe.quinn"];
const MARK: &str = "mark.stone";
const AGENTS: [&str; 3] = ["ivan.novak", "julia.rossi", "tom.becker"];
const BOARD: [&str; 3] = ["maria.lopez", "nina.patel", "omar.haddad"];
/// Notes on a crowded ticket, and how many of them at the same moment.
const CROWD: (u32, u32) = (24, 12);
/// The first ticket of a trial that may become overdue, which takes longer than a short trial has.
const FIRST_LATE: u32 = 100;
/// How long a step may be overdue before that is written down, with the service down meanwhile.
const LATE: Duration = Duration::from_mins(5);

/// How a ticket that came to its end has ended.
pub(super) const END_OF: [(&str, &str); 7] = [
    ("errand", "COMPLETED"),
    ("late", "COMPLETED"),
    ("board", "COMPLETED"),
    ("fork", "COMPLETED"),
    ("handover", "COMPLETED"),
    ("change", "CANCELLED"),
    ("crowd", "COMPLETED"),
];

/// Takes the ticket with this number through its course.
pub(super) async fn take(load: &Load<'_>, number: u32) -> Result<(), Abandoned> {
    let mut chance = StdRng::seed_from_u64(load.seed.wrapping_mul(1_000_003) ^ u64::from(number));
    let requester = REQUESTERS.choose(&mut chance).unwrap();
    let agent = AGENTS.choose(&mut chance).unwrap();
    let course = match chance.random_range(0..100) {
        0..16 => "board",
        16..38 => "fork",
        38..52 => "handover",
        52..68 => "change",
        68..70 => "crowd",
        70..73 if number >= FIRST_LATE => "late",
        _ => "errand",
    };
    let walk = load.raise(number, requester, course).await?;
    walk.act(MARK, "manager", Approve, "manager approves").await?;
    match course {
        "board" => board(&walk, agent).await,
        "fork" => fork(&walk, agent).await,
        "handover" => handover(&walk).await,
        "change" => change(&walk).await,
        "crowd" => crowd(&walk, agent).await,
        "late" => late(&walk, agent).await,
        _ => errand(&walk, agent).await,
    }
}

/// A task and nothing else.
async fn errand(walk: &Walk<'_>, agent: &str) -> Result<(), Abandoned> {
    walk.act_with(MARK, "work", Assign, "assigned", agent, "").await?;
    complete(walk, agent).await
}

/// A task that nobody does before it is overdue, so that its timer fires in one of the processes.
async fn late(walk: &Walk<'_>, agent: &str) -> Result<(), Abandoned> {
    walk.act_with(MARK, "soon", Assign, "assigned", agent, "").await?;
    walk.until_overdue(MARK, LATE).await?;
    walk.act(agent, "soon", Complete, "done late").await?;
    Ok(())
}

/// Three approve at the same moment while the requester writes; then a task with a question and notes.
async fn board(walk: &Walk<'_>, agent: &str) -> Result<(), Abandoned> {
    let votes = BOARD.map(|who| async move {
        walk.act(who, "board", Approve, &format!("{who} approves"))
            .await?;
        match walk.in_list(who, "manager/approvals").await? {
            None => Ok(()),
            Some(_) => walk.complain("an approval that was given is still waited for"),
        }
    });
    try_join!(
        try_join_all(votes),
        walk.act(&walk.requester, "", Message, "how is it going")
    )?;
    walk.act_with(MARK, "work", Assign, "assigned", agent, "").await?;
    if walk.in_list(agent, "agent/tasks").await?.is_none() {
        walk.complain("a task that was assigned is not in the agent's list")?;
    }
    walk.act(agent, "work", Ask, "which one").await?;
    walk.act(&walk.requester, "work", Answer, "this one").await?;
    try_join!(
        walk.act(agent, "work", Note, "ordered"),
        walk.act(MARK, "work", Note, "hurry"),
        walk.act(&walk.requester, "", Message, "thank you"),
    )?;
    walk.act(agent, "work", Draft, "nearly").await?;
    complete(walk, agent).await
}

/// A task and two approvals in two branches at the same moment, then what follows their join.
async fn fork(walk: &Walk<'_>, agent: &str) -> Result<(), Abandoned> {
    let left = async {
        walk.act_with(MARK, "build", Assign, "build assigned", agent, "")
            .await?;
        walk.act(agent, "build", Complete, "built").await
    };
    let right = [BOARD[0], BOARD[1]]
        .map(|who| async move { walk.act(who, "check", Approve, &format!("{who} checks")).await });
    try_join!(left, try_join_all(right))?;
    walk.act_with(MARK, "work", Assign, "assigned", agent, "").await?;
    complete(walk, agent).await
}

/// A task that is held, resumed and handed over.
async fn handover(walk: &Walk<'_>) -> Result<(), Abandoned> {
    let [first, second, _] = AGENTS;
    walk.act_with(MARK, "work", Assign, "assigned", first, "").await?;
    walk.act(first, "work", Hold, "held").await?;
    walk.act(first, "work", Resume, "resumed").await?;
    walk.act(first, "work", AskForHandover, "on leave").await?;
    match walk.in_list(MARK, "manager/handovers").await? {
        Some(row) => {
            let id = row["handover_request"]["handover_request_id"]
                .as_str()
                .unwrap_or_default();
            walk.act_with(MARK, "work", HandOver, "handed over", second, id)
                .await?;
        }
        None => walk.complain("a handover that was asked for is not in the manager's list")?,
    }
    walk.act(second, "work", Note, "taken over").await?;
    complete(walk, second).await
}

/// A proposal that is accepted, and a ticket that is cancelled.
async fn change(walk: &Walk<'_>) -> Result<(), Abandoned> {
    let reply = walk.act(&walk.requester, "", Propose, "another thing").await?;
    let id = reply.body["change_request"]["change_request_id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    walk.act_with(MARK, "", AcceptProposal, "accepted", "", &id)
        .await?;
    walk.act(&walk.requester, "", Cancel, "no longer needed").await?;
    Ok(())
}

/// Many notes of three people on one ticket at the same moment.
async fn crowd(walk: &Walk<'_>, agent: &str) -> Result<(), Abandoned> {
    walk.act_with(MARK, "work", Assign, "assigned", agent, "").await?;
    let (notes, at_once) = CROWD;
    for wave in 0..notes / at_once {
        let written = (0..at_once).map(|n| async move {
            let name = format!("note {wave}.{n}");
            match n % 3 {
                0 => walk.act(agent, "work", Note, &name).await,
                1 => walk.act(MARK, "work", Note, &name).await,
                _ => walk.act(&walk.requester, "", Message, &name).await,
            }
        });
        try_join_all(written).await?;
    }
    complete(walk, agent).await
}

async fn complete(walk: &Walk<'_>, agent: &str) -> Result<(), Abandoned> {
    walk.act(agent, "work", Complete, "done").await?;
    match walk.in_list(agent, "agent/tasks").await? {
        None => Ok(()),
        Some(_) => walk.complain("a completed task is still in the agent's list"),
    }
}
