//! What an import has come to, for people and for programs.

use super::stage::Stage;
use crate::domain::import::RepairRule;
use crate::repositories::import_repo::{Finding, Tally};
use crate::repositories::legacy::LegacyCollection;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// How many findings and differences a report lists; all findings are in `import_findings`.
const LISTED: usize = 1_000;

/// A fact that differs between both databases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnexplainedDifference {
    /// The document.
    pub subject: String,
    /// The fact.
    pub field: String,
    /// What the reference has.
    pub before: String,
    /// What is stored here.
    pub after: String,
}

/// What the verification has come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Documents compared.
    pub compared: u64,
    /// Facts that differ and that a named repair explains.
    pub explained: u64,
    /// Facts that differ and that nothing explains.
    pub unexplained: u64,
    /// The first of them.
    pub differences: Vec<UnexplainedDifference>,
    /// Documents that belong to tickets and were met with them.
    #[serde(skip)]
    pub(super) met: BTreeMap<LegacyCollection, u64>,
}

impl Verified {
    pub(super) fn add(&mut self, subject: &str, field: &str, before: String, after: String) {
        self.unexplained += 1;
        if self.differences.len() < LISTED {
            self.differences.push(UnexplainedDifference {
                subject: subject.to_owned(),
                field: field.to_owned(),
                before,
                after,
            });
        }
    }
}

/// What an import has come to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The stages' numbers.
    pub stages: BTreeMap<Stage, Tally>,
    /// Documents that were new here; no part of what two runs have in common.
    pub inserted: u64,
    /// The first findings by key: what was left behind, and what an administrator must look at.
    pub listed: BTreeMap<String, Finding>,
    /// How many such findings there are.
    pub to_look_at: u64,
    /// What the verification has come to; absent when it did not take place.
    pub verified: Option<Verified>,
}

impl Report {
    pub(super) fn keep(&mut self, findings: Vec<Finding>) {
        for finding in findings.into_iter().filter(|finding| finding.rule.needs_people()) {
            self.to_look_at += 1;
            self.listed.insert(finding.key.clone(), finding);
            if self.listed.len() > LISTED {
                self.listed.pop_last();
            }
        }
    }

    /// The repairs of all stages by rule.
    pub fn repairs(&self) -> BTreeMap<String, i64> {
        let mut all = Tally::default();
        for tally in self.stages.values() {
            all.add(tally);
        }
        all.repairs
    }

    /// Whether every difference is explained.
    pub fn is_clean(&self) -> bool {
        self.verified
            .as_ref()
            .is_none_or(|verified| verified.unexplained == 0)
    }

    /// The report for programs.
    pub fn to_json(&self) -> Value {
        let stages = self.stages.iter();
        let stages: BTreeMap<_, _> = stages.map(|(stage, tally)| (stage.as_str(), tally)).collect();
        json!({
            "collections": stages,
            "repairs": self.repairs(),
            "to_look_at": self.listed.values().collect::<Vec<_>>(),
            "to_look_at_in_all": self.to_look_at,
            "verified": self.verified,
        })
    }

    /// The report in lines; the same for a dry run, an interrupted and an uninterrupted run.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "{:<28}{:>10}{:>10}{:>10}",
            "collection", "read", "made", "left"
        );
        for (stage, tally) in &self.stages {
            let name = stage.as_str();
            let _ = writeln!(
                text,
                "{name:<28}{:>10}{:>10}{:>10}",
                tally.read, tally.made, tally.left
            );
        }
        let repairs = self.repairs();
        if !repairs.is_empty() {
            let _ = writeln!(text, "\nrepairs by rule");
        }
        for rule in RepairRule::ALL {
            if let Some(count) = repairs.get(rule.as_str()) {
                let _ = writeln!(text, "{:<34}{count:>10}  {}", rule.as_str(), rule.hazard());
            }
        }
        if !self.listed.is_empty() {
            let _ = writeln!(text, "\nto be looked at (all of it: import_findings)");
        }
        for finding in self.listed.values() {
            let (collection, subject) = (&finding.collection, &finding.subject);
            let _ = writeln!(
                text,
                "{collection} {subject}: {} ({})",
                finding.remark,
                finding.rule.as_str()
            );
        }
        let unlisted = self.to_look_at.saturating_sub(self.listed.len() as u64);
        if unlisted > 0 {
            let _ = writeln!(text, "and {unlisted} more");
        }
        if let Some(verified) = &self.verified {
            let Verified {
                compared,
                explained,
                unexplained,
                ..
            } = verified;
            let _ = writeln!(
                text,
                "\nverified: {compared} documents, {explained} differences explained by a repair, {unexplained} unexplained"
            );
            for difference in &verified.differences {
                let _ = writeln!(
                    text,
                    "{} {}: {:?} became {:?}",
                    difference.subject, difference.field, difference.before, difference.after
                );
            }
        }
        text
    }
}
