//! The language model over its real wire protocol, and drafting with it.

mod model_client;
