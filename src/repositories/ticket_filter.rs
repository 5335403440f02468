//! Which tickets a list wants, in which order, and the index that has them so.

use crate::domain::person::PersonKey;
use crate::domain::ticket::TicketStatus;
use crate::domain::time::Timestamp;
use crate::domain::work::Shelf;
use bson::{Bson, Document, doc};
use mongodb::options::Hint;

/// The index of a person's tickets.
pub(super) const SHELF_STATUS: &str = "shelf_status_newest";

/// The indexes of everybody's tickets, the last changed (with the figures, in `ticket_figures`) or in the other orders.
pub(super) const ALL_STATUS: &str = "all_status_figures";
pub(super) const ALL_BY_CREATION: &str = "all_in_order_of_creation";
pub(super) const ALL_BY_TITLE: &str = "all_in_order_of_title";

/// Whose tickets a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Those on a shelf of a person, by the person's keys.
    Person(Shelf, Vec<PersonKey>),
    /// All; for administrators.
    Everybody,
}

/// What a list is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named like its word on the wire")]
pub enum SortBy {
    UpdatedAt,
    CreatedAt,
    Title,
    Status,
}

/// In which direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOrder {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// The order of a list; the id decides between equals, so that pages neither overlap nor leave gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sorting {
    /// By what.
    pub by: SortBy,
    /// In which direction.
    pub order: ListOrder,
}

impl Sorting {
    /// The last changed first.
    pub const NEWEST: Self = Self {
        by: SortBy::UpdatedAt,
        order: ListOrder::Descending,
    };

    pub(super) fn to_document(self) -> Document {
        let (forth, back) = match self.order {
            ListOrder::Ascending => (1, -1),
            ListOrder::Descending => (-1, 1),
        };
        match self.by {
            SortBy::UpdatedAt => doc! {"work.updated_at": forth, "_id": forth},
            SortBy::CreatedAt => doc! {"work.created_at": forth, "_id": forth},
            SortBy::Title => doc! {"ticket.title": forth, "_id": forth},
            // As the index has them: of one status the newest first, or all of it the other way round.
            SortBy::Status => doc! {"work.status": forth, "work.updated_at": back, "_id": back},
        }
    }
}

/// What a list is filtered by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketFilter {
    /// Whose.
    pub whose: Whose,
    /// With one of these statuses; empty means any.
    pub statuses: Vec<TicketStatus>,
    /// Of this workflow.
    pub workflow_id: Option<String>,
    /// Last changed at or after.
    pub from: Option<Timestamp>,
    /// Last changed at or before.
    pub until: Option<Timestamp>,
    /// With or without a pending change request.
    pub has_pending_cr: Option<bool>,
}

impl TicketFilter {
    /// A person's tickets on a shelf.
    pub fn of(shelf: Shelf, who: Vec<PersonKey>) -> Self {
        Self {
            whose: Whose::Person(shelf, who),
            statuses: Vec::new(),
            workflow_id: None,
            from: None,
            until: None,
            has_pending_cr: None,
        }
    }

    /// The filter, and the name of the index that has what passes in this order and filters the rest. Left to itself the server
    /// sometimes looks through everybody's tickets for those of one person.
    ///
    /// The indexes by the last change have each status apart, and the server merges those that are named. One more index
    /// that has all statuses together would spare that, but each command would move as many keys again.
    pub(super) fn in_index(&self, sorting: Sorting) -> (Document, &'static str) {
        let (index, first_field) = match (&self.whose, sorting.by) {
            (Whose::Person(..), _) => (SHELF_STATUS, "work.status"),
            (Whose::Everybody, SortBy::CreatedAt) => (ALL_BY_CREATION, "work.created_at"),
            (Whose::Everybody, SortBy::Title) => (ALL_BY_TITLE, "ticket.title"),
            (Whose::Everybody, SortBy::UpdatedAt | SortBy::Status) => (ALL_STATUS, "work.status"),
        };
        let mut filter = self.conditions();
        if !filter.contains_key(first_field) {
            let any = match sorting.by {
                SortBy::UpdatedAt => doc! {"$in": words(&TicketStatus::ALL)},
                // Without a condition on its first field the fields behind it are not looked for in the index.
                SortBy::CreatedAt | SortBy::Title | SortBy::Status => doc! {"$gt": Bson::MinKey},
            };
            filter.insert(first_field, any);
        }
        (filter, index)
    }

    /// The filter, and the name of the index that answers it from its keys alone, in no order; none for all there are.
    pub(super) fn in_any_order(&self) -> (Document, Option<&'static str>) {
        let filter = self.conditions();
        match &self.whose {
            Whose::Person(..) => (filter, Some(SHELF_STATUS)),
            Whose::Everybody if filter.is_empty() => (filter, None),
            Whose::Everybody => {
                let (filter, index) = self.in_index(Sorting::NEWEST);
                (filter, Some(index))
            }
        }
    }

    /// The filter alone.
    pub(super) fn conditions(&self) -> Document {
        let mut filter = Document::new();
        if let Whose::Person(shelf, who) = &self.whose {
            let keys: Vec<Bson> = who.iter().map(|person| Bson::String(shelf.key(person))).collect();
            filter.insert("work.shelves", doc! {"$in": keys});
        }
        match words(&self.statuses).as_slice() {
            [] => {}
            [one] => {
                filter.insert("work.status", one.clone());
            }
            several => {
                filter.insert("work.status", doc! {"$in": several});
            }
        }
        if let Some(workflow) = &self.workflow_id {
            filter.insert("work.workflow_id", workflow);
        }
        let mut range = Document::new();
        if let Some(from) = self.from {
            range.insert("$gte", from.to_bson());
        }
        if let Some(until) = self.until {
            range.insert("$lte", until.to_bson());
        }
        if !range.is_empty() {
            filter.insert("work.updated_at", range);
        }
        if let Some(pending) = self.has_pending_cr {
            filter.insert("work.has_pending_cr", pending);
        }
        filter
    }
}

/// The words of statuses as they are stored.
fn words(statuses: &[TicketStatus]) -> Vec<Bson> {
    let words = statuses.iter();
    words.filter_map(|s| bson::serialize_to_bson(s).ok()).collect()
}

/// The index of this name and no other.
pub(super) fn hint(index: &str) -> Hint {
    Hint::Name(index.to_owned())
}
