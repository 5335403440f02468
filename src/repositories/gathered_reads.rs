//! Reads of one shape, gathered: under load a read of one document costs the server and the driver more than the
//! document; several in one read cost hardly more than one.

use super::gathering::{Gathering, Together};
use bson::{Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::error::{Error, Result};
use mongodb::{Collection, Database};
use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How many questions one read answers.
const MOST: usize = 32;
/// How many documents come in one piece: left to itself the server sends the first hundred and waits to be asked again.
const PIECE: u32 = 2_000;

/// What one caller asks for: documents with one value of a field.
pub(super) trait Question: Send + Sync + 'static {
    /// The field, of text.
    const FIELD: &'static str;

    /// Its value in the documents that are asked for.
    fn value(&self) -> &str;

    /// The filter of one read that answers all of these.
    fn filter(questions: &[Self]) -> Document
    where
        Self: Sized;
}

/// A document by its id.
#[derive(Debug)]
pub(super) struct ById(String);

impl ById {
    pub(super) fn new(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl Question for ById {
    const FIELD: &'static str = "_id";

    fn value(&self) -> &str {
        &self.0
    }

    fn filter(questions: &[Self]) -> Document {
        let ids: BTreeSet<&str> = questions.iter().map(Question::value).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        match ids.as_slice() {
            // The server takes a short way to one document.
            [id] => doc! {"_id": *id},
            several => doc! {"_id": {"$in": several}},
        }
    }
}

/// The documents that answer a question, in no order; another question about the same value may have brought more.
type Answer = Result<Vec<RawDocumentBuf>>;

/// Gathers reads of one shape; cheap to clone.
#[derive(Debug)]
pub(super) struct GatheredReads<Q: Question>(Gathering<Reads<Q>>);

impl<Q: Question> Clone for GatheredReads<Q> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

struct Reads<Q> {
    documents: Collection<RawDocumentBuf>,
    /// The fields that are read; all when absent.
    fields: Option<Document>,
    questions: PhantomData<Q>,
}

impl<Q: Question> GatheredReads<Q> {
    /// Reads of these fields of a collection's documents.
    pub(super) fn new(
        database: &Database,
        collection: &str,
        fields: Option<Document>,
        tracker: &TaskTracker,
    ) -> Self {
        let reads = Reads {
            documents: database.collection(collection),
            fields,
            questions: PhantomData,
        };
        Self(Gathering::new(reads, tracker))
    }

    /// The documents as they are now.
    pub(super) async fn read(&self, question: Q) -> Answer {
        let answer = self.0.ask(question).await;
        answer.unwrap_or_else(|| Err(Error::custom("a gathered read ended without an answer")))
    }
}

impl<Q: Question> Reads<Q> {
    /// What is found, by the value that was asked for.
    async fn find(&self, filter: Document) -> Result<HashMap<String, Vec<RawDocumentBuf>>> {
        let mut found = self.documents.find(filter).batch_size(PIECE);
        if let Some(fields) = &self.fields {
            found = found.projection(fields.clone());
        }
        let mut found = found.await?;
        let mut by_value: HashMap<String, Vec<RawDocumentBuf>> = HashMap::new();
        while let Some(document) = found.try_next().await? {
            if let Ok(value) = document.get_str(Q::FIELD) {
                by_value.entry(value.to_owned()).or_default().push(document);
            }
        }
        Ok(by_value)
    }
}

impl<Q: Question> Together for Reads<Q> {
    type Wish = Q;
    type Outcome = Answer;
    /// A read takes no longer than waiting for company would.
    const MOMENT: Duration = Duration::ZERO;

    fn fitting<'a>(questions: impl Iterator<Item = &'a Q>) -> usize {
        questions.take(MOST).count()
    }

    async fn carry_out(&self, questions: Vec<Q>) -> Vec<Answer> {
        let found = self.find(Q::filter(&questions)).await;
        let answer = |question: &Q| match &found {
            Ok(found) => Ok(found.get(question.value()).cloned().unwrap_or_default()),
            Err(error) => Err(error.clone()),
        };
        questions.iter().map(answer).collect()
    }
}
