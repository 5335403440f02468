//! Changes of lookup tables: each is made to the version it was decided on, and decided again when another came first.

use super::rules::{entry_of, filled, settle, to_entry, to_user};
use super::{Lookups, unknown_table};
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::{LookupEntryId, LookupId};
use crate::domain::lookup::LookupTable;
use crate::domain::person::{Actor, Email};
use crate::domain::refusal::Refusal;
use crate::repositories::contention::{self, ATTEMPTS};
use crate::repositories::lookup_repo::LookupWrite;
use crate::services::execute::ExpectedVersion;
use crate::services::workflows::{require_designer, unknown_workflow, workflow_id};
use std::collections::BTreeSet;

/// A new table.
#[derive(Debug, Clone)]
pub struct NewTable {
    /// 1 to 200 characters.
    pub name: String,
    /// At most 2 000 characters.
    pub description: Option<String>,
    /// The form whose field supplies the key.
    pub source_step_id: Option<String>,
    /// The field that supplies the key.
    pub source_field_key: Option<String>,
}

/// A change of a table's own fields; absent ones stay, empty texts are cleared.
#[derive(Debug, Clone, Default)]
pub struct ChangeTable {
    /// The name.
    pub name: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The form whose field supplies the key.
    pub source_step_id: Option<String>,
    /// The field that supplies the key.
    pub source_field_key: Option<String>,
    /// The version the caller expects.
    pub expected: Option<ExpectedVersion>,
}

/// An entry as a client gives it.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// The id of an entry of the table that it replaces.
    pub entry_id: Option<String>,
    /// 1 to 200 characters.
    pub key: String,
    /// At most 200 characters.
    pub display_label: Option<String>,
    /// The people.
    pub users: Vec<NewUser>,
    /// Whether it is looked up.
    pub is_active: bool,
}

/// A change of an entry; absent fields stay.
#[derive(Debug, Clone, Default)]
pub struct ChangeEntry {
    /// The key.
    pub key: Option<String>,
    /// What people see; an empty text clears it.
    pub display_label: Option<String>,
    /// Whether it is looked up.
    pub is_active: Option<bool>,
}

/// A person as a client gives one.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The directory's object id.
    pub aad_id: Option<String>,
    /// The address.
    pub email: Email,
    /// The name.
    pub display_name: String,
    /// Whether this person answers first.
    pub is_primary: bool,
    /// Where the person stands among the others.
    pub order: i64,
}

impl Lookups {
    /// Makes a table for a workflow.
    ///
    /// # Errors
    /// The caller may not design, there is no such workflow, another table is bound to the same field, or the database
    /// is unavailable.
    pub async fn create(
        &self,
        actor: &Actor,
        workflow: &str,
        new: NewTable,
    ) -> Result<LookupTable, ServiceError> {
        require_designer(actor)?;
        let workflow_id = workflow_id(workflow)?;
        self.workflows
            .find(&workflow_id)
            .await?
            .ok_or_else(unknown_workflow)?;
        let table = LookupTable {
            id: LookupId::random(),
            workflow_id,
            name: new.name,
            description: filled(new.description),
            source_step_id: filled(new.source_step_id),
            source_field_key: filled(new.source_field_key),
            entries: Vec::new(),
            created_by: actor.person.clone(),
            created_at: self.clock.now(),
            updated_by: None,
            updated_at: None,
            is_active: true,
            version: 1,
        };
        match self.repo.insert(&table).await? {
            LookupWrite::Stored => Ok(table),
            LookupWrite::BoundTwice | LookupWrite::Lost => Err(bound_twice()),
        }
    }

    /// Changes a table's own fields.
    ///
    /// # Errors
    /// As [`Lookups::create`], and when the caller expects another version.
    pub async fn change(
        &self,
        actor: &Actor,
        workflow: &str,
        id: &str,
        change: &ChangeTable,
    ) -> Result<LookupTable, ServiceError> {
        let apply = |table: &mut LookupTable| {
            if let Some(name) = &change.name {
                table.name.clone_from(name);
            }
            for (field, new) in [
                (&mut table.description, &change.description),
                (&mut table.source_step_id, &change.source_step_id),
                (&mut table.source_field_key, &change.source_field_key),
            ] {
                if new.is_some() {
                    *field = filled(new.clone());
                }
            }
            Ok(())
        };
        self.edit(actor, workflow, id, change.expected, apply).await
    }

    /// Deletes a table; a repeat changes nothing.
    ///
    /// # Errors
    /// The caller may not design, the workflow has no such table, or the database is unavailable.
    pub async fn delete(&self, actor: &Actor, workflow: &str, id: &str) -> Result<(), ServiceError> {
        require_designer(actor)?;
        if !self.find(workflow, id).await?.is_active {
            return Ok(());
        }
        let deleted = self
            .edit(actor, workflow, id, None, |table| {
                table.is_active = false;
                Ok(())
            })
            .await;
        match deleted {
            // Somebody else deleted it in between.
            Err(ServiceError::NotFound { .. }) | Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Replaces all entries.
    ///
    /// # Errors
    /// As [`Lookups::change`], two keys are equal, or there are too many entries or people.
    pub async fn replace_entries(
        &self,
        actor: &Actor,
        workflow: &str,
        id: &str,
        entries: &[NewEntry],
    ) -> Result<LookupTable, ServiceError> {
        self.edit(actor, workflow, id, None, |table| {
            let mut known: BTreeSet<LookupEntryId> =
                table.entries.iter().map(|entry| entry.entry_id.clone()).collect();
            table.entries = entries.iter().map(|entry| to_entry(entry, &mut known)).collect();
            Ok(())
        })
        .await
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// As [`Lookups::replace_entries`].
    pub async fn add_entry(
        &self,
        actor: &Actor,
        workflow: &str,
        id: &str,
        entry: &NewEntry,
    ) -> Result<LookupTable, ServiceError> {
        self.edit(actor, workflow, id, None, |table| {
            table.entries.push(to_entry(entry, &mut BTreeSet::new()));
            Ok(())
        })
        .await
    }

    /// Changes an entry's own fields.
    ///
    /// # Errors
    /// As [`Lookups::replace_entries`], or the table has no such entry.
    pub async fn change_entry(
        &self,
        actor: &Actor,
        workflow: &str,
        id: &str,
        entry_id: &str,
        change: &ChangeEntry,
    ) -> Result<LookupTable, ServiceError> {
        self.edit(actor, workflow, id, None, |table| {
            let entry = entry_of(table, entry_id)?;
            if let Some(key) = &change.key {
                entry.key.clone_from(key);
            }
            if change.display_label.is_some() {
                entry.display_label.clone_from(&change.display_label);
            }
            if let Some(is_active) = change.is_active {
                entry.is_active = is_active;
            }
            Ok(())
        })
        .await
    }

    /// Removes an entry; an unknown one is as good as removed.
    ///
    /// # Errors
    /// As [`Lookups::change`].
    pub async fn remove_entry(
        &self,
        actor: &Actor,
        workflow: &str,
        id: &str,
        entry_id: &str,
    ) -> Result<LookupTable, ServiceError> {
        require_designer(actor)?;
        let table = self.find(workflow, id).await?;
        if table.is_active
            && table
                .entries
                .iter()
                .all(|entry| entry.entry_id.as_str() != entry_id)
        {
            return Ok(table);
        }
        self.edit(actor, workflow, id, None, |table| {
            table.entries.retain(|entry| entry.entry_id.as_str() != entry_id);
            Ok(())
        })
        .await
    }

    /// Replaces the people of an entry.
    ///
    /// # Errors
    /// As [`Lookups::change_entry`].
    pub async fn replace_users(
        &self,
        actor: &Actor,
        workflow: &str,
        id: &str,
        entry_id: &str,
        users: &[NewUser],
    ) -> Result<LookupTable, ServiceError> {
        self.edit(actor, workflow, id, None, |table| {
            entry_of(table, entry_id)?.users = users.iter().map(to_user).collect();
            Ok(())
        })
        .await
    }

    /// Makes a change to the newest version of an active table and counts the version up.
    async fn edit(
        &self,
        actor: &Actor,
        workflow: &str,
        id: &str,
        expected: Option<ExpectedVersion>,
        apply: impl Fn(&mut LookupTable) -> Result<(), ServiceError>,
    ) -> Result<LookupTable, ServiceError> {
        require_designer(actor)?;
        for attempt in 1..=ATTEMPTS {
            let mut table = self.find(workflow, id).await?;
            if !table.is_active {
                return Err(unknown_table());
            }
            let base = table.version;
            check_expected(expected, base)?;
            apply(&mut table)?;
            settle(&mut table)?;
            table.version += 1;
            table.updated_by = Some(actor.person.clone());
            table.updated_at = Some(self.clock.now());
            match self.repo.replace(&table, base).await? {
                LookupWrite::Stored => return Ok(table),
                LookupWrite::BoundTwice => return Err(bound_twice()),
                LookupWrite::Lost => contention::pause(attempt).await,
            }
        }
        Err(ServiceError::unavailable(anyhow::anyhow!(
            "a lookup table changes all the time"
        )))
    }
}

fn check_expected(expected: Option<ExpectedVersion>, current: i64) -> Result<(), ServiceError> {
    match expected {
        Some(ExpectedVersion::IfMatch(version)) if version != current => {
            Err(ServiceError::PreconditionFailed {
                current_version: current,
            })
        }
        Some(ExpectedVersion::Body(expected)) if expected != current => {
            Err(Refusal::ConcurrencyConflict { expected, current }.into())
        }
        Some(_) | None => Ok(()),
    }
}

fn bound_twice() -> ServiceError {
    ServiceError::conflict(
        ErrorCode::AlreadyExists,
        "another lookup of this workflow is bound to the same field",
    )
}
