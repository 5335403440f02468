//! What the fuzz targets try on any input whatever. `fuzz/` builds them with libFuzzer (`scripts/prove fuzz`), the tests
//! below run them over their seeds. Nothing of this is in the service.

mod commands;
mod condition;
mod courses;
mod decide;
mod definition;
mod drawn;
mod form;
mod seeds;
mod taken_over;

use serde_json::{Map, Value};

/// A fuzz target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// JSON text: a definition is read, normalised, checked, and played if it may be published.
    Definition,
    /// JSON text: a condition of an edge is read and evaluated.
    Condition,
    /// JSON text: values are checked against a form.
    Form,
    /// Bytes: a workflow that may be published and what people do with a ticket of it.
    Decide,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 4] = [Self::Definition, Self::Condition, Self::Form, Self::Decide];

    /// The target's name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Definition => "definition",
            Self::Condition => "condition",
            Self::Form => "form",
            Self::Decide => "decide",
        }
    }

    /// Tries one input; says what it came to, so that a run can tell how deep its inputs reach.
    ///
    /// # Panics
    /// When something that must always hold does not.
    pub fn try_out(self, data: &[u8]) -> Vec<String> {
        match self {
            Self::Definition => definition::try_out(data),
            Self::Condition => condition::try_out(data),
            Self::Form => form::try_out(data),
            Self::Decide => decide::try_out(data),
        }
    }

    /// Inputs to start from, by name.
    pub fn seeds(self) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::Definition => seeds::definitions(),
            Self::Condition => seeds::conditions(),
            Self::Form => seeds::forms(),
            Self::Decide => courses::seeds(),
        }
    }
}

/// The object that a text is, if it is one.
fn object_in(data: &[u8]) -> Option<Map<String, Value>> {
    serde_json::from_slice(data).ok()
}

/// The object under `key`; an empty one when there is none.
fn object_at(input: &Map<String, Value>, key: &str) -> Map<String, Value> {
    input
        .get(key)
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// The object as it comes back from the database.
fn stored(object: &Map<String, Value>) -> Map<String, Value> {
    serde_json::from_str(&serde_json::to_string(object).unwrap()).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::import::RepairRule;
    use std::collections::BTreeSet;

    /// Runs a target over its seeds; what they came to.
    fn over_its_seeds(target: Target) -> BTreeSet<String> {
        let seeds = target.seeds();
        seeds.iter().flat_map(|(_, data)| target.try_out(data)).collect()
    }

    #[test]
    fn definitions_are_read_checked_and_played() {
        assert!(Target::Definition.seeds().len() >= 40);
        let came_to = over_its_seeds(Target::Definition);
        assert!(
            came_to.contains("may be published") && came_to.contains("refused"),
            "{came_to:?}"
        );
    }

    #[test]
    fn conditions_are_read_and_evaluated() {
        let came_to = over_its_seeds(Target::Condition);
        assert!(
            came_to.contains("holds") && came_to.contains("does not hold"),
            "{came_to:?}"
        );
    }

    #[test]
    fn values_are_checked_against_forms() {
        let came_to = over_its_seeds(Target::Form);
        assert!(
            came_to.contains("accepted") && came_to.contains("refused"),
            "{came_to:?}"
        );
    }

    #[test]
    fn every_kind_of_command_is_accepted_and_every_standstill_brought_on_somewhere() {
        let standstills = [
            RepairRule::ApprovalDecidedButOpen,
            RepairRule::ApprovalWithoutApprovers,
            RepairRule::StepCutShort,
            RepairRule::FlowStopped,
            RepairRule::BranchStopped,
            RepairRule::JoinRefused,
            RepairRule::EmbeddedRunStopped,
            RepairRule::EndForgotten,
        ];
        let came_to = over_its_seeds(Target::Decide);
        let accepted = commands::KINDS.map(|kind| format!("{kind} accepted"));
        let brought_on = standstills.map(|rule| format!("TakeUp by {}", rule.as_str()));
        let missing: Vec<String> = accepted
            .into_iter()
            .chain(brought_on)
            .filter(|wanted| !came_to.contains(wanted))
            .collect();
        assert_eq!(missing, [] as [String; 0], "{came_to:?}");
    }

    #[test]
    fn what_is_no_input_is_left_alone() {
        for target in Target::ALL {
            for data in [
                "",
                "null",
                "[[[",
                "{}",
                "\u{0}",
                "{\"steps\": 1, \"form\": [], \"condition\": \"\"}",
            ] {
                target.try_out(data.as_bytes());
            }
        }
    }
}
