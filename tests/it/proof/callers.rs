//! People at either process, who repeat under the same key until they are answered.

use super::deeds::Request;
use crate::support::{Reply, TestClient};
use rand::Rng;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use workflow_ops::clients::development_directory::DevelopmentDirectory;
use workflow_ops::domain::person::{Email, Person};
use workflow_ops::services::execute::IdempotencyKey;

/// How long somebody waits for one answer.
const ONE_ANSWER: Duration = Duration::from_secs(12);
/// How long somebody goes on asking.
const PATIENCE: Duration = Duration::from_mins(2);
/// Of how many commands one is sent through both processes at the same moment.
const TWICE_IN: u32 = 8;

/// One of the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    One,
    Two,
}

impl Door {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::One => Self::Two,
            Self::Two => Self::One,
        }
    }

    /// Either, by chance.
    pub(super) fn any() -> Self {
        if rand::rng().random() {
            Self::One
        } else {
            Self::Two
        }
    }
}

/// The people and their ways in.
#[derive(Debug)]
pub(super) struct Callers {
    people: BTreeMap<String, Caller>,
    /// Requests that got no answer, or were told to come back.
    pub(super) repeats: AtomicU64,
    /// Commands that were sent through both processes at once.
    pub(super) doubled: AtomicU64,
    /// Reads that were checked against an acknowledged write.
    pub(super) reads: AtomicU64,
}

#[derive(Debug)]
struct Caller {
    person: Person,
    doors: [TestClient; 2],
}

impl Callers {
    /// Everybody of the development directory, with tokens of the first process.
    pub(super) async fn sign_in(addresses: &[String], directory: &DevelopmentDirectory) -> Self {
        let http = reqwest::Client::builder()
            .timeout(ONE_ANSWER)
            .no_proxy()
            .build()
            .unwrap();
        let mut people = BTreeMap::new();
        for person in directory.people() {
            let email = person.email.as_str();
            let nobody = TestClient::at(http.clone(), &addresses[0], None);
            let token = nobody
                .post("/dev/token", serde_json::json!({"email": email}))
                .await
                .expect(200);
            let token = token.body["access_token"].as_str().unwrap();
            let door = |address: &String| TestClient::at(http.clone(), address, Some(token));
            let caller = Caller {
                person: person.to_person(),
                doors: [door(&addresses[0]), door(&addresses[1])],
            };
            people.insert(email.to_owned(), caller);
        }
        Self {
            people,
            repeats: AtomicU64::new(0),
            doubled: AtomicU64::new(0),
            reads: AtomicU64::new(0),
        }
    }

    /// Sends a command until it is answered; returns the answer and the door it came from.
    ///
    /// # Errors
    /// A refusal, a defect, or no answer for two minutes, in words.
    pub(super) async fn command(
        &self,
        who: &str,
        request: &Request,
        key: &str,
    ) -> Result<(Reply, Door), String> {
        let begun = Instant::now();
        let mut door = Door::any();
        let is_doubled = rand::rng().random_ratio(1, TWICE_IN);
        loop {
            let answers = if is_doubled {
                self.doubled.fetch_add(1, Ordering::Relaxed);
                let (one, two) = tokio::join!(
                    self.send(door, who, request, key),
                    self.send(door.other(), who, request, key)
                );
                vec![(door, one), (door.other(), two)]
            } else {
                vec![(door, self.send(door, who, request, key).await)]
            };
            let mut accepted = None;
            for (door, answer) in answers {
                match answer {
                    Some(reply) if reply.status.is_success() => accepted = Some((reply, door)),
                    Some(reply) if is_told_to_come_back(&reply) => {}
                    Some(reply) => {
                        return Err(format!("{who} {}: {} {}", request.path, reply.status, reply.text));
                    }
                    None => {}
                }
            }
            if let Some(accepted) = accepted {
                return Ok(accepted);
            }
            self.rest(begun, who, &request.path).await?;
            door = Door::any();
        }
    }

    /// Reads until it is answered.
    ///
    /// # Errors
    /// As for commands.
    pub(super) async fn read(&self, door: Door, who: &str, path: &str) -> Result<Reply, String> {
        let begun = Instant::now();
        loop {
            let asked = self.client(door, who).request(reqwest::Method::GET, path);
            match crate::support::client_try_send(asked).await {
                Ok(reply) if reply.status.is_success() => return Ok(reply),
                Ok(reply) if !is_told_to_come_back(&reply) => {
                    return Err(format!("{who} GET {path}: {} {}", reply.status, reply.text));
                }
                Ok(_) | Err(_) => self.rest(begun, who, path).await?,
            }
        }
    }

    /// The key under which a command of this person is stored.
    pub(super) fn stored_key(&self, who: &str, request: &Request, key: &str) -> String {
        let sent = IdempotencyKey {
            key: key.to_owned(),
            route: request.route.clone(),
            fingerprint: String::new(),
        };
        sent.stored(&self.people[who].person)
    }

    /// A person at a process.
    pub(super) fn client(&self, door: Door, who: &str) -> &TestClient {
        let at = match door {
            Door::One => 0,
            Door::Two => 1,
        };
        &self.people[who].doors[at]
    }

    async fn send(&self, door: Door, who: &str, request: &Request, key: &str) -> Option<Reply> {
        let client = self.client(door, who);
        let sent = client
            .request(reqwest::Method::POST, &request.path)
            .header("Idempotency-Key", key);
        let sent = if request.body.is_null() {
            sent
        } else {
            sent.json(&request.body)
        };
        crate::support::client_try_send(sent).await.ok()
    }

    async fn rest(&self, begun: Instant, who: &str, path: &str) -> Result<(), String> {
        self.repeats.fetch_add(1, Ordering::Relaxed);
        if begun.elapsed() > PATIENCE {
            return Err(format!("{who} {path}: no answer for {} s", PATIENCE.as_secs()));
        }
        let pause = rand::rng().random_range(30..250);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Ok(())
    }
}

/// 429 and 503: try again later.
fn is_told_to_come_back(reply: &Reply) -> bool {
    let is_busy = matches!(reply.status.as_u16(), 429 | 503);
    is_busy && !reply.header("retry-after").is_empty()
}

/// An address of the development directory.
pub(super) fn address(name: &str) -> String {
    let address = format!("{name}@example.com");
    assert!(Email::try_from(address.as_str()).is_ok());
    address
}
