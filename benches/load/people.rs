//! The people of a measurement: requesters, their managers, agents and an administrator, with a token each.

use anyhow::Context;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use workflow_ops::auth::dev_issuer::DevIssuer;
use workflow_ops::clients::development_directory::DevelopmentDirectory;
use workflow_ops::domain::id::hex12;
use workflow_ops::domain::person::{Actor, Email};
use workflow_ops::domain::time::Clock;

/// Requesters of one manager.
pub(crate) const TEAM: usize = 8;
/// Agents, at least.
const AGENTS: usize = 16;
/// Requesters whose tickets one agent works on.
const SERVED: usize = 4;

/// How many people there are, in proportion to the tickets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Headcount {
    /// People whose tickets are only read.
    pub(crate) readers: usize,
    /// People whose tickets are acted on.
    pub(crate) actors: usize,
}

/// Somebody who can sign in.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// As whom.
    pub(crate) actor: Actor,
    /// The value of the `Authorization` header.
    pub(crate) bearer: Arc<str>,
}

/// A requester with the requester's manager.
#[derive(Debug, Clone)]
pub(crate) struct Requester {
    /// The requester.
    pub(crate) member: Member,
    /// Who approves and assigns.
    pub(crate) manager: Member,
}

/// Everybody.
#[derive(Debug, Clone)]
pub(crate) struct People {
    /// People whose tickets are only read.
    pub(crate) readers: Vec<Requester>,
    /// People whose tickets are acted on.
    pub(crate) actors: Vec<Requester>,
    /// Agents.
    pub(crate) agents: Vec<Member>,
    /// An administrator.
    pub(crate) administrator: Member,
    /// Where the service finds them.
    pub(crate) file: PathBuf,
}

impl People {
    /// The agent who works on the tickets of the reader with this number.
    pub(crate) fn agent_of_reader(&self, reader: usize) -> Option<&Member> {
        self.agents.get(reader / SERVED)
    }

    /// The agent who works on the tickets of the actor with this number; no reader's.
    pub(crate) fn agent_of_actor(&self, actor: usize) -> Option<&Member> {
        self.agents
            .get(self.readers.len().div_ceil(SERVED) + actor / SERVED)
    }

    /// Invents the people, writes the file that the service reads, and mints their tokens.
    pub(crate) fn invent(folder: &Path, count: Headcount) -> anyhow::Result<Self> {
        let file = folder.join("people.json");
        std::fs::write(&file, serde_json::to_vec(&rows(count))?)?;
        let directory = DevelopmentDirectory::load(&file)?;
        let issuer = DevIssuer::open(folder, directory.clone(), Clock::System)?;
        let member = |name: String| -> anyhow::Result<Member> {
            let email = Email::try_from(address(&name).as_str())?;
            let person = directory
                .by_email(&email)
                .context("the people file lacks somebody")?;
            let token = issuer.mint(&email).map_err(|error| anyhow::anyhow!("{error}"))?;
            Ok(Member {
                actor: Actor::plain(person.to_person()),
                bearer: format!("Bearer {}", token.token).into(),
            })
        };
        let team = |kind: &str, count: usize| -> anyhow::Result<Vec<Requester>> {
            let requester = |n: usize| -> anyhow::Result<Requester> {
                Ok(Requester {
                    member: member(format!("{kind}{n}"))?,
                    manager: member(format!("{kind}-manager{}", n / TEAM))?,
                })
            };
            (0..count).map(requester).collect()
        };
        Ok(Self {
            readers: team("reader", count.readers)?,
            actors: team("actor", count.actors)?,
            agents: (0..agents_for(count))
                .map(|n| member(format!("agent{n}")))
                .collect::<anyhow::Result<_>>()?,
            administrator: member("root".to_owned())?,
            file,
        })
    }
}

fn agents_for(count: Headcount) -> usize {
    AGENTS.max(count.readers.div_ceil(SERVED) + count.actors.div_ceil(SERVED))
}

fn address(name: &str) -> String {
    format!("{name}@example.com")
}

fn rows(count: Headcount) -> Vec<serde_json::Value> {
    let row = |name: &str, manager: Option<String>, personas: &[&str], role: Option<&str>| {
        json!({
            "aad_id": format!("00000000-0000-4000-8000-{}", hex12(name)), "email": address(name),
            "display_name": format!("Person {name}"), "job_title": "Account Executive", "department": "Sales",
            "manager_email": manager.map(|name| address(&name)), "personas": personas, "admin_role": role,
        })
    };
    let mut rows = vec![row("root", None, &["designer"], Some("SUPER_ADMIN"))];
    for n in 0..agents_for(count) {
        rows.push(row(
            &format!("agent{n}"),
            Some("root".to_owned()),
            &["agent"],
            None,
        ));
    }
    for (kind, count) in [("reader", count.readers), ("actor", count.actors)] {
        for n in 0..count.div_ceil(TEAM) {
            let name = format!("{kind}-manager{n}");
            rows.push(row(&name, Some("root".to_owned()), &["manager"], None));
        }
        for n in 0..count {
            let manager = format!("{kind}-manager{}", n / TEAM);
            rows.push(row(&format!("{kind}{n}"), Some(manager), &[], None));
        }
    }
    rows
}
