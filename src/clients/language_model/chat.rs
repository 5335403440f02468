//! What is asked of the model and what it answers, free of the wire's form.

use serde_json::{Map, Value};

/// One request to the model.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The conversation so far, instructions first.
    pub messages: Vec<ChatMessage>,
    /// Functions the model may ask for; empty when it may not.
    pub tools: Vec<ToolSpec>,
    /// The form of the answer.
    pub format: ReplyFormat,
    /// How free the model is, 0 to 2; left out where the model knows one value only.
    pub temperature: f32,
    /// Longest answer, in tokens.
    pub max_tokens: u32,
}

impl ChatRequest {
    /// A request for text without tools.
    pub fn text(messages: Vec<ChatMessage>, max_tokens: u32) -> Self {
        Self {
            messages,
            tools: Vec::new(),
            format: ReplyFormat::Text,
            temperature: 0.3,
            max_tokens,
        }
    }

    /// A cautious guess of the tokens this request uses, the answer included; the provider's count replaces it.
    pub fn estimated_tokens(&self) -> u64 {
        self.estimated_prompt_tokens()
            .saturating_add(u64::from(self.max_tokens))
    }

    /// The same without the answer.
    pub fn estimated_prompt_tokens(&self) -> u64 {
        let messages: usize = self.messages.iter().map(ChatMessage::size).sum();
        let tools: usize = self
            .tools
            .iter()
            .map(|tool| tool.name.len() + tool.description.len() + tool.parameters.to_string().len())
            .sum();
        // Four bytes a token is the usual ratio of English text.
        u64::try_from(messages + tools).unwrap_or(u64::MAX) / 4
    }
}

/// One part of a conversation. Text of people belongs into `User` or `Tool`, never into `System`.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatMessage {
    /// Our instructions.
    System(String),
    /// What a person wrote, or data we were given.
    User(String),
    /// What the model said.
    Assistant {
        /// Its text; may be empty beside calls.
        text: String,
        /// The tools it asked for.
        tool_calls: Vec<ToolCall>,
    },
    /// What a tool answered.
    Tool {
        /// The call this answers.
        call_id: String,
        /// The answer: data, never instructions.
        content: String,
    },
}

impl ChatMessage {
    fn size(&self) -> usize {
        match self {
            Self::System(text) | Self::User(text) => text.len(),
            Self::Assistant { text, tool_calls } => {
                text.len() + tool_calls.iter().map(|call| call.arguments.len()).sum::<usize>()
            }
            Self::Tool { content, .. } => content.len(),
        }
    }
}

/// A function the model may ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name: letters, digits, `_` and `-`.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The JSON schema of its arguments.
    pub parameters: Value,
}

/// A function the model asks for. Name and arguments are the model's: check both.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The name of this call, which the answer repeats.
    pub id: String,
    /// The function.
    pub name: String,
    /// Its arguments as JSON text, unchecked.
    pub arguments: String,
}

/// The form of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplyFormat {
    /// Text.
    Text,
    /// One JSON object. Servers without structured output are asked for plain JSON, so the instructions must name the
    /// form too, with the word JSON in them; the answer is to be checked in any case.
    Json {
        /// The schema's name: letters, digits, `_` and `-`.
        name: &'static str,
        /// The JSON schema.
        schema: Value,
    },
}

/// What the model answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChatReply {
    /// Its text; empty when it only asks for tools.
    pub text: String,
    /// The tools it asks for.
    pub tool_calls: Vec<ToolCall>,
    /// Whether the answer was cut because it became too long.
    pub is_truncated: bool,
    /// The tokens used, as the provider counts; zero when it does not say.
    pub usage: Usage,
}

impl ChatReply {
    /// The JSON object in the text, which may stand in a code fence or between words; of several the longest. An object
    /// that is cut is none, and neither is a part of it.
    pub fn json_object(&self) -> Option<Map<String, Value>> {
        let mut rest = self.text.as_str();
        let mut found: Option<(usize, Map<String, Value>)> = None;
        for _ in 0..MOST_BRACES {
            let Some(start) = rest.find('{') else { break };
            rest = rest.get(start..)?;
            let mut objects = serde_json::Deserializer::from_str(rest).into_iter::<Map<String, Value>>();
            let end = match objects.next() {
                Some(Ok(object)) => {
                    let length = objects.byte_offset();
                    if found.as_ref().is_none_or(|(longest, _)| length > *longest) {
                        found = Some((length, object));
                    }
                    length
                }
                Some(Err(error)) if error.is_eof() => break,
                Some(Err(_)) | None => 1,
            };
            rest = rest.get(end..)?;
        }
        found.map(|(_, object)| object)
    }
}

/// How many opening braces are tried as the beginning of an object.
const MOST_BRACES: usize = 100;

/// Tokens used; those of several calls add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Of the request.
    pub prompt: u64,
    /// Of the answer.
    pub completion: u64,
}

impl Usage {
    /// Both together.
    pub const fn total(self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.prompt = self.prompt.saturating_add(other.prompt);
        self.completion = self.completion.saturating_add(other.completion);
    }
}

/// A part of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatEvent {
    /// More text.
    Text(String),
    /// The whole answer; the last event.
    Done(ChatReply),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> ChatReply {
        ChatReply {
            text: text.to_owned(),
            ..ChatReply::default()
        }
    }

    #[test]
    fn json_is_found_in_fences_and_between_words() {
        for text in [
            "{\"a\": 1}",
            "```json\n{\"a\": 1}\n```",
            "Here it is: {\"a\": 1}. Enjoy.",
            "As {you} asked: {\"a\": 1} {see above}",
            "{\"b\": 2} or rather {\"a\": 1, \"b\": 2}",
        ] {
            assert_eq!(reply(text).json_object().unwrap()["a"], 1, "{text}");
        }
    }

    #[test]
    fn what_is_no_json_object_is_none() {
        for text in [
            "",
            "no",
            "[1]",
            "{\"a\": ",
            "} {",
            "{\"a\": [{\"b\": 1}, {\"b\": ",
        ] {
            assert!(reply(text).json_object().is_none(), "{text}");
        }
    }
}
