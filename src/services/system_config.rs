//! The system configuration as it is in force: administrators' values over the environment's (contract
//! http-admin-notifications 11). A change reaches every process within five seconds.

use crate::config::Settings;
use crate::domain::time::Clock;
use crate::domain::workflow::StepType;
use crate::repositories::system_config_repo::{SLA_STEP_TYPES, StoredConfig, SystemConfigRepo};
use mongodb::Database;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How old a read configuration may be.
const MAX_AGE: Duration = Duration::from_secs(5);

/// Due minutes shown for step types nobody has configured.
const SHOWN_SLA_MINUTES: [(StepType, i64); 3] = [
    (StepType::Form, 1_440),
    (StepType::Approval, 2_880),
    (StepType::Task, 4_320),
];

/// The values in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemConfig {
    /// The types of files that may be uploaded, `type/subtype` in lower case.
    pub allowed_mime_types: Vec<String>,
    /// The size limit of files, in mebibytes.
    pub max_attachment_size_mb: u64,
    /// How often a mail is tried.
    pub notification_retry_max: u32,
    /// Due minutes that apply to steps without their own; empty until an administrator has saved some.
    pub default_sla_minutes: Vec<(StepType, i64)>,
}

impl SystemConfig {
    /// Due minutes by step type as administrators see them, whether they apply already or are only proposed.
    pub fn shown_sla_minutes(&self) -> Vec<(&'static str, i64)> {
        let minutes = |step_type: StepType| {
            let find = |list: &[(StepType, i64)]| {
                list.iter()
                    .find(|(known, _)| *known == step_type)
                    .map(|(_, minutes)| *minutes)
            };
            find(&self.default_sla_minutes)
                .or_else(|| find(&SHOWN_SLA_MINUTES))
                .unwrap_or_default()
        };
        SLA_STEP_TYPES
            .iter()
            .map(|(step_type, word)| (*word, minutes(*step_type)))
            .collect()
    }
}

/// Reads the configuration, at most five seconds old; cheap to clone.
#[derive(Debug, Clone)]
pub struct SystemConfigReader(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    repo: SystemConfigRepo,
    initial: SystemConfig,
    kept: Mutex<Option<(Instant, Arc<SystemConfig>)>>,
}

impl SystemConfigReader {
    /// A reader over `database`, starting from the environment's values.
    pub fn new(database: &Database, settings: &Settings) -> Self {
        let initial = SystemConfig {
            allowed_mime_types: settings.attachments.allowed_mime_types.clone(),
            max_attachment_size_mb: settings.attachments.max_mb,
            notification_retry_max: settings.scheduler.notification_max_retries,
            default_sla_minutes: Vec::new(),
        };
        Self(Arc::new(Inner {
            repo: SystemConfigRepo::new(database),
            initial,
            kept: Mutex::new(None),
        }))
    }

    /// The values in force, at most five seconds old.
    pub async fn current(&self) -> mongodb::error::Result<Arc<SystemConfig>> {
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let stored = self.0.repo.load().await?;
        Ok(self.keep(&stored))
    }

    /// Takes over what has just been stored, so that this process does not wait for it.
    pub fn keep(&self, stored: &StoredConfig) -> Arc<SystemConfig> {
        let config = Arc::new(merged(&self.0.initial, stored));
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((Instant::now(), Arc::clone(&config)));
        config
    }

    /// The document behind the values.
    pub fn repo(&self) -> &SystemConfigRepo {
        &self.0.repo
    }

    fn kept(&self) -> Option<Arc<SystemConfig>> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, config) = kept.as_ref()?;
        (at.elapsed() < MAX_AGE).then(|| Arc::clone(config))
    }
}

fn merged(initial: &SystemConfig, stored: &StoredConfig) -> SystemConfig {
    let sla = stored.default_sla_minutes.as_ref();
    let default_sla_minutes = SLA_STEP_TYPES
        .iter()
        .filter_map(|(step_type, word)| {
            sla.and_then(|minutes| minutes.get(*word))
                .map(|m| (*step_type, *m))
        })
        .collect();
    SystemConfig {
        allowed_mime_types: stored
            .allowed_mime_types
            .clone()
            .unwrap_or_else(|| initial.allowed_mime_types.clone()),
        max_attachment_size_mb: stored
            .max_attachment_size_mb
            .and_then(|megabytes| u64::try_from(megabytes).ok())
            .unwrap_or(initial.max_attachment_size_mb),
        notification_retry_max: stored
            .notification_retry_max
            .and_then(|retries| u32::try_from(retries).ok())
            .unwrap_or(initial.notification_retry_max),
        default_sla_minutes,
    }
}

/// Today's date in the business time zone.
pub fn business_today(clock: &Clock, settings: &Settings) -> chrono::NaiveDate {
    clock
        .now()
        .to_chrono()
        .with_timezone(&settings.business_time_zone)
        .date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn initial() -> SystemConfig {
        SystemConfig {
            allowed_mime_types: vec!["text/plain".to_owned()],
            max_attachment_size_mb: 50,
            notification_retry_max: 5,
            default_sla_minutes: Vec::new(),
        }
    }

    #[test]
    fn due_minutes_are_shown_from_the_start_but_apply_only_once_saved() {
        let fresh = merged(&initial(), &StoredConfig::default());
        assert!(fresh.default_sla_minutes.is_empty());
        assert_eq!(
            fresh.shown_sla_minutes(),
            [
                ("FORM_STEP", 1_440),
                ("APPROVAL_STEP", 2_880),
                ("TASK_STEP", 4_320)
            ]
        );
        let minutes = [("TASK_STEP".to_owned(), 30)].into();
        let stored = StoredConfig {
            default_sla_minutes: Some(minutes),
            ..StoredConfig::default()
        };
        let saved = merged(&initial(), &stored);
        assert_eq!(saved.default_sla_minutes, [(StepType::Task, 30)]);
        assert_eq!(saved.shown_sla_minutes()[2], ("TASK_STEP", 30));
    }
}
