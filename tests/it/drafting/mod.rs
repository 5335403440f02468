//! The language model over its real wire protocol, and drafting with it over HTTP.

mod attacks;
mod bounds;
mod drafts;
mod failures;
mod model_client;
mod refining;
mod samples;
mod secrets;
mod stage;
