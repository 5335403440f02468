//! `ai_conversations`: what people and the assistant said, one document for each person and persona.
//!
//! A turn is appended by one update, so turns at the same time lose nothing; the newest messages stay, and a
//! conversation that rests is forgotten. It is a person's own: its key is made from the person, never from a request.

use super::indexes::IndexSpec;
use super::mongo::{WriteFault, classify};
use crate::domain::conversation::{ConversationMessage, Persona};
use crate::domain::person::Person;
use crate::domain::time::Timestamp;
use bson::{Document, doc};
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde::Deserialize;
use std::time::Duration;

/// The collection's name.
pub const COLLECTION: &str = "ai_conversations";

/// Messages of a conversation that are kept, the newest.
const KEPT: i32 = 50;
/// Days after the last message when a conversation is forgotten.
const KEPT_DAYS: i64 = 90;

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
        let kept = doc! {"_id": key(person, persona), "expires_at": {"$gt": now}};
        let found = rows.find_one(kept).projection(doc! {"messages": 1}).await?;
        Ok(found.map(|stored| stored.messages).unwrap_or_default())
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
            "$push": {"messages": {"$each": bson::serialize_to_bson(turn)?, "$slice": -KEPT}},
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
        self.rows.delete_one(doc! {"_id": key(person, persona)}).await?;
        Ok(())
    }
}

/// The object id stays when an address changes; only who has none is known by the address.
fn key(person: &Person, persona: Persona) -> String {
    let keys = person.keys();
    let who = keys.last().map_or("", |key| key.as_str());
    format!("{}|{who}", persona.as_str())
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
