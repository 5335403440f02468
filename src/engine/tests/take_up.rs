//! Tickets that another service had left standing.

use crate::domain::audit::AuditEventType;
use crate::domain::import::ImportedTicket;
use crate::domain::ticket::{Phase, TicketStatus};
use crate::engine::Command;
use crate::engine::testing::*;

/// Nobody but the end waits for a branch whose join has passed, so the flow behind the join must not wait for it either:
/// when the branch ends, nothing would bring the ticket on any more.
#[test]
fn a_flow_that_stopped_goes_on_although_a_late_branch_works() {
    let mut world = World::raised(definition(
        vec![
            fork("split", "CONTINUE_OTHERS", &["quick", "late"]),
            approval("quick", "one"),
            approval("late", "two"),
            join("meet", "split", "ANY"),
            task("after"),
            end("done"),
        ],
        &[
            ("quick", "APPROVE", "meet"),
            ("late", "APPROVE", "meet"),
            ("meet", "COMPLETE_TASK", "after"),
            ("after", "COMPLETE_TASK", "done"),
        ],
    ));
    world.approve("one", "quick");
    assert_eq!(world.live(), ["late", "after"]);
    let after = world.id("after");
    let mut ticket = world.ticket.take().unwrap();
    let at = ticket.updated_at;
    let step = ticket.step_mut(&after).unwrap();
    step.phase = Phase::Completed;
    step.completed_at = Some(at);
    let repairs = Vec::new();
    world.must(
        "root",
        Command::Import(Box::new(ImportedTicket { ticket, repairs })),
    );
    world.must("root", Command::TakeUp);
    assert_eq!(world.count(AuditEventType::ImportRepair), 1);
    assert_eq!(world.live(), ["late"]);
    world.approve("two", "late");
    assert_eq!(world.ticket().status, TicketStatus::Completed);
}
