//! Tickets that lists have shown lately, decoded: an inbox is looked at many times before its tickets change.
//!
//! Invariant: a version of a ticket never changes, nor does what happened up to it, so what is kept is right as long as
//! the database says that the version is still the ticket's. Nothing is shown on the word of this process alone.

use super::OpenedTicket;
use crate::domain::id::TicketId;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// How much memory the tickets may take, roughly, in bytes.
const MAX_WEIGHT: u64 = 12 * 1024 * 1024;
/// About how many tickets that are.
const EXPECTED: usize = 1_000;
/// What a ticket takes beside its parts, and what each of its parts takes, in bytes.
const TICKET: usize = 4 * 1024;
const PART: usize = 1_024;

/// Tickets by id, each in the version that was read last; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct LatelyRead(Arc<Cache<TicketId, Arc<OpenedTicket>, ByWeight>>);

#[derive(Debug, Clone)]
struct ByWeight;

impl Weighter<TicketId, Arc<OpenedTicket>> for ByWeight {
    fn weight(&self, _id: &TicketId, kept: &Arc<OpenedTicket>) -> u64 {
        let ticket = &kept.ticket;
        let parts = ticket.steps.len()
            + ticket.approval_tasks.len()
            + ticket.assignments.len()
            + ticket.info_requests.len()
            + ticket.handovers.len()
            + ticket.change_requests.len() * 4
            + ticket.form_values.text_len() / 512
            + kept.notes.len()
            + kept.form_versions.len();
        u64::try_from(TICKET + parts * PART).unwrap_or(u64::MAX)
    }
}

impl LatelyRead {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(Cache::with_weighter(EXPECTED, MAX_WEIGHT, ByWeight)))
    }

    /// The ticket, if this very version of it has been read lately.
    pub(super) fn get(&self, id: &TicketId, version: i64) -> Option<Arc<OpenedTicket>> {
        self.0.get(id).filter(|kept| kept.ticket.version == version)
    }

    /// Keeps a ticket that was read just now.
    pub(super) fn keep(&self, kept: &Arc<OpenedTicket>) {
        self.0.insert(kept.ticket.id.clone(), Arc::clone(kept));
    }
}
