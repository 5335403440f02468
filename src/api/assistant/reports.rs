//! The briefing, the full analysis, figures and suggestions (contract http-workflows 8.3 and 8.5).

use super::{PersonaName, persona};
use crate::api::envelope::ApiResult;
use crate::api::extract::{ApiPath, ApiQuery, Caller};
use crate::api::schema::words;
use crate::api::view::ticket::word;
use crate::api::view::wire_time::wire_time;
use crate::app::App;
use crate::domain::conversation::Persona;
use crate::domain::ticket::TicketStatus;
use crate::services::assistant::{
    Analysis, Briefing, Insight, InsightKind, OtherTicket, Sentiment, TicketBriefing, require, suggested,
};
use axum::Json;
use axum::extract::State;
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Most tickets that a full analysis puts into sentences.
const MOST_ANALYSED: i64 = 20;

/// The caller's own tickets in a few sentences.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct BriefingView {
    /// A greeting by name.
    greeting: String,
    /// One or two sentences.
    overall_summary: String,
    /// The tickets that matter most now.
    ticket_briefings: Vec<TicketBriefingView>,
    /// At most three.
    smart_recommendations: Vec<String>,
    /// A sentence about the whole.
    productivity_insight: Option<String>,
    /// When this was made.
    generated_at: String,
    /// Whether the language model chose the words.
    ai_powered: bool,
}

/// One ticket of a briefing.
#[derive(Debug, Serialize, ToSchema)]
struct TicketBriefingView {
    ticket_id: String,
    /// At most 50 characters.
    title: String,
    #[schema(schema_with = words::<TicketStatus>)]
    status: TicketStatus,
    /// A sentence.
    ai_summary: String,
    /// What to do now.
    ai_action: Option<String>,
    /// 0 to 100.
    #[schema(maximum = 100)]
    priority_score: u8,
    /// `positive`, `neutral` or `urgent`.
    sentiment: &'static str,
}

impl From<TicketBriefing> for TicketBriefingView {
    fn from(briefing: TicketBriefing) -> Self {
        Self {
            ticket_id: briefing.ticket_id.to_string(),
            title: briefing.title,
            status: briefing.status,
            ai_summary: briefing.summary,
            ai_action: briefing.action,
            priority_score: briefing.priority_score,
            sentiment: match briefing.sentiment {
                Sentiment::Positive => "positive",
                Sentiment::Neutral => "neutral",
                Sentiment::Urgent => "urgent",
            },
        }
    }
}

impl From<Briefing> for BriefingView {
    fn from(briefing: Briefing) -> Self {
        Self {
            greeting: briefing.greeting,
            overall_summary: briefing.overall_summary,
            ticket_briefings: briefing.tickets.into_iter().map(Into::into).collect(),
            smart_recommendations: briefing.recommendations,
            productivity_insight: briefing.productivity,
            generated_at: wire_time(briefing.generated_at),
            ai_powered: briefing.is_by_model,
        }
    }
}

/// The caller's newest tickets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnalysisView {
    /// One or two sentences.
    overall_summary: String,
    /// How many tickets the caller has raised.
    total_tickets: u64,
    /// How many have each status; those that none has are absent.
    status_breakdown: BTreeMap<String, u64>,
    /// Tickets in sentences.
    ticket_briefings: Vec<TicketBriefingView>,
    /// Further tickets, of the newest 100.
    other_tickets: Vec<OtherTicketView>,
    /// At most three.
    smart_recommendations: Vec<String>,
    /// A sentence about the whole.
    productivity_insight: Option<String>,
    /// What is to be noticed.
    ai_insights: Vec<String>,
    /// When this was made.
    generated_at: String,
    /// Whether the language model chose the words.
    ai_powered: bool,
}

/// A ticket that is only listed.
#[derive(Debug, Serialize, ToSchema)]
struct OtherTicketView {
    /// The ticket.
    ticket_id: String,
    /// Its title.
    title: String,
    /// Where it stands.
    #[schema(schema_with = words::<TicketStatus>)]
    status: TicketStatus,
    /// Always `NORMAL`.
    priority: &'static str,
    /// When it came to be.
    created_at: String,
    /// When it last changed.
    updated_at: String,
}

impl From<OtherTicket> for OtherTicketView {
    fn from(ticket: OtherTicket) -> Self {
        Self {
            ticket_id: ticket.ticket_id.to_string(),
            title: ticket.title,
            status: ticket.status,
            priority: "NORMAL",
            created_at: wire_time(ticket.created_at),
            updated_at: wire_time(ticket.updated_at),
        }
    }
}

impl From<Analysis> for AnalysisView {
    fn from(analysis: Analysis) -> Self {
        let briefing = BriefingView::from(analysis.briefing);
        Self {
            overall_summary: briefing.overall_summary,
            total_tickets: analysis.total,
            status_breakdown: analysis
                .by_status
                .iter()
                .map(|(status, count)| (word(status), *count))
                .collect(),
            ticket_briefings: briefing.ticket_briefings,
            other_tickets: analysis.others.into_iter().map(Into::into).collect(),
            smart_recommendations: briefing.smart_recommendations,
            productivity_insight: briefing.productivity_insight,
            ai_insights: analysis.insights,
            generated_at: briefing.generated_at,
            ai_powered: briefing.ai_powered,
        }
    }
}

/// How many tickets are put into sentences.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AnalysisQuery {
    /// 1 to 20; other numbers mean the nearest of these.
    #[garde(skip)]
    #[serde(default = "usual_limit")]
    #[param(default = 20)]
    ai_limit: i64,
}

const fn usual_limit() -> i64 {
    MOST_ANALYSED
}

/// What is to be noticed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct InsightsView {
    insights: Vec<InsightView>,
}

/// Something to be noticed.
#[derive(Debug, Serialize, ToSchema)]
struct InsightView {
    /// `warning`, `action` or `info`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The name of a picture.
    icon: &'static str,
    /// In a few words.
    title: String,
    /// In a sentence.
    message: String,
    /// Where to go, a path within the client.
    action: Option<&'static str>,
}

impl From<Insight> for InsightView {
    fn from(insight: Insight) -> Self {
        let (kind, icon) = match insight.kind {
            InsightKind::Warning => ("warning", "alert-triangle"),
            InsightKind::Action => ("action", "check-circle"),
            InsightKind::Info => ("info", "info"),
        };
        Self {
            kind,
            icon,
            title: insight.title,
            message: insight.message,
            action: insight.action,
        }
    }
}

/// A person's figures.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StatsView {
    /// Numbers by name; administrators' in groups.
    #[schema(value_type = Object)]
    stats: Map<String, Value>,
    /// The persona they belong to.
    persona: &'static str,
}

/// Questions to begin with.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PromptsView {
    /// Five questions.
    prompts: Vec<&'static str>,
    /// The persona as named in the request.
    persona: String,
}

/// The dashboard's briefing on the caller's own tickets.
#[utoipa::path(get, path = "/nova-pulse", tag = "assistant", operation_id = "get_briefing",
    responses((status = 200, body = BriefingView)))]
pub(super) async fn get_briefing(State(app): State<App>, caller: Caller) -> ApiResult<Json<BriefingView>> {
    Ok(Json(app.assistant.briefing(&caller).await?.into()))
}

/// All of the caller's newest tickets.
#[utoipa::path(get, path = "/full-analysis", tag = "assistant", operation_id = "get_full_analysis", params(AnalysisQuery),
    responses((status = 200, body = AnalysisView)))]
pub(super) async fn get_full_analysis(
    State(app): State<App>,
    caller: Caller,
    ApiQuery(query): ApiQuery<AnalysisQuery>,
) -> ApiResult<Json<AnalysisView>> {
    let wanted = usize::try_from(query.ai_limit.clamp(1, MOST_ANALYSED)).unwrap_or(1);
    Ok(Json(app.assistant.analysis(&caller, wanted).await?.into()))
}

/// What is to be noticed about the caller's figures.
#[utoipa::path(get, path = "/insights/{persona}", tag = "assistant", operation_id = "get_insights",
    params(("persona" = inline(PersonaName), Path)), responses((status = 200, body = InsightsView)))]
pub(super) async fn get_insights(
    State(app): State<App>,
    caller: Caller,
    ApiPath(name): ApiPath<String>,
) -> ApiResult<Json<InsightsView>> {
    let insights = app.assistant.insights(&caller, persona("path", &name)?).await?;
    Ok(Json(InsightsView {
        insights: insights.into_iter().map(Into::into).collect(),
    }))
}

/// The caller's figures.
#[utoipa::path(get, path = "/stats/{persona}", tag = "assistant", operation_id = "get_stats",
    params(("persona" = inline(PersonaName), Path)), responses((status = 200, body = StatsView)))]
pub(super) async fn get_stats(
    State(app): State<App>,
    caller: Caller,
    ApiPath(name): ApiPath<String>,
) -> ApiResult<Json<StatsView>> {
    let persona = persona("path", &name)?;
    Ok(Json(StatsView {
        stats: app.assistant.stats(&caller, persona).await?,
        persona: persona.as_str(),
    }))
}

/// Questions to begin with; a name that is no persona gets the requester's.
#[utoipa::path(get, path = "/suggested-prompts/{persona}", tag = "assistant", operation_id = "get_suggested_prompts",
    params(("persona" = String, Path)), responses((status = 200, body = PromptsView)))]
pub(super) async fn get_suggested_prompts(
    caller: Caller,
    ApiPath(name): ApiPath<String>,
) -> ApiResult<Json<PromptsView>> {
    let persona = Persona::named(&name).unwrap_or(Persona::Requester);
    require(&caller, persona)?;
    Ok(Json(PromptsView {
        prompts: suggested(persona).to_vec(),
        persona: name,
    }))
}
