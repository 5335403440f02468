//! `ai_conversations`: what people and the assistant said, one document for each person and persona.
//!
//! A turn is appended by one update, so turns at the same time lose nothing; the newest messages stay, and a
//! conversation that rests is forgotten. It is a person's own: its key is made from the person, never from a request.

use super::indexes::IndexSpec;
use super::mongo::{WriteFault, classify};
use crate::domain::conversation::{ConversationMessage, Persona};
use crate::domain::person::{Person, PersonKey};
use crate::domain::time::Timestamp;
use bson::{Document, doc};
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The collection's name.
pub const COLLECTION: &str = "ai_conversations";

/// Messages of a conversation that are kept, the newest.
pub const KEPT: u8 = 50;
/// Days after the last message when a conversation is forgotten.
pub const KEPT_DAYS: i64 = 90;

/// A conversation as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationRow {
    /// Whose it is, and from where ([`key_of`]).
    #[serde(rename = "_id")]
    pub key: String,
    /// The newest messages, the oldest first.
    pub messages: Vec<ConversationMessage>,
    /// How many there have ever been.
    pub message_count: i64,
    /// When the first was.
    pub created_at: Timestamp,
    /// When the last was.
    pub updated_at: Timestamp,
    /// When it is forgotten.
    pub expires_at: Timestamp,
}

/// The conversations; cheap to clone.
#[derive(Debug, Clone)]
pub struct ConversationRepo {
    rows: Collection<Document>,
}

/// The indexes of this collection; conversations themselves are found by `_id`.
pub fn indexes() -> Vec<IndexSpec> {
    vec![
        IndexSpec::new(COLLECTION, "expiry", doc! {"expires_at": 1}).expire_after(Duration::ZERO),
        // Covers the figures over all conversations, whose documents are large.
        IndexSpec::new(COLLECTION, "figures", doc! {"created_at": 1, "message_count": 1}),
    ]
}

impl ConversationRepo {
    /// The conversations in `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            rows: database.collection(COLLECTION),
        }
    }

    /// The messages of a conversation, the oldest first.
    pub async fn read(
        &self,
        person: &Person,
        persona: Persona,
        now: Timestamp,
    ) -> Result<Vec<ConversationMessage>> {
        #[derive(Debug, Deserialize)]
        struct Stored {
            messages: Vec<ConversationMessage>,
        }
        let rows = self.rows.clone_with_type::<Stored>();
        // The server removes what has expired only now and then.
        let kept = doc! {"_id": {"$in": keys(person, persona)}, "expires_at": {"$gt": now}};
        let mut found = rows.find(kept).projection(doc! {"messages": 1}).await?;
        let mut messages: Vec<ConversationMessage> = Vec::new();
        while found.advance().await? {
            messages.extend(found.deserialize_current()?.messages);
        }
        messages.sort_by_key(|message| message.at);
        let older = messages.len().saturating_sub(usize::from(KEPT));
        Ok(messages.split_off(older))
    }

    /// Appends a question with its answer.
    pub async fn append(
        &self,
        person: &Person,
        persona: Persona,
        turn: &[ConversationMessage; 2],
        now: Timestamp,
    ) -> Result<()> {
        let filter = doc! {"_id": key(person, persona)};
        let update = doc! {
            "$push": {"messages": {"$each": bson::serialize_to_bson(turn)?, "$slice": -i32::from(KEPT)}},
            "$inc": {"message_count": 2},
            "$set": {"updated_at": now, "expires_at": now.plus_minutes(KEPT_DAYS * 24 * 60)},
            "$setOnInsert": {"created_at": now},
        };
        // Of two first turns at the same time the slower insert is refused; its second try finds the document.
        let first = self
            .rows
            .update_one(filter.clone(), update.clone())
            .upsert(true)
            .await;
        match first {
            Err(error) if classify(&error) == WriteFault::DuplicateKey => {
                self.rows.update_one(filter, update).await?;
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Forgets a conversation.
    pub async fn clear(&self, person: &Person, persona: Persona) -> Result<()> {
        let all = doc! {"_id": {"$in": keys(person, persona)}};
        self.rows.delete_many(all).await?;
        Ok(())
    }
}

/// A conversation's key.
pub fn key_of(person: &PersonKey, persona: Persona) -> String {
    format!("{}|{}", persona.as_str(), person.as_str())
}

/// Under what a person's words may be kept: an import and whoever has no object id know only the address.
fn keys(person: &Person, persona: Persona) -> Vec<String> {
    let keys = person.keys();
    keys.iter().map(|key| key_of(key, persona)).collect()
}

/// Under what new words are kept. The object id stays when an address changes; only who has none is known by the address.
fn key(person: &Person, persona: Persona) -> String {
    keys(person, persona).pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::person::Email;

    #[test]
    fn a_conversation_belongs_to_a_person_whatever_the_address_looks_like() {
        let mut ann = Person::from_email(Email::from_stored("Ann@a.example"));
        assert_eq!(key(&ann, Persona::Agent), "agent|mail:ann@a.example");
        ann.aad_id = Some("1".to_owned());
        assert_eq!(key(&ann, Persona::Requester), "requester|aad:1");
    }
}
