//! Whole flows through the engine, one file per theme.

mod actions;
mod corpus;
mod embedded;
mod flows;
mod forks;
mod forms;
mod graphs;
mod guard_table;
mod hazards;
mod invariants;
mod notices;
mod offers;
mod properties;
mod publish;
mod sla;
