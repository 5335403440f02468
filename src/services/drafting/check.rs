//! The rules of publishing and a dry run, off the threads that serve requests: a large draft takes a moment.

use crate::domain::error::ServiceError;
use crate::domain::id::WorkflowId;
use crate::domain::workflow::Definition;
use crate::engine::definition::validate::{Report, Surroundings, validate};
use crate::engine::dry_run::{Managers, dry_run};

/// The workflow a draft belongs to while it belongs to none.
pub(super) fn draft_id() -> WorkflowId {
    WorkflowId::derived("draft")
}

/// What is wrong with a definition; only one without other errors is played.
pub(super) async fn check(
    definition: Definition,
    around: Surroundings,
    managers: Managers,
) -> Result<Report, ServiceError> {
    let checking = tokio::task::spawn_blocking(move || {
        let mut report = validate(&definition, &around);
        if report.is_valid() {
            report.errors = dry_run(&definition, &around, managers).stuck;
        }
        report
    });
    checking
        .await
        .map_err(|error| ServiceError::Defect(anyhow::Error::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::corpus::{amount, choice_by};
    use crate::engine::testing::{object, task};

    #[tokio::test]
    async fn a_choice_is_a_drafts_fault_only_when_it_leaves_an_answer_out() {
        let kinds = async |amount_is_required: bool| {
            let flow = choice_by(&amount(amount_is_required), &task("work"), "100");
            let around = Surroundings::of(draft_id());
            let report = check(Definition(object(flow)), around, Managers::Known)
                .await
                .unwrap();
            report.errors.iter().map(|error| error.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(true).await, [] as [&str; 0]);
        assert_eq!(kinds(false).await, ["NO_DEFAULT_TRANSITION"]);
    }
}
