//! The start of a process: what it finds, what it brings along, and what it refuses to start over.

mod embedded_database;
mod refusals;
mod seeding;
