//! Links of the document: from an answer that names something to the operations on it.

use utoipa::openapi::link::{Link, LinkBuilder};
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::{OpenApi as Document, RefOr};

/// An answer that names something.
struct Source {
    operation: &'static str,
    status: &'static str,
    /// Linked are operations below this path whose path parameters are all known.
    below: &'static str,
    /// Path parameters and where the request or the answer has them, as runtime expressions.
    known: &'static [(&'static str, &'static str)],
}

const SOURCES: [Source; 8] = [
    Source {
        operation: "create_ticket",
        status: "201",
        below: "/api/v1/tickets/{",
        known: &[("ticket_id", "$response.body#/ticket_id")],
    },
    Source {
        operation: "list_tickets",
        status: "200",
        below: "/api/v1/tickets/{",
        known: &[("ticket_id", "$response.body#/items/0/ticket_id")],
    },
    Source {
        operation: "get_ticket",
        status: "200",
        below: "/api/v1/tickets/{ticket_id}/steps/",
        known: &[
            ("ticket_id", "$request.path.ticket_id"),
            ("ticket_step_id", "$response.body#/current_step/ticket_step_id"),
        ],
    },
    Source {
        operation: "create_change_request",
        status: "200",
        below: "/api/v1/change-requests/{",
        known: &[(
            "change_request_id",
            "$response.body#/change_request/change_request_id",
        )],
    },
    Source {
        operation: "create_workflow",
        status: "201",
        below: "/api/v1/workflows/{",
        known: &[("workflow_id", "$response.body#/workflow_id")],
    },
    Source {
        operation: "create_lookup",
        status: "201",
        below: "/api/v1/lookups/{workflow_id}/{",
        known: &[
            ("workflow_id", "$request.path.workflow_id"),
            ("lookup_id", "$response.body#/lookup_id"),
        ],
    },
    Source {
        operation: "upload_attachment",
        status: "200",
        below: "/api/v1/attachments/{",
        known: &[("attachment_id", "$response.body#/attachment_id")],
    },
    Source {
        operation: "list_notifications",
        status: "200",
        below: "/api/v1/notifications/{",
        known: &[("notification_id", "$response.body#/items/0/notification_id")],
    },
];

/// Adds every link.
pub(super) fn add(document: &mut Document) {
    for source in &SOURCES {
        let links = source.links(document);
        let operations = document
            .paths
            .paths
            .values_mut()
            .flat_map(super::openapi::operations);
        for (_, operation) in operations {
            if operation.operation_id.as_deref() == Some(source.operation)
                && let Some(RefOr::T(answer)) = operation.responses.responses.get_mut(source.status)
            {
                answer.links.extend(links.clone());
            }
        }
    }
}

impl Source {
    fn links(&self, document: &mut Document) -> Vec<(String, RefOr<Link>)> {
        let below = document
            .paths
            .paths
            .iter_mut()
            .filter(|(path, _)| path.starts_with(self.below));
        let operations = below.flat_map(|(_, item)| super::openapi::operations(item));
        operations
            .filter_map(|(_, operation)| {
                let wanted = operation.parameters.iter().flatten();
                let wanted = wanted.filter_map(|one| match one {
                    RefOr::T(one) if one.parameter_in == ParameterIn::Path => Some(one),
                    RefOr::T(_) | RefOr::Ref(_) => None,
                });
                let mut link = LinkBuilder::new().operation_id(operation.operation_id.clone()?);
                for parameter in wanted {
                    let (name, place) = self.known.iter().find(|(name, _)| *name == parameter.name)?;
                    link = link.parameter(*name, *place);
                }
                Some((operation.operation_id.clone()?, RefOr::T(link.build())))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_links_to_something() {
        let document = crate::api::openapi::document();
        let text = serde_json::to_value(&document).unwrap();
        let linked: Vec<_> = text["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|item| item.as_object().unwrap().values())
            .filter(|operation| {
                let answers = operation["responses"].as_object().unwrap().values();
                answers.into_iter().any(|answer| answer["links"].is_object())
            })
            .map(|operation| operation["operationId"].as_str().unwrap().to_owned())
            .collect();
        for source in &SOURCES {
            assert!(
                linked.iter().any(|operation| operation == source.operation),
                "{}",
                source.operation
            );
        }
    }
}
