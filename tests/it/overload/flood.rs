//! Many requests of one class at once: as many as there are callers who wait for their answer, or as many a second as
//! are told, whether or not anybody is answered.

use super::figures::Figures;
use crate::support::{Reply, TestClient, client_send};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How often a flood sends what has become due.
const TICK: Duration = Duration::from_millis(4);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// A ticket's page.
    Read,
    /// A note on a ticket.
    Change,
    /// A small file stored.
    File,
    /// A question to the assistant.
    Model,
}

impl Class {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read: a ticket's page",
            Self::Change => "change: a note on a ticket",
            Self::File => "file: an upload",
            Self::Model => "model: a question to the assistant",
        }
    }
}

/// One request and its answer.
#[derive(Debug)]
pub(super) struct Answered {
    /// What it had to say.
    pub(super) said: String,
    /// How long its answer took.
    pub(super) took: Duration,
    /// The answer's status, or why there is none.
    pub(super) status: Result<u16, String>,
    /// Whether it says when to come back.
    pub(super) has_pause: bool,
}

/// A flood of one class.
#[derive(Debug)]
pub(super) struct Flood {
    class: Class,
    caller: TestClient,
    tickets: Arc<Vec<String>>,
    sent: AtomicUsize,
}

impl Flood {
    pub(super) fn of(class: Class, caller: &TestClient, tickets: &Arc<Vec<String>>) -> Arc<Self> {
        Arc::new(Self {
            class,
            caller: caller.clone(),
            tickets: Arc::clone(tickets),
            sent: AtomicUsize::new(0),
        })
    }

    /// So many callers, each of whom asks again when answered, for a while.
    pub(super) async fn of_callers(self: &Arc<Self>, callers: usize, time: Duration) -> Figures {
        let begun = Instant::now();
        let mut running = JoinSet::new();
        for _ in 0..callers {
            let flood = Arc::clone(self);
            running.spawn(async move {
                let mut answers = Vec::new();
                while begun.elapsed() < time {
                    answers.push(flood.ask().await);
                }
                answers
            });
        }
        let mut figures = Figures::default();
        while let Some(answers) = running.join_next().await {
            answers
                .unwrap()
                .into_iter()
                .for_each(|answer| figures.add(answer));
        }
        figures.finish(begun.elapsed())
    }

    /// So many requests a second, for a while.
    pub(super) async fn of_rate(self: &Arc<Self>, rate: f64, time: Duration) -> Figures {
        let begun = Instant::now();
        let mut running = JoinSet::new();
        let mut figures = Figures::default();
        let mut tick = tokio::time::interval(TICK);
        let mut sent = 0.0;
        while begun.elapsed() < time {
            tick.tick().await;
            while sent < begun.elapsed().as_secs_f64() * rate {
                let flood = Arc::clone(self);
                running.spawn(async move { flood.ask().await });
                sent += 1.0;
            }
            while let Some(answer) = running.try_join_next() {
                figures.add(answer.unwrap());
            }
        }
        let took = begun.elapsed();
        while let Some(answer) = running.join_next().await {
            figures.add(answer.unwrap());
        }
        figures.finish(took)
    }

    async fn ask(&self) -> Answered {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let said = format!("{:?} {number} of a flood", self.class);
        let ticket = &self.tickets[number % self.tickets.len()];
        let request = match self.class {
            Class::Read => self
                .caller
                .request(Method::GET, &format!("/api/v1/tickets/{ticket}")),
            Class::Change => self
                .caller
                .request(
                    Method::POST,
                    &format!("/api/v1/tickets/{ticket}/add-requester-note"),
                )
                .json(&json!({"content": said})),
            Class::File => uploading(&self.caller, &said),
            Class::Model => self
                .caller
                .request(Method::POST, "/api/v1/ai-chat/chat")
                .json(&json!({"message": said, "persona": "requester"})),
        };
        let begun = Instant::now();
        let answer = request.send().await;
        let (status, has_pause) = match answer {
            Ok(answer) => {
                let status = answer.status().as_u16();
                let pause = answer.headers().get("retry-after");
                let has_pause = pause
                    .and_then(|pause| pause.to_str().ok()?.parse::<u64>().ok())
                    .is_some();
                (
                    answer
                        .bytes()
                        .await
                        .map(|_| status)
                        .map_err(|error| error.to_string()),
                    has_pause,
                )
            }
            Err(error) => (Err(error.to_string()), false),
        };
        Answered {
            said,
            took: begun.elapsed(),
            status,
            has_pause,
        }
    }
}

/// Stores a small text.
pub(super) async fn upload(who: &TestClient, text: &str) -> Reply {
    client_send(uploading(who, text)).await
}

fn uploading(who: &TestClient, text: &str) -> reqwest::RequestBuilder {
    let form = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"note.txt\"\r\nContent-Type: text/plain\r\n\r\n\
         {text}\r\n--b--\r\n"
    );
    who.request(Method::POST, "/api/v1/attachments/upload")
        .header(CONTENT_TYPE, "multipart/form-data; boundary=b")
        .body(form)
}
