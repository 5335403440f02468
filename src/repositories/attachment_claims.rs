//! `attachments`, as far as commands use files: what is known of them, claims, and the link to a ticket (design 3).
//!
//! Invariant: a file is claimed by one command at a time, for one minute; a file that is linked to a ticket stays that
//! ticket's. Whose upload it is never changes and has been checked by `decide` when a file is claimed.

use crate::domain::attachment::AttachmentFact;
use crate::domain::effect::AttachmentLink;
use crate::domain::id::{AttachmentId, TicketId};
use crate::domain::person::Person;
use crate::domain::time::Timestamp;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::error::Result;
use mongodb::{Collection, Database};
use serde::Deserialize;

/// The collection's name.
pub const COLLECTION: &str = "attachments";

/// How long a claim holds, in minutes.
const CLAIM_MINUTES: i64 = 1;

/// The wish of one command to use files.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The ticket that will have the files.
    pub ticket_id: &'a TicketId,
    /// The command's key.
    pub key: &'a str,
    /// When it is claimed.
    pub now: Timestamp,
}

/// A claim found on a file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FoundClaim {
    /// The ticket it is for.
    pub ticket_id: TicketId,
    /// The command it is for.
    pub key: String,
    /// Until when it holds.
    pub until: Timestamp,
}

/// What a link came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// The file is the ticket's.
    Yes,
    /// Another command holds a claim just now; try again later.
    Later,
    /// The file is gone or another ticket's.
    Never,
}

/// The files of commands; cheap to clone.
#[derive(Debug, Clone)]
pub struct AttachmentClaims {
    files: Collection<Document>,
}

impl AttachmentClaims {
    /// The files of `database`.
    pub fn new(database: &Database) -> Self {
        Self {
            files: database.collection(COLLECTION),
        }
    }

    /// What is known of these files; unknown ones are absent.
    pub async fn facts(&self, ids: &[AttachmentId]) -> Result<Vec<AttachmentFact>> {
        #[derive(Deserialize)]
        struct Row {
            #[serde(rename = "_id")]
            id: AttachmentId,
            original_filename: String,
            uploaded_by: Person,
            #[serde(default)]
            ticket_id: Option<String>,
        }
        let ids: Vec<Bson> = ids.iter().cloned().map(Bson::from).collect();
        let rows: Vec<Row> = self
            .files
            .clone_with_type::<Row>()
            .find(doc! {"_id": {"$in": ids}, "removing_at": Bson::Null})
            .projection(doc! {"original_filename": 1, "uploaded_by": 1, "ticket_id": 1})
            .await?
            .try_collect()
            .await?;
        let facts = rows.into_iter().map(|row| AttachmentFact {
            id: row.id,
            filename: row.original_filename,
            uploaded_by: row.uploaded_by,
            ticket_id: row
                .ticket_id
                .filter(|id| !id.is_empty())
                .map(TicketId::from_stored),
        });
        Ok(facts.collect())
    }

    /// Claims a file for a command; false when it is another ticket's or claimed by another command.
    ///
    /// A file that is the ticket's already needs no claim and counts as claimed.
    pub async fn claim(&self, id: &AttachmentId, claim: Claim<'_>) -> Result<bool> {
        let own = doc! {
            "_id": id.as_str(),
            "ticket_id": Bson::Null,
            "removing_at": Bson::Null,
            "$or": [
                {"claim": Bson::Null},
                {"claim.key": claim.key, "claim.ticket_id": claim.ticket_id.as_str()},
                {"claim.until": {"$lt": claim.now}},
            ],
        };
        let until = claim.now.plus_minutes(CLAIM_MINUTES);
        let held = doc! {"ticket_id": claim.ticket_id.as_str(), "key": claim.key, "until": until};
        let taken = self.files.update_one(own, doc! {"$set": {"claim": held}}).await?;
        if taken.matched_count == 1 {
            return Ok(true);
        }
        let linked = doc! {"_id": id.as_str(), "ticket_id": claim.ticket_id.as_str()};
        Ok(self
            .files
            .find_one(linked)
            .projection(doc! {"_id": 1})
            .await?
            .is_some())
    }

    /// The claim on a file, held or expired.
    pub async fn found_claim(&self, id: &AttachmentId) -> Result<Option<FoundClaim>> {
        #[derive(Deserialize)]
        struct Row {
            #[serde(default)]
            claim: Option<FoundClaim>,
        }
        let row = self
            .files
            .clone_with_type::<Row>()
            .find_one(doc! {"_id": id.as_str()})
            .projection(doc! {"claim": 1})
            .await?;
        Ok(row.and_then(|row| row.claim))
    }

    /// Gives back what a command claimed.
    pub async fn release(&self, ids: &[AttachmentId], ticket_id: &TicketId, key: &str) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let ids: Vec<Bson> = ids.iter().cloned().map(Bson::from).collect();
        let held = doc! {"_id": {"$in": ids}, "claim.ticket_id": ticket_id.as_str(), "claim.key": key};
        self.files
            .update_many(held, doc! {"$unset": {"claim": ""}})
            .await?;
        Ok(())
    }

    /// Makes a file the ticket's; a repeat changes nothing.
    pub async fn link(&self, link: &AttachmentLink, ticket_id: &TicketId, now: Timestamp) -> Result<Linked> {
        let free = doc! {
            "_id": link.attachment_id.as_str(),
            "ticket_id": Bson::Null,
            "removing_at": Bson::Null,
            "$or": [
                {"claim": Bson::Null},
                {"claim.ticket_id": ticket_id.as_str()},
                {"claim.until": {"$lt": now}},
            ],
        };
        // What the uploader said of it (`context`, step and label) stays; this is what the command used it for.
        let set = doc! {
            "ticket_id": ticket_id.as_str(),
            "linked": {"at": now, "step_id": link.step_id.as_deref(), "used_as": link.context.as_deref()},
        };
        let change = doc! {"$set": set, "$unset": {"claim": ""}};
        if self.files.update_one(free, change).await?.matched_count == 1 {
            return Ok(Linked::Yes);
        }
        let found = self
            .files
            .find_one(doc! {"_id": link.attachment_id.as_str(), "removing_at": Bson::Null})
            .projection(doc! {"ticket_id": 1})
            .await?;
        Ok(
            match found
                .as_ref()
                .map(|row| row.get_str("ticket_id").unwrap_or_default())
            {
                Some(owner) if owner == ticket_id.as_str() => Linked::Yes,
                Some("") => Linked::Later,
                Some(_) | None => Linked::Never,
            },
        )
    }
}
