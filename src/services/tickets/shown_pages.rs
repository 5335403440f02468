//! Pages of tickets that have been shown lately, as they were sent: a page is looked at many times before its ticket
//! changes.
//!
//! Invariant: a version of a ticket never changes, nor does what happened up to it nor the workflow that it runs, so a
//! page shows the same to the same caller with the same rights, as long as the database says that the version is still
//! the ticket's. Nothing is shown on the word of this process alone.

use crate::domain::id::TicketId;
use crate::domain::person::{Actor, PersonKey};
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// How much memory the pages may take, roughly, in bytes.
const MAX_WEIGHT: u64 = 16 * 1024 * 1024;
/// About how many pages that are.
const EXPECTED: usize = 1_200;
/// What a page takes beside its text, in bytes.
const BESIDE: usize = 768;

/// A ticket's page as it was sent to somebody.
#[derive(Debug)]
pub struct ShownPage {
    /// The ticket's version.
    pub version: i64,
    /// The page, in JSON.
    pub json: Bytes,
    actor: Actor,
}

/// Whose page of which ticket.
type Key = (TicketId, Option<PersonKey>);

/// Pages by ticket and person, each in the version that was shown last; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ShownPages(Arc<Cache<Key, Arc<ShownPage>, ByWeight>>);

#[derive(Debug, Clone)]
struct ByWeight;

impl Weighter<Key, Arc<ShownPage>> for ByWeight {
    fn weight(&self, _key: &Key, page: &Arc<ShownPage>) -> u64 {
        u64::try_from(BESIDE + page.json.len()).unwrap_or(u64::MAX)
    }
}

impl ShownPages {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::with_weighter(EXPECTED, MAX_WEIGHT, ByWeight)))
    }

    /// What the actor was shown last, if it was with the same rights; right only if the database still has its version.
    pub(super) fn last(&self, id: &TicketId, actor: &Actor) -> Option<Arc<ShownPage>> {
        let shown = self.0.get(&key(id, actor));
        shown.filter(|page| page.actor == *actor)
    }

    /// Keeps what the actor, who may see the ticket, is shown now.
    pub(super) fn keep(&self, id: &TicketId, page: &Arc<ShownPage>) {
        self.0.insert(key(id, &page.actor), Arc::clone(page));
    }
}

impl ShownPage {
    /// A page of this version for this actor.
    pub(super) fn new(version: i64, json: Bytes, actor: &Actor) -> Self {
        Self {
            version,
            json,
            actor: actor.clone(),
        }
    }
}

fn key(id: &TicketId, actor: &Actor) -> Key {
    (id.clone(), actor.person.keys().pop())
}
