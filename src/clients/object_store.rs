//! Where the bytes of files are: a folder, or a cloud's object store (design 6, `ATTACHMENTS_URL`).

use crate::config::AttachmentSettings;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::buffered::BufWriter;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, ObjectStoreScheme, RetryConfig};
use secrecy::ExposeSecret;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How long the store may take for one step: a part, the completion, a deletion.
const STEP: Duration = Duration::from_secs(15);
/// Smaller files are written to a cloud at once, larger ones in parts of this size, in bytes; S3 takes no smaller ones.
const CLOUD_PART: usize = 5 << 20;
/// The same for a folder.
const FOLDER_PART: usize = 1 << 20;
/// Parts under way beside the one being filled; together they are what an upload holds in memory.
const PARTS_UNDER_WAY: usize = 1;

/// The store does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There are no bytes under this key.
    #[error("the object store has no such object")]
    Missing,
    /// It failed.
    #[error("the object store failed")]
    Failed(#[source] object_store::Error),
    /// It failed while writing.
    #[error("the object store failed while writing")]
    Write(#[source] std::io::Error),
    /// It did not answer in time.
    #[error("the object store did not answer in time")]
    TimedOut,
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            Self::Missing
        } else {
            Self::Failed(error)
        }
    }
}

/// The bytes of files; cheap to clone.
#[derive(Debug, Clone)]
pub struct FileStore {
    objects: Arc<dyn ObjectStore>,
    part: usize,
}

/// A file being written; nothing is there until it is finished.
pub struct FileWriter(BufWriter);

/// A file being read.
pub struct FileReader {
    /// The length of the whole file in bytes.
    pub size: u64,
    /// Which of its bytes these are.
    pub range: Range<u64>,
    /// The bytes.
    pub bytes: BoxStream<'static, object_store::Result<Bytes>>,
}

/// An object as listed.
#[derive(Debug, Clone)]
pub struct ListedObject {
    /// Its key.
    pub key: String,
    /// When it was written.
    pub written_at: DateTime<Utc>,
}

impl FileStore {
    /// Opens the store of the settings; a folder is created.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn open(settings: &AttachmentSettings) -> anyhow::Result<Self> {
        let url = &settings.store_url;
        if url.scheme() == "file" {
            let folder = url
                .to_file_path()
                .map_err(|()| anyhow::anyhow!("ATTACHMENTS_URL names no folder of this machine"))?;
            std::fs::create_dir_all(&folder).map_err(|error| {
                anyhow::anyhow!("the folder {} cannot be used: {error}", folder.display())
            })?;
            let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(true);
            return Ok(Self {
                objects: Arc::new(store),
                part: FOLDER_PART,
            });
        }
        let options = settings.store_options.iter();
        let options = options.map(|(name, value)| (name.as_str(), value.expose_secret()));
        let (scheme, prefix) = ObjectStoreScheme::parse(url)?;
        let prefix = Path::parse(prefix)?;
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the list is the library's to lengthen; what is not a cloud's needs no bounds"
        )]
        let store: Arc<dyn ObjectStore> = match scheme {
            ObjectStoreScheme::AmazonS3 => {
                let store = AmazonS3Builder::new()
                    .with_url(url.as_str())
                    .with_retry(retries());
                Arc::new(configured(store, options, AmazonS3Builder::with_config).build()?)
            }
            ObjectStoreScheme::MicrosoftAzure => {
                let store = MicrosoftAzureBuilder::new()
                    .with_url(url.as_str())
                    .with_retry(retries());
                Arc::new(configured(store, options, MicrosoftAzureBuilder::with_config).build()?)
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                let store = GoogleCloudStorageBuilder::new()
                    .with_url(url.as_str())
                    .with_retry(retries());
                Arc::new(configured(store, options, GoogleCloudStorageBuilder::with_config).build()?)
            }
            _ => Arc::from(object_store::parse_url(url)?.0),
        };
        Ok(Self {
            objects: Arc::new(PrefixStore::new(store, prefix)),
            part: CLOUD_PART,
        })
    }

    /// Begins a file.
    pub fn write(&self, key: &str) -> FileWriter {
        let writer = BufWriter::with_capacity(Arc::clone(&self.objects), Path::from(key), self.part);
        FileWriter(writer.with_max_concurrency(PARTS_UNDER_WAY))
    }

    /// Opens a file, or a part of it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read(&self, key: &str, part: Option<Range<u64>>) -> Result<FileReader, StoreError> {
        let path = Path::from(key);
        let options = GetOptions {
            range: part.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        let found = in_time(async { Ok(self.objects.get_opts(&path, options).await?) }).await?;
        Ok(FileReader {
            size: found.meta.size,
            range: found.range.clone(),
            bytes: found.into_stream(),
        })
    }

    /// Removes a file; one that is not there is as good as removed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove(&self, key: &str) -> Result<(), StoreError> {
        let path = Path::from(key);
        match in_time(async { Ok(self.objects.delete(&path).await?) }).await {
            Err(StoreError::Missing) => Ok(()),
            other => other,
        }
    }

    /// Every file there is.
    pub fn list(&self) -> BoxStream<'static, Result<ListedObject, StoreError>> {
        let listed = self.objects.list(None).map_err(StoreError::from);
        listed
            .map_ok(|object| ListedObject {
                key: object.location.to_string(),
                written_at: object.last_modified,
            })
            .boxed()
    }
}

impl FileWriter {
    /// Adds bytes.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        in_time(async { Ok(self.0.put(bytes).await?) }).await
    }

    /// Makes the file visible, all of it on stable storage.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish(mut self) -> Result<(), StoreError> {
        in_time(async { self.0.shutdown().await.map_err(StoreError::Write) }).await
    }

    /// Throws away what was written; the sweep removes what cannot be thrown away now.
    pub async fn abort(mut self) {
        let aborted = in_time(async { Ok(self.0.abort().await?) }).await;
        if let Err(error) = aborted {
            tracing::debug!(error = %error, "an unfinished file could not be thrown away");
        }
    }
}

/// Sets the options that the store knows; the environment has others of the same prefix.
fn configured<'a, B, K: FromStr>(
    builder: B,
    options: impl Iterator<Item = (&'a str, &'a str)>,
    set: impl Fn(B, K, &'a str) -> B,
) -> B {
    options
        .filter_map(|(name, value)| Some((name.parse().ok()?, value)))
        .fold(builder, |builder, (key, value)| set(builder, key, value))
}

/// A store that is away is found out while somebody still waits for the answer.
fn retries() -> RetryConfig {
    RetryConfig {
        max_retries: 3,
        retry_timeout: STEP / 3,
        ..RetryConfig::default()
    }
}

async fn in_time<T>(step: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(STEP, step)
        .await
        .map_err(|_| StoreError::TimedOut)?
}
