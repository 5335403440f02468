//! People as the reference records them.

use crate::domain::id::hex12;
use crate::domain::person::{Email, Person};
use crate::repositories::legacy::Fields;

/// The beginning of object ids that were made up when the directory did not answer (A17).
const FABRICATED: &str = "mock-";

/// A person as recorded, with what had to be made good.
#[derive(Debug, Clone)]
pub(super) struct RecordedPerson {
    pub(super) person: Person,
    /// The object id that the directory never gave.
    pub(super) fabricated_id: Option<String>,
    /// Whether the address is made up.
    pub(super) lacks_address: bool,
}

/// Reads a person; none when nothing says who it is.
pub(super) fn read(recorded: Fields<'_>) -> Option<RecordedPerson> {
    let filled = |key: &str| recorded.text(key).map(str::trim).filter(|text| !text.is_empty());
    let (aad_id, name, address) = (filled("aad_id"), filled("display_name"), filled("email"));
    let mark = aad_id.or(name);
    let email = match (address, mark) {
        (Some(address), _) => Email::from_stored(address),
        (None, Some(mark)) => nobodys_address(mark),
        (None, None) => return None,
    };
    let confirmed = aad_id.filter(|id| !id.starts_with(FABRICATED));
    let person = Person {
        aad_id: confirmed.map(ToOwned::to_owned),
        display_name: name.map_or_else(|| email.to_display_name(), ToOwned::to_owned),
        email,
        role_at_time: recorded.owned("role_at_time"),
        manager_email: filled("manager_email").map(Email::from_stored),
    };
    Some(RecordedPerson {
        person,
        fabricated_id: aad_id.filter(|_| confirmed.is_none()).map(ToOwned::to_owned),
        lacks_address: address.is_none(),
    })
}

/// The person under `key`, or one who stands for nobody.
pub(super) fn of(fields: Fields<'_>, key: &str) -> Person {
    let recorded = fields.object(key).and_then(read);
    recorded.map_or_else(nobody, |recorded| recorded.person)
}

/// Somebody who was not recorded.
pub(super) fn nobody() -> Person {
    let mut person = Person::from_email(nobodys_address(""));
    "Unknown".clone_into(&mut person.display_name);
    person
}

/// An address that reaches nobody, always the same for the same mark.
fn nobodys_address(mark: &str) -> Email {
    let local = if mark.is_empty() {
        "unknown".to_owned()
    } else {
        hex12(mark)
    };
    Email::from_stored(format!("{local}@unknown.invalid"))
}
