//! `/admin/import-findings`: what an import from the reference could not repair, or has to tell (`docs/import.md`).

use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiQueries, Caller, WindowQuery};
use crate::api::schema::Words;
use crate::api::view::page::SkipPage;
use crate::app::App;
use crate::domain::import::RepairRule;
use crate::repositories::import_repo::{Finding, FindingFilter};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list_import_findings))
}

type Rules = Words<RepairRule>;

/// Which findings are wanted; all of them when nothing is named.
#[derive(Debug, Deserialize, Validate, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[garde(allow_unvalidated)]
struct Search {
    /// Any of these rules.
    #[serde(default)]
    #[param(value_type = Option<Rules>, inline)]
    rule: Vec<RepairRule>,
    /// Only what somebody must look at; the others are repairs that need nobody.
    #[serde(default)]
    #[param(value_type = Option<bool>, default = false)]
    to_look_at: bool,
    /// The reference's collection.
    #[garde(length(chars, max = 100))]
    #[param(max_length = 100)]
    collection: Option<String>,
    /// The id of the document in the reference's collection.
    #[garde(length(chars, max = 200))]
    #[param(max_length = 200)]
    subject: Option<String>,
}

/// Something that an import has to tell.
#[derive(Debug, Serialize, ToSchema)]
struct ImportFindingView {
    /// The same for the same finding of every import.
    finding_id: String,
    /// The reference's collection.
    collection: String,
    /// The document's id there.
    subject: String,
    /// The rule.
    #[schema(value_type = String, example = "needs_administrator")]
    rule: RepairRule,
    /// The hazards of the contract that leave what the rule repairs.
    hazards: &'static str,
    /// Whether somebody must look at it.
    to_look_at: bool,
    /// What there is to say.
    remark: String,
    /// The beginning of the document as it was, as JSON text, when it was left behind; at most 10 000 characters.
    document: Option<String>,
}

impl From<Finding> for ImportFindingView {
    fn from(finding: Finding) -> Self {
        Self {
            finding_id: finding.key,
            collection: finding.collection,
            subject: finding.subject,
            hazards: finding.rule.hazard(),
            to_look_at: finding.rule.needs_people(),
            rule: finding.rule,
            remark: finding.remark,
            document: finding.document,
        }
    }
}

/// What an import has to tell, in the order of collections and documents; for super administrators. Counting stops at
/// 10 000.
#[utoipa::path(get, path = "/import-findings", tag = "admin", operation_id = "list_import_findings",
    params(Search, WindowQuery), responses((status = 200, body = SkipPage<ImportFindingView>)))]
async fn list_import_findings(
    State(app): State<App>,
    caller: Caller,
    ApiQueries((search, window)): ApiQueries<(Search, WindowQuery)>,
) -> ApiResult<Json<SkipPage<ImportFindingView>>> {
    let filter = FindingFilter {
        rules: search.rule,
        only_to_look_at: search.to_look_at,
        collection: search.collection,
        subject: search.subject,
    };
    let (skip, limit) = (window.skipped(), window.limit);
    let (found, total) = app
        .admin
        .import_findings
        .list(&caller, &filter, skip, limit)
        .await?;
    Ok(Json(SkipPage {
        items: found.into_iter().map(Into::into).collect(),
        total,
        skip,
        limit,
    }))
}
