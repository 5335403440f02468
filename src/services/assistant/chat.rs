//! A question and its answer: the model looks up what it may, within rounds and time; where it has no usable answer the
//! facts speak for themselves. Both are kept together once there is an answer, so no question stays without one.

use super::overview;
use super::plain_text::line;
use super::prompt;
use super::reply::{ReplyCleaner, tickets_named_in};
use super::tools::Toolbox;
use super::voice::Voice;
use super::{Assistant, MODEL_TIME};
use crate::clients::language_model::{ChatMessage, ModelError, ToolCall};
use crate::domain::conversation::{ConversationMessage, LONGEST_CONTENT, Persona, Speaker};
use crate::domain::error::ServiceError;
use crate::domain::id::TicketId;
use crate::domain::person::Actor;
use crate::domain::time::Timestamp;
use crate::services::model::{MeteredModel, ModelCallError, ModelSession};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How often the model may look something up before it has to answer.
const ROUNDS: usize = 6;
/// Most tools in one round.
const CALLS_A_ROUND: usize = 8;
/// Most tickets that an answer cites.
const MOST_CITED: usize = 10;
/// Longest title of a cited ticket, in characters.
const LONGEST_TITLE: usize = 100;
/// Within this time the same question is the first one again, in milliseconds (design 8: repeats).
const REPEATED: i64 = 60_000;

const NOT_CONFIGURED: &str = "No language model is configured. This is what I can tell from your own data.";
const FILTERED: &str = "The language model's content filter refused this question; please rephrase it.";
const USED_UP: &str = "Your share of the language model is used up for today.";
const FACTS_FOLLOW: &str = "This is what I can tell from your own data.";

/// A person's question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// From which part of the application; the person holds it.
    pub persona: Persona,
    /// 1 to 2 000 characters.
    pub text: &'a str,
    /// The request's correlation id, told when something goes wrong.
    pub correlation_id: &'a str,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Markdown without links, images and HTML.
    pub text: String,
    /// The tickets it is based on, each of which the person may see.
    pub cites: Vec<Citation>,
    /// Whether the language model wrote it.
    pub is_by_model: bool,
}

/// A ticket that an answer is based on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Citation {
    /// The ticket.
    pub ticket_id: TicketId,
    /// Its title.
    pub title: String,
}

impl Answer {
    /// An answer made of facts; titles and names in it are other people's words all the same.
    pub(super) fn of_facts(text: &str, cites: &BTreeMap<TicketId, String>) -> Self {
        let known = cites.keys().cloned().collect();
        Self {
            text: cleaned(text, known),
            cites: citations(cites, |_| true),
            is_by_model: false,
        }
    }

    /// The model's answer, after it was shown these tickets and could know of those as well.
    fn of_model(text: &str, shown: &BTreeMap<TicketId, String>, known: BTreeSet<TicketId>) -> Self {
        let mut text = cleaned(text, known);
        let named: BTreeSet<TicketId> = tickets_named_in(&text).into_iter().collect();
        let mut cites = citations(shown, |id| named.contains(id));
        if cites.is_empty() {
            cites = citations(shown, |_| true);
            text.push_str(&sources(&cites));
        }
        Self {
            text,
            cites,
            is_by_model: true,
        }
    }

    fn preceded_by(mut self, notice: &str) -> Self {
        self.text = format!("{notice}\n\n{}", self.text);
        self
    }
}

/// Words of a model that another service kept, as harmless as what is said here; the tickets they name were shown then.
pub(crate) fn cleaned_words(text: &str) -> String {
    cleaned(text, tickets_named_in(text).into_iter().collect())
}

fn cleaned(text: &str, known: BTreeSet<TicketId>) -> String {
    let mut cleaner = ReplyCleaner::naming(known);
    let mut cleaned = cleaner.push(text);
    cleaned.push_str(&cleaner.finish());
    cleaned
}

fn citations(tickets: &BTreeMap<TicketId, String>, wanted: impl Fn(&TicketId) -> bool) -> Vec<Citation> {
    let cited = tickets.iter().filter(|(id, _)| wanted(id)).take(MOST_CITED);
    let cited = cited.map(|(ticket_id, title)| Citation {
        ticket_id: ticket_id.clone(),
        title: line(title, LONGEST_TITLE, BTreeSet::new()),
    });
    cited.collect()
}

/// The last line of an answer that names none of the tickets it is based on.
fn sources(cites: &[Citation]) -> String {
    if cites.is_empty() {
        return String::new();
    }
    let named: Vec<_> = cites
        .iter()
        .map(|cite| format!("{} “{}”", cite.ticket_id, cite.title))
        .collect();
    format!("\n\nSources: {}", named.join(", "))
}

impl Assistant {
    /// Answers a question; what is said on the way is given to `voice`.
    pub(super) async fn answer(
        &self,
        actor: &Actor,
        question: Question<'_>,
        voice: &mut Voice,
    ) -> Result<Answer, ServiceError> {
        let now = self.services.clock.now();
        let history = self
            .conversations
            .read(&actor.person, question.persona, now)
            .await?;
        if let Some(known) = repeated(&history, question.text, now) {
            let answer = Answer {
                text: known.content.clone(),
                cites: self.resolved(actor, &known.cites).await?,
                is_by_model: true,
            };
            voice.say_rest(&answer.text).await;
            return Ok(answer);
        }
        let answer = match &self.model {
            None => self.answer_from_facts(actor, question, NOT_CONFIGURED).await?,
            Some(model) => self.ask_model(model, actor, question, &history, voice).await?,
        };
        voice.say_rest(&answer.text).await;
        let turn = turn(question.text, &answer, now);
        if let Err(error) = self
            .conversations
            .append(&actor.person, question.persona, &turn, now)
            .await
        {
            // The answer is there; that it is missing from the history is the smaller harm.
            tracing::warn!(error.text = %error, "a turn of a conversation could not be kept");
        }
        Ok(answer)
    }

    async fn answer_from_facts(
        &self,
        actor: &Actor,
        question: Question<'_>,
        notice: &str,
    ) -> Result<Answer, ServiceError> {
        let answer = overview::answer(&self.services, actor, question.persona, question.text).await?;
        Ok(answer.preceded_by(notice))
    }

    /// The model's answer, or one from facts that says why it is none of the model's.
    async fn ask_model(
        &self,
        model: &MeteredModel,
        actor: &Actor,
        question: Question<'_>,
        history: &[ConversationMessage],
        voice: &mut Voice,
    ) -> Result<Answer, ServiceError> {
        let session = model.begin_within(&actor.person, MODEL_TIME)?;
        let outcome = self.converse(&session, actor, question, history, voice).await;
        let failed = |why: &str| format!("{why} Reference: {}. {FACTS_FOLLOW}", question.correlation_id);
        let notice = match outcome {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => failed("The language model gave no usable answer."),
            Err(ModelCallError::Refused(ServiceError::RateLimited { .. })) => {
                format!("{USED_UP} {FACTS_FOLLOW}")
            }
            Err(ModelCallError::Refused(error)) => return Err(error),
            Err(ModelCallError::Model(ModelError::ContentFiltered)) => format!("{FILTERED} {FACTS_FOLLOW}"),
            Err(ModelCallError::Model(error)) => {
                tracing::warn!(%error, "a question was answered without the language model");
                failed("The language model is not available now.")
            }
        };
        voice.restart().await;
        self.answer_from_facts(actor, question, &notice).await
    }

    /// Lets the model look things up until it answers; none when it has no usable answer in time.
    async fn converse(
        &self,
        session: &ModelSession,
        actor: &Actor,
        question: Question<'_>,
        history: &[ConversationMessage],
        voice: &mut Voice,
    ) -> Result<Option<Answer>, ModelCallError> {
        let mut toolbox = Toolbox::new(&self.services, actor, question.persona);
        let name = super::brief::person(&actor.person);
        let now = self.services.clock.now();
        let mut messages = prompt::conversation(question.persona, &name, now, history, question.text);
        let mentioned: BTreeSet<TicketId> = history
            .iter()
            .map(|message| message.content.as_str())
            .chain([question.text])
            .flat_map(tickets_named_in)
            .collect();
        for round in 0..=ROUNDS {
            let may_look_up = round < ROUNDS;
            let tools = if may_look_up { toolbox.specs() } else { Vec::new() };
            let known: BTreeSet<TicketId> = mentioned.iter().chain(toolbox.shown().keys()).cloned().collect();
            let request = prompt::chat(messages.clone(), tools);
            let reply = voice.ask(session, &request, known.clone()).await?;
            if reply.tool_calls.is_empty() {
                let is_usable = !reply.text.trim().is_empty();
                let text = if reply.is_truncated {
                    format!("{} …", reply.text)
                } else {
                    reply.text
                };
                return Ok(is_usable.then(|| Answer::of_model(&text, toolbox.shown(), known)));
            }
            if !may_look_up {
                break;
            }
            voice.restart().await;
            let calls: Vec<ToolCall> = reply.tool_calls.into_iter().take(CALLS_A_ROUND).collect();
            messages.push(ChatMessage::Assistant {
                text: reply.text,
                tool_calls: calls.iter().map(repeatable).collect(),
            });
            for call in &calls {
                voice.look_up(&call.name, question.persona).await;
                let content = toolbox.call(call).await?;
                messages.push(ChatMessage::Tool {
                    call_id: call.id.clone(),
                    content,
                });
            }
        }
        Ok(None)
    }

    /// The tickets behind these ids that the actor may see now.
    pub(super) async fn resolved(
        &self,
        actor: &Actor,
        ids: &[TicketId],
    ) -> Result<Vec<Citation>, ServiceError> {
        let tickets = self.services.tickets.visible_of(actor, ids).await?;
        let titles = tickets
            .into_iter()
            .map(|stored| (stored.ticket.id, stored.ticket.title));
        Ok(citations(&titles.collect(), |_| true))
    }
}

/// A call as it may be told again: providers refuse names and arguments that have another form than the protocol's.
fn repeatable(call: &ToolCall) -> ToolCall {
    let is_name = |text: &str| {
        (1..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    let is_object = serde_json::from_str::<Value>(&call.arguments).is_ok_and(|value| value.is_object());
    ToolCall {
        id: call.id.clone(),
        name: if is_name(&call.name) {
            call.name.clone()
        } else {
            "unknown".to_owned()
        },
        arguments: if is_object {
            call.arguments.clone()
        } else {
            "{}".to_owned()
        },
    }
}

/// The answer to the same question a moment ago: the SPA repeats a request whose answer was lost.
fn repeated<'h>(
    history: &'h [ConversationMessage],
    question: &str,
    now: Timestamp,
) -> Option<&'h ConversationMessage> {
    let [.., asked, answered] = history else {
        return None;
    };
    let is_same = asked.role == Speaker::User && asked.content == question;
    let is_fresh = now.since(answered.at).num_milliseconds() <= REPEATED;
    (is_same && is_fresh && answered.is_by_model).then_some(answered)
}

fn turn(question: &str, answer: &Answer, at: Timestamp) -> [ConversationMessage; 2] {
    let kept = |text: &str| {
        text.get(..text.floor_char_boundary(LONGEST_CONTENT))
            .unwrap_or_default()
            .to_owned()
    };
    let said = |role, content, is_by_model, cites| ConversationMessage {
        role,
        content: kept(content),
        at,
        is_by_model,
        cites,
    };
    let cites = answer.cites.iter().map(|cite| cite.ticket_id.clone()).collect();
    [
        said(Speaker::User, question, false, Vec::new()),
        said(Speaker::Assistant, &answer.text, answer.is_by_model, cites),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown() -> BTreeMap<TicketId, String> {
        let ticket = |digit: &str, title: &str| {
            (
                TicketId::from_stored(format!("TKT-{}", digit.repeat(12))),
                title.to_owned(),
            )
        };
        BTreeMap::from([ticket("1", "One"), ticket("2", "Two")])
    }

    #[test]
    fn an_answer_cites_what_it_names_and_was_shown_and_nothing_invented() {
        let known = shown().keys().cloned().collect();
        let answer = Answer::of_model("TKT-222222222222 and TKT-333333333333.", &shown(), known);
        assert_eq!(answer.text, "TKT-222222222222 and an unknown ticket.");
        let ids: Vec<_> = answer.cites.iter().map(|cite| cite.ticket_id.as_str()).collect();
        assert_eq!(ids, ["TKT-222222222222"]);
    }

    #[test]
    fn an_answer_that_names_no_ticket_ends_with_its_sources() {
        let answer = Answer::of_model("Two are open.", &shown(), BTreeSet::new());
        assert!(
            answer
                .text
                .ends_with("Sources: TKT-111111111111 “One”, TKT-222222222222 “Two”")
        );
        assert_eq!(
            Answer::of_model("Hello.", &BTreeMap::new(), BTreeSet::new()).text,
            "Hello."
        );
    }

    #[test]
    fn a_call_that_the_protocol_does_not_know_is_told_again_in_a_form_it_does() {
        let call = ToolCall {
            id: "1".to_owned(),
            name: "drop table".to_owned(),
            arguments: "{".to_owned(),
        };
        let told = repeatable(&call);
        assert_eq!((told.name.as_str(), told.arguments.as_str()), ("unknown", "{}"));
    }

    #[test]
    fn only_the_newest_question_of_the_last_minute_is_a_repeat() {
        let at = Timestamp::from_millis(1_000_000);
        let answer = Answer::of_model("Yes.", &BTreeMap::new(), BTreeSet::new());
        let history = turn("Is it?", &answer, at);
        assert!(repeated(&history, "Is it?", at.plus_millis(60_000)).is_some());
        assert!(repeated(&history, "Is it?", at.plus_millis(60_001)).is_none());
        assert!(repeated(&history, "Is it not?", at).is_none());
        let from_facts = turn(
            "Is it?",
            &Answer {
                is_by_model: false,
                ..answer
            },
            at,
        );
        assert!(repeated(&from_facts, "Is it?", at).is_none());
    }
}
