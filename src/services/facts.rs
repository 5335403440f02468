//! Facts: everything from outside that a decision depends on, fetched outside of the ticket's turn and with time-outs.

use crate::config::Settings;
use crate::domain::error::ServiceError;
use crate::domain::id::{AttachmentId, TicketId};
use crate::domain::person::{Actor, Email, Person};
use crate::domain::refusal::Refusal;
use crate::domain::ticket::Ticket;
use crate::domain::time::{Clock, Timestamp};
use crate::domain::workflow::VersionRef;
use crate::engine::facts::{ManagerFact, NamedAttachment, PersonFact, Policy};
use crate::engine::{Definitions, FactSheet, Need};
use crate::repositories::attachment_claims::{AttachmentClaims, Claim};
use crate::repositories::ticket_repo::TicketRepo;
use crate::repositories::user_access_repo::{UserAccessRepo, UserAccessRow};
use crate::services::definition_cache::DefinitionCache;
use crate::services::directory::Directory;
use crate::services::lookups::Lookups;
use crate::services::system_config::SystemConfigReader;
use chrono::NaiveDate;
use chrono_tz::Tz;
use mongodb::Database;
use std::sync::Arc;
use std::time::Duration;

/// How long one fact may take to be found.
const PATIENCE: Duration = Duration::from_secs(8);

/// Where facts come from; cheap to clone.
#[derive(Debug, Clone)]
pub struct FactSource(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    time_zone: Tz,
    recipient_domains: Vec<String>,
    system_config: SystemConfigReader,
    definitions: DefinitionCache,
    lookups: Lookups,
    directory: Directory,
    user_access: UserAccessRepo,
    files: AttachmentClaims,
    tickets: TicketRepo,
}

impl FactSource {
    /// The sources that the settings name.
    pub fn new(
        database: &Database,
        settings: &Settings,
        clock: &Clock,
        system_config: &SystemConfigReader,
        definitions: &DefinitionCache,
        lookups: &Lookups,
        directory: &Directory,
    ) -> Self {
        Self(Arc::new(Inner {
            clock: clock.clone(),
            time_zone: settings.business_time_zone,
            recipient_domains: settings.mail.recipient_domains.clone(),
            system_config: system_config.clone(),
            definitions: definitions.clone(),
            lookups: lookups.clone(),
            directory: directory.clone(),
            user_access: UserAccessRepo::new(database),
            files: AttachmentClaims::new(database),
            tickets: TicketRepo::new(database),
        }))
    }

    /// A sheet for a command of `actor`, with the policy in force and nothing looked up yet.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn sheet(&self, actor: Actor, correlation_id: String) -> Result<FactSheet, ServiceError> {
        let config = self.0.system_config.current().await?;
        let now = self.0.clock.now();
        let policy = Policy {
            today: self.today(now),
            default_sla_minutes: config.default_sla_minutes.clone(),
            mail_domains: self.0.recipient_domains.clone(),
        };
        Ok(FactSheet::new(actor, now, correlation_id, policy))
    }

    /// The date at `now` in the business time zone.
    pub fn today(&self, now: Timestamp) -> NaiveDate {
        now.to_chrono().with_timezone(&self.0.time_zone).date_naive()
    }

    /// Moves a sheet to the moment of its decision; never before `not_before`, so that a ticket's time does not run
    /// backwards between processes whose clocks differ.
    pub fn stamp(&self, sheet: &mut FactSheet, not_before: Option<Timestamp>) {
        let now = self.0.clock.now();
        sheet.now = not_before.map_or(now, |earliest| earliest.max(now));
        sheet.policy.today = self.today(sheet.now);
    }

    /// The current instant.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// The versions a ticket runs: its own, and those that run inside it already.
    ///
    /// # Errors
    /// The database is unavailable, or the ticket's own version is gone, which is a defect.
    pub async fn definitions_of(&self, ticket: &Ticket) -> Result<Definitions, ServiceError> {
        let pinned = ticket.workflow.version_ref();
        let Some(own) = self.0.definitions.get(&pinned).await? else {
            let text = format!("{} runs a version that is not stored", ticket.id);
            return Err(ServiceError::defect(text));
        };
        let mut definitions = Definitions::of(own);
        for run in ticket.steps.iter().filter_map(|step| step.embedded.as_ref()) {
            self.embed(&mut definitions, &run.version).await?;
        }
        Ok(definitions)
    }

    /// A published version on its own.
    ///
    /// # Errors
    /// The database is unavailable, or there is no such version.
    pub async fn definitions(&self, version: &VersionRef) -> Result<Definitions, ServiceError> {
        let found = self.0.definitions.get(version).await?;
        found.map(Definitions::of).ok_or_else(|| {
            ServiceError::Refused(Refusal::WorkflowNotFound {
                message: "this workflow has no such published version".to_owned(),
            })
        })
    }

    /// Adds an embedded version, or the knowledge that there is none.
    ///
    /// # Errors
    /// The database is unavailable.
    pub async fn embed(&self, into: &mut Definitions, version: &VersionRef) -> Result<(), ServiceError> {
        if !into.embedded.contains_key(version) {
            let found = self.0.definitions.get(version).await?;
            into.embedded.insert(version.clone(), found);
        }
        Ok(())
    }

    /// Fetches what `decide` found missing and adds it to the sheet; embedded versions go into `embedded`.
    ///
    /// # Errors
    /// A source is unavailable or too slow.
    pub async fn gather(
        &self,
        needs: Vec<Need>,
        sheet: &mut FactSheet,
        embedded: &mut Vec<VersionRef>,
    ) -> Result<(), ServiceError> {
        for need in needs {
            let fetched = tokio::time::timeout(PATIENCE, self.fetch(need, sheet, embedded)).await;
            fetched.map_err(|_| ServiceError::unavailable(anyhow::anyhow!("a fact took too long")))??;
        }
        Ok(())
    }

    async fn fetch(
        &self,
        need: Need,
        sheet: &mut FactSheet,
        embedded: &mut Vec<VersionRef>,
    ) -> Result<(), ServiceError> {
        match need {
            Need::Manager => {
                let requester = &sheet.actor.person;
                let manager = self.0.directory.manager_of(requester, requester).await;
                let person = manager.map(|manager| manager.to_person());
                sheet.manager = Some(ManagerFact { person });
            }
            Need::Person(email) => {
                let person = self.person(&sheet.actor.person, email).await?;
                sheet.people.push(person);
            }
            Need::Lookup(question) => sheet.lookups.push(self.0.lookups.answer(question).await?),
            Need::Attachments(ids) => sheet.attachments.extend(self.attachments(ids).await?),
            Need::Embedded(version) => embedded.push(version),
        }
        Ok(())
    }

    async fn person(&self, caller: &Person, email: Email) -> Result<PersonFact, ServiceError> {
        let found = self.0.directory.record_of(caller, &email).await;
        let person = found.map(|user| user.to_person());
        let asked = person
            .clone()
            .unwrap_or_else(|| Person::from_email(email.clone()));
        let manager = self.0.directory.manager_of(caller, &asked).await;
        let row = self.0.user_access.known(&asked).await?;
        Ok(PersonFact {
            manager: manager.map(|manager| manager.to_person()),
            person,
            revoked: row.as_ref().is_some_and(|row| !row.is_active),
            personas: row.as_ref().map(UserAccessRow::personas).unwrap_or_default(),
            taken_away: row.as_ref().map(UserAccessRow::taken_away).unwrap_or_default(),
            email,
        })
    }

    async fn attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<NamedAttachment>, ServiceError> {
        let facts = self.0.files.facts(&ids).await?;
        let named = ids.into_iter().map(|id| NamedAttachment {
            fact: facts.iter().find(|fact| fact.id == id).cloned(),
            id,
        });
        Ok(named.collect())
    }

    /// Claims files for a command that `decide` has accepted (design 3, attachments).
    ///
    /// # Errors
    /// A file was claimed by another command or became another ticket's meanwhile; what was claimed is given back.
    pub async fn claim(
        &self,
        ids: &[AttachmentId],
        ticket_id: &TicketId,
        key: &str,
    ) -> Result<(), ServiceError> {
        for id in ids {
            let claim = Claim {
                ticket_id,
                key,
                now: self.now(),
            };
            if self.belongs_to_earlier_command(id, ticket_id, key).await?
                || !self.0.files.claim(id, claim).await?
            {
                self.release(ids, ticket_id, key).await;
                return Err(Refusal::AttachmentRefused(id.to_string()).into());
            }
        }
        Ok(())
    }

    /// Whether an expired claim is that of a committed command whose link the relay has not carried on yet.
    async fn belongs_to_earlier_command(
        &self,
        id: &AttachmentId,
        ticket_id: &TicketId,
        key: &str,
    ) -> Result<bool, ServiceError> {
        let Some(found) = self.0.files.found_claim(id).await? else {
            return Ok(false);
        };
        if found.until >= self.now() || (found.ticket_id == *ticket_id && found.key == key) {
            return Ok(false);
        }
        if found.ticket_id == *ticket_id {
            return Ok(false);
        }
        let owner = self.0.tickets.load(&found.ticket_id).await?;
        Ok(owner.is_some_and(|owner| owner.recent_keys.iter().any(|recent| recent.key == found.key)))
    }

    /// Gives back what a refused command claimed; a claim that cannot be given back expires within a minute.
    pub async fn release(&self, ids: &[AttachmentId], ticket_id: &TicketId, key: &str) {
        if let Err(error) = self.0.files.release(ids, ticket_id, key).await {
            tracing::warn!(error = %error, "claims on files could not be given back; they expire within a minute");
        }
    }
}
