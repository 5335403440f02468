//! Where attachments are kept, and which are taken.

use super::Reader;
use crate::config::AttachmentSettings;
use std::path::{Path, PathBuf};
use url::Url;

const DEFAULT_MIME_TYPES: &str = "application/pdf,image/png,image/jpeg,image/gif,application/msword,\
application/vnd.openxmlformats-officedocument.wordprocessingml.document,application/vnd.ms-excel,\
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet,text/plain,text/csv";

impl Reader {
    pub(in crate::config) fn attachments(&mut self, storage: &Path) -> AttachmentSettings {
        let default_folder = storage.join("attachments");
        let folder = PathBuf::from(self.text_or("ATTACHMENTS_BASE_PATH", &default_folder.to_string_lossy()));
        let store_url = match self.text("ATTACHMENTS_URL") {
            Some(text) => Url::parse(&text).ok().filter(|url| {
                matches!(
                    url.scheme(),
                    "file" | "s3" | "s3a" | "az" | "azure" | "abfs" | "abfss" | "gs" | "memory"
                )
            }),
            None => std::path::absolute(&folder)
                .ok()
                .and_then(|path| Url::from_directory_path(path).ok()),
        };
        let store_url = store_url.unwrap_or_else(|| {
            self.problem("ATTACHMENTS_URL must be a file://, s3://, az:// or gs:// address");
            Url::from_directory_path("/").unwrap_or_else(|()| unreachable!("the root folder has an address"))
        });
        let types = self.text_or("ALLOWED_MIME_TYPES", DEFAULT_MIME_TYPES);
        let allowed_mime_types: Vec<_> = types
            .split(',')
            .map(|part| part.trim().to_lowercase())
            .filter(|part| !part.is_empty())
            .collect();
        if allowed_mime_types
            .iter()
            .any(|part| part.split('/').filter(|half| !half.is_empty()).count() != 2)
        {
            self.problem("ALLOWED_MIME_TYPES must be a comma list of types like application/pdf");
        }
        AttachmentSettings {
            store_url,
            store_options: self.sources.store_options(),
            max_mb: self.number_or("ATTACHMENTS_MAX_MB", 50, 1, 1_024),
            allowed_mime_types,
        }
    }
}
