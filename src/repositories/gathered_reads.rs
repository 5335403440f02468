//! Reads of one shape, gathered: what is asked for while reads are on their way goes together with the next one.
//!
//! Under load a read of one document costs the server and the driver more than the document; several in one read cost
//! hardly more than one. Alone, nobody waits for others.
//!
//! Invariant: nobody is answered from a read that was sent before the question was asked, so who has done something
//! sees it.

use bson::{Document, RawDocumentBuf};
use futures::TryStreamExt;
use mongodb::error::{Error, Result};
use mongodb::{Collection, Database};
use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

/// How many reads are on their way at the same time.
const SIDE_BY_SIDE: usize = 2;
/// How many questions one read answers.
const MOST: usize = 32;

/// What one caller asks for: documents with one value of a field.
pub(super) trait Question: Debug + Send + Sync + 'static {
    /// The field, of text.
    const FIELD: &'static str;

    /// Its value in the documents that are asked for.
    fn value(&self) -> &str;

    /// The filter of one read that answers all of these.
    fn filter(questions: &[Self]) -> Document
    where
        Self: Sized;
}

/// The documents that answer a question, in no order; another question about the same value may have brought more.
type Answer = Result<Vec<RawDocumentBuf>>;

/// Gathers reads of one shape; cheap to clone.
#[derive(Debug)]
pub(super) struct GatheredReads<Q>(Arc<Inner<Q>>);

impl<Q> Clone for GatheredReads<Q> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Inner<Q> {
    documents: Collection<RawDocumentBuf>,
    /// The fields that are read; all when absent.
    fields: Option<Document>,
    tracker: TaskTracker,
    waiting: Mutex<Waiting<Q>>,
}

#[derive(Debug)]
struct Waiting<Q> {
    questions: Vec<(Q, oneshot::Sender<Answer>)>,
    readers: usize,
}

impl<Q: Question> GatheredReads<Q> {
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
            waiting: Mutex::new(Waiting {
                questions: Vec::new(),
                readers: 0,
            }),
        }))
    }

    /// The documents as they are now.
    pub(super) async fn read(&self, question: Q) -> Answer {
        let (answer, answered) = oneshot::channel();
        if self.0.ask(question, answer) {
            // A task of its own: the others' answers must not hang on this caller's patience.
            self.0.tracker.spawn(Reader(Arc::clone(&self.0)).run());
        }
        answered
            .await
            .unwrap_or_else(|_| Err(Error::custom("a gathered read ended without an answer")))
    }
}

impl<Q> Inner<Q> {
    fn lock(&self) -> MutexGuard<'_, Waiting<Q>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a question; whether another reader has to start.
    fn ask(&self, question: Q, answer: oneshot::Sender<Answer>) -> bool {
        let mut waiting = self.lock();
        waiting.questions.push((question, answer));
        let starts = waiting.readers < SIDE_BY_SIDE;
        waiting.readers += usize::from(starts);
        starts
    }

    /// The next questions; `None` ends the reader, under the same lock, so that no question is forgotten.
    fn take(&self) -> Option<(Vec<Q>, Vec<oneshot::Sender<Answer>>)> {
        let mut waiting = self.lock();
        if waiting.questions.is_empty() {
            waiting.readers -= 1;
            return None;
        }
        let many = waiting.questions.len().min(MOST);
        Some(waiting.questions.drain(..many).unzip())
    }

    async fn find(&self, filter: Document) -> Result<Vec<RawDocumentBuf>> {
        let mut found = self.documents.find(filter);
        if let Some(fields) = &self.fields {
            found = found.projection(fields.clone());
        }
        found.await?.try_collect().await
    }
}

/// Asks the database until nobody waits.
struct Reader<Q>(Arc<Inner<Q>>);

impl<Q: Question> Reader<Q> {
    async fn run(self) {
        while let Some((questions, answers)) = self.0.take() {
            let found = self.0.find(Q::filter(&questions)).await;
            let mut asked: HashMap<&str, Vec<oneshot::Sender<Answer>>> =
                HashMap::with_capacity(answers.len());
            for (question, answer) in questions.iter().zip(answers) {
                asked.entry(question.value()).or_default().push(answer);
            }
            match found {
                Ok(found) => {
                    let mut by_value = by_value::<Q>(found);
                    for (value, askers) in asked {
                        answer_all(askers, Ok(by_value.remove(value).unwrap_or_default()));
                    }
                }
                Err(error) => answer_all(asked.into_values().flatten(), Err(error)),
            }
        }
    }
}

impl<Q> Drop for Reader<Q> {
    /// After a panic its askers are told, since their senders are gone, and the next question starts another.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().readers -= 1;
        }
    }
}

fn by_value<Q: Question>(found: Vec<RawDocumentBuf>) -> HashMap<String, Vec<RawDocumentBuf>> {
    let mut by_value: HashMap<String, Vec<RawDocumentBuf>> = HashMap::new();
    for document in found {
        if let Ok(value) = document.get_str(Q::FIELD) {
            by_value.entry(value.to_owned()).or_default().push(document);
        }
    }
    by_value
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
