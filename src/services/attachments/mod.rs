//! Files: uploaded by a stream, seen by those who see their ticket, swept when nobody uses them (contract http-workflows 6).

mod file_type;
mod sweep;
mod upload;

pub(crate) use upload::clean_name;

pub use upload::{NewFile, Uploaded};

use crate::clients::object_store::{FileReader, FileStore, StoreError};
use crate::domain::error::{ErrorCode, ServiceError};
use crate::domain::id::{AttachmentId, TicketId};
use crate::domain::person::Actor;
use crate::domain::stored_file::{FileContext, StoredFile};
use crate::domain::ticket::Ticket;
use crate::domain::time::Clock;
use crate::engine::permission_guard;
use crate::repositories::attachment_claims::AttachmentClaims;
use crate::repositories::attachment_repo::AttachmentRepo;
use crate::repositories::ticket_repo::TicketRepo;
use crate::services::system_config::SystemConfigReader;
use crate::services::tickets::{ticket_id, unknown_ticket};
use bson::Document;
use mongodb::Database;
use std::ops::Range;

/// The files service; cheap to clone.
#[derive(Debug, Clone)]
pub struct Attachments {
    repo: AttachmentRepo,
    claims: AttachmentClaims,
    tickets: TicketRepo,
    store: FileStore,
    config: SystemConfigReader,
    clock: Clock,
}

/// A change of what is recorded of a file; absent fields stay.
#[derive(Debug, Clone, Default)]
pub struct ChangeFile {
    /// What the uploader says of it.
    pub description: Option<String>,
    /// The step it was given on.
    pub ticket_step_id: Option<String>,
    /// Where it was given.
    pub context: Option<FileContext>,
    /// The name of that step.
    pub step_name: Option<String>,
}

impl ChangeFile {
    /// The names of the fields that it changes, and their values.
    fn fields(&self) -> (Vec<&'static str>, Document) {
        let mut set = Document::new();
        let mut names = Vec::new();
        let texts = [
            ("description", self.description.as_deref()),
            ("ticket_step_id", self.ticket_step_id.as_deref()),
            ("context", self.context.map(FileContext::as_str)),
            ("step_name", self.step_name.as_deref()),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                names.push(name);
                set.insert(name, text);
            }
        }
        (names, set)
    }
}

impl Attachments {
    /// The service over `database` and `store`.
    pub fn new(database: &Database, store: FileStore, config: &SystemConfigReader, clock: &Clock) -> Self {
        Self {
            repo: AttachmentRepo::new(database),
            claims: AttachmentClaims::new(database),
            tickets: TicketRepo::new(database),
            store,
            config: config.clone(),
            clock: clock.clone(),
        }
    }

    /// A ticket's files, the newest first.
    ///
    /// # Errors
    /// There is no such ticket, the caller may not see it, or the database is unavailable.
    pub async fn of_ticket(&self, actor: &Actor, ticket: &str) -> Result<Vec<StoredFile>, ServiceError> {
        let id = ticket_id(ticket)?;
        self.visible_ticket(actor, &id).await?;
        Ok(self.repo.of_ticket(&id).await?)
    }

    /// What is recorded of a file.
    ///
    /// # Errors
    /// There is no such file, the caller may not see it, or the database is unavailable.
    pub async fn info(&self, actor: &Actor, id: &str) -> Result<StoredFile, ServiceError> {
        let file = self.find(id).await?;
        match &file.ticket_id {
            Some(ticket) => {
                self.visible_ticket(actor, ticket).await?;
            }
            None if actor.is_admin() || file.uploaded_by.is_same(&actor.person) => {}
            None => return Err(foreign()),
        }
        Ok(file)
    }

    /// The bytes of a file that the caller may see, or a part of them.
    ///
    /// # Errors
    /// The bytes are gone, or the object store is unavailable.
    pub async fn read(
        &self,
        file: &StoredFile,
        part: Option<Range<u64>>,
    ) -> Result<FileReader, ServiceError> {
        if file.missing_since.is_some() {
            return Err(ServiceError::not_found(
                ErrorCode::AttachmentNotFound,
                "the bytes of this attachment were missing when it was imported",
            ));
        }
        match self.store.read(&file.storage_key, part).await {
            Ok(reader) => Ok(reader),
            Err(StoreError::Missing) => {
                tracing::error!(attachment.id = %file.id, "the bytes of a file are gone");
                Err(unknown_file())
            }
            Err(error) => Err(store_unavailable(error)),
        }
    }

    /// Changes what is recorded of a file; returns the names of the changed fields.
    ///
    /// # Errors
    /// There is no such file, the caller is neither its uploader nor has the ticket in hand, nothing is to be changed, or
    /// the database is unavailable.
    pub async fn change(
        &self,
        actor: &Actor,
        id: &str,
        change: &ChangeFile,
    ) -> Result<Vec<&'static str>, ServiceError> {
        let file = self.info(actor, id).await?;
        if !file.uploaded_by.is_same(&actor.person) {
            let ticket = file.ticket_id.as_ref().ok_or_else(foreign)?;
            let ticket = self.visible_ticket(actor, ticket).await?;
            if !has_in_hand(&ticket, actor) {
                return Err(foreign());
            }
        }
        let (names, set) = change.fields();
        if names.is_empty() {
            return Err(ServiceError::bad_request(
                ErrorCode::ValidationError,
                "nothing is to be changed",
            ));
        }
        self.repo.set(&file.id, set).await?.ok_or_else(unknown_file)?;
        Ok(names)
    }

    /// Removes a file: its bytes, then its record.
    ///
    /// # Errors
    /// There is no such file, the caller is neither its uploader nor an administrator, a command is using it just now,
    /// or the database or the object store is unavailable.
    pub async fn remove(&self, actor: &Actor, id: &str) -> Result<(), ServiceError> {
        let file = self.info(actor, id).await?;
        if !actor.is_admin() && !file.uploaded_by.is_same(&actor.person) {
            return Err(foreign());
        }
        if !self.repo.begin_removal(&file.id, self.clock.now()).await? {
            return Err(ServiceError::conflict(
                ErrorCode::Conflict,
                "this file is being used; try again",
            ));
        }
        self.end_removal(&file).await
    }

    async fn end_removal(&self, file: &StoredFile) -> Result<(), ServiceError> {
        self.store
            .remove(&file.storage_key)
            .await
            .map_err(store_unavailable)?;
        Ok(self.repo.end_removal(&file.id).await?)
    }

    async fn find(&self, id: &str) -> Result<StoredFile, ServiceError> {
        let id = AttachmentId::try_from(id.to_owned()).map_err(|_| unknown_file())?;
        self.repo.find(&id).await?.ok_or_else(unknown_file)
    }

    async fn visible_ticket(&self, actor: &Actor, id: &TicketId) -> Result<Ticket, ServiceError> {
        let stored = self.tickets.read(id).await?.ok_or_else(unknown_ticket)?;
        if permission_guard::may_see(&stored.ticket, actor) {
            return Ok(stored.ticket);
        }
        Err(foreign())
    }
}

/// Whether the person decides on the ticket now: its requester, its manager, or who has one of its live steps.
fn has_in_hand(ticket: &Ticket, actor: &Actor) -> bool {
    let steps = ticket.steps.iter().filter(|step| step.is_live());
    let people = steps
        .filter_map(|step| step.assignee.as_ref())
        .chain(&ticket.manager)
        .chain([&ticket.requester]);
    people.into_iter().any(|person| person.is_same(&actor.person))
}

fn unknown_file() -> ServiceError {
    ServiceError::not_found(ErrorCode::AttachmentNotFound, "there is no such attachment")
}

fn foreign() -> ServiceError {
    ServiceError::forbidden("this attachment is not yours")
}

fn store_unavailable(error: StoreError) -> ServiceError {
    ServiceError::External {
        code: ErrorCode::AttachmentError,
        message: "the file store is unavailable",
        source: Some(error.into()),
    }
}
