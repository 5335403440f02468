//! Access administration (contract http-admin-notifications 4 to 8).

mod admins;
mod bootstrap;
mod operator;
mod personas;
