//! The graph as a whole: branches stay within themselves and reach their join, every step can reach an end, and no
//! cycle runs without a person (design 8).

use super::{EmbeddedFact, Finding, Report, Surroundings};
use crate::domain::id::StepKey;
use crate::domain::workflow::StepType;
use crate::engine::definition::model::{BranchLabel, CompiledWorkflow, StepKind};
use indexmap::{IndexMap, IndexSet};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};

pub(super) fn check(workflow: &CompiledWorkflow, graph: &Graph, around: &Surroundings, report: &mut Report) {
    check_start(workflow, report);
    check_branches(workflow, graph, report);
    let reachable = graph.reachable_from(&workflow.start);
    for (index, (key, step)) in workflow.steps.iter().enumerate() {
        if !reachable.contains(key) {
            let message = format!("the step {} cannot be reached from the start", step.name);
            report.warning("UNREACHABLE_STEP", format!("steps[{index}]"), message);
        }
    }
    if report.errors.is_empty() {
        check_ends(workflow, graph, &reachable, report);
        check_automatic_cycles(workflow, graph, around, &reachable, report);
    }
}

/// Which step can follow which: forks lead to the starts of their branches, and a step at which a branch ends by itself
/// leads to the join that waits for the branch.
pub(super) struct Graph {
    next: IndexMap<StepKey, Vec<StepKey>>,
}

impl Graph {
    pub(super) fn of(workflow: &CompiledWorkflow) -> Self {
        let mut next: IndexMap<StepKey, Vec<StepKey>> = IndexMap::new();
        for ((from, _), edges) in &workflow.edges {
            let is_fork = workflow
                .step(from)
                .is_some_and(|step| step.step_type() == StepType::Fork);
            if !is_fork {
                next.entry(from.clone())
                    .or_default()
                    .extend(edges.iter().map(|edge| edge.to.clone()));
            }
        }
        for (key, step) in &workflow.steps {
            if let StepKind::Fork(fork) = &step.kind {
                let starts = fork.branches.iter().map(|branch| branch.start.clone());
                next.entry(key.clone()).or_default().extend(starts);
            }
            let label = workflow.branch_of.get(key).filter(|_| is_end(workflow, key));
            if let Some(join) = label.and_then(|label| workflow.join_of.get(&label.fork)) {
                next.entry(key.clone()).or_default().push(join.clone());
            }
        }
        Self { next }
    }

    /// Whether every way from the start to `step` passes `through`.
    pub(super) fn leads_only_through(
        &self,
        workflow: &CompiledWorkflow,
        step: &StepKey,
        through: &StepKey,
    ) -> bool {
        if workflow.start == *through {
            return true;
        }
        let mut seen = HashSet::from([&workflow.start]);
        let mut queue = VecDeque::from([&workflow.start]);
        while let Some(key) = queue.pop_front() {
            if key == step {
                return false;
            }
            for next in self.next(key).iter().filter(|next| *next != through) {
                if seen.insert(next) {
                    queue.push_back(next);
                }
            }
        }
        true
    }

    fn next(&self, key: &StepKey) -> &[StepKey] {
        self.next.get(key).map_or(&[], Vec::as_slice)
    }

    fn reachable_from(&self, start: &StepKey) -> HashSet<StepKey> {
        let mut seen = HashSet::from([start.clone()]);
        let mut queue = VecDeque::from([start.clone()]);
        while let Some(key) = queue.pop_front() {
            for next in self.next(&key) {
                if seen.insert(next.clone()) {
                    queue.push_back(next.clone());
                }
            }
        }
        seen
    }
}

fn check_start(workflow: &CompiledWorkflow, report: &mut Report) {
    let kind = workflow.step(&workflow.start).map(|step| step.step_type());
    if kind == Some(StepType::Join) || workflow.branch_of.contains_key(&workflow.start) {
        report.error(
            "INVALID_START",
            "start_step_id",
            "the workflow cannot start at a join or inside a branch",
        );
    }
}

/// No edge enters or leaves a branch but to its join, branches of one fork share no step, and each reaches its join or
/// an end.
fn check_branches(workflow: &CompiledWorkflow, graph: &Graph, report: &mut Report) {
    for (from, targets) in &graph.next {
        let Some(step) = workflow.step(from) else { continue };
        if step.step_type() == StepType::Fork {
            continue;
        }
        for to in targets {
            if !stays_in_scope(workflow, from, to) {
                let message = format!(
                    "the edge from {} to {to} crosses the border of a branch",
                    step.name
                );
                report.error("CROSSES_BRANCH", "transitions", message);
            }
        }
    }
    for (key, step) in &workflow.steps {
        let StepKind::Fork(fork) = &step.kind else {
            continue;
        };
        let join = workflow.join_of.get(key);
        let mut owner: HashMap<StepKey, &str> = HashMap::new();
        for branch in &fork.branches {
            let members = members(graph, &branch.start, key, join);
            for member in &members {
                if let Some(other) = owner.insert(member.clone(), branch.name.as_str()) {
                    let message = format!(
                        "the step {member} is in the branches {other} and {} of {}",
                        branch.name, step.name
                    );
                    report.error("SHARED_STEP", "steps", message);
                }
            }
            let is_its_own = workflow
                .branch_of
                .get(&branch.start)
                .is_some_and(|label| label.fork == *key && label.branch == branch.key);
            let starts_at_a_join = workflow
                .step(&branch.start)
                .is_some_and(|start| start.step_type() == StepType::Join);
            if Some(&branch.start) != join && (!is_its_own || starts_at_a_join) {
                let message = format!(
                    "the branch {} of {} starts inside or behind a branch of another fork",
                    branch.name, step.name
                );
                report.error("CROSSES_BRANCH", "steps", message);
            }
            if Some(&branch.start) == join {
                let message = format!(
                    "the branch {} of {} has no step of its own",
                    branch.name, step.name
                );
                report.error("EMPTY_BRANCH", "steps", message);
            }
            let reaches_join = members
                .iter()
                .any(|member| graph.next(member).iter().any(|to| Some(to) == join));
            let ends_itself = members.iter().any(|member| is_end(workflow, member));
            if !reaches_join && !ends_itself {
                let mut finding = Finding::new(
                    "BRANCH_NO_JOIN_TRANSITION",
                    "transitions",
                    format!(
                        "the branch {} of {} never reaches its join",
                        branch.name, step.name
                    ),
                );
                if let Value::Object(details) =
                    json!({"fork_step_id": key, "branch_name": branch.name, "join_step_id": join})
                {
                    finding.details = details;
                }
                report.errors.push(finding);
            }
        }
    }
}

/// The steps between a branch's start and its join.
fn members(graph: &Graph, start: &StepKey, fork: &StepKey, join: Option<&StepKey>) -> IndexSet<StepKey> {
    let mut seen = IndexSet::new();
    let mut queue = VecDeque::from([start.clone()]);
    while let Some(key) = queue.pop_front() {
        if Some(&key) == join || key == *fork || !seen.insert(key.clone()) {
            continue;
        }
        queue.extend(graph.next(&key).iter().cloned());
    }
    seen
}

/// An edge stays where it is, or leads from a branch to the join of its own fork.
fn stays_in_scope(workflow: &CompiledWorkflow, from: &StepKey, to: &StepKey) -> bool {
    let label = |key: &StepKey| workflow.branch_of.get(key);
    let same = |a: Option<&BranchLabel>, b: Option<&BranchLabel>| match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.fork == b.fork && a.branch == b.branch,
        (None, Some(_)) | (Some(_), None) => false,
    };
    match workflow.step(to).map(|step| &step.kind) {
        Some(StepKind::Join(join)) => label(from).is_some_and(|from| from.fork == join.fork),
        Some(
            StepKind::Form(_)
            | StepKind::Approval(_)
            | StepKind::Task(_)
            | StepKind::Notify(_)
            | StepKind::Fork(_)
            | StepKind::SubWorkflow(_),
        ) => same(label(from), label(to)),
        None => false,
    }
}

fn is_end(workflow: &CompiledWorkflow, key: &StepKey) -> bool {
    workflow.step(key).is_some_and(|step| {
        step.is_terminal
            && workflow
                .edges_on(key, step.step_type().completion_event())
                .is_empty()
    })
}

/// From every step that can be reached, an end can be reached.
fn check_ends(workflow: &CompiledWorkflow, graph: &Graph, reachable: &HashSet<StepKey>, report: &mut Report) {
    let mut before: HashMap<&StepKey, Vec<&StepKey>> = HashMap::new();
    for (from, targets) in &graph.next {
        for to in targets {
            before.entry(to).or_default().push(from);
        }
    }
    let mut good: HashSet<&StepKey> = workflow
        .steps
        .keys()
        .filter(|key| is_end(workflow, key))
        .collect();
    let mut queue: VecDeque<&StepKey> = good.iter().copied().collect();
    while let Some(key) = queue.pop_front() {
        for from in before.get(key).into_iter().flatten() {
            if good.insert(from) {
                queue.push_back(from);
            }
        }
    }
    for (index, (key, step)) in workflow.steps.iter().enumerate() {
        if reachable.contains(key) && !good.contains(key) {
            let message = format!("no end can be reached from the step {}", step.name);
            report.error("NO_PATH_TO_END", format!("steps[{index}]"), message);
        }
    }
}

/// A cycle in which no person acts would never stop.
fn check_automatic_cycles(
    workflow: &CompiledWorkflow,
    graph: &Graph,
    around: &Surroundings,
    reachable: &HashSet<StepKey>,
    report: &mut Report,
) {
    let automatic: IndexSet<&StepKey> = workflow
        .steps
        .keys()
        .filter(|key| reachable.contains(*key) && !waits_for_a_person(workflow, key, around))
        .collect();
    for start in &automatic {
        let mut seen: HashSet<&StepKey> = HashSet::new();
        let mut queue: VecDeque<&StepKey> = graph.next(start).iter().collect();
        while let Some(key) = queue.pop_front() {
            if key == *start {
                let message = format!("the step {key} is part of a cycle in which no person acts");
                report.error("AUTOMATIC_CYCLE", "transitions", message);
                return;
            }
            if automatic.contains(key) && seen.insert(key) {
                queue.extend(graph.next(key));
            }
        }
    }
}

fn waits_for_a_person(workflow: &CompiledWorkflow, key: &StepKey, around: &Surroundings) -> bool {
    let Some(step) = workflow.step(key) else {
        return false;
    };
    match &step.kind {
        StepKind::Form(_) | StepKind::Approval(_) | StepKind::Task(_) => true,
        StepKind::Notify(_) | StepKind::Fork(_) | StepKind::Join(_) => false,
        StepKind::SubWorkflow(embedded) => match around.embedded.get(&embedded.version) {
            Some(EmbeddedFact::Found(inner)) => inner.step(&inner.start).is_some_and(|step| {
                matches!(
                    step.step_type(),
                    StepType::Form | StepType::Approval | StepType::Task
                )
            }),
            Some(EmbeddedFact::NoWorkflow | EmbeddedFact::NoVersion) | None => false,
        },
    }
}
