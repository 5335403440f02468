//! The envelope of administrators' lists.

use serde::Serialize;
use utoipa::ToSchema;

/// A window of a list: `skip` rows left out, `limit` shown at most, `total` there are.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SkipPage<T> {
    /// The rows of this window.
    pub items: Vec<T>,
    /// How many rows there are in all.
    pub total: u64,
    /// How many rows were left out before the window.
    pub skip: u64,
    /// How many rows the window may hold.
    pub limit: i64,
}
