//! Asks the model for a definition, and again with the findings while there are some.

use super::keep::{self, Request};
use super::mend::mend;
use super::notes::Notes;
use super::tidy::{Rules, has_steps, tidy};
use super::{Draft, MadeBy, check, echo, lenient_json, prompt};
use crate::clients::language_model::{ChatMessage, ChatReply, Usage};
use crate::domain::workflow::Definition;
use crate::engine::definition::validate::{self, Finding, Report, Surroundings};
use crate::engine::dry_run::Managers;
use crate::services::model::{MeteredModel, ModelCallError, ModelSession};
use serde_json::{Map, Value};

/// How often the model is asked: once for the draft and twice for repairs.
const ATTEMPTS: usize = 3;
/// How often a draft is repaired without the model: some faults only show when others are gone.
const MENDINGS: usize = 2;
/// Most assumptions that are told.
const MOST_ASSUMPTIONS: usize = 20;
/// Longest assumption, in characters.
const LONGEST_ASSUMPTION: usize = 300;

/// What the attempts work with.
pub(super) struct Attempts<'a> {
    pub(super) session: ModelSession,
    pub(super) rules: Rules<'a>,
    pub(super) around: Surroundings,
    pub(super) managers: Managers,
    pub(super) refined: Option<Refined<'a>>,
}

/// A definition that is changed.
pub(super) struct Refined<'a> {
    pub(super) current: &'a Map<String, Value>,
    pub(super) request: Request,
    /// What is wrong with the definition as it is.
    pub(super) report: Report,
}

/// What came of the attempts.
pub(super) struct Outcome {
    definition: Definition,
    report: Report,
    assumptions: Vec<String>,
    notes: Notes,
    usage: Usage,
    attempts: usize,
}

/// Why the attempts gave nothing to show.
pub(super) enum Failure {
    /// The model answered, but nothing that could be used.
    NotUsable,
    /// The model did not answer.
    Model(ModelCallError),
}

impl Attempts<'_> {
    /// Asks with `question`, at most twice more with what is wrong with the answer, and at last repairs it by rule.
    pub(super) async fn run(&self, question: &[ChatMessage]) -> Result<Outcome, Failure> {
        let mut messages = question.to_vec();
        let mut usage = Usage::default();
        let mut last: Option<Outcome> = None;
        for attempts in 1..=ATTEMPTS {
            let reply = match self.session.chat(&prompt::request(messages)).await {
                Ok(reply) => reply,
                Err(error) if last.is_none() => return Err(Failure::Model(error)),
                // What there is already is repaired without the model.
                Err(error) => {
                    tracing::warn!(%error, "the language model did not repair its draft");
                    break;
                }
            };
            usage += reply.usage;
            messages = question.to_vec();
            match self.read(&reply).await.map_err(Failure::Model)? {
                None => messages.extend(prompt::asking_for_json(&reply)),
                Some(outcome) => {
                    let outcome = Outcome {
                        usage,
                        attempts,
                        ..outcome
                    };
                    if self.may_be_shown(&outcome.report) {
                        return Ok(outcome);
                    }
                    messages.extend(prompt::repairing(&outcome.definition, &outcome.report.errors));
                    last = Some(outcome);
                }
            }
        }
        let Some(last) = last else {
            return Err(Failure::NotUsable);
        };
        let mended = self.mended(last).await.map_err(Failure::Model)?;
        mended.map_or(Err(Failure::NotUsable), |outcome| {
            Ok(Outcome { usage, ..outcome })
        })
    }

    /// Whether nothing is wrong, or nothing that was not wrong before the change.
    fn may_be_shown(&self, report: &Report) -> bool {
        let was_there = |error: &Finding| {
            self.refined.as_ref().is_some_and(|refined| {
                let mut before = refined.report.errors.iter();
                before.any(|known| known.kind == error.kind && known.message == error.message)
            })
        };
        report.errors.iter().all(was_there)
    }

    /// Tidies and checks an answer; none when it is no definition at all.
    async fn read(&self, reply: &ChatReply) -> Result<Option<Outcome>, ModelCallError> {
        let Some(mut answer) = reply.json_object().filter(has_steps) else {
            return Ok(None);
        };
        let mut notes = Notes::default();
        echo::without_instructions(&mut answer, &mut notes);
        let mut definition = tidy(&answer, self.rules, &mut notes);
        let mut bypassed = Vec::new();
        if let Some(Refined { current, request, .. }) = &self.refined {
            // Corrections of what is put back anyway are of no interest.
            notes = Notes::default();
            definition = keep::keep_the_rest(current, &definition, request, &mut notes);
            bypassed = keep::bypassed(current, &definition, request);
        }
        let definition = validate::normalise(&definition);
        let mut report = self.check(&definition).await?;
        report.errors.extend(bypassed);
        Ok(Some(Outcome {
            definition,
            report,
            assumptions: assumptions(&answer),
            notes,
            usage: Usage::default(),
            attempts: 0,
        }))
    }

    /// The last draft repaired without the model; none when that is not enough.
    async fn mended(&self, mut last: Outcome) -> Result<Option<Outcome>, ModelCallError> {
        if self.refined.is_some() {
            // A repair without the model does not know what it may touch.
            return Ok(None);
        }
        for _ in 0..MENDINGS {
            let Definition(definition) = &last.definition;
            let mended = mend(definition, &last.report.errors, self.rules, &mut last.notes);
            last.definition = validate::normalise(&mended);
            last.report = self.check(&last.definition).await?;
            if last.report.is_valid() {
                return Ok(Some(last));
            }
        }
        Ok(None)
    }

    async fn check(&self, definition: &Definition) -> Result<Report, ModelCallError> {
        Ok(check::check(definition.clone(), self.around.clone(), self.managers).await?)
    }
}

impl Outcome {
    /// The draft as shown, made by `model`.
    pub(super) fn into_draft(self, model: &MeteredModel) -> Draft {
        Draft {
            definition: self.definition,
            report: self.report,
            assumptions: self.assumptions,
            repairs: self.notes.into_list(),
            made_by: MadeBy::Model {
                name: model.name().to_owned(),
                usage: self.usage,
                attempts: self.attempts,
            },
        }
    }
}

fn assumptions(answer: &Map<String, Value>) -> Vec<String> {
    let texts = lenient_json::list(answer, "assumptions")
        .iter()
        .filter_map(Value::as_str);
    texts
        .map(|text| lenient_json::line(text, LONGEST_ASSUMPTION))
        .filter(|text| !text.is_empty())
        .take(MOST_ASSUMPTIONS)
        .collect()
}
