//! A row of `inapp_notifications`: one notice in one person's bell (contract http-admin-notifications 15).
//!
//! A dismissed notice is marked and kept until it expires, because a late repeat of the relay would bring a deleted
//! one back.

use crate::domain::id::{NotificationId, TicketId};
use crate::domain::notice::{Channel, Notice, NoticeCategory, TemplateKey};
use crate::domain::person::{Person, PersonKey};
use crate::domain::time::Timestamp;
use serde::{Deserialize, Serialize};

/// How long a notice stays in the bell when nothing else is configured, in days (`INAPP_RETENTION_DAYS`).
pub const DEFAULT_RETENTION_DAYS: i64 = 90;

/// One notice in one person's bell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InappRow {
    /// The stable key `<ticket>:<seq>:<n>` of the entry it came from.
    #[serde(rename = "_id")]
    pub key: String,
    /// The public id.
    pub notification_id: NotificationId,
    /// Under which keys the recipient finds it: address and, when known, object id.
    pub recipient_keys: Vec<PersonKey>,
    /// The recipient's address, lower case.
    pub recipient_email: String,
    /// The recipient's object id, when known.
    #[serde(default)]
    pub recipient_aad_id: Option<String>,
    /// Where it is listed.
    pub category: NoticeCategory,
    /// What caused it.
    #[serde(default)]
    pub template_key: Option<TemplateKey>,
    /// Plain text.
    pub title: String,
    /// Plain text.
    pub message: String,
    /// The ticket it is about.
    #[serde(default)]
    pub ticket_id: Option<TicketId>,
    /// A path within the SPA.
    #[serde(default)]
    pub action_url: Option<String>,
    /// The address of who caused it.
    #[serde(default)]
    pub actor_email: Option<String>,
    /// The name of who caused it.
    #[serde(default)]
    pub actor_display_name: Option<String>,
    /// Whether the recipient has read it.
    pub is_read: bool,
    /// When it was first read.
    #[serde(default)]
    pub read_at: Option<Timestamp>,
    /// When the recipient removed it from the bell.
    #[serde(default)]
    pub dismissed_at: Option<Timestamp>,
    /// When it came into being.
    pub created_at: Timestamp,
    /// When it vanishes.
    pub expires_at: Timestamp,
}

impl InappRow {
    /// The bell entry that a notice asks for; `None` when the notice is a mail only.
    ///
    /// `key` is the stable key of the notice's tail entry, `at` the time of its command.
    pub fn of(
        notice: &Notice,
        key: &str,
        ticket_id: &TicketId,
        at: Timestamp,
        retention_days: i64,
    ) -> Option<Self> {
        if notice.channel == Channel::Mail {
            return None;
        }
        let recipient = &notice.recipient;
        Some(Self {
            key: key.to_owned(),
            notification_id: public_id(key),
            recipient_keys: recipient.keys(),
            recipient_email: recipient.email.key(),
            recipient_aad_id: recipient.aad_id.clone(),
            category: notice.category,
            template_key: Some(notice.template),
            title: notice.title.clone(),
            message: notice.message.clone(),
            ticket_id: Some(ticket_id.clone()),
            action_url: Some(notice.action_url.clone()).filter(|url| is_local_path(url)),
            actor_email: notice.actor.as_ref().map(|actor| actor.email.to_string()),
            actor_display_name: notice.actor.as_ref().map(|actor| actor.display_name.clone()),
            is_read: false,
            read_at: None,
            dismissed_at: None,
            created_at: at,
            expires_at: at.plus_minutes(retention_days.saturating_mul(24 * 60)),
        })
    }

    /// Whether it is `person`'s.
    pub fn is_for(&self, person: &Person) -> bool {
        person.keys().iter().any(|key| self.recipient_keys.contains(key))
    }

    /// Whether the recipient sees it at `now`.
    pub fn is_visible(&self, now: Timestamp) -> bool {
        self.dismissed_at.is_none() && self.expires_at > now
    }
}

/// The public id of the bell entry with this key; another one than the mail's with the same key.
fn public_id(key: &str) -> NotificationId {
    NotificationId::derived(&format!("{key}:inapp"))
}

/// Whether a browser that follows `url` stays within the SPA.
fn is_local_path(url: &str) -> bool {
    url.starts_with('/')
        && !url.starts_with("//")
        && !url.starts_with("/\\")
        && !url.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leaves_the_application_is_dropped() {
        for url in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "tickets",
            "/a\nb",
        ] {
            assert!(!is_local_path(url), "{url:?}");
        }
        assert!(is_local_path("/tickets/TKT-0123456789ab?tab=activity"));
    }

    #[test]
    fn the_bell_entry_and_the_mail_of_one_notice_have_different_ids() {
        assert_ne!(public_id("TKT-1:1:0"), NotificationId::derived("TKT-1:1:0"));
    }
}
