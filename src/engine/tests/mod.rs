//! Whole flows through the engine, one file per theme.

mod actions;
mod embedded;
mod flows;
mod forks;
mod forms;
mod guard_table;
mod hazards;
mod notices;
mod offers;
mod properties;
mod publish;
mod random_graphs;
mod sla;
mod take_up;

use super::testing::{corpus, graphs, invariants};
