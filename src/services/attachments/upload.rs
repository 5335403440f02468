//! Uploads: streamed into the object store while they are measured and hashed, recorded only when all of it is there.

use super::file_type::{self, HEAD, TAIL};
use super::{Attachments, store_unavailable};
use crate::clients::object_store::FileWriter;
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::{AttachmentId, TicketId, random_key};
use crate::domain::person::Actor;
use crate::domain::refusal::Refusal;
use crate::domain::stored_file::{FileContext, StoredFile};
use crate::services::execute::{fingerprint, identity};
use crate::services::system_config::SystemConfig;
use crate::services::tickets::{ticket_id, unknown_ticket};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use serde_json::{Map, json};
use sha2::{Digest, Sha256};

/// Files that may be uploaded to one ticket.
const FILES_PER_TICKET: usize = 1_000;
/// Longest name taken, in characters; file systems allow no longer ones.
const NAME_CHARS: usize = 255;
/// Longest name kept, in bytes.
const NAME_BYTES: usize = 255;
/// Within this time an identical upload is the first one again, in milliseconds (design 8).
const REPEAT_MILLIS: i64 = 60_000;
/// How long an idempotency key is honoured, in milliseconds (design 8).
const KEPT_MILLIS: i64 = 24 * 60 * REPEAT_MILLIS;
/// How often another id is drawn when one is taken.
const SALTS: u32 = 8;

/// What a client says of a file it uploads.
#[derive(Debug, Clone)]
pub struct NewFile {
    /// The ticket it is for, when there is one already.
    pub ticket_id: Option<String>,
    /// The step it is given on.
    pub ticket_step_id: Option<String>,
    /// The name of that step.
    pub step_name: Option<String>,
    /// The label of the field it is given in.
    pub field_label: Option<String>,
    /// Where it is given.
    pub context: FileContext,
    /// Its name.
    pub filename: String,
    /// The type the client claims.
    pub declared_type: String,
    /// The client's idempotency key with the file's place in the request, if it sent one.
    pub marked: Option<(String, usize)>,
}

/// What was stored.
#[derive(Debug, Clone)]
pub struct Uploaded {
    /// The record.
    pub file: StoredFile,
}

/// What is known of the bytes once all of them are stored.
struct Measured {
    mime_type: String,
    size: u64,
    sha256: String,
}

impl Attachments {
    /// Stores an uploaded file.
    ///
    /// # Errors
    /// The ticket is unknown or foreign, the type is not allowed or does not fit the bytes, the file is empty or too
    /// large, the upload breaks off, or the object store or database is unavailable.
    pub async fn upload<S, E>(&self, actor: &Actor, new: NewFile, bytes: S) -> Result<Uploaded, ServiceError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin + Send,
        E: std::fmt::Display,
    {
        check_name(&new.filename)?;
        let ticket = self.target(actor, new.ticket_id.as_deref()).await?;
        let config = self.config.current().await?;
        let storage_key = storage_key();
        let mut writer = self.store.write(&storage_key);
        let measured = match pour(&mut writer, &new, bytes, &config).await {
            Ok(measured) => measured,
            Err(error) => {
                writer.abort().await;
                return Err(error);
            }
        };
        writer.finish().await.map_err(store_unavailable)?;
        let file = self
            .record(actor, new, ticket, measured, storage_key.clone())
            .await;
        // A repeat found the first one; these bytes are nobody's. After an error it may be unknown whether the record was
        // stored: then the sweep looks after the bytes.
        if file.as_ref().is_ok_and(|file| file.storage_key != storage_key) {
            self.forget_bytes(&storage_key).await;
        }
        Ok(Uploaded { file: file? })
    }

    /// The ticket that the file is for, which the actor must see.
    async fn target(&self, actor: &Actor, ticket: Option<&str>) -> Result<Option<TicketId>, ServiceError> {
        let Some(text) = ticket.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let id = ticket_id(text).map_err(|_| unknown_ticket())?;
        self.visible_ticket(actor, &id).await?;
        let count = self.repo.count_of_ticket(&id).await?;
        if count >= FILES_PER_TICKET as u64 {
            return Err(Refusal::LimitReached {
                what: "files",
                limit: FILES_PER_TICKET,
            }
            .into());
        }
        Ok(Some(id))
    }

    /// Stores the record under an id that follows from what a repeat is recognised by and from the time, so that a
    /// repeat meets the first one: the client's key, else who uploaded what.
    async fn record(
        &self,
        actor: &Actor,
        new: NewFile,
        ticket: Option<TicketId>,
        measured: Measured,
        storage_key: String,
    ) -> Result<StoredFile, ServiceError> {
        let now = self.clock.now();
        let natural_key = natural_key(actor, &new, ticket.as_ref(), &measured);
        let upload_key = new.marked.as_ref().map(|marked| upload_key(actor, marked));
        let span = if upload_key.is_some() {
            KEPT_MILLIS
        } else {
            REPEAT_MILLIS
        };
        let window = now.millis().div_euclid(span);
        let mut file = StoredFile {
            id: AttachmentId::derived(""),
            ticket_id: ticket,
            ticket_step_id: new.ticket_step_id,
            step_name: new.step_name,
            field_label: new.field_label,
            description: None,
            context: new.context,
            original_filename: clean_name(&new.filename),
            mime_type: measured.mime_type,
            size_bytes: i64::try_from(measured.size).unwrap_or(i64::MAX),
            sha256: measured.sha256,
            storage_key,
            uploaded_by: actor.person.clone(),
            uploaded_at: now,
            natural_key,
            upload_key,
            missing_since: None,
        };
        let before = attachment_id(file.repeat_key(), window - 1, 0);
        if let Some(first) = self.repo.find(&before).await?
            && first.repeat_key() == file.repeat_key()
            && now.since(first.uploaded_at).num_milliseconds() <= span
        {
            return same_content(first, &file);
        }
        for salt in 0..SALTS {
            file.id = attachment_id(file.repeat_key(), window, salt);
            if self.repo.insert(&file).await? {
                return Ok(file);
            }
            let first = self.repo.find(&file.id).await?;
            if let Some(first) = first.filter(|first| first.repeat_key() == file.repeat_key()) {
                return same_content(first, &file);
            }
        }
        Err(ServiceError::defect("no free attachment id could be drawn"))
    }

    async fn forget_bytes(&self, storage_key: &str) {
        if let Err(error) = self.store.remove(storage_key).await {
            tracing::warn!(error = %error, "the bytes of a repeated upload are left to the sweep");
        }
    }
}

/// Pours the stream into the store; checks type and size on the way.
async fn pour<S, E>(
    writer: &mut FileWriter,
    new: &NewFile,
    mut bytes: S,
    config: &SystemConfig,
) -> Result<Measured, ServiceError>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin + Send,
    E: std::fmt::Display,
{
    let limit = config.max_attachment_size_mb.saturating_mul(1 << 20);
    let mut head: Vec<u8> = Vec::new();
    let mut waiting: Vec<Bytes> = Vec::new();
    let mut mime_type: Option<String> = None;
    let mut size: u64 = 0;
    let mut digest = Sha256::new();
    let mut tail = Tail::default();
    while let Some(chunk) = bytes.next().await {
        let chunk = chunk.map_err(|error| broken_off(&error))?;
        size = size.saturating_add(chunk.len() as u64);
        if size > limit {
            return Err(too_large(config.max_attachment_size_mb));
        }
        digest.update(&chunk);
        tail.add(&chunk);
        if mime_type.is_none() {
            head.extend(chunk.iter().take(HEAD.saturating_sub(head.len())));
        }
        waiting.push(chunk);
        if mime_type.is_none() && head.len() >= HEAD {
            mime_type = Some(checked_type(new, &head, config)?);
        }
        let Some(known) = &mime_type else {
            continue;
        };
        // Whole chunks: the one that fills the head holds bytes behind it too.
        for chunk in waiting.drain(..) {
            if !file_type::goes_on_as(known, &chunk) {
                return Err(wrong_type(known, config));
            }
            writer.put(chunk).await.map_err(store_unavailable)?;
        }
    }
    if size == 0 {
        return Err(ServiceError::bad_request(
            ErrorCode::AttachmentError,
            "the file is empty",
        ));
    }
    let mime_type = match mime_type {
        Some(known) => known,
        None => checked_type(new, &head, config)?,
    };
    if !file_type::ends_as(&mime_type, tail.bytes()) {
        return Err(wrong_type(&mime_type, config));
    }
    for chunk in waiting {
        writer.put(chunk).await.map_err(store_unavailable)?;
    }
    Ok(Measured {
        mime_type,
        size,
        sha256: hex::encode(digest.finalize()),
    })
}

fn checked_type(new: &NewFile, head: &[u8], config: &SystemConfig) -> Result<String, ServiceError> {
    let allowed = &config.allowed_mime_types;
    file_type::decide(&new.declared_type, &new.filename, head, allowed)
        .map_err(|mime| wrong_type(&mime, config))
}

fn wrong_type(mime: &str, config: &SystemConfig) -> ServiceError {
    let details = json!({"mime_type": mime, "allowed": &config.allowed_mime_types});
    ServiceError::BadRequest {
        code: ErrorCode::InvalidMimeType,
        message: "files of this type cannot be uploaded".to_owned(),
        details: details.as_object().cloned().unwrap_or_else(Map::new),
    }
}

/// Refuses names that no file system gives a file: paths, control characters, more than 255 characters.
fn check_name(name: &str) -> Result<(), ServiceError> {
    let fault = if name.chars().count() > NAME_CHARS {
        format!("the name of a file may not be longer than {NAME_CHARS} characters")
    } else if name.contains(['/', '\\']) || name == "." || name == ".." {
        "the name of a file may not be a path".to_owned()
    } else if name.chars().any(char::is_control) {
        "the name of a file may not hold control characters".to_owned()
    } else {
        return Ok(());
    };
    Err(ServiceError::BadRequest {
        code: ErrorCode::AttachmentError,
        message: fault,
        details: Map::from_iter([("field".to_owned(), json!("filename"))]),
    })
}

/// The last bytes of a stream.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn add(&mut self, chunk: &[u8]) {
        let kept = chunk.get(chunk.len().saturating_sub(TAIL)..).unwrap_or(chunk);
        self.0.extend_from_slice(kept);
        // Cut now and then, not with every chunk.
        if self.0.len() > 2 * TAIL {
            self.0.drain(..self.0.len() - TAIL);
        }
    }

    fn bytes(&self) -> &[u8] {
        self.0.get(self.0.len().saturating_sub(TAIL)..).unwrap_or(&self.0)
    }
}

fn too_large(megabytes: u64) -> ServiceError {
    ServiceError::TooLarge {
        code: ErrorCode::AttachmentTooLarge,
        message: format!("files may not be larger than {megabytes} MiB"),
    }
}

fn broken_off(error: &impl std::fmt::Display) -> ServiceError {
    tracing::debug!(error = %error, "an upload broke off");
    ServiceError::bad_request(ErrorCode::AttachmentError, "the upload is not complete")
}

/// A key without a word of the uploader's, under a two-level shard.
fn storage_key() -> String {
    let key = random_key();
    let (first, rest) = key.split_at(2);
    let (second, _) = rest.split_at(2);
    format!("{first}/{second}/{key}")
}

fn natural_key(actor: &Actor, new: &NewFile, ticket: Option<&TicketId>, measured: &Measured) -> String {
    fingerprint(&[
        &identity(&actor.person),
        &measured.sha256,
        &new.filename,
        new.context.as_str(),
        ticket.map_or("", TicketId::as_str),
        new.ticket_step_id.as_deref().unwrap_or_default(),
        new.field_label.as_deref().unwrap_or_default(),
    ])
}

/// The first upload, unless its key now stands for something else.
fn same_content(first: StoredFile, repeat: &StoredFile) -> Result<StoredFile, ServiceError> {
    if first.natural_key == repeat.natural_key {
        Ok(first)
    } else {
        Err(ServiceError::IdempotencyKeyReused)
    }
}

fn upload_key(actor: &Actor, (key, place): &(String, usize)) -> String {
    fingerprint(&[&identity(&actor.person), "upload", key, &place.to_string()])
}

fn attachment_id(repeat_key: &str, window: i64, salt: u32) -> AttachmentId {
    AttachmentId::derived(&fingerprint(&[
        repeat_key,
        &window.to_string(),
        &salt.to_string(),
    ]))
}

/// A file's name without folders, control characters and direction overrides, at most 255 bytes; its ending is kept.
pub(crate) fn clean_name(name: &str) -> String {
    let is_override =
        |c: char| matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{200E}' | '\u{200F}');
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .filter(|c| !c.is_control() && !is_override(*c))
        .collect();
    let clean = clean.trim();
    if clean.is_empty() || clean.chars().all(|c| c == '.') {
        return "file".to_owned();
    }
    let (stem, ending) = clean
        .rsplit_once('.')
        .map_or((clean, String::new()), |(stem, ending)| {
            (stem, format!(".{}", ending.chars().take(20).collect::<String>()))
        });
    let room = NAME_BYTES.saturating_sub(ending.len());
    let mut kept = String::new();
    for c in stem.chars() {
        if kept.len() + c.len_utf8() > room {
            break;
        }
        kept.push(c);
    }
    format!("{kept}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("spec.pdf", "spec.pdf")]
    #[case::direction_override("exe\u{202E}fdp.exe", "exefdp.exe")]
    #[case::nothing("", "file")]
    #[case::dots("...", "file")]
    fn names_are_cleaned(#[case] given: &str, #[case] kept: &str) {
        assert_eq!(clean_name(given), kept);
    }

    #[rstest]
    #[case::folders("../../etc/passwd")]
    #[case::windows_folders("C:\\temp\\a.txt")]
    #[case::parent("..")]
    #[case::nul("a\u{0}.txt")]
    #[case::line_break("a\r\nX-Header: b.txt")]
    fn names_that_no_file_has_are_refused(#[case] name: &str) {
        assert!(check_name(name).is_err());
    }

    #[test]
    fn names_may_be_as_long_as_file_systems_allow() {
        assert!(check_name(&"ä".repeat(255)).is_ok());
        assert!(check_name(&"a".repeat(256)).is_err());
    }

    #[test]
    fn a_tail_holds_the_last_bytes() {
        let mut tail = Tail::default();
        for n in 0..40_u8 {
            tail.add(&vec![n; 10_000]);
        }
        assert_eq!(tail.bytes().len(), TAIL);
        assert!(tail.bytes().ends_with(&[39; 10_000]));
    }

    #[test]
    fn long_names_keep_their_ending() {
        let name = clean_name(&format!("{}.pdf", "ä".repeat(300)));
        assert!(name.len() <= NAME_BYTES, "{name}");
        assert_eq!(name.rsplit_once('.').unwrap().1, "pdf");
    }
}
