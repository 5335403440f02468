//! What the lookup routes take and answer.

use crate::api::extract::IfMatch;
use crate::api::view::person::UserSnapshot;
use crate::api::view::wire_time::{wire_time, wire_time_option};
use crate::domain::error::ServiceError;
use crate::domain::lookup::{ENTRIES, LookupEntry, LookupPerson, LookupTable, USERS};
use crate::domain::person::Email;
use crate::services::execute::ExpectedVersion;
use crate::services::lookups::{ChangeEntry, ChangeTable, NewEntry, NewTable, NewUser};
use garde::Validate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A new lookup table.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct LookupBody {
    /// The name.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200, example = "Unit leads")]
    name: String,
    /// What it is for.
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// The form whose field supplies the key.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    source_step_id: Option<String>,
    /// The field that supplies the key.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    source_field_key: Option<String>,
}

impl From<LookupBody> for NewTable {
    fn from(body: LookupBody) -> Self {
        Self {
            name: body.name,
            description: body.description,
            source_step_id: body.source_step_id,
            source_field_key: body.source_field_key,
        }
    }
}

/// A change of a lookup table's own fields.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct LookupChange {
    /// The name.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// What it is for.
    #[garde(length(chars, max = 2000))]
    #[schema(max_length = 2000)]
    description: Option<String>,
    /// The form whose field supplies the key.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    source_step_id: Option<String>,
    /// The field that supplies the key.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    source_field_key: Option<String>,
    /// The version the caller expects; another one answers 409.
    #[garde(skip)]
    expected_version: Option<i64>,
}

impl LookupChange {
    /// The change, with the version expected by the header or the body; the header wins.
    pub(super) fn expecting(self, header: IfMatch) -> ChangeTable {
        let in_body = self.expected_version.map(ExpectedVersion::Body);
        ChangeTable {
            name: self.name,
            description: self.description,
            source_step_id: self.source_step_id,
            source_field_key: self.source_field_key,
            expected: header.0.map(ExpectedVersion::IfMatch).or(in_body),
        }
    }
}

/// A person of an entry, as sent.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct UserBody {
    /// The directory's object id.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    aad_id: Option<String>,
    /// The address.
    #[garde(length(chars, max = 254), email)]
    #[schema(max_length = 254, format = Email)]
    email: String,
    /// The name.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    display_name: String,
    /// Whether this person answers first.
    #[garde(skip)]
    #[serde(default)]
    is_primary: bool,
    /// Where the person stands among the others.
    #[garde(range(min = 0, max = 1_000_000))]
    #[serde(default)]
    #[schema(minimum = 0, maximum = 1_000_000)]
    order: i64,
}

/// The people of an entry, as sent.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct UserList {
    /// The people.
    #[garde(length(max = USERS), dive)]
    #[schema(max_items = 50)]
    pub(super) users: Vec<UserBody>,
}

/// The people of an entry; an address that cannot be taken is an error.
pub(super) fn new_users(users: Vec<UserBody>) -> Result<Vec<NewUser>, ServiceError> {
    let one = |user: UserBody| {
        let email = Email::try_from(user.email)
            .map_err(|_| ServiceError::invalid_field("email", "value is not a valid email address"))?;
        Ok(NewUser {
            aad_id: user.aad_id,
            email,
            display_name: user.display_name,
            is_primary: user.is_primary,
            order: user.order,
        })
    };
    users.into_iter().map(one).collect()
}

/// An entry, as sent.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct EntryBody {
    /// The id of the entry that it replaces; a new one is drawn when absent or unknown.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    entry_id: Option<String>,
    /// The key, distinct within the table without regard to case.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    key: String,
    /// What people see.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    display_label: Option<String>,
    /// The people.
    #[garde(length(max = USERS), dive)]
    #[serde(default)]
    #[schema(max_items = 50)]
    users: Vec<UserBody>,
    /// Whether it is looked up.
    #[garde(skip)]
    #[serde(default = "active")]
    is_active: bool,
}

const fn active() -> bool {
    true
}

impl EntryBody {
    /// The entry; an address that cannot be taken is an error.
    pub(super) fn into_entry(self) -> Result<NewEntry, ServiceError> {
        Ok(NewEntry {
            entry_id: self.entry_id,
            key: self.key,
            display_label: self.display_label,
            users: new_users(self.users)?,
            is_active: self.is_active,
        })
    }
}

/// All entries of a table, as sent.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct EntryList {
    /// The entries.
    #[garde(length(max = ENTRIES), dive)]
    #[schema(max_items = 2_000)]
    entries: Vec<EntryBody>,
}

impl EntryList {
    /// The entries; an address that cannot be taken is an error.
    pub(super) fn into_entries(self) -> Result<Vec<NewEntry>, ServiceError> {
        self.entries.into_iter().map(EntryBody::into_entry).collect()
    }
}

/// A change of an entry's own fields.
#[derive(Debug, Deserialize, Validate, ToSchema)]
pub(super) struct EntryChange {
    /// The key.
    #[garde(length(chars, min = 1, max = 200))]
    #[schema(min_length = 1, max_length = 200)]
    key: Option<String>,
    /// What people see.
    #[garde(length(chars, max = 200))]
    #[schema(max_length = 200)]
    display_label: Option<String>,
    /// Whether it is looked up.
    #[garde(skip)]
    is_active: Option<bool>,
}

impl From<EntryChange> for ChangeEntry {
    fn from(body: EntryChange) -> Self {
        Self {
            key: body.key,
            display_label: body.display_label,
            is_active: body.is_active,
        }
    }
}

/// Which tables are listed.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Whether deleted tables are listed too.
    #[garde(skip)]
    #[serde(default)]
    #[param(default = false)]
    pub(super) include_inactive: bool,
}

/// What is looked up.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ResolveQuery {
    /// The form.
    #[garde(length(chars, min = 1, max = 200))]
    #[param(min_length = 1, max_length = 200)]
    pub(super) step_id: String,
    /// The field.
    #[garde(length(chars, min = 1, max = 200))]
    #[param(min_length = 1, max_length = 200)]
    pub(super) field_key: String,
    /// The field's value; repeated for several.
    #[garde(length(min = 1, max = 100), inner(length(chars, max = 2000)))]
    #[serde(alias = "field_value[]")]
    #[param(min_items = 1, max_items = 100)]
    pub(super) field_value: Vec<String>,
}

/// A person of an entry.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LookupUserView {
    /// The object id, when known.
    aad_id: Option<String>,
    /// The address.
    email: String,
    /// The name.
    display_name: String,
    /// Whether this person comes first.
    is_primary: bool,
    /// The place among the others.
    order: i64,
}

impl From<&LookupPerson> for LookupUserView {
    fn from(user: &LookupPerson) -> Self {
        Self {
            aad_id: user.aad_id.clone(),
            email: user.email.as_str().to_owned(),
            display_name: user.display_name.clone(),
            is_primary: user.is_primary,
            order: user.order,
        }
    }
}

/// The people who answer for a value.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Resolved {
    /// The primary one first.
    pub(super) users: Vec<LookupUserView>,
}

/// One key with its people.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LookupEntryView {
    /// The entry's id.
    entry_id: String,
    /// The value of the field that chooses it.
    key: String,
    /// How it is shown.
    display_label: Option<String>,
    /// The people it stands for.
    users: Vec<LookupUserView>,
    /// Whether it is used.
    is_active: bool,
}

impl From<&LookupEntry> for LookupEntryView {
    fn from(entry: &LookupEntry) -> Self {
        Self {
            entry_id: entry.entry_id.to_string(),
            key: entry.key.clone(),
            display_label: entry.display_label.clone(),
            users: entry.sorted_users().into_iter().map(Into::into).collect(),
            is_active: entry.is_active,
        }
    }
}

/// A lookup table.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LookupView {
    /// The table's id.
    lookup_id: String,
    /// The workflow it belongs to.
    workflow_id: String,
    /// Its name.
    name: String,
    /// What it is for.
    description: Option<String>,
    /// The form's step whose field chooses an entry.
    source_step_id: Option<String>,
    /// That field.
    source_field_key: Option<String>,
    /// Its entries.
    entries: Vec<LookupEntryView>,
    created_by: UserSnapshot,
    /// When it came to be.
    created_at: String,
    updated_by: Option<UserSnapshot>,
    /// When it last changed.
    updated_at: Option<String>,
    /// Whether it is used.
    is_active: bool,
    /// How often it has changed, as a number that grows.
    version: i64,
}

impl From<&LookupTable> for LookupView {
    fn from(table: &LookupTable) -> Self {
        Self {
            lookup_id: table.id.to_string(),
            workflow_id: table.workflow_id.to_string(),
            name: table.name.clone(),
            description: table.description.clone(),
            source_step_id: table.source_step_id.clone(),
            source_field_key: table.source_field_key.clone(),
            entries: table.entries.iter().map(Into::into).collect(),
            created_by: (&table.created_by).into(),
            created_at: wire_time(table.created_at),
            updated_by: table.updated_by.as_ref().map(Into::into),
            updated_at: wire_time_option(table.updated_at),
            is_active: table.is_active,
            version: table.version,
        }
    }
}

/// The lookup tables of a workflow.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LookupList {
    /// The newest first.
    pub(super) items: Vec<LookupView>,
}
