//! A definition as a client sends it: normalised, stored, checked and, when it may be published, played to its end.

use super::{object_in, stored};
use crate::domain::workflow::Definition;
use crate::engine::definition::StepKind;
use crate::engine::definition::validate::{
    EmbeddedFact, Finding, Surroundings, compile_draft, normalise, schema_findings, validate,
};
use crate::engine::dry_run::{Managers, dry_run};
use crate::engine::testing::graphs::surroundings;

/// A definition with more steps is only checked: playing it takes seconds.
const MOST_STEPS_PLAYED: usize = 24;

pub(super) fn try_out(data: &[u8]) -> Vec<String> {
    let Some(sent) = object_in(data) else {
        return vec!["no object".to_owned()];
    };
    let definition = normalise(&sent);
    assert_eq!(
        normalise(&definition.0),
        definition,
        "what was normalised changes when it is saved again"
    );
    let again = Definition(stored(&definition.0).into());
    let around = around(&definition);
    let report = validate(&definition, &around);
    assert_eq!(
        report,
        validate(&again, &around),
        "the report differs from one time to the other"
    );
    if !report.is_valid() {
        return vec!["refused".to_owned()];
    }
    assert_eq!(
        schema_findings(&definition),
        [],
        "something in it cannot be read as meant"
    );
    if definition.steps().count() > MOST_STEPS_PLAYED {
        return vec!["may be published, too long to play".to_owned()];
    }
    let played = dry_run(&definition, &around, Managers::KnownAndUnknown);
    assert!(played.runs > 0);
    // A way out of a loop may be drawn and hang on a condition that no answer meets.
    let goes_round = |finding: &Finding| finding.details.contains_key("limit");
    let needs_a_manager = |finding: &Finding| finding.details.contains_key("requester_has_a_manager");
    assert!(
        played
            .stuck
            .iter()
            .all(|finding| goes_round(finding) || needs_a_manager(finding)),
        "what may be published is called stuck: {:?}",
        played.stuck
    );
    let came_to = if played.stuck.is_empty() {
        "came to an end"
    } else if played.stuck.iter().any(goes_round) {
        "went round"
    } else {
        "came to an end where there is a manager"
    };
    vec!["may be published".to_owned(), came_to.to_owned()]
}

/// The embedded workflows there are; whatever else the definition embeds does not exist.
fn around(definition: &Definition) -> Surroundings {
    let mut around = surroundings();
    let compiled = compile_draft(definition, &around.workflow_id);
    for step in compiled.steps.values() {
        if let StepKind::SubWorkflow(embedded) = &step.kind {
            let fact = around.embedded.entry(embedded.version.clone());
            fact.or_insert(EmbeddedFact::NoWorkflow);
        }
    }
    around
}
