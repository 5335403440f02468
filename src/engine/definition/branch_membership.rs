//! Which branch each step is drawn in: walked from each branch's start, never through the fork's own join; an inner
//! fork's label wins within its branches, the outer one continues behind the inner join.

use super::model::{BranchLabel, Edge, StepDefinition, StepKind};
use crate::domain::id::StepKey;
use crate::domain::workflow::TransitionEvent;
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// The innermost branch of every step that is in one.
pub(super) fn label(
    steps: &IndexMap<StepKey, Arc<StepDefinition>>,
    edges: &IndexMap<(StepKey, TransitionEvent), Vec<Edge>>,
    join_of: &HashMap<StepKey, StepKey>,
) -> HashMap<StepKey, BranchLabel> {
    let mut successors: HashMap<&StepKey, Vec<&StepKey>> = HashMap::new();
    for ((from, _), outgoing) in edges {
        successors
            .entry(from)
            .or_default()
            .extend(outgoing.iter().map(|edge| &edge.to));
    }
    let walk = Walk {
        steps,
        successors,
        join_of,
    };
    let mut members: Vec<(BranchLabel, HashSet<StepKey>)> = Vec::new();
    for (fork_key, step) in steps {
        let StepKind::Fork(fork) = &step.kind else {
            continue;
        };
        for branch in &fork.branches {
            let label = BranchLabel {
                fork: fork_key.clone(),
                branch: branch.key.clone(),
                name: branch.name.clone(),
            };
            members.push((label, walk.members(fork_key, &branch.start)));
        }
    }
    // The innermost branch of a step is the smallest one that it is a member of.
    members.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
    let mut labels = HashMap::new();
    for (label, members) in members {
        for key in members {
            labels.insert(key, label.clone());
        }
    }
    labels
}

struct Walk<'a> {
    steps: &'a IndexMap<StepKey, Arc<StepDefinition>>,
    successors: HashMap<&'a StepKey, Vec<&'a StepKey>>,
    join_of: &'a HashMap<StepKey, StepKey>,
}

impl Walk<'_> {
    /// Every step between a branch's start and its fork's join.
    fn members(&self, fork: &StepKey, start: &StepKey) -> HashSet<StepKey> {
        let own_join = self.join_of.get(fork);
        let mut seen = HashSet::new();
        let mut queue = VecDeque::from([start.clone()]);
        while let Some(key) = queue.pop_front() {
            let Some(step) = self.steps.get(&key) else {
                continue;
            };
            if Some(&key) == own_join || key == *fork || !seen.insert(key.clone()) {
                continue;
            }
            if let StepKind::Fork(inner) = &step.kind {
                queue.extend(inner.branches.iter().map(|branch| branch.start.clone()));
                queue.extend(self.join_of.get(&key).cloned());
            }
            queue.extend(
                self.successors
                    .get(&key)
                    .into_iter()
                    .flatten()
                    .map(|to| (*to).clone()),
            );
        }
        seen
    }
}
