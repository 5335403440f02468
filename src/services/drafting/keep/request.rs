//! What a request for a change speaks of, by its words: which steps, which fields, and what may happen to them.

use super::super::lenient_json::{filled, objects};
use super::{id_of, name};
use crate::domain::workflow::StepType;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A request in the light of the definition that it is about.
#[derive(Debug)]
pub(in super::super) struct Request {
    text: String,
    words: BTreeSet<String>,
    steps: Vec<StepInQuestion>,
}

/// A step of the definition and how clearly the request names it.
#[derive(Debug)]
struct StepInQuestion {
    id: String,
    kind: Kind,
    naming: Naming,
}

/// How clearly a request names a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Naming {
    Not,
    /// By what all steps of its type are called.
    ByKind,
    /// By a word of its name or a field of it.
    ByWord,
    /// By both.
    ByWordAndKind,
    /// By its id or its whole name.
    Exactly,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Form,
    Approval,
    Task,
    Notify,
    Branches,
    Embedded,
}

/// What the request allows with a step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Liberty {
    /// Its own words, rules and named fields may change.
    pub(super) may_change: bool,
    /// Names and texts may change, nothing else.
    pub(super) may_reword: bool,
    /// Fields may be added to it.
    pub(super) may_grow: bool,
    /// Who approves, its lookup or its embedded workflow may change.
    pub(super) may_reroute: bool,
    /// Its type may change.
    pub(super) may_convert: bool,
    /// Its transitions may change.
    pub(super) may_reconnect: bool,
    /// It may be taken away.
    pub(super) may_go: bool,
}

/// Words of names that say nothing of which step is meant.
const COMMON: [&str; 16] = [
    "step",
    "form",
    "task",
    "approval",
    "approve",
    "request",
    "requester",
    "notification",
    "notify",
    "with",
    "from",
    "and",
    "the",
    "workflow",
    "ticket",
    "this",
];

const ADDS: [&str; 16] = [
    "add",
    "adding",
    "insert",
    "include",
    "create",
    "new",
    "another",
    "additional",
    "extra",
    "second",
    "third",
    "put",
    "introduce",
    "append",
    "also",
    "split",
];

/// Words that may ask for something new, or for a change of what there is.
const MAY_ADD: [&str; 11] = [
    "need", "must", "should", "require", "want", "ask", "send", "before", "after", "between", "parallel",
];

const REMOVES: [&str; 13] = [
    "remove",
    "removing",
    "delete",
    "drop",
    "without",
    "replace",
    "merge",
    "combine",
    "simplify",
    "skip",
    "eliminate",
    "omit",
    "unnecessary",
];

const REROUTES: [&str; 17] = [
    "approver", "approve", "approved", "lookup", "route", "routed", "reroute", "instead", "assignee", "sign",
    "signed", "goe", "escalate", "embedded", "by", "fallback", "unanimou",
];

const RECONNECTS: [&str; 23] = [
    "if",
    "when",
    "unless",
    "condition",
    "transition",
    "go",
    "goe",
    "lead",
    "route",
    "skip",
    "back",
    "return",
    "reject",
    "rejected",
    "rejection",
    "move",
    "reorder",
    "first",
    "loop",
    "connect",
    "otherwise",
    "only",
    "parallel",
];

/// Words of order; beside something new they say where that comes.
const ORDERS: [&str; 3] = ["after", "before", "then"];

const CONVERTS: [&str; 7] = [
    "convert",
    "turn",
    "replace",
    "become",
    "make",
    "change",
    "transform",
];

const REWORDS: [&str; 11] = [
    "translate",
    "translation",
    "wording",
    "reword",
    "rephrase",
    "language",
    "tone",
    "spelling",
    "typo",
    "formal",
    "friendlier",
];

impl Request {
    /// Reads `text` as a request about the steps of `current`.
    pub(in super::super) fn of(text: &str, current: &Map<String, Value>) -> Self {
        let text = text.to_lowercase();
        let words = text
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .map(singular)
            .collect();
        let mut request = Self {
            text,
            words,
            steps: Vec::new(),
        };
        request.steps = objects(current, "steps")
            .map(|step| StepInQuestion {
                id: id_of(step).to_owned(),
                kind: kind(step),
                naming: request.naming(step),
            })
            .collect();
        request
    }

    fn naming(&self, step: &Map<String, Value>) -> Naming {
        let id = id_of(step).to_lowercase();
        let name = name(step).to_lowercase();
        let is_by_id = id.chars().count() >= 2 && self.words.contains(&id);
        let is_by_name = name.chars().count() >= 3 && has_phrase(&self.text, &name);
        let is_by_word = self.says_word_of(&name) || fields(step).any(|field| self.names_field(field));
        let is_by_kind = self.says_any(kind(step).words());
        match (is_by_id || is_by_name, is_by_word, is_by_kind) {
            (true, _, _) => Naming::Exactly,
            (false, true, true) => Naming::ByWordAndKind,
            (false, true, false) => Naming::ByWord,
            (false, false, true) => Naming::ByKind,
            (false, false, false) => Naming::Not,
        }
    }

    /// What the request allows with a step of the definition.
    pub(super) fn liberty(&self, step: &Map<String, Value>) -> Liberty {
        let id = id_of(step);
        let Some(own) = self.steps.iter().find(|known| known.id == id) else {
            return Liberty::default();
        };
        let others = || self.steps.iter().filter(|known| known.id != id);
        let same_kind = || others().filter(|known| known.kind == own.kind);
        let adds = self.says_any(&ADDS);
        let is_named = own.naming >= Naming::ByWord;
        // A word for all steps of a type means all of them, unless one of them is named.
        let is_meant_by_kind =
            own.naming == Naming::ByKind && same_kind().all(|other| other.naming == Naming::ByKind);
        let is_the_one = match own.naming {
            Naming::Not => false,
            Naming::ByKind => others().all(|other| other.naming == Naming::Not) && !adds,
            Naming::ByWord | Naming::ByWordAndKind => others().all(|other| other.naming <= own.naming),
            Naming::Exactly => true,
        };
        // Who asks for one more approval does not speak of those there are.
        let is_rerouted = is_the_one && (own.naming == Naming::Exactly || !adds);
        Liberty {
            may_change: is_named || (is_meant_by_kind && !adds),
            may_reword: self.says_any(&REWORDS),
            may_grow: is_named || is_meant_by_kind,
            may_reroute: is_rerouted && (self.says_any(&REROUTES) || self.text.contains('@')),
            may_convert: is_rerouted && self.says_any(&CONVERTS),
            may_reconnect: (is_named || is_the_one)
                && (self.says_any(&RECONNECTS) || (!adds && self.says_any(&ORDERS))),
            may_go: is_the_one && self.says_any(&REMOVES),
        }
    }

    /// Whether steps may be added: not when the request names one that is there and says nothing of more.
    pub(super) fn may_add(&self) -> bool {
        let names_one = self.steps.iter().any(|known| known.naming >= Naming::ByWord);
        self.says_any(&ADDS) || self.says_any(&MAY_ADD) || !(names_one || self.says_any(&REWORDS))
    }

    pub(super) fn removes(&self) -> bool {
        self.says_any(&REMOVES)
    }

    pub(super) fn says_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.words.contains(*word))
    }

    /// Whether the request names a field by its key or a word of its label.
    pub(super) fn names_field(&self, field: &Map<String, Value>) -> bool {
        let key = filled(field, "field_key").unwrap_or_default().to_lowercase();
        let is_by_key = key.chars().count() >= 3 && self.words.contains(&key);
        is_by_key || filled(field, "field_label").is_some_and(|label| self.says_name(label))
    }

    /// Whether the request says this name or a word of it.
    pub(super) fn says_name(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        (name.chars().count() >= 3 && has_phrase(&self.text, &name)) || self.says_word_of(&name)
    }

    fn says_word_of(&self, name: &str) -> bool {
        let mut words = name.split(|c: char| !c.is_alphanumeric()).map(singular);
        words.any(|word| {
            word.chars().count() >= 3 && !COMMON.contains(&word.as_str()) && self.words.contains(&word)
        })
    }
}

impl Kind {
    /// What people call steps of this type.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Form => &["form", "field", "question", "section"],
            Self::Approval => &["approval", "approver", "approve"],
            Self::Task => &["task", "instruction", "agent"],
            Self::Notify => &["notification", "notify", "notice", "mail", "email", "recipient"],
            Self::Branches => &["fork", "join", "branch", "branche", "parallel"],
            Self::Embedded => &["embedded", "subworkflow"],
        }
    }
}

fn kind(step: &Map<String, Value>) -> Kind {
    match filled(step, "step_type").and_then(StepType::from_word) {
        Some(StepType::Form) => Kind::Form,
        Some(StepType::Approval) => Kind::Approval,
        Some(StepType::Notify) => Kind::Notify,
        Some(StepType::Fork | StepType::Join) => Kind::Branches,
        Some(StepType::SubWorkflow) => Kind::Embedded,
        Some(StepType::Task) | None => Kind::Task,
    }
}

fn fields(step: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    objects(step, "fields").chain(objects(step, "output_fields"))
}

/// Whether `phrase` stands in `text` as whole words.
fn has_phrase(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, _)| {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + phrase.len()..).and_then(|text| text.chars().next());
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        !is_word(before) && !is_word(after)
    })
}

/// A word without the ending of the plural.
fn singular(word: &str) -> String {
    if word.len() > 3 {
        word.strip_suffix('s').unwrap_or(word).to_owned()
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn liberty(text: &str, id: &str) -> Liberty {
        let current = json!({"steps": [
            {"step_id": "ask", "step_name": "Travel request", "step_type": "FORM_STEP",
             "fields": [{"field_key": "cost", "field_label": "Total cost", "field_type": "NUMBER"}]},
            {"step_id": "s2", "step_name": "Manager approval", "step_type": "APPROVAL_STEP"},
            {"step_id": "s3", "step_name": "Book flights", "step_type": "TASK_STEP"},
            {"step_id": "s4", "step_name": "Book hotel", "step_type": "TASK_STEP"},
        ]});
        let current = current.as_object().unwrap();
        let request = Request::of(text, current);
        let step = objects(current, "steps").find(|step| id_of(step) == id).unwrap();
        request.liberty(step)
    }

    #[test]
    fn a_step_that_is_not_spoken_of_may_not_change_at_all() {
        let text = "Change the instructions of Book flights";
        assert_eq!(liberty(text, "ask"), Liberty::default());
        assert_eq!(liberty(text, "s2"), Liberty::default());
        assert!(liberty(text, "s3").may_change);
        assert!(!liberty(text, "s3").may_reconnect && !liberty(text, "s3").may_go);
    }

    #[test]
    fn an_approval_is_rerouted_only_by_a_request_that_is_about_it() {
        assert!(liberty("Let bob@example.com give the approval", "s2").may_reroute);
        assert!(liberty("The Manager approval goes to the controller instead", "s2").may_reroute);
        for other in [
            "Notify the manager when the flights are booked",
            "Add an approval by bob@example.com before the booking",
            "Make the cost mandatory",
        ] {
            assert!(!liberty(other, "s2").may_reroute, "{other}");
        }
    }

    #[test]
    fn the_only_step_of_a_type_can_be_taken_away_by_its_type() {
        assert!(liberty("Remove the approval", "s2").may_go);
        assert!(!liberty("Remove the task", "s3").may_go, "there are two");
        assert!(liberty("Remove the hotel task", "s4").may_go);
        assert!(!liberty("Remove the hotel task", "s3").may_go);
    }

    #[test]
    fn a_type_means_all_its_steps_unless_one_is_named() {
        assert!(liberty("Shorten the instructions of all tasks", "s4").may_change);
        assert!(!liberty("Shorten the task for the hotel", "s3").may_change);
    }
}
