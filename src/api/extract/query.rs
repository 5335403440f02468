//! Query strings.

use super::lenient::Origin;
use super::read_valid;
use crate::api::envelope::ApiError;
use crate::domain::error::{FieldError, ServiceError};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use garde::Validate;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The query string as a `T`, read leniently and validated; unknown keys are ignored, of repeated keys the last counts
/// unless the field is a list. Faults answer 400 with every failing field.
#[derive(Debug, Clone)]
pub struct ApiQuery<T>(pub T);

impl<T, S> FromRequestParts<S> for ApiQuery<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let texts: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        refuse_nul(&texts)?;
        Ok(Self(read_valid(Origin::Query, &gather(texts))?))
    }
}

/// NUL is in no name and no text that is looked for, and the database cannot look for it.
fn refuse_nul(texts: &[(Cow<'_, str>, Cow<'_, str>)]) -> Result<(), ServiceError> {
    let faults = texts
        .iter()
        .filter(|(_, text)| text.contains('\0'))
        .map(|(key, _)| FieldError {
            location: vec!["query".to_owned(), key.replace('\0', "")],
            kind: "value_error",
            message: "NUL characters are not allowed".to_owned(),
        });
    let faults: Vec<_> = faults.collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(ServiceError::InvalidInput(faults))
    }
}

/// All values of each key, in order.
fn gather(texts: Vec<(Cow<'_, str>, Cow<'_, str>)>) -> Value {
    let mut keys: Map<String, Value> = Map::new();
    for (key, text) in texts {
        let text = Value::String(text.into_owned());
        match keys.get_mut(key.as_ref()) {
            Some(Value::Array(texts)) => texts.push(text),
            Some(first) => *first = Value::Array(vec![first.take(), text]),
            None => {
                keys.insert(key.into_owned(), text);
            }
        }
    }
    Value::Object(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::view::wire_time::RequestInstant;
    use axum::http::Request;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
    enum Status {
        Open,
        OnHold,
    }

    #[derive(Debug, Deserialize, Validate)]
    #[garde(allow_unvalidated)]
    struct List {
        #[garde(range(min = 1, max = 100))]
        #[serde(default = "one")]
        page: i64,
        mine: Option<bool>,
        status: Option<Status>,
        #[serde(default)]
        statuses: Vec<Status>,
        date_from: Option<RequestInstant>,
        q: Option<String>,
    }

    fn one() -> i64 {
        1
    }

    async fn read(query: &str) -> Result<List, Vec<(String, &'static str)>> {
        let uri = format!("/tickets?{query}");
        let (mut parts, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
        match ApiQuery::<List>::from_request_parts(&mut parts, &()).await {
            Ok(ApiQuery(list)) => Ok(list),
            Err(ApiError(ServiceError::InvalidInput(faults))) => Err(faults
                .into_iter()
                .map(|fault| (fault.location.join("."), fault.kind))
                .collect()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn spellings_of_the_contract_are_understood() {
        let list =
            read("page=1.0&mine=YES&status=OPEN&statuses=OPEN&statuses=ON_HOLD&q=%2B&date_from=2026-01-02")
                .await
                .unwrap();
        assert_eq!(
            (list.page, list.mine, list.q.as_deref()),
            (1, Some(true), Some("+"))
        );
        assert!(matches!(list.status, Some(Status::Open)));
        assert_eq!(list.statuses.len(), 2);
        assert!(list.date_from.is_some());
    }

    #[tokio::test]
    async fn the_last_of_repeated_keys_counts_and_unknown_keys_are_ignored() {
        let list = read("page=3&page=4&aad_id=x").await.unwrap();
        assert_eq!(list.page, 4);
        assert_eq!(read("statuses=OPEN").await.unwrap().statuses.len(), 1);
    }

    #[tokio::test]
    async fn every_wrong_parameter_is_listed() {
        let faults = read("page=0&mine=maybe&status=&statuses=OPEN&statuses=X&date_from=")
            .await
            .unwrap_err();
        let expected = [
            ("query.mine", "bool_parsing"),
            ("query.status", "enum"),
            ("query.statuses.1", "enum"),
            ("query.date_from", "datetime_from_date_parsing"),
            ("query.page", "greater_than_equal"),
        ];
        assert_eq!(faults, expected.map(|(at, kind)| (at.to_owned(), kind)));
    }

    #[tokio::test]
    async fn an_empty_number_and_an_enormous_one_are_refused() {
        for page in [
            "",
            "99999999999999999999999",
            "-9223372036854775809",
            "1e3",
            "NaN",
            "%00",
        ] {
            assert!(read(&format!("page={page}")).await.is_err(), "{page:?}");
        }
    }
}
