//! Counting up to a limit, from the keys of an index alone.

use bson::{Bson, Document, doc};
use mongodb::Collection;
use mongodb::error::{Error, Result};
use mongodb::options::Hint;

/// Where counting over everything stops (design 3).
pub const COUNTED: u64 = 10_000;

/// What is counted: the filter, and the index whose keys answer it where the server might take another.
#[derive(Debug, Clone)]
pub(super) struct Counted {
    /// The filter.
    pub(super) filter: Document,
    /// The index's name.
    pub(super) index: Option<&'static str>,
}

impl From<Document> for Counted {
    fn from(filter: Document) -> Self {
        Self { filter, index: None }
    }
}

/// How many documents pass the filter, counted up to `limit`.
///
/// The server's own command counts keys without looking at them, at less than half the cost of the aggregation behind
/// `count_documents`. The driver repeats a read that was cut off but not a bare command: after any failure the aggregation, which
/// it does repeat, has the last word.
pub(super) async fn count_up_to<T: Send + Sync>(
    rows: &Collection<T>,
    counted: impl Into<Counted>,
    limit: u64,
) -> Result<u64> {
    let Counted { filter, index } = counted.into();
    // Without filter and index the server tells the size it has noted, which may be wrong after a crash.
    let index = index.or_else(|| filter.is_empty().then_some("_id_"));
    let mut command = doc! {
        "count": rows.name(),
        "query": &filter,
        "limit": i64::try_from(limit).unwrap_or(i64::MAX),
        "readConcern": {"level": "majority"},
    };
    if let Some(index) = index {
        command.insert("hint", index);
    }
    let database = rows.client().database(&rows.namespace().db);
    match database.run_command(command).await {
        Ok(reply) => number(reply.get("n")),
        Err(error) => {
            tracing::debug!(collection = rows.name(), error = %error, "counting once more");
            let mut counting = rows.count_documents(filter).limit(limit);
            if let Some(index) = index {
                counting = counting.hint(Hint::Name(index.to_owned()));
            }
            counting.await
        }
    }
}

fn number(count: Option<&Bson>) -> Result<u64> {
    let wide = match count {
        Some(Bson::Int32(count)) => u64::try_from(*count).ok(),
        Some(Bson::Int64(count)) => u64::try_from(*count).ok(),
        _ => None,
    };
    wide.ok_or_else(|| Error::custom("the server's count is no number"))
}
