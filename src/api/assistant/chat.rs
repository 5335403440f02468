//! Questions and what was said before (contract http-workflows 8.1).

use super::{CitationView, PersonaName, persona};
use crate::api::envelope::{ApiError, ApiResult};
use crate::api::extract::{ApiJson, ApiPath, Caller, Correlation};
use crate::api::view::wire_time::wire_time;
use crate::app::App;
use crate::domain::conversation::{Persona, Speaker};
use crate::domain::error::ServiceError;
use crate::services::assistant::{Answer, PastMessage, Question, Said, Voice, require};
use axum::Json;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

/// How much of an answer may be ahead of a slow reader, in parts.
const AHEAD: usize = 16;
/// How often a quiet stream shows that it is alive.
const ALIVE: Duration = Duration::from_secs(5);

/// A question.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct AssistantQuestion {
    /// The question.
    #[garde(length(chars, min = 1, max = 2000))]
    #[schema(min_length = 1, max_length = 2000, example = "Where is my laptop?")]
    message: String,
    /// From which part of the application: `requester`, `agent`, `manager`, `designer` or `admin`. The caller must hold it.
    #[garde(length(chars, max = 50))]
    #[schema(value_type = PersonaName)]
    persona: String,
    /// Not used: what was said before is kept on the server.
    #[garde(skip)]
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    #[expect(
        dead_code,
        reason = "clients send their transcript, and nothing of it may be believed"
    )]
    conversation_history: Option<Value>,
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AssistantAnswer {
    /// Markdown without links, images and HTML.
    response: String,
    /// Always empty.
    #[schema(value_type = Vec<Object>)]
    actions: Vec<Value>,
    /// The tickets it is based on.
    citations: Vec<CitationView>,
    /// Whether the language model wrote it; false for an answer made of the caller's own data alone.
    ai_powered: bool,
}

impl From<Answer> for AssistantAnswer {
    fn from(answer: Answer) -> Self {
        Self {
            response: answer.text,
            actions: Vec::new(),
            citations: answer.cites.into_iter().map(Into::into).collect(),
            ai_powered: answer.is_by_model,
        }
    }
}

/// A conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConversationView {
    /// The newest 50 messages, the oldest first.
    messages: Vec<ConversationMessageView>,
    /// The persona it belongs to.
    persona: &'static str,
}

/// A message of a conversation.
#[derive(Debug, Serialize, ToSchema)]
struct ConversationMessageView {
    /// `user` or `assistant`.
    role: &'static str,
    /// What was said.
    content: String,
    /// When.
    created_at: String,
    /// The tickets it is based on, as far as the caller may see them now.
    citations: Vec<CitationView>,
}

impl From<PastMessage> for ConversationMessageView {
    fn from(message: PastMessage) -> Self {
        Self {
            role: match message.role {
                Speaker::User => "user",
                Speaker::Assistant => "assistant",
            },
            content: message.content,
            created_at: wire_time(message.at),
            citations: message.cites.into_iter().map(Into::into).collect(),
        }
    }
}

/// A conversation is forgotten.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConversationCleared {
    /// Always true.
    success: bool,
    /// The result in a sentence.
    message: &'static str,
}

/// Answers a question about the caller's own tickets and work, within 25 seconds.
///
/// With `Accept: text/event-stream` the answer comes as server-sent events: `delta` `{"text"}` is more of it, `lookup`
/// `{"tool"}` says that something is looked up, `restart` `{}` takes back all deltas so far, and the last event is `done`
/// with the whole answer as in JSON, or `error` with the common error body. What goes wrong before the first event is an
/// ordinary error.
#[utoipa::path(post, path = "/chat", tag = "assistant", operation_id = "ask_assistant",
    request_body = AssistantQuestion,
    responses(
        (status = 200, description = "The answer", content(
            (AssistantAnswer = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 429, description = "Too many questions a minute", body = crate::api::envelope::ErrorBody),
    ))]
pub(super) async fn ask_assistant(
    State(app): State<App>,
    caller: Caller,
    Correlation(correlation_id): Correlation,
    headers: HeaderMap,
    ApiJson(body): ApiJson<AssistantQuestion>,
) -> ApiResult<Response> {
    let persona = persona("body", &body.persona)?;
    require(&caller, persona)?;
    if wants_events(&headers) {
        return answer_as_events(app, caller, persona, body.message, correlation_id).await;
    }
    let question = Question {
        persona,
        text: &body.message,
        correlation_id: &correlation_id,
    };
    let answer = app
        .assistant
        .chat(&caller, question, &mut Voice::silent())
        .await?;
    Ok(Json(AssistantAnswer::from(answer)).into_response())
}

/// The caller's conversation.
#[utoipa::path(get, path = "/history/{persona}", tag = "assistant", operation_id = "get_conversation",
    params(("persona" = inline(PersonaName), Path)), responses((status = 200, body = ConversationView)))]
pub(super) async fn get_conversation(
    State(app): State<App>,
    caller: Caller,
    ApiPath(name): ApiPath<String>,
) -> ApiResult<Json<ConversationView>> {
    let persona = persona("path", &name)?;
    let messages = app.assistant.history(&caller, persona).await?;
    Ok(Json(ConversationView {
        messages: messages.into_iter().map(Into::into).collect(),
        persona: persona.as_str(),
    }))
}

/// Forgets the caller's conversation.
#[utoipa::path(post, path = "/clear-history/{persona}", tag = "assistant", operation_id = "clear_conversation",
    params(("persona" = inline(PersonaName), Path)), responses((status = 200, body = ConversationCleared)))]
pub(super) async fn clear_conversation(
    State(app): State<App>,
    caller: Caller,
    ApiPath(name): ApiPath<String>,
) -> ApiResult<Json<ConversationCleared>> {
    app.assistant.clear(&caller, persona("path", &name)?).await?;
    Ok(Json(ConversationCleared {
        success: true,
        message: "The conversation is forgotten.",
    }))
}

/// Whether the client names server-sent events among what it accepts.
fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut kinds = accepted
        .flat_map(|line| line.split(','))
        .filter_map(|kind| kind.split(';').next());
    kinds.any(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// The answer as events. It is worked on in a task with an end of its own, so that a reader who does not read holds
/// nothing for long; a reader who goes away ends it.
async fn answer_as_events(
    app: App,
    caller: Caller,
    persona: Persona,
    message: String,
    correlation_id: String,
) -> ApiResult<Response> {
    let (speak, mut said) = mpsc::channel(AHEAD);
    let (finish, finished) = oneshot::channel();
    let tracker = app.tasks.tracker.clone();
    tracker.spawn(async move {
        let reader = speak.clone();
        let mut voice = Voice::to(speak);
        let question = Question {
            persona,
            text: &message,
            correlation_id: &correlation_id,
        };
        tokio::select! {
            outcome = app.assistant.chat(&caller, question, &mut voice) => {
                // Nobody waits for it any more when this fails.
                let _ = finish.send(outcome);
            }
            () = reader.closed() => {}
        }
    });
    let Some(first) = said.recv().await else {
        // It ended without a word: an error, or an answer of no words.
        let answer = finished.await.unwrap_or_else(|_| Err(lost()))?;
        return Ok(events(stream::iter([done(Ok(answer))])));
    };
    let rest = ReceiverStream::new(said);
    let end = stream::once(async move { done(finished.await.unwrap_or_else(|_| Err(lost()))) });
    Ok(events(stream::iter([first]).chain(rest).map(event_of).chain(end)))
}

fn events(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    let events = events.map(Ok::<_, Infallible>);
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(ALIVE))
        .into_response();
    let headers = response.headers_mut();
    // How answers of this family may be cached is said in one place for all of them.
    headers.remove(CACHE_CONTROL);
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    response
}

fn event_of(said: Said) -> Event {
    let (name, data) = match said {
        Said::Text(text) => ("delta", json!({ "text": text })),
        Said::Restart => ("restart", json!({})),
        Said::LooksUp(tool) => ("lookup", json!({ "tool": tool })),
    };
    Event::default().event(name).data(data.to_string())
}

fn done(outcome: Result<Answer, ServiceError>) -> Event {
    let (name, data) = match outcome {
        Ok(answer) => ("done", serde_json::to_string(&AssistantAnswer::from(answer))),
        Err(error) => ("error", serde_json::to_string(&ApiError(error).to_body())),
    };
    Event::default().event(name).data(data.unwrap_or_default())
}

fn lost() -> ServiceError {
    ServiceError::defect("the task that answers ended without an outcome")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_sent_to_who_asks_for_them() {
        let accepting =
            |accept: &'static str| HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        for (accept, wanted) in [
            ("text/event-stream", true),
            ("application/json, Text/Event-Stream;q=0.9", true),
            ("*/*", false),
            ("application/json, text/plain, */*", false),
        ] {
            assert_eq!(wants_events(&accepting(accept)), wanted, "{accept}");
        }
        assert!(!wants_events(&HeaderMap::new()));
    }
}
