//! What parameters are, in the document, where handlers name them and nothing more: the ids of paths and a header.

use utoipa::openapi::RefOr;
use utoipa::openapi::path::Operation;

/// Describes the parameters of an operation that are not yet.
pub(super) fn describe(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.description.is_none()
        {
            parameter.description = meaning(&parameter.name).map(str::to_owned);
        }
    }
}

fn meaning(name: &str) -> Option<&'static str> {
    Some(match name {
        "ticket_id" => "The ticket: `TKT-` and twelve hexadecimal digits",
        "ticket_step_id" => {
            "The step of this ticket, as its page names it: `STEP-` and twelve hexadecimal digits"
        }
        "change_request_id" => "The change request: `CR-` and twelve hexadecimal digits",
        "handover_request_id" => "The request to hand a task over: `HND-` and twelve hexadecimal digits",
        "attachment_id" => "The file: `ATT-` and twelve hexadecimal digits",
        "notification_id" => "The mail or notice: `NTF-` and twelve hexadecimal digits",
        "workflow_id" => "The workflow: `WF-` and twelve hexadecimal digits",
        "version_number" => "The published version, counted from 1",
        "step_id" => "The step as the designer named it",
        "lookup_id" => "The lookup table: `LKP-` and twelve hexadecimal digits",
        "entry_id" => "The entry of the table: `LKPE-` and twelve hexadecimal digits",
        "template_id" => "The administrator's wording: `ETM-` and twelve hexadecimal digits",
        "email" => "The person's address",
        "persona" => "The persona whose conversation it is",
        "X-Bootstrap-Token" => "The token that logging in to the set-up gave",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn every_parameter_says_what_it_is() {
        let document = serde_json::to_value(crate::api::openapi::document()).unwrap();
        let mut silent = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let unsaid = parameters.filter(|parameter| parameter["description"].as_str().is_none());
                silent.extend(unsaid.map(|parameter| (method, path, &parameter["name"])));
            }
        }
        assert_eq!(silent, Vec::<(&String, &String, &Value)>::new());
    }
}
