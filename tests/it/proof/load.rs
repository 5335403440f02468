//! Many tickets at once, each taken from its creation to its end over HTTP through both processes, with every
//! acknowledged write looked for at once through the other process.

use super::callers::{Callers, Door, address};
use super::courses;
use super::deeds::{Deed, Details, Request, TIMER_MARK};
use super::ledger::{Acknowledged, Ledger};
use crate::support::Reply;
use futures::future::join_all;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Tickets under way at the same time.
const WORKERS: usize = 36;

/// With so many violations nothing more is learned.
const ENOUGH_VIOLATIONS: usize = 50;

/// What went wrong was written down; the ticket is left as it is.
#[derive(Debug)]
pub(super) struct Abandoned;

/// The load on a service.
#[derive(Debug)]
pub(super) struct Load<'a> {
    /// What every choice of the trial follows from.
    pub(super) seed: u64,
    /// The workflow's id.
    pub(super) workflow: String,
    /// The people.
    pub(super) callers: &'a Callers,
    /// What was acknowledged.
    pub(super) ledger: &'a Ledger,
    /// No further ticket is begun.
    pub(super) stop: &'a AtomicBool,
}

/// One ticket on its way.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    load: &'a Load<'a>,
    number: u32,
    /// Who raised it.
    pub(super) requester: String,
    ticket: String,
    steps: BTreeMap<String, String>,
    /// The newest version that somebody was told of.
    seen: AtomicI64,
}

impl Load<'_> {
    /// Takes up what was left open, then raises tickets until told to stop; returns when all have come to their end.
    pub(super) async fn run(&self) {
        let (begun, open) = self.ledger.look(|record| {
            let begun = record
                .acknowledged
                .keys()
                .next_back()
                .copied()
                .unwrap_or_default();
            let open = (1..=begun).filter(|number| !record.ended.contains(number));
            (begun, std::sync::Mutex::new(open.collect::<Vec<u32>>()))
        });
        let next = AtomicU32::new(begun + 1);
        let work = || async {
            loop {
                let left = open.lock().unwrap().pop();
                let is_broken = self.ledger.look(|record| record.violations.len()) > ENOUGH_VIOLATIONS;
                if is_broken || left.is_none() && self.stop.load(Ordering::SeqCst) {
                    return;
                }
                let number = left.unwrap_or_else(|| next.fetch_add(1, Ordering::SeqCst));
                if courses::take(self, number).await.is_ok() {
                    self.ledger.end(number);
                }
            }
        };
        join_all((0..WORKERS).map(|_| work())).await;
    }

    /// Raises the ticket with this number.
    pub(super) async fn raise(&self, number: u32, who: &str, course: &str) -> Result<Walk<'_>, Abandoned> {
        let title = format!("{course} {number} of {}", self.seed);
        let request = Request::raise(&self.workflow, &title, course);
        let requester = address(who);
        let key = self.key(number, "raise");
        let (reply, door) = self.lawful(self.callers.command(&requester, &request, &key).await)?;
        let ticket = reply.body["ticket_id"].as_str().unwrap_or_default().to_owned();
        self.ledger.acknowledge(Acknowledged {
            number,
            ticket: ticket.clone(),
            deed: Deed::Raise,
            who: requester.clone(),
            key: self.callers.stored_key(&requester, &request, &key),
            text: title,
        });
        let page = self
            .read(door.other(), &requester, &format!("/api/v1/tickets/{ticket}"))
            .await?;
        let steps = page.body["steps"].as_array().cloned().unwrap_or_default();
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        Ok(Walk {
            load: self,
            number,
            requester,
            ticket,
            steps: steps
                .iter()
                .map(|step| (word(&step["step_id"]), word(&step["ticket_step_id"])))
                .collect(),
            seen: AtomicI64::new(1),
        })
    }

    async fn read(&self, door: Door, who: &str, path: &str) -> Result<Reply, Abandoned> {
        self.callers.reads.fetch_add(1, Ordering::Relaxed);
        self.lawful(self.callers.read(door, who, path).await)
    }

    fn key(&self, number: u32, name: &str) -> String {
        format!("{}-{number}-{}", self.seed, name.replace(' ', "-"))
    }

    fn lawful<T>(&self, answered: Result<T, String>) -> Result<T, Abandoned> {
        answered.map_err(|what| {
            self.ledger.violate(what);
            Abandoned
        })
    }
}

impl Walk<'_> {
    /// Does something to a step; `name` tells it from everything else that is done to this ticket.
    pub(super) async fn act(
        &self,
        who: &str,
        step: &str,
        deed: Deed,
        name: &str,
    ) -> Result<Reply, Abandoned> {
        self.act_with(who, step, deed, name, "", "").await
    }

    /// The same when it concerns a person, or something that was asked for.
    pub(super) async fn act_with(
        &self,
        who: &str,
        step: &str,
        deed: Deed,
        name: &str,
        person: &str,
        subject: &str,
    ) -> Result<Reply, Abandoned> {
        let load = self.load;
        let who = if who.contains('@') {
            who.to_owned()
        } else {
            address(who)
        };
        let text = format!("{name} on {} of {}", self.number, load.seed);
        let details = Details {
            ticket: self.ticket.clone(),
            step: self.steps.get(step).cloned().unwrap_or_default(),
            text: text.clone(),
            person: if person.is_empty() {
                String::new()
            } else {
                address(person)
            },
            subject: subject.to_owned(),
        };
        let request = deed.request(&details);
        let key = load.key(self.number, name);
        let seen = self.seen.load(Ordering::SeqCst);
        let (reply, door) = load.lawful(load.callers.command(&who, &request, &key).await)?;
        load.ledger.acknowledge(Acknowledged {
            number: self.number,
            ticket: self.ticket.clone(),
            deed,
            who: who.clone(),
            key: load.callers.stored_key(&who, &request, &key),
            text: text.clone(),
        });
        // A proposal's answer does not tell the version. Nothing else goes on with the ticket then, unless all of this
        // was done before the trial was broken off.
        let next = seen + i64::from(!self.is_taken_up());
        let version = reply.body["ticket"]["version"].as_i64().unwrap_or(next);
        self.seen.fetch_max(version, Ordering::SeqCst);
        self.must_be_seen(door.other(), &who, deed, &text, version)
            .await?;
        Ok(reply)
    }

    /// Whoever did something sees it, through the other process, at once.
    async fn must_be_seen(
        &self,
        door: Door,
        who: &str,
        deed: Deed,
        text: &str,
        version: i64,
    ) -> Result<(), Abandoned> {
        let page = self
            .load
            .read(door, who, &format!("/api/v1/tickets/{}", self.ticket))
            .await?;
        let shown = page.body["ticket"]["version"].as_i64().unwrap_or_default();
        let is_shown = !deed.shows_text() || page.text.contains(text);
        let events = page.body["audit_events"].as_array().cloned().unwrap_or_default();
        // A page shows the newest fifty events; with more of them this one may be further down.
        let is_marked = events.len() >= 50
            || deed.mark().is_none_or(|mark| {
                events
                    .iter()
                    .any(|event| event["event_type"] == mark && event["actor"]["email"] == who)
            });
        if shown >= version && is_shown && is_marked {
            return Ok(());
        }
        let marks: Vec<_> = events
            .iter()
            .map(|event| event["event_type"].as_str().unwrap_or_default())
            .collect();
        self.load.lawful(Err(format!(
            "{who} does not see {deed:?} \"{text}\" on {}: version {shown} of {version}, text {is_shown}, events {marks:?}",
            self.ticket
        )))
    }

    /// Waits until the page tells somebody that a step is overdue; that it is told once is asked in the end.
    pub(super) async fn until_overdue(&self, who: &str, patience: Duration) -> Result<(), Abandoned> {
        let begun = Instant::now();
        let path = format!("/api/v1/tickets/{}", self.ticket);
        while begun.elapsed() < patience {
            let page = self.load.read(Door::any(), &address(who), &path).await?;
            let mut events = page.body["audit_events"].as_array().into_iter().flatten();
            if events.any(|event| event["event_type"] == TIMER_MARK) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let what = format!("{} was not overdue after {} s", self.ticket, patience.as_secs());
        self.load.lawful(Err(what))
    }

    /// The row of this ticket in a list of somebody's, read through either process; none when it is not there.
    pub(super) async fn in_list(
        &self,
        who: &str,
        list: &str,
    ) -> Result<Option<serde_json::Value>, Abandoned> {
        let path = format!("/api/v1/tickets/{list}?page_size=100");
        let page = self.load.read(Door::any(), &address(who), &path).await?;
        let items = page.body["items"].as_array().cloned().unwrap_or_default();
        Ok(items
            .into_iter()
            .find(|item| item["ticket"]["ticket_id"] == self.ticket.as_str()))
    }

    /// Writes down that a list shows what it must not show, or lacks what it must show. A ticket that was taken up
    /// again has gone further already than its repeated commands say.
    pub(super) fn complain(&self, what: &str) -> Result<(), Abandoned> {
        if self.is_taken_up() {
            return Ok(());
        }
        self.load
            .lawful(Err(format!("{} of {}: {what}", self.ticket, self.requester)))
    }

    fn is_taken_up(&self) -> bool {
        let ledger = self.load.ledger;
        ledger.look(|record| record.taken_up.contains(&self.number))
    }
}
