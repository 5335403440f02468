//! The JSON of chat completions: requests as this server understands them, answers read leniently.

use super::chat::{ChatMessage, ChatReply, ChatRequest, ReplyFormat, ToolCall, Usage};
use super::dialect::Dialect;
use super::error::ModelError;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The body of a request.
pub(super) fn body(request: &ChatRequest, model: &str, dialect: Dialect, stream: bool) -> Value {
    let mut body = Map::new();
    body.insert("model".to_owned(), model.into());
    let messages = request.messages.iter().map(message).collect();
    body.insert("messages".to_owned(), Value::Array(messages));
    body.insert("stream".to_owned(), stream.into());
    if stream && dialect.has_stream_options() {
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    let length = if dialect.has_new_length() {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    body.insert(length.to_owned(), request.max_tokens.into());
    if dialect.has_temperature() {
        body.insert("temperature".to_owned(), json!(request.temperature));
    }
    if let Some(format) = response_format(&request.format, dialect) {
        body.insert("response_format".to_owned(), format);
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter().map(|tool| {
            json!({"type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.parameters,
            }})
        });
        body.insert("tools".to_owned(), tools.collect());
        body.insert("tool_choice".to_owned(), "auto".into());
    }
    Value::Object(body)
}

fn response_format(format: &ReplyFormat, dialect: Dialect) -> Option<Value> {
    let ReplyFormat::Json { name, schema } = format else {
        return None;
    };
    if dialect.has_schema() {
        let schema = json!({"name": name, "schema": schema, "strict": false});
        Some(json!({"type": "json_schema", "json_schema": schema}))
    } else if dialect.has_json_mode() {
        Some(json!({"type": "json_object"}))
    } else {
        None
    }
}

fn message(message: &ChatMessage) -> Value {
    match message {
        ChatMessage::System(text) => json!({"role": "system", "content": text}),
        ChatMessage::User(text) => json!({"role": "user", "content": text}),
        ChatMessage::Assistant { text, tool_calls } if tool_calls.is_empty() => {
            json!({"role": "assistant", "content": text})
        }
        ChatMessage::Assistant { text, tool_calls } => {
            let calls: Vec<_> = tool_calls
                .iter()
                .map(|call| {
                    json!({"id": call.id, "type": "function",
                           "function": {"name": call.name, "arguments": call.arguments}})
                })
                .collect();
            json!({"role": "assistant", "content": text, "tool_calls": calls})
        }
        ChatMessage::Tool { call_id, content } => {
            json!({"role": "tool", "tool_call_id": call_id, "content": content})
        }
    }
}

/// An answer, or one part of a streamed one; only what is used, so that servers may add and omit the rest.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<WireUsage>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default, alias = "delta")]
    message: Option<Answer>,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Answer {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<WireCall>>,
}

#[derive(Debug, Deserialize)]
struct WireCall {
    #[serde(default)]
    index: Option<usize>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<WireFunction>,
}

#[derive(Debug, Deserialize)]
struct WireFunction {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct WireUsage {
    #[serde(default)]
    prompt_tokens: u64,
    #[serde(default)]
    completion_tokens: u64,
}

/// Most tool calls of one answer.
const MOST_CALLS: usize = 32;

/// Puts an answer together from one or many parts.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    reply: ChatReply,
    finish: Option<String>,
    is_refused: bool,
}

impl Assembly {
    /// Takes a part in; answers the text it adds.
    ///
    /// # Errors
    /// The answer asks for more tools than accepted.
    pub(super) fn add(&mut self, part: Completion) -> Result<String, ModelError> {
        if let Some(usage) = part.usage {
            self.reply.usage = Usage {
                prompt: usage.prompt_tokens,
                completion: usage.completion_tokens,
            };
        }
        let Some(choice) = part.choices.into_iter().next() else {
            return Ok(String::new());
        };
        if choice.finish_reason.is_some() {
            self.finish = choice.finish_reason;
        }
        let answer = choice.message.unwrap_or_default();
        self.is_refused |= answer.refusal.is_some_and(|text| !text.is_empty());
        for call in answer.tool_calls.unwrap_or_default() {
            self.add_call(call)?;
        }
        let text = answer.content.unwrap_or_default();
        self.reply.text.push_str(&text);
        Ok(text)
    }

    /// A part of a call continues the call at its index; without an index it is a call of its own.
    fn add_call(&mut self, call: WireCall) -> Result<(), ModelError> {
        let at = call.index.unwrap_or(self.reply.tool_calls.len());
        if at >= MOST_CALLS {
            return Err(ModelError::Malformed("it asks for too many tools"));
        }
        while self.reply.tool_calls.len() <= at {
            self.reply.tool_calls.push(ToolCall {
                id: format!("call_{}", self.reply.tool_calls.len()),
                name: String::new(),
                arguments: String::new(),
            });
        }
        let Some(slot) = self.reply.tool_calls.get_mut(at) else {
            return Ok(());
        };
        if let Some(id) = call.id.filter(|id| !id.is_empty()) {
            slot.id = id;
        }
        if let Some(function) = call.function {
            slot.name.push_str(&function.name.unwrap_or_default());
            slot.arguments.push_str(&function.arguments.unwrap_or_default());
        }
        Ok(())
    }

    /// The whole answer.
    ///
    /// # Errors
    /// The content filter took it away, it was refused, or nothing is in it.
    pub(super) fn finish(mut self) -> Result<ChatReply, ModelError> {
        self.reply.tool_calls.retain(|call| !call.name.is_empty());
        let finish = self.finish.as_deref();
        if finish == Some("content_filter") || self.is_refused {
            return Err(ModelError::ContentFiltered);
        }
        self.reply.is_truncated = finish == Some("length");
        if self.reply.text.trim().is_empty() && self.reply.tool_calls.is_empty() {
            return Err(ModelError::Malformed("it is empty"));
        }
        Ok(self.reply)
    }

    /// Whether the end of the answer was announced; a stream that ends before was cut off.
    pub(super) const fn is_complete(&self) -> bool {
        self.finish.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(value: Value) -> Completion {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_streamed_tool_call_is_put_together() {
        let mut whole = Assembly::default();
        for delta in [
            json!({"role": "assistant", "tool_calls": [{"index": 0, "id": "c1", "function": {"name": "look"}}]}),
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{\"a\":"}}]}),
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
        ] {
            whole.add(part(json!({"choices": [{"delta": delta}]}))).unwrap();
        }
        whole
            .add(part(
                json!({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}),
            ))
            .unwrap();
        assert!(whole.is_complete());
        let reply = whole.finish().unwrap();
        assert_eq!(reply.tool_calls[0].name, "look");
        assert_eq!(reply.tool_calls[0].arguments, "{\"a\":1}");
    }

    #[test]
    fn an_answer_may_lack_everything_but_its_text() {
        let mut whole = Assembly::default();
        whole
            .add(part(json!({"choices": [{"message": {"content": "yes"}}]})))
            .unwrap();
        assert_eq!(whole.finish().unwrap().text, "yes");
    }

    #[test]
    fn a_wild_call_index_is_refused() {
        let mut whole = Assembly::default();
        let call = json!({"choices": [{"delta": {"tool_calls": [{"index": 4_000_000_000_u64}]}}]});
        assert!(whole.add(part(call)).is_err());
    }
}
