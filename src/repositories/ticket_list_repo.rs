//! Lists of tickets and queues of open work, each read from an index over the derived `work` (design 3, work queues).

use super::bounded_count::{self, COUNTED, Counted};
use super::indexes::IndexSpec;
use super::ticket_filter::{ALL_BY_CREATION, ALL_BY_TITLE, SHELF_STATUS, Sorting, TicketFilter, Whose, hint};
use super::ticket_repo::{COLLECTION, StoredTicket};
use crate::domain::id::TicketId;
use crate::domain::person::PersonKey;
use crate::domain::ticket::{StepState, TicketStatus};
use crate::domain::time::Timestamp;
use crate::domain::work::{LiveStep, Queue, Shelf, WorkRow};
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};

/// Open work of one person that is sorted in memory.
pub const OPEN_ROWS: i64 = 5_000;
/// Newest tickets that an administrator's text search looks at.
pub const SEARCHED: i64 = 20_000;

/// The indexes that lists need.
pub fn indexes() -> Vec<IndexSpec> {
    vec![
        // What stands behind the order filters without fetching.
        IndexSpec::new(
            COLLECTION,
            SHELF_STATUS,
            doc! {
                "work.shelves": 1, "work.status": 1, "work.updated_at": -1, "_id": -1,
                "work.workflow_id": 1, "work.has_pending_cr": 1,
            },
        ),
        IndexSpec::new(COLLECTION, "queue", doc! {"work.queues": 1}),
        // The time of the last change stands last: what a command moves here stays next to where it was.
        IndexSpec::new(
            COLLECTION,
            ALL_BY_CREATION,
            doc! {
                "work.created_at": -1, "_id": -1, "work.status": 1, "work.workflow_id": 1, "work.has_pending_cr": 1,
                "work.updated_at": -1,
            },
        ),
        IndexSpec::new(
            COLLECTION,
            ALL_BY_TITLE,
            doc! {
                "ticket.title": 1, "_id": 1, "work.status": 1, "work.workflow_id": 1, "work.has_pending_cr": 1,
                "work.updated_at": -1,
            },
        ),
        IndexSpec::new(
            COLLECTION,
            "change_request",
            doc! {"ticket.change_requests.id": 1},
        ),
    ]
}

/// What sorting and text search look at, of one ticket.
#[derive(Debug, Clone, Deserialize)]
pub struct TicketDigest {
    /// The ticket.
    #[serde(rename = "_id")]
    pub id: TicketId,
    /// Its words.
    pub ticket: DigestWords,
    /// Its derived facts.
    pub work: DigestWork,
}

/// The words of a ticket.
#[derive(Debug, Clone, Deserialize)]
pub struct DigestWords {
    /// The title.
    pub title: String,
    /// The description.
    #[serde(default)]
    pub description: Option<String>,
    /// The workflow.
    pub workflow: DigestWorkflow,
}

/// The workflow's name.
#[derive(Debug, Clone, Deserialize)]
pub struct DigestWorkflow {
    /// The name when published.
    pub name: String,
}

/// The derived facts that lists sort by.
#[derive(Debug, Clone, Deserialize)]
pub struct DigestWork {
    /// The status.
    pub status: TicketStatus,
    /// When it was raised.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The steps at which a ticket stands.
#[derive(Debug, Clone, Deserialize)]
pub struct TicketSteps {
    /// The ticket.
    #[serde(rename = "_id")]
    pub id: TicketId,
    /// The steps.
    #[serde(rename = "work")]
    pub at: LiveSteps,
}

/// The steps of [`TicketSteps`].
#[derive(Debug, Clone, Deserialize)]
pub struct LiveSteps {
    /// The steps.
    #[serde(default)]
    pub live: Vec<LiveStep>,
}

/// One piece of a person's open work, with its ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenWork {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Its version when the work was read.
    pub version: i64,
    /// The work.
    pub row: WorkRow,
    /// The state of the step it is on.
    pub state: Option<StepState>,
}

/// Lists of tickets; cheap to clone.
#[derive(Debug, Clone)]
pub struct TicketListRepo {
    documents: Collection<Document>,
}

impl TicketListRepo {
    /// The tickets of `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            documents: database.collection(COLLECTION),
        }
    }

    /// The collection, for other ways to read it.
    pub(super) const fn documents(&self) -> &Collection<Document> {
        &self.documents
    }

    /// How many tickets pass, counted up to `limit`.
    pub async fn count_up_to(&self, filter: &TicketFilter, limit: u64) -> Result<u64> {
        let (filter, index) = filter.in_any_order();
        bounded_count::count_up_to(&self.documents, Counted { filter, index }, limit).await
    }

    /// Tickets in this order, from the index: `limit` of them after the first `skip`.
    pub async fn page(
        &self,
        filter: &TicketFilter,
        sorting: Sorting,
        skip: u64,
        limit: i64,
    ) -> Result<Vec<StoredTicket>> {
        let rows = self.documents.clone_with_type::<StoredTicket>();
        let (wanted, index) = filter.in_index(sorting);
        let found = rows
            .find(wanted)
            .hint(hint(index))
            .sort(sorting.to_document())
            .projection(doc! {"version": 1, "ticket": 1})
            .skip(skip)
            .limit(limit);
        found.await?.try_collect().await
    }

    /// The steps at which the tickets that pass stand, of the last changed tickets first; at most [`OPEN_ROWS`] tickets.
    pub async fn live_steps(&self, filter: &TicketFilter) -> Result<Vec<TicketSteps>> {
        let rows = self.documents.clone_with_type::<TicketSteps>();
        let (wanted, index) = filter.in_index(Sorting::NEWEST);
        let found = rows
            .find(wanted)
            .hint(hint(index))
            .sort(Sorting::NEWEST.to_document());
        let found = found.projection(doc! {"work.live": 1}).limit(OPEN_ROWS);
        found.await?.try_collect().await
    }

    /// The ids of the tickets that pass, from the index alone; at most [`SEARCHED`].
    pub async fn ids(&self, filter: &TicketFilter) -> Result<HashSet<TicketId>> {
        let (wanted, index) = filter.in_index(Sorting::NEWEST);
        let found = self
            .documents
            .find(wanted)
            .hint(hint(index))
            .projection(doc! {"_id": 1})
            .limit(SEARCHED);
        let found: Vec<Document> = found.await?.try_collect().await?;
        let ids = found
            .iter()
            .filter_map(|row| row.get_str("_id").map(TicketId::from_stored).ok());
        Ok(ids.collect())
    }

    /// How many tickets pass; over everybody's counting stops at [`COUNTED`].
    pub async fn count(&self, filter: &TicketFilter) -> Result<u64> {
        if filter.whose == Whose::Everybody {
            return self.count_up_to(filter, COUNTED).await;
        }
        let counted = self.documents.count_documents(filter.conditions());
        counted.hint(hint(SHELF_STATUS)).await
    }

    /// How many tickets on a shelf of a person have each status, from the index alone; statuses that none has are left out.
    pub async fn count_by_status(&self, shelf: Shelf, who: &[PersonKey]) -> Result<Vec<(TicketStatus, u64)>> {
        #[derive(Debug, Deserialize)]
        struct Counted {
            #[serde(rename = "_id")]
            status: TicketStatus,
            count: i64,
        }
        let counts = vec![
            doc! {"$match": TicketFilter::of(shelf, who.to_vec()).conditions()},
            doc! {"$group": {"_id": "$work.status", "count": {"$sum": 1_i64}}},
        ];
        let counted = self
            .documents
            .aggregate(counts)
            .hint(hint(SHELF_STATUS))
            .with_type::<Counted>()
            .await?;
        let counted: Vec<Counted> = counted.try_collect().await?;
        let counted = counted.into_iter();
        Ok(counted
            .map(|row| (row.status, u64::try_from(row.count).unwrap_or_default()))
            .collect())
    }

    /// What sorting and text search look at: a person's tickets, or the newest of everybody's.
    pub async fn digests(&self, filter: &TicketFilter) -> Result<Vec<TicketDigest>> {
        let rows = self.documents.clone_with_type::<TicketDigest>();
        let projection = doc! {
            "ticket.title": 1, "ticket.description": 1, "ticket.workflow.name": 1,
            "work.status": 1, "work.created_at": 1, "work.updated_at": 1,
        };
        let (wanted, index) = filter.in_index(Sorting::NEWEST);
        let found = rows
            .find(wanted)
            .hint(hint(index))
            .sort(Sorting::NEWEST.to_document());
        found
            .projection(projection)
            .limit(SEARCHED)
            .await?
            .try_collect()
            .await
    }

    /// These tickets, in this order; missing ones are left out.
    pub async fn by_ids(&self, ids: &[TicketId]) -> Result<Vec<StoredTicket>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<Bson> = ids.iter().cloned().map(Bson::from).collect();
        let rows = self.documents.clone_with_type::<StoredTicket>();
        let found = rows
            .find(doc! {"_id": {"$in": keys}})
            .projection(doc! {"version": 1, "ticket": 1});
        let found: Vec<StoredTicket> = found.await?.try_collect().await?;
        let mut by_id: BTreeMap<String, StoredTicket> = found
            .into_iter()
            .map(|stored| (stored.ticket.id.to_string(), stored))
            .collect();
        Ok(ids.iter().filter_map(|id| by_id.remove(id.as_str())).collect())
    }

    /// A person's open work in one queue, unsorted, at most [`OPEN_ROWS`] tickets.
    pub async fn open_work(&self, queue: Queue, who: &[PersonKey]) -> Result<Vec<OpenWork>> {
        #[derive(Debug, Deserialize)]
        struct Found {
            #[serde(rename = "_id")]
            id: TicketId,
            version: i64,
            work: Rows,
        }
        #[derive(Debug, Deserialize)]
        struct Rows {
            rows: Vec<WorkRow>,
            #[serde(default)]
            live: Vec<LiveStep>,
        }
        let keys: Vec<Bson> = who.iter().map(|person| Bson::String(queue.key(person))).collect();
        let rows = self.documents.clone_with_type::<Found>();
        let found = rows
            .find(doc! {"work.queues": {"$in": keys}})
            .projection(doc! {"version": 1, "work.rows": 1, "work.live": 1})
            .limit(OPEN_ROWS);
        let found: Vec<Found> = found.await?.try_collect().await?;
        let own = |row: &WorkRow| row.queue == queue && row.who.iter().any(|person| who.contains(person));
        let open = found.into_iter().flat_map(|ticket| {
            let (id, version, live) = (ticket.id, ticket.version, ticket.work.live);
            ticket.work.rows.into_iter().filter(own).map(move |row| OpenWork {
                state: live
                    .iter()
                    .find(|live| Some(&live.step) == row.step.as_ref())
                    .map(|live| live.state),
                ticket_id: id.clone(),
                version,
                row,
            })
        });
        Ok(open.collect())
    }

    /// The ticket that a change request belongs to.
    pub async fn of_change_request(&self, id: &str) -> Result<Option<StoredTicket>> {
        let rows = self.documents.clone_with_type::<StoredTicket>();
        let found = rows.find_one(doc! {"ticket.change_requests.id": id});
        found.projection(doc! {"version": 1, "ticket": 1}).await
    }
}
