//! Imports of generated databases in the reference's shapes, into databases of their own on this run's server.

mod bars;
mod beside;
mod conversations;
mod findings;
mod finished;
mod generator;
mod http;
mod interrupted;
mod outcome;
mod scenario;
mod stage;
mod ticket_builder;
mod workflows;
