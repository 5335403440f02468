//! `work_history`: people's finished pieces of work, read from their own index because they grow for ever.

use super::indexes::IndexSpec;
use super::relayed::{Relayed, RelayedRepo, RelayedRow};
use crate::domain::effect::WorkHistory;
use bson::doc;

/// Finished work, in the tail or in its collection.
pub type HistoryRepo = RelayedRepo<WorkHistory>;

/// A finished piece of work with its place.
pub type HistoryRow = RelayedRow<WorkHistory>;

/// The indexes of this collection.
pub fn indexes() -> Vec<IndexSpec> {
    let keys = doc! {"body.who": 1, "body.kind": 1, "body.at": -1, "_id": -1};
    vec![IndexSpec::new(WorkHistory::COLLECTION, "person", keys)]
}
