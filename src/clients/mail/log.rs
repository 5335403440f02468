//! The transport of development: a line in the log and, where a folder is given, the whole message as a file.

use super::message::Envelope;
use super::{MailError, OutgoingMail, Receipt, short};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct LogTransport {
    folder: Option<PathBuf>,
}

impl LogTransport {
    pub(super) const fn new(folder: Option<PathBuf>) -> Self {
        Self { folder }
    }

    pub(super) async fn send(&self, envelope: &Envelope, mail: &OutgoingMail) -> Result<Receipt, MailError> {
        let message = envelope.message(mail)?;
        let file_name = format!("{}.eml", mail.notification_id);
        if let Some(folder) = &self.folder {
            write_file(folder, &file_name, &message.formatted()).await?;
        }
        tracing::info!(
            notification.id = %mail.notification_id,
            mail.bytes = mail.html.len(),
            "a mail was logged instead of sent"
        );
        Ok(Receipt {
            provider_message_id: self.folder.as_ref().map(|_| file_name),
        })
    }
}

/// Writes beside and renames, so that a reader never finds half a message.
async fn write_file(folder: &Path, name: &str, content: &[u8]) -> Result<(), MailError> {
    let failed = |error: std::io::Error| MailError::Passing {
        reason: short(&format!("mail folder: {error}")),
        retry_after: None,
    };
    tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    let unfinished = folder.join(format!("{name}.part"));
    tokio::fs::write(&unfinished, content).await.map_err(failed)?;
    tokio::fs::rename(&unfinished, folder.join(name))
        .await
        .map_err(failed)
}
