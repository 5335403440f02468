//! Conversations with the assistant (contract http-workflows 8.1).
//!
//! They are their person's alone: what they hold stands in no finding and no report, and what a model once said is
//! cleaned as what one says today.

use super::Importer;
use super::stage::{Notes, Stage, subject};
use crate::domain::conversation::{ConversationMessage, LONGEST_CONTENT, Persona, Speaker};
use crate::domain::id::hex12;
use crate::domain::import::RepairRule;
use crate::domain::person::{Email, PersonKey};
use crate::domain::time::Timestamp;
use crate::repositories::conversation_repo::{
    COLLECTION, ConversationRow, KEPT, KEPT_DAYS, key_of as row_key,
};
use crate::repositories::legacy::fields::instant;
use crate::repositories::legacy::{Fields, LegacyCollection};
use crate::services::assistant::cleaned_words;
use bson::Bson;
use serde_json::{Value, json};
use std::collections::BTreeMap;

impl Importer {
    /// Imports conversations; of several of one person in one place the newest counts.
    pub(super) async fn conversations(&self) -> anyhow::Result<()> {
        let mut newest: BTreeMap<String, (Option<Timestamp>, String)> = BTreeMap::new();
        let mut documents = self.legacy.walk(LegacyCollection::AiConversations, None).await?;
        while documents.advance().await? {
            let document = documents.deserialize_current()?;
            let fields = Fields(&document);
            let own = (fields.instant("updated_at"), subject(fields, "session_id"));
            let known = newest.entry(key_of(fields, "session_id")).or_default();
            if own > *known {
                *known = own;
            }
        }
        self.walk(Stage::Conversations, COLLECTION, |fields, notes| {
            let counts = newest
                .get(&key_of(fields, "session_id"))
                .map(|(_, id)| id.as_str());
            let row = conversation(fields, counts, self.started_at, notes);
            row.into_iter().collect()
        })
        .await
    }
}

fn conversation(
    fields: Fields<'_>,
    counts: Option<&str>,
    now: Timestamp,
    notes: &mut Notes,
) -> Option<ConversationRow> {
    let id = subject(fields, "session_id");
    let key = key_of(fields, "session_id");
    if key.is_empty() {
        notes.leave_unread(RepairRule::Unreadable, &id, "it says of nobody whose it is");
        return None;
    }
    if counts != Some(id.as_str()) {
        let remark = "the same person's newer one counts";
        notes.leave_unread(RepairRule::ConversationTwice, &id, remark);
        return None;
    }
    if has_rested(fields, now) {
        notes.tally.count(RepairRule::ConversationExpired);
        return None;
    }
    let updated_at = updated_at(fields).unwrap_or(now);
    let kept = turns(fields, updated_at);
    let row = ConversationRow {
        key,
        message_count: i64::try_from(kept.len()).unwrap_or(0),
        created_at: fields.instant("created_at").unwrap_or(updated_at),
        updated_at,
        expires_at: updated_at.plus_minutes(KEPT_DAYS * 24 * 60),
        messages: kept,
    };
    let is_whole = bson::serialize_to_bson(&row.messages)
        .is_ok_and(|ours| messages(Some(&ours)) == messages(fields.value("messages")));
    if !is_whole {
        notes.tell(
            RepairRule::ConversationCleaned,
            &id,
            "what can be read of it is kept",
        );
    }
    Some(row)
}

/// Questions with their answers, the newest. One that failed was stored without an answer.
fn turns(fields: Fields<'_>, updated_at: Timestamp) -> Vec<ConversationMessage> {
    let said: Vec<ConversationMessage> = fields
        .objects("messages")
        .filter_map(|message| said(message, updated_at))
        .collect();
    let mut turns = Vec::with_capacity(said.len());
    for pair in said.windows(2) {
        if let [question, answer] = pair
            && (question.role, answer.role) == (Speaker::User, Speaker::Assistant)
        {
            turns.extend([question.clone(), answer.clone()]);
        }
    }
    let older = turns.len().saturating_sub(usize::from(KEPT));
    turns.split_off(older)
}

fn said(message: Fields<'_>, updated_at: Timestamp) -> Option<ConversationMessage> {
    let role = speaker(message.text("role")?)?;
    let words = message.text("content")?;
    let words = match role {
        Speaker::User => words.to_owned(),
        Speaker::Assistant => cleaned_words(words),
    };
    let end = words.floor_char_boundary(LONGEST_CONTENT);
    Some(ConversationMessage {
        role,
        content: words.get(..end).unwrap_or_default().to_owned(),
        at: message.instant("timestamp").unwrap_or(updated_at),
        is_by_model: role == Speaker::Assistant,
        cites: Vec::new(),
    })
}

fn speaker(role: &str) -> Option<Speaker> {
    match role {
        "user" | "human" => Some(Speaker::User),
        "assistant" | "ai" => Some(Speaker::Assistant),
        _ => None,
    }
}

fn updated_at(fields: Fields<'_>) -> Option<Timestamp> {
    fields
        .instant("updated_at")
        .or_else(|| fields.instant("created_at"))
}

/// Whether a conversation had been forgotten, had it been ours, when the import began.
pub(super) fn has_rested(fields: Fields<'_>, at: Timestamp) -> bool {
    updated_at(fields).is_some_and(|last| last.plus_minutes(KEPT_DAYS * 24 * 60) <= at)
}

/// Under what a conversation is kept here, by its session's id: an address and the part of the application, with `_`
/// between them. Empty when it is something else.
pub(super) fn key_of(fields: Fields<'_>, id: &str) -> String {
    let session = subject(fields, id);
    let Some((address, place)) = session.rsplit_once('_') else {
        return String::new();
    };
    match Persona::named(place) {
        Some(persona) if address.contains('@') => {
            row_key(&PersonKey::of_email(&Email::from_stored(address.trim())), persona)
        }
        Some(_) | None => String::new(),
    }
}

/// Messages in one form on both sides.
pub(super) fn messages(value: Option<&Bson>) -> Value {
    let list = value.and_then(Bson::as_array).into_iter().flatten();
    let messages = list.filter_map(Bson::as_document).map(|message| {
        let message = Fields(message);
        let at = message.value("timestamp").or_else(|| message.value("at"));
        json!([
            message.text("role").and_then(speaker),
            // Nobody reads what was said in a report of differences.
            message.text("content").map(hex12),
            at.and_then(instant).map(Timestamp::to_wire),
        ])
    });
    messages.collect()
}
