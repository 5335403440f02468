//! Access from the command line: tokens of development, administrators, and the bootstrap's latch.

use super::print;
use crate::config::Settings;
use crate::domain::person::{AdminRole, Email};
use crate::domain::time::Clock;
use crate::repositories::admin_user_repo::role_word;
use crate::services::access::{AccessService, ChangedBy, GrantAdmin};
use crate::{auth, lifecycle, telemetry};
use anyhow::Context;
use clap::{Subcommand, ValueEnum};

/// What can be done with administrators.
#[derive(Debug, Subcommand)]
pub enum AdminCommand {
    /// List administrators, the highest role first.
    List,
    /// Give a person a role.
    Grant {
        /// The person's address.
        email: String,
        /// The role.
        #[arg(value_enum, default_value = "super-admin")]
        role: Role,
        /// The person's name; made from the address when absent.
        #[arg(long)]
        name: Option<String>,
    },
    /// Take a person's role away.
    Revoke {
        /// The person's address.
        email: String,
    },
}

/// What can be done with the bootstrap of the first super administrator.
#[derive(Debug, Subcommand)]
pub enum BootstrapCommand {
    /// Open it again, when no super administrator is left.
    Reset,
}

/// An administrator's role on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Role {
    /// May design workflows.
    Designer,
    /// May govern everything but the administrators themselves.
    Admin,
    /// May govern everything.
    SuperAdmin,
}

impl From<Role> for AdminRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Designer => Self::Designer,
            Role::Admin => Self::Admin,
            Role::SuperAdmin => Self::SuperAdmin,
        }
    }
}

/// Prints a token of development for the person with this address.
pub(super) fn token(email: &str) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    let authenticator = auth::Authenticator::new(&settings, &Clock::System)?;
    let issuer = authenticator
        .dev_issuer()
        .context("tokens are minted in development only (AUTH_MODE=dev)")?;
    print(&issuer.mint(&parse(email)?)?.token)
}

/// Carries out a command about administrators.
pub(super) async fn admin(command: AdminCommand) -> anyhow::Result<()> {
    with_access(async |access| match command {
        AdminCommand::List => list(access).await,
        AdminCommand::Grant { email, role, name } => grant(access, &email, role, name).await,
        AdminCommand::Revoke { email } => {
            let row = access
                .revoke_admin(&parse(&email)?, &ChangedBy::operator())
                .await?;
            print(&format!(
                "{} no longer has the role {}",
                row.email,
                role_word(row.role)
            ))
        }
    })
    .await
}

/// Carries out a command about the bootstrap.
pub(super) async fn bootstrap(command: BootstrapCommand) -> anyhow::Result<()> {
    let BootstrapCommand::Reset = command;
    with_access(async |access| {
        access.reset_bootstrap().await?;
        print("the bootstrap is open again")
    })
    .await
}

async fn list(access: &AccessService) -> anyhow::Result<()> {
    let (rows, total) = access.list_admins(None, true, 0, 1_000).await?;
    for row in &rows {
        let state = if row.is_active { "active" } else { "inactive" };
        print(&format!(
            "{:<12} {state:<9} {}  {}",
            role_word(row.role),
            row.email,
            row.display_name
        ))?;
    }
    print(&format!("{total} in all"))
}

async fn grant(access: &AccessService, email: &str, role: Role, name: Option<String>) -> anyhow::Result<()> {
    let email = parse(email)?;
    let grant = GrantAdmin {
        display_name: name.unwrap_or_else(|| email.to_display_name()),
        email,
        aad_id: None,
        role: role.into(),
    };
    let row = access.grant_admin(&grant, &ChangedBy::operator()).await?;
    print(&format!("{} now has the role {}", row.email, role_word(row.role)))
}

/// Opens the database, does the work, and leaves the database as it was.
async fn with_access(work: impl AsyncFnOnce(&AccessService) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let settings = Settings::load()?;
    telemetry::init_logging(&settings.log)?;
    let (app, embedded) = lifecycle::start(settings).await?;
    let done = work(&app.access).await;
    if let Some(server) = embedded {
        server.stop().await;
    }
    done
}

fn parse(email: &str) -> anyhow::Result<Email> {
    Email::try_from(email).with_context(|| format!("{email} is not an e-mail address"))
}
