//! Extractors: what handlers take from a request, checked.
//!
//! Order in a handler: [`Caller`] first (401 before 400), then path, query and headers, the body last.

mod body;
mod caller;
mod lenient;
mod path;
mod preconditions;
mod query;
mod request_context;
mod window;

pub use body::{ApiJson, OptionalJson};
pub use caller::Caller;
pub use path::ApiPath;
pub use preconditions::{IdempotencyKey, IfMatch};
pub use query::{ApiQueries, ApiQuery};
pub use request_context::{ClientAddress, Correlation, RequestContext};
pub use window::{PageQuery, WindowQuery};

use crate::domain::error::{FieldError, ServiceError};
pub(super) use body::buffer as whole_body;
use garde::Validate;
use lenient::Origin;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads and validates; every fault of both kinds is reported.
fn read_valid<T>(origin: Origin, value: &Value) -> Result<T, ServiceError>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    let (read, mut faults) = lenient::read::<T>(origin, value);
    if let Some(read) = &read
        && let Err(report) = read.validate()
    {
        let rules = report.iter().map(|(path, error)| rule_fault(origin, path, error));
        for fault in rules {
            // A stand-in breaks rules too; its real fault is listed already.
            if !faults.iter().any(|known| known.location == fault.location) {
                faults.push(fault);
            }
        }
    }
    match read {
        Some(read) if faults.is_empty() => Ok(read),
        Some(_) | None => Err(ServiceError::InvalidInput(faults)),
    }
}

fn rule_fault(origin: Origin, path: &garde::Path, error: &garde::Error) -> FieldError {
    let message = error.message().to_owned();
    FieldError {
        location: std::iter::once(origin.as_str().to_owned())
            .chain(path_parts(&path.to_string()))
            .collect(),
        kind: rule_kind(&message),
        message,
    }
}

/// `steps[0].name` as its parts.
fn path_parts(path: &str) -> Vec<String> {
    path.split(['.', '[', ']'])
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The contract's words for garde's rules, recognised by their texts.
fn rule_kind(message: &str) -> &'static str {
    const KINDS: [(&str, &str); 4] = [
        ("length is lower", "string_too_short"),
        ("length is greater", "string_too_long"),
        ("lower than", "greater_than_equal"),
        ("greater than", "less_than_equal"),
    ];
    KINDS
        .into_iter()
        .find(|(start, _)| message.starts_with(start))
        .map_or("value_error", |(_, kind)| kind)
}
