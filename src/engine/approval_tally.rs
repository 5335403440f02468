//! Turns votes into a decision: one pure function for every rule.

use crate::domain::ticket::{ApprovalDecision, ApprovalRule};

/// What the votes on a step amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tally {
    /// More votes are needed.
    Open,
    /// Approved.
    Approved,
    /// Rejected.
    Rejected,
    /// Skipped: what decided against were skips only.
    Skipped,
}

/// Counts the votes of all approvers of a step, cancelled ones left out.
///
/// Without a veto, and always with one approver or `All`, a vote against decides once approval is out of reach. With a
/// veto the first rejection or skip decides.
pub fn tally(rule: ApprovalRule, veto: bool, votes: impl IntoIterator<Item = ApprovalDecision>) -> Tally {
    let (mut approved, mut rejected, mut skipped, mut pending) = (0_usize, 0_usize, 0_usize, 0_usize);
    for vote in votes {
        match vote {
            ApprovalDecision::Approved => approved += 1,
            ApprovalDecision::Rejected => rejected += 1,
            ApprovalDecision::Skipped => skipped += 1,
            ApprovalDecision::Pending => pending += 1,
            ApprovalDecision::Cancelled => {}
        }
    }
    let total = approved + rejected + skipped + pending;
    let against = rejected + skipped;
    let needed = approvals_needed(rule, total);
    let out_of_reach = approved + pending < needed;
    if (veto && against > 0) || out_of_reach {
        return if rejected > 0 || skipped == 0 {
            Tally::Rejected
        } else {
            Tally::Skipped
        };
    }
    if approved >= needed {
        Tally::Approved
    } else {
        Tally::Open
    }
}

/// How many of `total` approvers must approve; at least one, at most all.
pub fn approvals_needed(rule: ApprovalRule, total: usize) -> usize {
    let whole = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let needed = match rule {
        ApprovalRule::Single | ApprovalRule::Any => 1,
        ApprovalRule::All => total,
        ApprovalRule::Majority => total / 2 + 1,
        ApprovalRule::Required(number) => whole(number),
        ApprovalRule::Percentage(share) => total.saturating_mul(whole(share)).div_ceil(100),
    };
    needed.clamp(1, total.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [ApprovalRule; 9] = [
        ApprovalRule::Single,
        ApprovalRule::All,
        ApprovalRule::Any,
        ApprovalRule::Majority,
        ApprovalRule::Required(1),
        ApprovalRule::Required(3),
        ApprovalRule::Required(99),
        ApprovalRule::Percentage(60),
        ApprovalRule::Percentage(100),
    ];
    const VOTES: [ApprovalDecision; 3] = [
        ApprovalDecision::Approved,
        ApprovalDecision::Rejected,
        ApprovalDecision::Skipped,
    ];

    /// Lets every sequence of votes be cast in order, stopping at the decision, and hands each end to `check`.
    fn cast(
        rule: ApprovalRule,
        veto: bool,
        voters: usize,
        cast_so_far: &mut Vec<ApprovalDecision>,
        check: &mut dyn FnMut(&[ApprovalDecision], Tally),
    ) {
        let pending = std::iter::repeat_n(ApprovalDecision::Pending, voters - cast_so_far.len());
        let now = tally(rule, veto, cast_so_far.iter().copied().chain(pending));
        if now != Tally::Open || cast_so_far.len() == voters {
            check(cast_so_far, now);
            return;
        }
        for vote in VOTES {
            cast_so_far.push(vote);
            cast(rule, veto, voters, cast_so_far, check);
            cast_so_far.pop();
        }
    }

    #[test]
    fn every_order_of_votes_of_up_to_seven_voters_ends_in_the_one_right_decision() {
        for rule in RULES {
            for veto in [false, true] {
                for voters in 1..=7 {
                    cast(rule, veto, voters, &mut Vec::new(), &mut |votes, decision| {
                        let approved = votes
                            .iter()
                            .filter(|vote| **vote == ApprovalDecision::Approved)
                            .count();
                        let rejected = votes
                            .iter()
                            .filter(|vote| **vote == ApprovalDecision::Rejected)
                            .count();
                        let against = votes.len() - approved;
                        let needed = approvals_needed(rule, voters);
                        let expected = if (veto && against > 0) || voters - against < needed {
                            if rejected > 0 {
                                Tally::Rejected
                            } else {
                                Tally::Skipped
                            }
                        } else {
                            assert!(approved >= needed, "{rule:?} of {voters} left open by {votes:?}");
                            Tally::Approved
                        };
                        assert_eq!(decision, expected, "{rule:?} veto {veto} of {voters}: {votes:?}");
                    });
                }
            }
        }
    }

    #[test]
    fn cancelled_votes_do_not_count() {
        let votes = [ApprovalDecision::Approved, ApprovalDecision::Cancelled];
        assert_eq!(tally(ApprovalRule::All, true, votes), Tally::Approved);
    }

    #[test]
    fn the_order_of_equal_votes_does_not_matter() {
        use ApprovalDecision::{Approved, Pending, Rejected};
        for rule in RULES {
            let one = tally(rule, false, [Approved, Rejected, Pending]);
            let other = tally(rule, false, [Rejected, Pending, Approved]);
            assert_eq!(one, other);
        }
    }
}
