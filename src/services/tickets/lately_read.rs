//! Tickets that have been shown lately, decoded: a page or an inbox is looked at many times before the ticket changes.
//!
//! Invariant: a version of a ticket never changes, nor does what happened up to it, so what is kept is right as long as
//! the database says that the version is still the ticket's. Nothing is shown on the word of this process alone.

use super::{OpenedTicket, TicketDetail};
use crate::domain::id::TicketId;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// How much memory the tickets of one cache may take, roughly, in bytes.
const MAX_WEIGHT: u64 = 12 * 1024 * 1024;
/// About how many tickets that are.
const EXPECTED: usize = 1_000;
/// What a ticket takes beside its parts, and what each of its parts takes, in bytes.
const TICKET: usize = 4 * 1024;
const PART: usize = 1_024;

/// What is kept of a ticket.
pub(super) trait Kept {
    /// The ticket with the versions it runs.
    fn opened(&self) -> &OpenedTicket;
    /// How many rows beside the ticket it holds.
    fn rows(&self) -> usize;
}

impl Kept for OpenedTicket {
    fn opened(&self) -> &OpenedTicket {
        self
    }

    fn rows(&self) -> usize {
        self.notes.len() + self.form_versions.len()
    }
}

impl Kept for TicketDetail {
    fn opened(&self) -> &OpenedTicket {
        &self.opened
    }

    fn rows(&self) -> usize {
        self.events.len() + self.opened.rows()
    }
}

/// Tickets by id, each in the version that was read last; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct LatelyRead<T: Kept>(Arc<Cache<TicketId, Arc<T>, ByWeight>>);

#[derive(Debug, Clone)]
struct ByWeight;

impl<T: Kept> Weighter<TicketId, Arc<T>> for ByWeight {
    fn weight(&self, _id: &TicketId, kept: &Arc<T>) -> u64 {
        let ticket = &kept.opened().ticket;
        let parts = ticket.steps.len()
            + ticket.approval_tasks.len()
            + ticket.assignments.len()
            + ticket.info_requests.len()
            + ticket.handovers.len()
            + ticket.change_requests.len() * 4
            + ticket.form_values.text_len() / 512
            + kept.rows();
        u64::try_from(TICKET + parts * PART).unwrap_or(u64::MAX)
    }
}

impl<T: Kept> LatelyRead<T> {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::with_weighter(EXPECTED, MAX_WEIGHT, ByWeight)))
    }

    /// The ticket in whichever version was read last; right only if the database still has that version.
    pub(super) fn newest(&self, id: &TicketId) -> Option<Arc<T>> {
        self.0.get(id)
    }

    /// The ticket, if this very version of it has been read lately.
    pub(super) fn get(&self, id: &TicketId, version: i64) -> Option<Arc<T>> {
        self.newest(id)
            .filter(|kept| kept.opened().ticket.version == version)
    }

    /// Keeps a ticket that was read just now.
    pub(super) fn keep(&self, kept: &Arc<T>) {
        self.0.insert(kept.opened().ticket.id.clone(), Arc::clone(kept));
    }
}
