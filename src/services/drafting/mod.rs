//! Drafts of workflows from descriptions, and changes of drafts (contract http-workflows 7).
//!
//! A draft of the model goes through the same steps whatever it answered: read, tidied (`tidy`), checked by the rules of
//! publishing and played to its end (`check`); the model repairs it at most twice by the findings, then `mend` does, and
//! at last a plain draft stands in (`skeleton`). So what is shown can be published. Nothing is stored here.

mod check;
pub mod hints;
mod keep;
mod known;
mod mend;
mod prompt;
mod skeleton;
mod tidy;

use crate::clients::language_model::{ChatMessage, ModelError, Usage};
use crate::domain::error::ServiceError;
use crate::domain::person::{Actor, Email};
use crate::domain::workflow::Definition;
use crate::engine::definition::validate::{self, Report, Surroundings};
use crate::engine::dry_run::Managers;
use crate::services::model::{MeteredModel, ModelCallError, ModelSession};
use crate::services::workflows::{WorkflowService, require_designer};
use known::Known;
use serde_json::{Map, Value};
use tidy::{Notes, Rules, clipped, tidy};

/// How often the model is asked: once for the draft and twice for repairs.
const ATTEMPTS: usize = 3;
/// A description and the definition that somebody drew for it.
pub type Example = (String, Map<String, Value>);

/// Most examples that are shown to the model.
const MOST_EXAMPLES: usize = 2;
/// Longest JSON text of constraints, in bytes.
const LONGEST_CONSTRAINTS: usize = 16 * 1024;
/// Longest JSON text of a definition that is given to the model, in bytes.
const LONGEST_DEFINITION: usize = 128 * 1024;
/// Most assumptions that are told.
const MOST_ASSUMPTIONS: usize = 20;
/// Longest assumption, in characters.
const LONGEST_ASSUMPTION: usize = 300;

/// What a draft is made of.
#[derive(Debug, Clone, Default)]
pub struct DraftWish {
    /// What the workflow is for, 10 to 5 000 characters.
    pub description: String,
    /// Further wishes.
    pub constraints: Option<Map<String, Value>>,
    /// Descriptions with their definitions; the first two are used.
    pub examples: Vec<Example>,
}

/// A draft as shown.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The definition.
    pub definition: Definition,
    /// What the rules of publishing say of it.
    pub report: Report,
    /// What the model decided where the description is silent.
    pub assumptions: Vec<String>,
    /// What was corrected in the model's answer.
    pub repairs: Vec<String>,
    /// Who made it.
    pub made_by: MadeBy,
}

/// Who made a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MadeBy {
    /// The model.
    Model {
        /// Its name.
        name: String,
        /// The tokens used by all attempts.
        usage: Usage,
        /// How often it was asked.
        attempts: usize,
    },
    /// Nobody: a plain draft, or the definition as it was.
    Template {
        /// Why, for people.
        note: &'static str,
    },
}

const NOT_CONFIGURED: &str = "No language model is configured, so this is a plain draft to start from.";
const NOT_AVAILABLE: &str =
    "The language model did not answer in time, so this is a plain draft to start from.";
const NOT_USABLE: &str =
    "The language model's drafts could not be used, so this is a plain draft to start from.";
const UNCHANGED_NOT_CONFIGURED: &str = "No language model is configured; the definition is unchanged.";
const UNCHANGED_NOT_USABLE: &str =
    "The language model's changes could not be used; the definition is unchanged.";

/// Drafting; cheap to clone.
#[derive(Debug, Clone)]
pub struct Drafting {
    model: Option<MeteredModel>,
    workflows: WorkflowService,
}

/// What the attempts work with.
struct Attempt<'a> {
    session: ModelSession,
    rules: Rules<'a>,
    around: Surroundings,
    managers: Managers,
    /// The definition that is changed and the request, when one is.
    refined: Option<(&'a Map<String, Value>, &'a str)>,
}

/// What came of the attempts.
struct Outcome {
    definition: Definition,
    report: Report,
    assumptions: Vec<String>,
    repairs: Vec<String>,
    usage: Usage,
    attempts: usize,
}

/// Why the attempts gave nothing to show.
enum Failure {
    /// The model answered, but nothing that could be used.
    NotUsable,
    /// The model did not answer.
    Model(ModelCallError),
}

impl Drafting {
    /// Drafting with this model, if there is one.
    pub fn new(model: Option<MeteredModel>, workflows: &WorkflowService) -> Self {
        Self {
            model,
            workflows: workflows.clone(),
        }
    }

    /// A draft for a description. Without a usable model it is a plain one, and says so.
    ///
    /// # Errors
    /// The caller may not design, the wish is too large, the person's share of the model is used up, the content filter
    /// refuses the text, the model is busy, or the database is unavailable.
    pub async fn draft(&self, actor: &Actor, wish: &DraftWish) -> Result<Draft, ServiceError> {
        require_designer(actor)?;
        let examples = checked_wish(wish)?;
        let contact = &actor.person.email;
        let Some(model) = &self.model else {
            return self.plain(contact, NOT_CONFIGURED).await;
        };
        let session = model.begin(&actor.person)?;
        let mut known = known_to(contact);
        known.add_text(&wish.description);
        if let Some(constraints) = &wish.constraints {
            known.add_value(&Value::Object(constraints.clone()));
        }
        for (description, definition) in examples {
            known.add_text(description);
            known.add_definition(definition);
        }
        let references: Vec<_> = examples.iter().map(|(_, definition)| definition).collect();
        let attempt = Attempt {
            session,
            around: self.surroundings(&references, &known).await?,
            rules: Rules {
                known: &known,
                contact,
            },
            managers: Managers::KnownAndUnknown,
            refined: None,
        };
        let messages = prompt::drafting(&wish.description, wish.constraints.as_ref(), examples);
        match attempt.run(messages).await {
            Ok(outcome) => Ok(outcome.into_draft(model)),
            Err(Failure::NotUsable) => self.plain(contact, NOT_USABLE).await,
            Err(Failure::Model(ModelCallError::Model(error))) if is_outage(&error) => {
                tracing::warn!(%error, "a plain draft was made, because the language model failed");
                self.plain(contact, NOT_AVAILABLE).await
            }
            Err(Failure::Model(error)) => Err(error.into()),
        }
    }

    /// Changes a definition as asked and leaves everything else of it as it was.
    ///
    /// # Errors
    /// As [`Drafting::draft`]; in addition, the model does not answer.
    pub async fn refine(
        &self,
        actor: &Actor,
        current: &Map<String, Value>,
        request: &str,
    ) -> Result<Draft, ServiceError> {
        require_designer(actor)?;
        check_size("current_definition", current, LONGEST_DEFINITION)?;
        let contact = &actor.person.email;
        let mut known = known_to(contact);
        known.add_definition(current);
        let around = self.surroundings(&[current], &known).await?;
        let Some(model) = &self.model else {
            return unchanged(current, around, UNCHANGED_NOT_CONFIGURED).await;
        };
        known.add_text(request);
        let attempt = Attempt {
            session: model.begin(&actor.person)?,
            around: around.clone(),
            rules: Rules {
                known: &known,
                contact,
            },
            managers: Managers::Known,
            refined: Some((current, request)),
        };
        match attempt.run(prompt::refining(current, request)).await {
            Ok(outcome) => Ok(outcome.into_draft(model)),
            Err(Failure::NotUsable) => unchanged(current, around, UNCHANGED_NOT_USABLE).await,
            Err(Failure::Model(error)) => Err(error.into()),
        }
    }

    async fn plain(&self, contact: &Email, note: &'static str) -> Result<Draft, ServiceError> {
        let definition = skeleton::skeleton(contact);
        let around = self.surroundings(&[], &Known::default()).await?;
        let report = check::check(definition.clone(), around, Managers::KnownAndUnknown).await?;
        let assumption = format!("The requester's manager approves; {contact} does where there is none.");
        Ok(Draft {
            definition,
            report,
            assumptions: vec![assumption],
            repairs: Vec::new(),
            made_by: MadeBy::Template { note },
        })
    }

    /// What the checks know: the tables and the embedded workflows that the author named.
    async fn surroundings(
        &self,
        definitions: &[&Map<String, Value>],
        known: &Known,
    ) -> Result<Surroundings, ServiceError> {
        let mut around = Surroundings::of(check::draft_id());
        for definition in definitions {
            let normal = validate::normalise(definition);
            around
                .embedded
                .extend(self.workflows.embedded_facts(&normal).await?);
        }
        around.lookups = Some(known.lookups().clone());
        Ok(around)
    }
}

impl Attempt<'_> {
    /// Asks the model, and again with the findings while there are some.
    async fn run(&self, mut messages: Vec<ChatMessage>) -> Result<Outcome, Failure> {
        let mut usage = Usage::default();
        let mut best: Option<Outcome> = None;
        for attempts in 1..=ATTEMPTS {
            let reply = match self.session.chat(&prompt::request(messages.clone())).await {
                Ok(reply) => reply,
                Err(error) if best.is_none() => return Err(Failure::Model(error)),
                // What there is already is repaired without the model.
                Err(error) => {
                    tracing::warn!(%error, "the language model did not repair its draft");
                    break;
                }
            };
            usage = Usage {
                prompt: usage.prompt + reply.usage.prompt,
                completion: usage.completion + reply.usage.completion,
            };
            let answer = reply.json_object().filter(has_steps);
            let correction = match answer {
                None => prompt::asking_for_json(reply.is_truncated),
                Some(answer) => {
                    let mut outcome = self.read(&answer).await.map_err(Failure::Model)?;
                    outcome.usage = usage;
                    outcome.attempts = attempts;
                    if outcome.report.is_valid() {
                        return Ok(outcome);
                    }
                    let findings = prompt::repairing(&outcome.report.errors);
                    best = Some(outcome);
                    findings
                }
            };
            messages.push(ChatMessage::Assistant {
                text: reply.text,
                tool_calls: Vec::new(),
            });
            messages.push(ChatMessage::User(correction));
        }
        let Some(best) = best else {
            return Err(Failure::NotUsable);
        };
        let mended = self.mended(best, usage).await.map_err(Failure::Model)?;
        mended.ok_or(Failure::NotUsable)
    }

    /// Tidies and checks an answer.
    async fn read(&self, answer: &Map<String, Value>) -> Result<Outcome, ModelCallError> {
        let mut notes = Notes::default();
        let mut definition = tidy(answer, self.rules, &mut notes);
        if let Some((current, request)) = self.refined {
            // Corrections of what is put back anyway are of no interest.
            notes = Notes::default();
            definition = keep::keep_the_rest(current, &definition, request, &mut notes);
        }
        let definition = validate::normalise(&definition);
        let report = check::check(definition.clone(), self.around.clone(), self.managers).await?;
        Ok(Outcome {
            definition,
            report,
            assumptions: assumptions(answer),
            repairs: notes.into_list(),
            usage: Usage::default(),
            attempts: 0,
        })
    }

    /// The last draft repaired without the model; none when that is not enough.
    async fn mended(&self, last: Outcome, usage: Usage) -> Result<Option<Outcome>, ModelCallError> {
        if self.refined.is_some() {
            // A repair without the model does not know what it may touch.
            return Ok(None);
        }
        let mut notes = Notes::default();
        for note in &last.repairs {
            notes.add(note.clone());
        }
        let mended = mend::mend(&last.definition.0.0, &mut notes);
        let definition = validate::normalise(&mended);
        let report = check::check(definition.clone(), self.around.clone(), self.managers).await?;
        Ok(report.is_valid().then(|| Outcome {
            definition,
            report,
            repairs: notes.into_list(),
            usage,
            ..last
        }))
    }
}

impl Outcome {
    fn into_draft(self, model: &MeteredModel) -> Draft {
        Draft {
            definition: self.definition,
            report: self.report,
            assumptions: self.assumptions,
            repairs: self.repairs,
            made_by: MadeBy::Model {
                name: model.name().to_owned(),
                usage: self.usage,
                attempts: self.attempts,
            },
        }
    }
}

/// The definition as it was, with what is really to be said of it.
async fn unchanged(
    current: &Map<String, Value>,
    around: Surroundings,
    note: &'static str,
) -> Result<Draft, ServiceError> {
    let definition = validate::normalise(current);
    let report = check::check(definition.clone(), around, Managers::Known).await?;
    Ok(Draft {
        definition,
        report,
        assumptions: Vec::new(),
        repairs: Vec::new(),
        made_by: MadeBy::Template { note },
    })
}

/// Failures after which a plain draft helps more than an error.
fn is_outage(error: &ModelError) -> bool {
    match error {
        ModelError::TimedOut
        | ModelError::RateLimited { .. }
        | ModelError::Rejected { .. }
        | ModelError::Failing { .. }
        | ModelError::Unreachable
        | ModelError::Malformed(_)
        | ModelError::TooLarge => true,
        ModelError::Busy | ModelError::ContentFiltered => false,
    }
}

fn known_to(contact: &Email) -> Known {
    let mut known = Known::default();
    known.add_text(contact.as_str());
    known
}

fn has_steps(answer: &Map<String, Value>) -> bool {
    let steps = |map: &Map<String, Value>| {
        map.get("steps")
            .and_then(Value::as_array)
            .is_some_and(|s| !s.is_empty())
    };
    steps(answer) || answer.values().filter_map(Value::as_object).any(steps)
}

fn assumptions(answer: &Map<String, Value>) -> Vec<String> {
    let list = answer.get("assumptions").and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts
        .map(|text| clipped(text, LONGEST_ASSUMPTION))
        .filter(|text| !text.is_empty())
        .take(MOST_ASSUMPTIONS)
        .collect()
}

/// The examples that are used, once everything is small enough to be sent.
fn checked_wish(wish: &DraftWish) -> Result<&[Example], ServiceError> {
    if let Some(constraints) = &wish.constraints {
        check_size("constraints", constraints, LONGEST_CONSTRAINTS)?;
    }
    let used = wish.examples.get(..MOST_EXAMPLES).unwrap_or(&wish.examples);
    for (_, definition) in used {
        check_size("examples", definition, LONGEST_DEFINITION)?;
    }
    Ok(used)
}

fn check_size(field: &str, value: &Map<String, Value>, most: usize) -> Result<(), ServiceError> {
    let size = serde_json::to_string(value).map_or(usize::MAX, |text| text.len());
    if size <= most {
        return Ok(());
    }
    let message = format!("must be at most {} KiB of JSON", most / 1024);
    Err(ServiceError::invalid_field(field, message))
}
