//! A scripted language model: a real HTTP server with OpenAI's interface whose answers a test queues.

use super::eventually;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What the server does with one request. Answers are streamed when the request asks for it.
#[derive(Clone)]
pub(crate) enum Behaviour {
    /// Answers this text.
    Text(String),
    /// Answers this JSON as its text.
    Json(Value),
    /// Asks for these tools with these arguments.
    ToolCalls(Vec<(String, Value)>),
    /// Answers this text and says that it was cut.
    Truncated(String),
    /// Answers with status 200 and a body that is no completion.
    Malformed,
    /// Answers a completion without anything in it.
    Empty,
    /// Fails with this status, code and `Retry-After` in milliseconds.
    Status(u16, &'static str, Option<u64>),
    /// Refuses a request that has this parameter.
    UnknownParameter(&'static str),
    /// Refuses by the content filter.
    ContentFilter,
    /// Never answers.
    Hang,
    /// Begins to answer and closes the connection.
    Disconnect,
    /// Answers this many bytes of text.
    Endless(usize),
    /// Looks at the request first.
    By(Arc<dyn Fn(&Value) -> Behaviour + Send + Sync>),
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Behaviour")
    }
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct ModelRequest {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl ModelRequest {
    /// The text of all messages of this role.
    pub(crate) fn said_by(&self, role: &str) -> String {
        let messages = self.body["messages"].as_array().unwrap();
        let texts = messages.iter().filter(|message| message["role"] == role);
        texts
            .filter_map(|message| message["content"].as_str())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[derive(Debug)]
struct Script {
    next: Mutex<VecDeque<Behaviour>>,
    otherwise: Mutex<Behaviour>,
    requests: Mutex<Vec<ModelRequest>>,
    open: AtomicUsize,
}

/// The server; ends with the test.
#[derive(Debug)]
pub(crate) struct ModelServer {
    /// Its address, without a path.
    pub(crate) origin: String,
    /// Its address with the version segment, for `OPENAI_BASE_URL`.
    pub(crate) base: String,
    script: Arc<Script>,
}

impl ModelServer {
    /// A server that answers `ok` until it is told otherwise.
    pub(crate) async fn start() -> Self {
        let script = Arc::new(Script {
            next: Mutex::default(),
            otherwise: Mutex::new(Behaviour::Text("ok".to_owned())),
            requests: Mutex::default(),
            open: AtomicUsize::new(0),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            base: format!("{origin}/v1"),
            origin,
            script,
        }
    }

    /// Settings of a service that uses this server.
    pub(crate) fn settings(&self) -> Vec<(&str, &str)> {
        vec![
            ("OPENAI_BASE_URL", &self.base),
            ("OPENAI_API_KEY", "test-key"),
            ("OPENAI_MODEL", "test-model"),
            ("GENAI_REQUESTS_PER_MINUTE", "1000"),
            ("GENAI_TOKENS_PER_DAY", "100000000"),
        ]
    }

    /// What to do with the next request that has nothing yet.
    pub(crate) fn then(&self, behaviour: Behaviour) -> &Self {
        self.script.next.lock().unwrap().push_back(behaviour);
        self
    }

    /// What to do when nothing is queued.
    pub(crate) fn otherwise(&self, behaviour: Behaviour) {
        *self.script.otherwise.lock().unwrap() = behaviour;
    }

    /// Everything that was asked so far.
    pub(crate) fn requests(&self) -> Vec<ModelRequest> {
        self.script.requests.lock().unwrap().clone()
    }

    /// Requests that arrived and are neither answered nor given up.
    pub(crate) fn open_requests(&self) -> usize {
        self.script.open.load(Ordering::SeqCst)
    }

    /// Waits until this many requests are open.
    pub(crate) async fn wait_for_open(&self, wanted: usize) {
        eventually("the wanted number of open model requests", || {
            let open = self.open_requests();
            async move { open == wanted }
        })
        .await;
    }
}

/// Counts an open request until it is answered or its connection is gone.
struct Open(Arc<Script>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(State(script): State<Arc<Script>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    script.open.fetch_add(1, Ordering::SeqCst);
    let _open = Open(Arc::clone(&script));
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    script.requests.lock().unwrap().push(ModelRequest {
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.clone(),
    });
    let queued = script.next.lock().unwrap().pop_front();
    let behaviour = queued.unwrap_or_else(|| script.otherwise.lock().unwrap().clone());
    behave(behaviour, &body).await
}

async fn behave(behaviour: Behaviour, request: &Value) -> Response {
    let is_stream = request["stream"] == true;
    match behaviour {
        Behaviour::Text(text) => completion(is_stream, &text, &[], "stop"),
        Behaviour::Json(value) => completion(is_stream, &value.to_string(), &[], "stop"),
        Behaviour::ToolCalls(calls) => completion(is_stream, "", &calls, "tool_calls"),
        Behaviour::Truncated(text) => completion(is_stream, &text, &[], "length"),
        Behaviour::Malformed => (StatusCode::OK, "<html>a proxy's page</html>").into_response(),
        Behaviour::Empty => axum::Json(json!({"id": "c", "choices": []})).into_response(),
        Behaviour::Status(status, code, retry_after_ms) => {
            let mut response = failure(status, code, None, "secret words of the provider");
            if let Some(pause) = retry_after_ms {
                let headers = response.headers_mut();
                headers.insert("retry-after-ms", pause.into());
                headers.insert(header::RETRY_AFTER, pause.div_ceil(1_000).into());
            }
            response
        }
        Behaviour::UnknownParameter(name) => failure(
            400,
            "unsupported_parameter",
            Some(name),
            &format!("Unsupported parameter: '{name}'"),
        ),
        Behaviour::ContentFilter => failure(400, "content_filter", Some("prompt"), "filtered: secret words"),
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Disconnect => {
            let part = if is_stream {
                &b"data: {\"choices\": [{\"delta\": {\"content\": \"Half\"}}]}\n\n"[..]
            } else {
                b"{\"choices\": [{\"mess"
            };
            // The pause lets the server send the part before the connection breaks.
            let part = stream::iter([Ok(Bytes::from_static(part))]);
            let end = stream::once(async {
                tokio::task::yield_now().await;
                Err(std::io::Error::other("the model server goes away"))
            });
            Body::from_stream(part.chain(end)).into_response()
        }
        Behaviour::Endless(bytes) => completion(is_stream, &"x".repeat(bytes), &[], "stop"),
        Behaviour::By(choose) => Box::pin(behave(choose(request), request)).await,
    }
}

fn failure(status: u16, code: &str, param: Option<&str>, message: &str) -> Response {
    let body = json!({"error": {"message": message, "type": "error", "param": param, "code": code}});
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

fn completion(is_stream: bool, text: &str, calls: &[(String, Value)], finish: &str) -> Response {
    let usage = json!({"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33});
    if !is_stream {
        let calls: Vec<_> = calls
            .iter()
            .enumerate()
            .map(|(at, call)| tool_call(at, call))
            .collect();
        let mut message = json!({"role": "assistant", "content": text, "refusal": null});
        if !calls.is_empty() {
            message["tool_calls"] = Value::Array(calls);
        }
        let body = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "test-model",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage,
        });
        return axum::Json(body).into_response();
    }
    let mut deltas = vec![json!({"role": "assistant", "content": ""})];
    let letters: Vec<char> = text.chars().collect();
    deltas.extend(
        letters
            .chunks(letters.len().div_ceil(5).max(1))
            .map(|part| json!({"content": part.iter().collect::<String>()})),
    );
    for (at, call) in calls.iter().enumerate() {
        let whole = tool_call(at, call);
        let arguments = whole["function"]["arguments"].as_str().unwrap().to_owned();
        let mut first = whole;
        first["function"]["arguments"] = json!("");
        deltas.push(json!({"tool_calls": [first]}));
        deltas.push(json!({"tool_calls": [{"index": at, "function": {"arguments": arguments}}]}));
    }
    let mut events: Vec<Value> = deltas
        .into_iter()
        .map(|delta| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]}))
        .collect();
    events.push(json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}));
    events.push(json!({"choices": [], "usage": usage}));
    let mut lines: Vec<Bytes> = events
        .iter()
        .map(|event| Bytes::from(format!("data: {event}\n\n")))
        .collect();
    lines.push(Bytes::from_static(b"data: [DONE]\n\n"));
    let body = Body::from_stream(stream::iter(lines.into_iter().map(Ok::<_, std::io::Error>)));
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

fn tool_call(at: usize, (name, arguments): &(String, Value)) -> Value {
    json!({
        "index": at, "id": format!("call-{at}"), "type": "function",
        "function": {"name": name, "arguments": arguments.to_string()},
    })
}
