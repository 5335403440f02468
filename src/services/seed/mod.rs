//! What development starts with: rights for the people of the development directory, the workflows of
//! `config/workflows`, and ten tickets in different states. Running it again changes nothing.

mod people;
mod tickets;
mod workflows;

use crate::app::App;
use crate::clients::development_directory::DevelopmentDirectory;
use crate::domain::person::{Actor, Email};
use crate::services::access::ChangedBy;
use std::path::PathBuf;

/// Where the definitions are.
const DEFINITIONS: &str = "config/workflows";

/// One piece of seeding, for a progress bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeded {
    /// What was made, or was there already.
    pub what: String,
}

/// Seeds everything; `progress` hears of each piece.
///
/// # Errors
/// The people file or a definition cannot be read, or the database is unavailable.
pub async fn seed(app: &App, mut progress: impl FnMut(Seeded)) -> anyhow::Result<()> {
    let directory = DevelopmentDirectory::load(&app.settings.directory.people_file)?;
    people::grant(app, &directory, &mut progress).await?;
    let published = workflows::publish(app, &directory, &PathBuf::from(DEFINITIONS), &mut progress).await?;
    tickets::raise(app, &directory, &published, &mut progress).await
}

/// Acts as a person of the development directory, with the person's rights.
async fn acting(app: &App, directory: &DevelopmentDirectory, email: &str) -> anyhow::Result<Actor> {
    let email = Email::try_from(email)?;
    let person = directory
        .by_email(&email)
        .ok_or_else(|| anyhow::anyhow!("{email} is not in the people file"))?;
    Ok(app.access.actor_of(person.to_person(), Vec::new()).await?)
}

/// Who grants rights while seeding.
fn operator() -> ChangedBy {
    ChangedBy::operator()
}
