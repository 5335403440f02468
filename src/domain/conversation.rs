//! Conversations with the assistant: one for each person and area of the application.

use super::id::TicketId;
use super::person::Actor;
use super::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The part of the application that somebody asks from; it decides which tools the assistant has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Persona {
    /// Raises tickets; everybody does.
    Requester,
    /// Works on tasks.
    Agent,
    /// Approves and assigns.
    Manager,
    /// Draws workflows.
    Designer,
    /// Governs.
    Admin,
}

impl Persona {
    /// The persona with this name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        match name.trim().to_lowercase().as_str() {
            "requester" => Some(Self::Requester),
            "agent" => Some(Self::Agent),
            "manager" => Some(Self::Manager),
            "designer" => Some(Self::Designer),
            "admin" | "superadmin" => Some(Self::Admin),
            _ => None,
        }
    }

    /// The name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requester => "requester",
            Self::Agent => "agent",
            Self::Manager => "manager",
            Self::Designer => "designer",
            Self::Admin => "admin",
        }
    }

    /// Whether `actor` holds it; administrators hold every one (contract spa-calls 4).
    pub fn is_held_by(self, actor: &Actor) -> bool {
        match self {
            Self::Requester => true,
            Self::Agent => actor.personas.agent || actor.is_admin(),
            Self::Manager => actor.personas.manager || actor.is_admin(),
            Self::Designer => actor.is_designer(),
            Self::Admin => actor.is_admin(),
        }
    }
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The person.
    User,
    /// The assistant.
    Assistant,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationMessage {
    /// Who said it.
    pub role: Speaker,
    /// What was said, at most [`LONGEST_CONTENT`] bytes.
    pub content: String,
    /// When.
    pub at: Timestamp,
    /// Whether the language model wrote it.
    #[serde(default)]
    pub is_by_model: bool,
    /// The tickets it is based on. Only ids are kept: whoever reads the conversation sees of them what they may see then.
    #[serde(default)]
    pub cites: Vec<TicketId>,
}

/// Longest content that is kept, in bytes.
pub const LONGEST_CONTENT: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::{AdminRole, Email, Person};

    #[test]
    fn everybody_is_a_requester_and_administrators_are_everything() {
        let mut actor = Actor::plain(Person::from_email(Email::from_stored("ann@a.example")));
        let all = ["requester", "Agent", "MANAGER", "designer", " admin "];
        let held = |actor: &Actor| {
            all.map(|name| Persona::named(name).is_some_and(|persona| persona.is_held_by(actor)))
        };
        assert_eq!(held(&actor), [true, false, false, false, false]);
        actor.personas.agent = true;
        assert_eq!(held(&actor), [true, true, false, false, false]);
        actor.admin_role = Some(AdminRole::Designer);
        assert_eq!(held(&actor), [true, true, false, true, false]);
        actor.admin_role = Some(AdminRole::Admin);
        assert_eq!(held(&actor), [true; 5]);
        assert_eq!(Persona::named("wizard"), None);
    }
}
