//! The rules that every change of a lookup table keeps, and how what clients give becomes entries.

use super::edit::{NewEntry, NewUser};
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::LookupEntryId;
use crate::domain::lookup::{ENTRIES, LookupEntry, LookupPerson, LookupTable, USERS};
use crate::domain::refusal::Refusal;
use std::collections::BTreeSet;

/// Keeps the rules of a table: distinct keys, one primary person per entry, bounded lists.
pub(super) fn settle(table: &mut LookupTable) -> Result<(), ServiceError> {
    check_limit("lookup entries", table.entries.len(), ENTRIES)?;
    let mut keys = BTreeSet::new();
    for entry in &mut table.entries {
        check_limit("people of a lookup entry", entry.users.len(), USERS)?;
        entry.settle_users();
        if !keys.insert(entry.key.to_lowercase()) {
            let text = format!("the key {:?} is there already", entry.key);
            return Err(ServiceError::conflict(ErrorCode::AlreadyExists, text));
        }
    }
    Ok(())
}

pub(super) fn check_limit(what: &'static str, length: usize, limit: usize) -> Result<(), ServiceError> {
    if length > limit {
        return Err(Refusal::LimitReached { what, limit }.into());
    }
    Ok(())
}

pub(super) fn entry_of<'a>(
    table: &'a mut LookupTable,
    entry_id: &str,
) -> Result<&'a mut LookupEntry, ServiceError> {
    let found = table
        .entries
        .iter_mut()
        .find(|entry| entry.entry_id.as_str() == entry_id);
    found.ok_or_else(|| ServiceError::not_found(ErrorCode::NotFound, "the lookup has no such entry"))
}

/// An entry keeps its id when the table knows it; each id is used once.
pub(super) fn to_entry(new: &NewEntry, known: &mut BTreeSet<LookupEntryId>) -> LookupEntry {
    let given = new
        .entry_id
        .clone()
        .and_then(|id| LookupEntryId::try_from(id).ok());
    let kept = given.filter(|id| known.remove(id));
    LookupEntry {
        entry_id: kept.unwrap_or_else(LookupEntryId::random),
        key: new.key.clone(),
        display_label: new.display_label.clone(),
        users: new.users.iter().map(to_user).collect(),
        is_active: new.is_active,
    }
}

pub(super) fn to_user(new: &NewUser) -> LookupPerson {
    LookupPerson {
        aad_id: filled(new.aad_id.clone()),
        email: new.email.clone(),
        display_name: new.display_name.clone(),
        is_primary: new.is_primary,
        order: new.order,
    }
}

/// A text, unless it is empty.
pub(super) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}
