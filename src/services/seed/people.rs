//! Personas and administrators of the development directory.

use super::{Seeded, operator};
use crate::app::App;
use crate::clients::development_directory::DevelopmentDirectory;
use crate::services::access::{GrantAdmin, GrantPersonas, PersonaFlags};

/// Gives everybody the rights that the people file names.
pub(super) async fn grant(
    app: &App,
    directory: &DevelopmentDirectory,
    progress: &mut impl FnMut(Seeded),
) -> anyhow::Result<()> {
    for person in directory.people() {
        let actor = app.access.actor_of(person.to_person(), Vec::new()).await?;
        let wanted = person.granted_personas();
        if actor.personas != wanted && !person.personas.is_empty() {
            let flags = PersonaFlags {
                designer: Some(wanted.designer),
                manager: Some(wanted.manager),
                agent: Some(wanted.agent),
            };
            let grant = GrantPersonas {
                email: person.email.clone(),
                display_name: person.display_name.clone(),
                aad_id: Some(person.aad_id.clone()),
                flags,
            };
            app.access.grant_personas(&grant, &operator()).await?;
        }
        if let Some(role) = person.admin_role
            && actor.admin_role != Some(role)
        {
            let grant = GrantAdmin {
                email: person.email.clone(),
                display_name: person.display_name.clone(),
                aad_id: Some(person.aad_id.clone()),
                role,
            };
            app.access.grant_admin(&grant, &operator()).await?;
        }
        progress(Seeded {
            what: format!("person {}", person.display_name),
        });
    }
    app.access.forget();
    Ok(())
}
