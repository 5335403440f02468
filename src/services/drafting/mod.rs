//! Drafts of workflows from descriptions, and changes of drafts (contract http-workflows 7).
//!
//! A draft of the model goes through the same steps whatever it answered: read, tidied (`tidy`), checked by the rules of
//! publishing and played to its end (`check`); the model repairs it at most twice by the findings (`attempts`), then
//! `mend` does, and at last a plain draft stands in (`skeleton`). So what is shown can be published. A refined definition
//! differs only where it was asked to (`keep`). Nothing is stored here, and the model is given no tool.

mod attempts;
mod check;
mod echo;
pub mod hints;
mod keep;
mod known;
mod lenient_json;
mod mend;
mod notes;
mod prompt;
mod skeleton;
mod tidy;

use crate::clients::language_model::{ModelError, Usage};
use crate::domain::error::ServiceError;
use crate::domain::person::{Actor, Email};
use crate::domain::workflow::Definition;
use crate::engine::definition::validate::{self, Report, Surroundings};
use crate::engine::dry_run::Managers;
use crate::services::model::{MeteredModel, ModelCallError};
use crate::services::workflows::{WorkflowService, require_designer};
use attempts::{Attempts, Failure, Refined};
use known::Known;
use serde_json::{Map, Value};
use tidy::Rules;

/// A description and the definition that somebody drew for it.
pub type Example = (String, Map<String, Value>);

/// Most examples that are shown to the model.
const MOST_EXAMPLES: usize = 2;
/// Longest JSON text of constraints, in bytes.
const LONGEST_CONSTRAINTS: usize = 16 * 1024;
/// Longest JSON text of a definition that is given to the model, in bytes.
const LONGEST_DEFINITION: usize = 128 * 1024;

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
const NOT_AVAILABLE: &str = "The language model gave no answer, so this is a plain draft to start from.";
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
        let attempts = Attempts {
            session,
            around: self.surroundings(&references, &known).await?,
            rules: Rules {
                known: &known,
                contact,
            },
            managers: Managers::KnownAndUnknown,
            refined: None,
        };
        let question = prompt::drafting(&wish.description, wish.constraints.as_ref(), examples);
        match attempts.run(&question).await {
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
        let unchanged = unchanged(current, around.clone()).await?;
        let Some(model) = &self.model else {
            return Ok(unchanged.with_note(UNCHANGED_NOT_CONFIGURED));
        };
        known.add_text(request);
        let attempts = Attempts {
            session: model.begin(&actor.person)?,
            around,
            rules: Rules {
                known: &known,
                contact,
            },
            managers: Managers::Known,
            refined: Some(Refined {
                current,
                request: keep::Request::of(request, current),
                report: unchanged.report.clone(),
            }),
        };
        match attempts.run(&prompt::refining(current, request)).await {
            Ok(outcome) => Ok(outcome.into_draft(model)),
            Err(Failure::NotUsable) => Ok(unchanged.with_note(UNCHANGED_NOT_USABLE)),
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

impl Draft {
    fn with_note(self, note: &'static str) -> Self {
        Self {
            made_by: MadeBy::Template { note },
            ..self
        }
    }
}

/// The definition as it was, with what is really to be said of it.
async fn unchanged(current: &Map<String, Value>, around: Surroundings) -> Result<Draft, ServiceError> {
    let definition = validate::normalise(current);
    let report = check::check(definition.clone(), around, Managers::Known).await?;
    Ok(Draft {
        definition,
        report,
        assumptions: Vec::new(),
        repairs: Vec::new(),
        made_by: MadeBy::Template {
            note: UNCHANGED_NOT_USABLE,
        },
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
    if size > most {
        let message = format!("must be at most {} KiB of JSON", most / 1024);
        return Err(ServiceError::invalid_field(field, message));
    }
    match validate::too_large(value) {
        Some(finding) => Err(ServiceError::invalid_field(field, finding.message)),
        None => Ok(()),
    }
}
