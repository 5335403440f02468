//! What the rules of publishing say of a definition (contract http-workflows 2.5).

use crate::engine::definition::validate::{Finding, Report};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A finding about a definition.
#[derive(Debug, Serialize, ToSchema)]
struct Issue {
    /// A stable word, for example `MISSING_APPROVER`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What is wrong.
    message: String,
    /// Where.
    path: Option<String>,
    /// Facts for programs.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
}

impl From<Finding> for Issue {
    fn from(finding: Finding) -> Self {
        Self {
            kind: finding.kind,
            message: finding.message,
            path: finding.path,
            details: finding.details,
        }
    }
}

/// What is wrong with a definition.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ValidationView {
    /// Whether it may be published.
    is_valid: bool,
    /// What blocks publishing.
    errors: Vec<Issue>,
    /// What does not.
    warnings: Vec<Issue>,
}

impl From<Report> for ValidationView {
    fn from(report: Report) -> Self {
        Self {
            is_valid: report.is_valid(),
            errors: report.errors.into_iter().map(Into::into).collect(),
            warnings: report.warnings.into_iter().map(Into::into).collect(),
        }
    }
}
