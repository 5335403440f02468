//! Which member is primary, and whether what it reads is as new as what was acknowledged.
//!
//! A member that was just elected has every acknowledged write, but may read older ones for a moment: what is committed
//! on a majority it learns only with the first write of its own term. And a primary that was cut off may answer once
//! more before it learns that another was elected. So after each election nothing that was read counts until one
//! linearizable read of the new primary was answered, and what was read across an election is read again.

use super::system_config_repo;
use bson::{Document, doc};
use mongodb::Database;
use mongodb::ServerType;
use mongodb::bson::oid::ObjectId;
use mongodb::error::{Error, Result};
use mongodb::event::EventHandler;
use mongodb::event::sdam::{SdamEvent, TopologyDescriptionChangedEvent};
use mongodb::options::{ReadConcern, ServerAddress};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long the new primary may take to answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// Watches the primary of one client; cheap to clone. Behind `mongos` there is none to watch, and everything counts.
#[derive(Debug, Clone, Default)]
pub struct PrimaryWatch(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    primary: Mutex<Option<(ServerAddress, Option<ObjectId>)>>,
    /// Counts the elections that this client has heard of.
    elections: AtomicU64,
    /// The last of them whose primary has been asked.
    asked: AtomicU64,
    asking: tokio::sync::Mutex<()>,
}

/// The time between two elections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Term(u64);

impl PrimaryWatch {
    /// What the client calls when it learns of a change.
    pub(super) fn handler(&self) -> EventHandler<SdamEvent> {
        let watch = self.clone();
        EventHandler::callback(move |event| {
            if let SdamEvent::TopologyDescriptionChanged(change) = event {
                watch.learn(&change);
            }
        })
    }

    /// Waits until what is read is at least as new as everything acknowledged before.
    ///
    /// # Errors
    /// There is no primary, or it does not answer in time.
    pub async fn settled(&self, database: &Database) -> Result<Term> {
        let term = self.0.elections.load(Ordering::SeqCst);
        if self.0.asked.load(Ordering::SeqCst) == term {
            return Ok(Term(term));
        }
        let asking = async {
            let _one_asks_for_all = self.0.asking.lock().await;
            loop {
                let term = self.0.elections.load(Ordering::SeqCst);
                if self.0.asked.load(Ordering::SeqCst) == term {
                    return Ok(Term(term));
                }
                ask(database).await?;
                if self.0.elections.load(Ordering::SeqCst) == term {
                    self.0.asked.store(term, Ordering::SeqCst);
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, asking).await;
        in_time.unwrap_or_else(|_| Err(Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut))))
    }

    /// Whether no election was heard of since.
    pub fn is_still(&self, term: Term) -> bool {
        self.0.elections.load(Ordering::SeqCst) == term.0
    }

    fn learn(&self, change: &TopologyDescriptionChangedEvent) {
        let servers = change.new_description.servers();
        let mut primaries = servers
            .iter()
            .filter(|(_, server)| server.server_type() == ServerType::RsPrimary);
        let Some((address, _)) = primaries.next() else {
            return;
        };
        let found = ((*address).clone(), change.new_description.max_election_id());
        let mut primary = self.0.primary.lock().unwrap_or_else(PoisonError::into_inner);
        if primary.as_ref() != Some(&found) {
            *primary = Some(found);
            self.0.elections.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A read that is answered only by a primary that a majority follows, after everything acknowledged before.
async fn ask(database: &Database) -> Result<()> {
    database
        .collection::<Document>(system_config_repo::COLLECTION)
        .find_one(doc! {"_id": "primary"})
        .read_concern(ReadConcern::linearizable())
        .max_time(PATIENCE)
        .await
        .map(|_| ())
}
