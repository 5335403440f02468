//! Which tickets are wanted, as the list and its export are asked (contract http-tickets 4.2).

use crate::api::schema::{CommaList, Word};
use crate::api::view::wire_time::RequestInstant;
use crate::domain::error::{FieldError, ServiceError};
use crate::domain::person::Actor;
use crate::domain::ticket::TicketStatus;
use crate::domain::work::Shelf;
use crate::repositories::ticket_filter::TicketFilter;
use crate::services::tickets::TicketService;
use garde::Validate;
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

type StatusWord = Word<TicketStatus>;
type StatusWords = CommaList<TicketStatus>;

/// What tickets are filtered by.
#[derive(Debug, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WantedTickets {
    /// Own tickets, or all that the caller may see.
    #[garde(skip)]
    #[serde(default = "yes")]
    mine: bool,
    /// One status.
    #[garde(skip)]
    #[param(value_type = Option<StatusWord>, inline)]
    status: Option<TicketStatus>,
    /// Several statuses, separated by commas; wins over `status`.
    #[garde(length(chars, max = 300))]
    #[param(value_type = Option<StatusWords>, inline)]
    statuses: Option<String>,
    /// Exactly this workflow.
    #[garde(length(chars, max = 100))]
    #[param(max_length = 100)]
    workflow_id: Option<String>,
    /// Literal text in title, id, description or workflow name.
    #[garde(length(chars, max = 200))]
    #[param(max_length = 200)]
    q: Option<String>,
    /// Last changed at or after.
    #[garde(skip)]
    #[param(inline)]
    date_from: Option<RequestInstant>,
    /// Last changed at or before; a date means its end.
    #[garde(skip)]
    #[param(inline)]
    date_to: Option<RequestInstant>,
    /// With or without a pending change request.
    #[garde(skip)]
    has_pending_cr: Option<bool>,
}

const fn yes() -> bool {
    true
}

impl WantedTickets {
    /// The text that is looked for.
    pub(super) fn text(&self) -> Option<&str> {
        self.q.as_deref().filter(|q| !q.trim().is_empty())
    }

    /// The filter that shows the actor nothing but what the actor may see.
    pub(super) fn filter(&self, actor: &Actor) -> Result<TicketFilter, ServiceError> {
        let shelf = if self.mine { Shelf::Mine } else { Shelf::Visible };
        let mut filter = TicketService::scope(actor, shelf);
        filter.statuses = match self.statuses.as_deref() {
            Some(list) => statuses(list)?,
            None => self.status.into_iter().collect(),
        };
        filter.workflow_id.clone_from(&self.workflow_id);
        filter.from = self.date_from.map(RequestInstant::from);
        filter.until = self.date_to.map(RequestInstant::until);
        filter.has_pending_cr = self.has_pending_cr;
        Ok(filter)
    }
}

/// Every status of a comma list; an unknown one is a fault of the field.
fn statuses(list: &str) -> Result<Vec<TicketStatus>, ServiceError> {
    let words = list.split(',').map(str::trim).filter(|word| !word.is_empty());
    let parsed = words.map(|word| serde_json::from_value(Value::from(word)));
    parsed.collect::<Result<_, _>>().map_err(|_| {
        ServiceError::InvalidInput(vec![FieldError {
            location: vec!["query".to_owned(), "statuses".to_owned()],
            kind: "enum",
            message: "Input should be a comma list of ticket statuses".to_owned(),
        }])
    })
}
