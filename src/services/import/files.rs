//! Uploaded files: their records, and their bytes from the folder that the reference kept them in.

use super::stage::{Notes, Stage, next_batch, subject};
use super::{Importer, Mode, families, person};
use crate::clients::object_store::FileStore;
use crate::domain::id::{AttachmentId, TicketId, hex12};
use crate::domain::import::RepairRule;
use crate::domain::stored_file::{FileContext, StoredFile};
use crate::domain::time::Timestamp;
use crate::repositories::attachment_claims::COLLECTION;
use crate::repositories::attachment_repo::AttachmentRepo;
use crate::repositories::legacy::Fields;
use crate::services::attachments::clean_name;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::path::{Component, Path, PathBuf};
use tokio::io::AsyncReadExt;

/// How many bytes are read at once.
const PIECE: usize = 1 << 20;

/// Where bytes come from and go to.
#[derive(Debug, Clone)]
pub(super) struct Bytestreams {
    /// The reference's folder.
    pub(super) folder: PathBuf,
    /// Our store; none in a dry run.
    pub(super) store: Option<FileStore>,
}

/// What was found of a file's bytes.
struct Found {
    size: i64,
    sha256: String,
}

impl Importer {
    /// Imports files; those whose bytes are missing are recorded all the same.
    pub(super) async fn files(&self) -> anyhow::Result<()> {
        let stage = Stage::Files;
        let mut state = self.begin(stage).await?;
        if state.done {
            return Ok(());
        }
        let mut documents = self.legacy.walk(stage.collection(), state.last.as_ref()).await?;
        loop {
            let batch = next_batch(&mut documents).await?;
            let Some(last) = batch.last().and_then(|document| document.get("_id")).cloned() else {
                return self.end(stage, state).await;
            };
            let mut notes = Notes::new(stage.collection());
            let mut rows = Vec::with_capacity(batch.len());
            for document in &batch {
                let fields = Fields(document);
                let owner = self.owner_of(fields, &mut notes);
                rows.push(self.file(fields, owner, &mut notes).await?);
            }
            notes.tally.read = i64::try_from(batch.len()).unwrap_or(i64::MAX);
            notes.tally.made = i64::try_from(rows.len()).unwrap_or(i64::MAX);
            let inserted = self.store(COLLECTION, &rows, &mut notes).await?;
            if let (Mode::DryRun, Some(family)) = (self.mode, families::of(stage)) {
                let made: Vec<bson::Document> = rows
                    .iter()
                    .map(bson::serialize_to_document)
                    .collect::<Result<_, _>>()?;
                self.compare_family(family, &batch, &made, &notes.findings);
            }
            if self.mode == Mode::Write && inserted < rows.len() {
                self.fill_in(&rows).await?;
            }
            self.advance(stage, &mut state, last, notes).await?;
        }
    }

    /// The ticket that a file belongs to, by the reference or because the ticket names it.
    fn owner_of(&self, fields: Fields<'_>, notes: &mut Notes) -> Option<TicketId> {
        if let Some(ticket) = fields.text("ticket_id") {
            return Some(TicketId::from_stored(ticket));
        }
        let id = subject(fields, "attachment_id");
        let ticket = self.loose_files.adopted_by(&id)?;
        // Counted as a repair of the ticket.
        let remark = format!("it has become a file of {ticket}, which names it");
        notes.explain(RepairRule::UnlinkedFile, &id, remark);
        Some(ticket)
    }

    /// Completes records that an earlier import stored without bytes, or before their ticket.
    async fn fill_in(&self, rows: &[StoredFile]) -> anyhow::Result<()> {
        let repo = AttachmentRepo::new(&self.database);
        for row in rows {
            if row.missing_since.is_none() {
                repo.found_again(row).await?;
            }
            if row.ticket_id.is_some() {
                repo.linked_since(row).await?;
            }
        }
        Ok(())
    }

    /// A file's record; its bytes are stored first.
    pub(super) async fn file(
        &self,
        fields: Fields<'_>,
        owner: Option<TicketId>,
        notes: &mut Notes,
    ) -> anyhow::Result<StoredFile> {
        let id = subject(fields, "attachment_id");
        let storage_key = storage_key(&id);
        let found = self.bytes(fields, &id, &storage_key, notes).await?;
        let told = fields.whole("size_bytes").unwrap_or(0);
        let named = fields.text("original_filename").unwrap_or_default();
        let name = clean_name(named);
        if name != named {
            notes.tell(RepairRule::FileNameCleaned, &id, format!("it is called {name:?}"));
        }
        Ok(StoredFile {
            ticket_id: owner,
            ticket_step_id: fields.owned("ticket_step_id"),
            step_name: fields.owned("step_name"),
            field_label: fields.owned("field_label"),
            description: fields.owned("description"),
            context: fields.word("context").unwrap_or(FileContext::Ticket),
            original_filename: name,
            mime_type: fields
                .owned("mime_type")
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
            size_bytes: found.as_ref().map_or(told, |found| found.size),
            missing_since: found.is_none().then_some(self.started_at),
            sha256: found.map(|found| found.sha256).unwrap_or_default(),
            storage_key,
            uploaded_by: person::of(fields, "uploaded_by"),
            uploaded_at: fields.instant("uploaded_at").unwrap_or(Timestamp::from_millis(0)),
            natural_key: format!("import:{id}"),
            upload_key: None,
            id: AttachmentId::from_stored(id),
        })
    }

    /// Copies a file's bytes; none when they are not there.
    async fn bytes(
        &self,
        fields: Fields<'_>,
        id: &str,
        key: &str,
        notes: &mut Notes,
    ) -> anyhow::Result<Option<Found>> {
        let Some(streams) = &self.bytes else {
            notes.tell(RepairRule::FileMissing, id, "no folder with the bytes was named");
            return Ok(None);
        };
        let told = fields.text("storage_path").unwrap_or_default();
        let Some(path) = within(&streams.folder, told) else {
            let remark = format!("its path leads out of the folder: {told}");
            notes.tell(RepairRule::FileOutsideFolder, id, remark);
            return Ok(None);
        };
        let Some(found) = copy(&path, streams.store.as_ref(), key).await? else {
            notes.tell(
                RepairRule::FileMissing,
                id,
                format!("there is no {told} in the folder"),
            );
            return Ok(None);
        };
        let size = fields.whole("size_bytes");
        if size.is_some_and(|size| size != found.size) {
            let remark = format!("recorded with {size:?} bytes, found {}", found.size);
            notes.tell(RepairRule::FileMissing, id, remark);
        }
        Ok(Some(found))
    }
}

/// The same file always gets the same place; no part of it comes from the uploader.
fn storage_key(id: &str) -> String {
    let name = hex12(id);
    let (first, rest) = name.split_at(2);
    let (second, _) = rest.split_at(2);
    format!("{first}/{second}/import-{name}")
}

/// A path below the folder; none when it leads out of it.
fn within(folder: &Path, told: &str) -> Option<PathBuf> {
    let relative = Path::new(told);
    let is_plain = relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    (is_plain && !told.is_empty() && !told.contains('\0')).then(|| folder.join(relative))
}

/// Copies a file while it is measured and hashed; only measures it without a store. None when it is not there.
async fn copy(path: &Path, store: Option<&FileStore>, key: &str) -> anyhow::Result<Option<Found>> {
    let is_file = tokio::fs::metadata(path).await.is_ok_and(|meta| meta.is_file());
    // A link may lead anywhere.
    let is_link = tokio::fs::symlink_metadata(path)
        .await
        .is_ok_and(|meta| meta.is_symlink());
    if !is_file || is_link {
        return Ok(None);
    }
    let mut file = tokio::fs::File::open(path).await?;
    let mut writer = store.map(|store| store.write(key));
    let (mut digest, mut size) = (Sha256::new(), 0_i64);
    let mut piece = vec![0; PIECE];
    loop {
        let length = file.read(&mut piece).await?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else {
            break;
        };
        digest.update(read);
        size += i64::try_from(length)?;
        if let Some(writer) = &mut writer {
            writer.put(Bytes::copy_from_slice(read)).await?;
        }
    }
    if let Some(writer) = writer {
        writer.finish().await?;
    }
    Ok(Some(Found {
        size,
        sha256: hex::encode(digest.finalize()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let folder = Path::new("/files");
        assert_eq!(
            within(folder, "TKT-1/ATT-1_a.pdf"),
            Some(PathBuf::from("/files/TKT-1/ATT-1_a.pdf"))
        );
        for told in ["", "../x", "/etc/passwd", "temp/../../x", "a\0b"] {
            assert_eq!(within(folder, told), None, "{told:?}");
        }
    }
}
