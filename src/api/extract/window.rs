//! Which part of a list is wanted: a page of it, or a window behind rows that are left out.

use garde::Validate;
use serde::Deserialize;
use utoipa::IntoParams;

/// A page of a list.
#[derive(Debug, Clone, Copy, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// From 1.
    #[garde(range(min = 1, max = 1_000_000))]
    #[serde(default = "first_page")]
    #[param(minimum = 1, maximum = 1_000_000, default = 1)]
    pub page: u64,
    /// 1 to 100.
    #[garde(range(min = 1, max = 100))]
    #[serde(default = "usual_size")]
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub page_size: i64,
}

const fn first_page() -> u64 {
    1
}

const fn usual_size() -> i64 {
    20
}

impl PageQuery {
    /// How many rows stand on the pages before.
    pub fn skipped(&self) -> u64 {
        self.page.saturating_sub(1) * self.page_size.unsigned_abs()
    }

    /// How many rows the page may hold.
    pub fn size(&self) -> usize {
        usize::try_from(self.page_size).unwrap_or(0)
    }
}

/// A window of a list.
#[derive(Debug, Clone, Copy, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WindowQuery {
    /// Rows left out before the window.
    #[garde(range(min = 0, max = 1_000_000))]
    #[serde(default)]
    #[param(minimum = 0, maximum = 1_000_000, default = 0)]
    skip: i64,
    /// Rows in the window.
    #[garde(range(min = 1, max = 100))]
    #[serde(default = "usual_limit")]
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub limit: i64,
}

const fn usual_limit() -> i64 {
    50
}

impl WindowQuery {
    /// How many rows are left out before the window.
    pub fn skipped(&self) -> u64 {
        self.skip.unsigned_abs()
    }

    /// How many rows the window may hold.
    pub fn size(&self) -> usize {
        usize::try_from(self.limit).unwrap_or(0)
    }
}
