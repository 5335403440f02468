//! Turns a person named by a client into a person on record: what the directory says wins over what the client says,
//! and nobody is invented (contract engine-actions A6, A13, A17; design 8, directory down, revoked person).

use super::command::NamedPerson;
use super::decision::Undecided;
use super::facts::{Need, PersonFact};
use super::turn::Turn;
use crate::domain::effect::GrantedPersona;
use crate::domain::person::{Email, Person};
use crate::domain::refusal::Refusal;

/// The person for work that brings `persona` with it, as the directory or this ticket knows them, else by address alone
/// with a null object id.
///
/// Refused for a person from whom an administrator has taken that persona, or all access.
pub(crate) fn resolve(
    turn: &Turn<'_>,
    named: &NamedPerson,
    persona: GrantedPersona,
) -> Result<Person, Undecided> {
    let fact = fact(turn, &named.email)?;
    if fact.revoked || persona.is_in(fact.taken_away) {
        return Err(Refusal::invalid_state("an administrator has taken this person's access away").into());
    }
    if let Some(person) = &fact.person {
        return Ok(person.clone());
    }
    let mut person = Person::from_email(named.email.clone());
    if let Some(name) = named
        .display_name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty())
    {
        name.clone_into(&mut person.display_name);
    }
    Ok(person)
}

/// What is known of an address; asks for it when it has not been looked up.
pub(crate) fn fact<'a>(turn: &Turn<'a>, email: &Email) -> Result<&'a PersonFact, Undecided> {
    turn.sheet()
        .person(email)
        .ok_or_else(|| Undecided::Needs(vec![Need::Person(email.clone())]))
}
