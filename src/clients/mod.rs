//! Services outside: mail, directory, language model, object storage. Every call has a time-out; knows `domain` only.

pub mod answer;
pub mod development_directory;
pub mod graph_directory;
pub mod language_model;
pub mod mail;
pub mod object_store;
