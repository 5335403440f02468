//! What all exports share: how many rows one holds, how long it runs, and how many run at the same time.
//!
//! Rows come one by one from a cursor, so memory does not grow with them. Invariant: a stream of rows ends well only
//! when every row has been handed over; whatever stops it sooner is its last item, an error.

use crate::app::Tasks;
use crate::domain::error::{ErrorCode, ServiceError};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::TaskTracker;

/// Most rows of one export; who needs more asks for one range of dates after another.
pub const ROWS: u64 = 100_000;
/// How long one export may run; the database keeps the moment it is read from for five minutes.
const PATIENCE: Duration = Duration::from_secs(270);
/// How many run in this process at the same time.
const AT_ONCE: usize = 16;
/// How many rows are read ahead of a client.
const AHEAD: usize = 16;

/// The rows of an export; an error is the last item.
pub type Rows<T> = BoxStream<'static, Result<T, ServiceError>>;

/// Runs exports within their bounds; cheap to clone.
#[derive(Debug, Clone)]
pub struct Exports {
    places: Arc<Semaphore>,
    tracker: TaskTracker,
}

impl Exports {
    /// Exports whose readers are spawned on `tasks`.
    pub fn new(tasks: &Tasks) -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE)),
            tracker: tasks.tracker.clone(),
        }
    }

    /// Reads `rows` in a task of its own, which ends in time even when the client does not take them.
    ///
    /// # Errors
    /// Too many exports run just now.
    pub fn run<T: Send + 'static>(&self, rows: Rows<T>) -> Result<Rows<T>, ServiceError> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| ServiceError::Unavailable {
            retry_after: Duration::from_secs(5),
            source: Some(anyhow::anyhow!("too many exports at the same time")),
        })?;
        let (to_client, of_reader) = mpsc::channel(AHEAD);
        self.tracker.spawn(read(rows, to_client, place));
        Ok(until_the_end(of_reader))
    }
}

/// What the reader hands to the client's stream.
enum Handed<T> {
    Row(T),
    Failure(ServiceError),
    End,
}

async fn read<T>(rows: Rows<T>, to_client: mpsc::Sender<Handed<T>>, _place: OwnedSemaphorePermit) {
    if tokio::time::timeout(PATIENCE, pump(rows, &to_client))
        .await
        .is_err()
    {
        tracing::warn!("an export took too long and was broken off");
    }
}

/// Hands over every row and then the end; stops when nobody takes them any more.
async fn pump<T>(mut rows: Rows<T>, to_client: &mpsc::Sender<Handed<T>>) {
    let mut count = 0;
    while let Some(row) = rows.next().await {
        count += 1;
        let handed = match row {
            Ok(_) if count > ROWS => Handed::Failure(too_many_rows()),
            Ok(row) => Handed::Row(row),
            Err(error) => Handed::Failure(error),
        };
        let is_last = matches!(handed, Handed::Failure(_));
        if to_client.send(handed).await.is_err() || is_last {
            return;
        }
    }
    // A client that has gone away does not miss the end.
    let _ = to_client.send(Handed::End).await;
}

/// The rows up to the reader's word that there are no more; a reader that vanishes without it has failed.
fn until_the_end<T: Send + 'static>(of_reader: mpsc::Receiver<Handed<T>>) -> Rows<T> {
    let broken_off = futures::stream::once(async {
        Handed::Failure(ServiceError::unavailable(anyhow::anyhow!(
            "an export was broken off"
        )))
    });
    ReceiverStream::new(of_reader)
        .chain(broken_off)
        .scan(false, |is_over, handed| {
            let item = match handed {
                _ if *is_over => None,
                Handed::Row(row) => Some(Ok(row)),
                Handed::Failure(error) => {
                    *is_over = true;
                    Some(Err(error))
                }
                Handed::End => None,
            };
            std::future::ready(item)
        })
        .boxed()
}

/// A cursor's rows, each shaped by `shape`.
pub fn rows<S, R, T>(cursor: S, shape: impl Fn(R) -> T + Send + 'static) -> Rows<T>
where
    S: Stream<Item = mongodb::error::Result<R>> + Send + 'static,
    R: Send + 'static,
    T: Send + 'static,
{
    cursor
        .map(move |row| row.map(&shape).map_err(ServiceError::from))
        .boxed()
}

/// Refuses an export that would hold more than [`ROWS`] rows.
///
/// # Errors
/// 400, naming the way out.
pub fn refuse_too_many(rows: u64) -> Result<(), ServiceError> {
    if rows > ROWS { Err(too_many_rows()) } else { Ok(()) }
}

fn too_many_rows() -> ServiceError {
    let text =
        format!("an export holds at most {ROWS} rows: ask for a shorter range of dates or add filters");
    ServiceError::bad_request(ErrorCode::ValidationError, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;

    fn exports() -> Exports {
        Exports::new(&Tasks::default())
    }

    async fn outcome(rows: Rows<u64>) -> (usize, bool) {
        let all: Vec<_> = rows.collect().await;
        let failed = all.last().is_some_and(Result::is_err);
        (all.iter().filter(|row| row.is_ok()).count(), failed)
    }

    #[tokio::test]
    async fn every_row_is_handed_over_and_then_the_end() {
        let rows = stream::iter((0..1_000).map(Ok)).boxed();
        assert_eq!(outcome(exports().run(rows).unwrap()).await, (1_000, false));
    }

    #[tokio::test]
    async fn a_failure_is_the_last_item() {
        let broken = Err(ServiceError::defect("the cursor is gone"));
        let rows = stream::iter([Ok(1), broken, Ok(2)]).boxed();
        assert_eq!(outcome(exports().run(rows).unwrap()).await, (1, true));
    }

    #[tokio::test]
    async fn more_rows_than_allowed_are_a_failure_not_a_shorter_file() {
        let rows = stream::iter((0..=ROWS).map(Ok)).boxed();
        assert_eq!(
            outcome(exports().run(rows).unwrap()).await,
            (usize::try_from(ROWS).unwrap(), true)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn an_export_that_nobody_reads_gives_its_place_back_and_has_failed() {
        let exports = exports();
        let endless = || exports.run(stream::repeat_with(|| Ok(1)).boxed());
        let running: Vec<_> = (0..AT_ONCE).map(|_| endless().unwrap()).collect();
        assert!(matches!(endless(), Err(ServiceError::Unavailable { .. })));
        tokio::time::sleep(PATIENCE + Duration::from_secs(1)).await;
        assert!(endless().is_ok());
        for rows in running {
            assert!(
                outcome(rows).await.1,
                "a file that was broken off must not look complete"
            );
        }
    }
}
