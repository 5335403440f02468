//! Changing the system configuration (contract http-admin-notifications 11).

use super::By;
use crate::domain::error::{FieldError, ServiceError};
use crate::domain::person::Actor;
use crate::domain::time::Clock;
use crate::repositories::admin_audit_repo::AdminAuditRepo;
use crate::repositories::system_config_repo::{ConfigChange, SLA_STEP_TYPES, StoredConfig};
use crate::repositories::transaction::{Transaction, TransactionFault, settled};
use crate::services::access::{require_admin, require_super_admin};
use crate::services::system_config::{SystemConfig, SystemConfigReader};
use mongodb::Database;
use serde_json::{Map, Value, json};
use std::ops::RangeInclusive;
use std::sync::Arc;

const SLA_MINUTES: RangeInclusive<i64> = 1..=525_600;
const MEGABYTES: RangeInclusive<i64> = 1..=100;
const RETRIES: RangeInclusive<i64> = 1..=10;
/// How many types may be listed.
const MAX_TYPES: usize = 100;

/// Administers the configuration; cheap to clone.
#[derive(Debug, Clone)]
pub struct ConfigAdmin {
    reader: SystemConfigReader,
    database: Database,
    audit: AdminAuditRepo,
    clock: Clock,
}

impl ConfigAdmin {
    /// Administers what this reader reads.
    pub fn new(database: &Database, reader: SystemConfigReader, clock: Clock) -> Self {
        Self {
            reader,
            database: database.clone(),
            audit: AdminAuditRepo::new(database),
            clock,
        }
    }

    /// The values in force.
    pub async fn show(&self, actor: &Actor) -> Result<Arc<SystemConfig>, ServiceError> {
        require_admin(actor)?;
        // Who administers sees what is stored, not what this process has kept.
        let stored = self.reader.repo().load().await?;
        Ok(self.reader.keep(&stored))
    }

    /// Changes the keys that are given; all faults are reported at once.
    pub async fn change(&self, by: By<'_>, change: ConfigChange) -> Result<Arc<SystemConfig>, ServiceError> {
        require_super_admin(by.actor)?;
        let change = checked(change)?;
        let stored = settled(|| self.try_change(by, &change)).await?;
        Ok(self.reader.keep(&stored))
    }

    async fn try_change(&self, by: By<'_>, change: &ConfigChange) -> Result<StoredConfig, TransactionFault> {
        let (who, now) = (by.actor.person.email.as_str(), self.clock.now());
        let repo = self.reader.repo();
        let mut transaction = Transaction::begin(&self.database).await?;
        let before = repo.load_in(transaction.session()).await?;
        let stored = repo.apply_in(transaction.session(), change, who, now).await;
        let stored = stored.map_err(TransactionFault::of_insert)?;
        let changed = changed_keys(&before, &stored);
        if changed.is_empty() {
            transaction.abort().await;
            return Ok(before);
        }
        let event = by.event("UPDATE_SYSTEM_CONFIG", Value::Object(changed), now);
        self.audit.commit_with(transaction, &event).await?;
        Ok(stored)
    }
}

fn checked(change: ConfigChange) -> Result<ConfigChange, ServiceError> {
    let mut faults = Vec::new();
    for (step_type, minutes) in change.default_sla_minutes.iter().flatten() {
        let at = ["default_sla_minutes", step_type.as_str()];
        if !SLA_STEP_TYPES.iter().any(|(_, word)| word == step_type) {
            faults.push(fault(&at, "enum", "not a step type that can be due"));
        }
        in_range(&mut faults, &at, *minutes, &SLA_MINUTES);
    }
    if let Some(megabytes) = change.max_attachment_size_mb {
        in_range(&mut faults, &["max_attachment_size_mb"], megabytes, &MEGABYTES);
    }
    if let Some(retries) = change.notification_retry_max {
        in_range(&mut faults, &["notification_retry_max"], retries, &RETRIES);
    }
    let allowed_mime_types = change
        .allowed_mime_types
        .map(|types| checked_types(&mut faults, &types));
    if !faults.is_empty() {
        return Err(ServiceError::InvalidInput(faults));
    }
    Ok(ConfigChange {
        allowed_mime_types,
        ..change
    })
}

fn checked_types(faults: &mut Vec<FieldError>, types: &[String]) -> Vec<String> {
    let mut checked: Vec<String> = Vec::new();
    for (index, text) in types.iter().enumerate() {
        let normal = text.trim().to_ascii_lowercase();
        if !is_mime_type(&normal) {
            let at = ["allowed_mime_types", &index.to_string()];
            faults.push(fault(&at, "value_error", "not of the form type/subtype"));
        } else if !checked.contains(&normal) {
            checked.push(normal);
        }
    }
    if types.is_empty() || types.len() > MAX_TYPES {
        faults.push(fault(
            &["allowed_mime_types"],
            "value_error",
            "list 1 to 100 types",
        ));
    }
    checked
}

fn is_mime_type(text: &str) -> bool {
    let is_token = |part: &str| {
        (1..=100).contains(&part.len())
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    text.split_once('/')
        .is_some_and(|(main, sub)| is_token(main) && is_token(sub))
}

fn in_range(faults: &mut Vec<FieldError>, at: &[&str], value: i64, range: &RangeInclusive<i64>) {
    if value < *range.start() {
        faults.push(fault(
            at,
            "greater_than_equal",
            format!("not below {}", range.start()),
        ));
    } else if value > *range.end() {
        faults.push(fault(at, "less_than_equal", format!("not above {}", range.end())));
    }
}

fn fault(at: &[&str], kind: &'static str, message: impl Into<String>) -> FieldError {
    FieldError {
        location: std::iter::once("body")
            .chain(at.iter().copied())
            .map(ToOwned::to_owned)
            .collect(),
        kind,
        message: message.into(),
    }
}

/// The keys whose values differ, with their new values; of the due minutes only those that differ.
fn changed_keys(before: &StoredConfig, after: &StoredConfig) -> Map<String, Value> {
    let (before, after) = (json!(before), json!(after));
    let mut changed = Map::new();
    for (key, value) in after.as_object().into_iter().flatten() {
        let known = before.get(key).unwrap_or(&Value::Null);
        if value == known {
            continue;
        }
        let differs = |(part, new): &(&String, &Value)| known.get(part.as_str()) != Some(*new);
        let value = value.as_object().map_or_else(
            || value.clone(),
            |parts| {
                let parts = parts.iter().filter(differs);
                Value::Object(parts.map(|(part, new)| (part.clone(), new.clone())).collect())
            },
        );
        changed.insert(key.clone(), value);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_a_change_is_reported() {
        let change = ConfigChange {
            default_sla_minutes: Some([("FORM_STEP".to_owned(), -4), ("FORK_STEP".to_owned(), 5)].into()),
            allowed_mime_types: Some(vec!["Image/PNG ".to_owned(), "png".to_owned()]),
            max_attachment_size_mb: Some(101),
            notification_retry_max: Some(0),
        };
        let Err(ServiceError::InvalidInput(faults)) = checked(change) else {
            panic!("refused");
        };
        let places: Vec<_> = faults.iter().map(|fault| fault.location.join(".")).collect();
        assert_eq!(
            places,
            [
                "body.default_sla_minutes.FORK_STEP",
                "body.default_sla_minutes.FORM_STEP",
                "body.max_attachment_size_mb",
                "body.notification_retry_max",
                "body.allowed_mime_types.1",
            ]
        );
    }

    #[test]
    fn types_are_kept_once_in_lower_case() {
        let types = ["Image/PNG ", "image/png", "application/vnd.ms-excel"]
            .map(str::to_owned)
            .to_vec();
        let change = ConfigChange {
            allowed_mime_types: Some(types),
            ..ConfigChange::default()
        };
        let checked = checked(change).unwrap();
        assert_eq!(
            checked.allowed_mime_types.unwrap(),
            ["image/png", "application/vnd.ms-excel"]
        );
    }
}
