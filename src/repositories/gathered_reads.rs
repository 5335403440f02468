//! Reads of documents by id, gathered: what is asked for while reads are on their way goes together with the next one.
//!
//! Under load a read of one document costs the server and the driver more than the document; several ids in one read
//! cost hardly more than one. Alone, nobody waits for others.
//!
//! Invariant: nobody is answered from a read that was sent before the question was asked, so who has done something
//! sees it.

use bson::{Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::error::{Error, Result};
use mongodb::{Collection, Database};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// How many reads are on their way at the same time.
const SIDE_BY_SIDE: usize = 2;
/// How many documents one read asks for.
const MOST: usize = 32;

/// What a question is answered with; `None` when there is no such document.
type Answer = Result<Option<RawDocumentBuf>>;

/// Gathers reads of one shape; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct GatheredReads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    documents: Collection<RawDocumentBuf>,
    /// The fields that are read; all when absent.
    fields: Option<Document>,
    tracker: TaskTracker,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    questions: Vec<(String, oneshot::Sender<Answer>)>,
    readers: usize,
}

impl GatheredReads {
    /// Reads of these fields of a collection's documents.
    pub(super) fn new(
        database: &Database,
        collection: &str,
        fields: Option<Document>,
        tracker: &TaskTracker,
    ) -> Self {
        Self(Arc::new(Inner {
            documents: database.collection(collection),
            fields,
            tracker: tracker.clone(),
            waiting: Mutex::default(),
        }))
    }

    /// The document as it is now.
    pub(super) async fn read(&self, id: &str) -> Answer {
        let (answer, answered) = oneshot::channel();
        if self.0.ask(id, answer) {
            // A task of its own: the others' answers must not hang on this caller's patience.
            self.0.tracker.spawn(Reader(Arc::clone(&self.0)).run());
        }
        answered
            .await
            .unwrap_or_else(|_| Err(Error::custom("a gathered read ended without an answer")))
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a question; whether another reader has to start.
    fn ask(&self, id: &str, answer: oneshot::Sender<Answer>) -> bool {
        let mut waiting = self.lock();
        waiting.questions.push((id.to_owned(), answer));
        let starts = waiting.readers < SIDE_BY_SIDE;
        waiting.readers += usize::from(starts);
        starts
    }

    /// The next questions, by id; `None` ends the reader, under the same lock, so that no question is forgotten.
    fn take(&self) -> Option<HashMap<String, Vec<oneshot::Sender<Answer>>>> {
        let mut waiting = self.lock();
        if waiting.questions.is_empty() {
            waiting.readers -= 1;
            return None;
        }
        let many = waiting.questions.len().min(MOST);
        let mut by_id: HashMap<_, Vec<_>> = HashMap::with_capacity(many);
        for (id, answer) in waiting.questions.drain(..many) {
            by_id.entry(id).or_default().push(answer);
        }
        Some(by_id)
    }

    async fn find(&self, ids: &[&str]) -> Result<Vec<RawDocumentBuf>> {
        // The server takes a short way to one document.
        let filter = match ids {
            [id] => doc! {"_id": *id},
            several => doc! {"_id": {"$in": several}},
        };
        let mut found = self.documents.find(filter);
        if let Some(fields) = &self.fields {
            found = found.projection(fields.clone());
        }
        found.await?.try_collect().await
    }
}

/// Asks the database until nobody waits.
struct Reader(Arc<Inner>);

impl Reader {
    async fn run(self) {
        while let Some(mut asked) = self.0.take() {
            let ids: Vec<&str> = asked.keys().map(String::as_str).collect();
            match self.0.find(&ids).await {
                Ok(found) => {
                    for document in found {
                        let askers = document.get_str("_id").ok().and_then(|id| asked.remove(id));
                        answer_all(askers.into_iter().flatten(), Ok(Some(document)));
                    }
                    answer_all(asked.into_values().flatten(), Ok(None));
                }
                Err(error) => answer_all(asked.into_values().flatten(), Err(error)),
            }
        }
    }
}

impl Drop for Reader {
    /// After a panic its askers are told, since their senders are gone, and the next question starts another.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().readers -= 1;
        }
    }
}

fn answer_all(askers: impl IntoIterator<Item = oneshot::Sender<Answer>>, answer: Answer) {
    let mut askers: Vec<_> = askers.into_iter().collect();
    let last = askers.pop();
    for asker in askers {
        // Nobody listens when the client went away.
        let _ = asker.send(answer.clone());
    }
    if let Some(last) = last {
        let _ = last.send(answer);
    }
}
