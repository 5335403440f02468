//! Suggestions that need no model: which steps are missing, and what a description could say (contract http-workflows 7.5).

use serde_json::Value;

/// A step that could be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSuggestion {
    /// The type, as definitions write it.
    pub step_type: &'static str,
    /// A name.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
}

/// What a description lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescriptionAdvice {
    /// Whether a draft can be made of it.
    pub is_valid: bool,
    /// The result in a sentence.
    pub message: &'static str,
    /// What would make it better.
    pub suggestions: Vec<&'static str>,
}

/// Shortest description that says something, in characters.
const SHORTEST: usize = 20;
/// Longest description, in characters.
const LONGEST: usize = 5_000;

/// Types of steps that `current` does not use yet, in the order in which they usually come.
pub fn suggest_steps(current: &[Value]) -> Vec<StepSuggestion> {
    let has = |wanted: &str| {
        current
            .iter()
            .any(|step| step.get("step_type").and_then(Value::as_str) == Some(wanted))
    };
    let suggestion = |step_type, name, description| StepSuggestion {
        step_type,
        name,
        description,
    };
    let all = [
        (
            !has("FORM_STEP"),
            suggestion(
                "FORM_STEP",
                "Collect information",
                "Ask the requester for what is needed",
            ),
        ),
        (
            !has("APPROVAL_STEP"),
            suggestion(
                "APPROVAL_STEP",
                "Approval",
                "Have somebody approve or reject the request",
            ),
        ),
        (
            !has("TASK_STEP"),
            suggestion("TASK_STEP", "Carry out", "Assign the work to an agent"),
        ),
        (
            !has("FORK_STEP"),
            suggestion(
                "FORK_STEP",
                "Parallel branches",
                "Let several teams work at the same time",
            ),
        ),
        (
            has("FORK_STEP") && !has("JOIN_STEP"),
            suggestion("JOIN_STEP", "Merge branches", "Wait for the parallel branches"),
        ),
        (
            !has("SUB_WORKFLOW_STEP"),
            suggestion(
                "SUB_WORKFLOW_STEP",
                "Embedded workflow",
                "Run a published workflow as one step",
            ),
        ),
        (
            !has("NOTIFY_STEP"),
            suggestion("NOTIFY_STEP", "Notification", "Tell people how it ended"),
        ),
    ];
    all.into_iter()
        .filter(|(fits, _)| *fits)
        .map(|(_, one)| one)
        .collect()
}

/// Whether a description is long enough and what it could say in addition.
pub fn advise(description: &str) -> DescriptionAdvice {
    let length = description.trim().chars().count();
    if length < SHORTEST {
        return DescriptionAdvice {
            is_valid: false,
            message: "The description is too short.",
            suggestions: vec![
                "Say what the workflow is for.",
                "Say who has to approve.",
                "Say which information the requester gives.",
                "Say what is to be done after the approval.",
            ],
        };
    }
    if length > LONGEST {
        return DescriptionAdvice {
            is_valid: false,
            message: "The description is too long.",
            suggestions: vec![
                "Keep to the main steps.",
                "Describe large parts as workflows of their own.",
            ],
        };
    }
    let text = description.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let hints = [
        (!says(&["approv"]), "Say who approves, if anybody does."),
        (
            !says(&["form", "collect", "input"]),
            "Say which information the requester gives.",
        ),
        (
            !says(&["parallel"]) && says(&["and", "simultaneously"]),
            "Say what may happen in parallel.",
        ),
        (
            says(&["date"]) && !says(&["restrict", "only"]),
            "Say which dates are allowed, for example only future ones.",
        ),
        (
            says(&["multiple", "list", "items"]),
            "Say whether the requester enters a list of items, and what each has.",
        ),
        (
            says(&["condition", "depends", "if"]),
            "Say for each condition which field decides and with which value.",
        ),
    ];
    DescriptionAdvice {
        is_valid: true,
        message: "The description can be used.",
        suggestions: hints
            .into_iter()
            .filter(|(fits, _)| *fits)
            .map(|(_, hint)| hint)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_used_already_is_not_suggested() {
        let types = |current: Value| -> Vec<&str> {
            let current = current.as_array().unwrap().clone();
            suggest_steps(&current).iter().map(|one| one.step_type).collect()
        };
        assert_eq!(
            types(json!([])),
            [
                "FORM_STEP",
                "APPROVAL_STEP",
                "TASK_STEP",
                "FORK_STEP",
                "SUB_WORKFLOW_STEP",
                "NOTIFY_STEP"
            ]
        );
        assert_eq!(
            types(json!([{"step_type": "FORM_STEP"}, {"step_type": "FORK_STEP"}, 7])),
            [
                "APPROVAL_STEP",
                "TASK_STEP",
                "JOIN_STEP",
                "SUB_WORKFLOW_STEP",
                "NOTIFY_STEP"
            ]
        );
    }

    #[test]
    fn descriptions_are_measured_in_characters() {
        assert_eq!(advise("too short").suggestions.len(), 4);
        assert_eq!(advise(&"é".repeat(5_001)).suggestions.len(), 2);
        assert!(advise(&"é".repeat(5_000)).is_valid);
    }

    #[test]
    fn a_usable_description_gets_hints_for_what_it_leaves_open() {
        let advice = advise("A laptop is ordered and delivered by a date.");
        assert!(advice.is_valid);
        assert_eq!(advice.suggestions.len(), 4, "{:?}", advice.suggestions);
        let full = advise("A form collects the item, the manager approves, then IT delivers it.");
        assert_eq!(full.suggestions, Vec::<&str>::new());
    }
}
