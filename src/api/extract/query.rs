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
        Ok(Self(read_valid(Origin::Query, &texts_of(parts)?)?))
    }
}

/// The query string as several types, each with keys of its own: what is wanted, in which order, which page of it. Read
/// as [`ApiQuery`] reads one; the faults of all are answered together.
#[derive(Debug, Clone)]
pub struct ApiQueries<T>(pub T);

impl<T, S> FromRequestParts<S> for ApiQueries<T>
where
    T: QueryParts,
    S: Send + Sync,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut faults = Faults::default();
        let read = T::read(&texts_of(parts)?, &mut faults)?;
        match read {
            Some(read) if faults.0.is_empty() => Ok(Self(read)),
            Some(_) | None => Err(ServiceError::InvalidInput(faults.0).into()),
        }
    }
}

/// What is wrong with a query string so far.
#[derive(Debug, Default)]
pub struct Faults(Vec<FieldError>);

impl Faults {
    fn of<T>(&mut self, texts: &Value) -> Result<Option<T>, ServiceError>
    where
        T: DeserializeOwned + Validate<Context = ()>,
    {
        match read_valid(Origin::Query, texts) {
            Ok(read) => Ok(Some(read)),
            Err(ServiceError::InvalidInput(found)) => {
                self.0.extend(found);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }
}

/// Types that share a query string.
pub trait QueryParts: Sized {
    /// Reads every part, also when one has faults.
    ///
    /// # Errors
    /// Something else than the text is wrong.
    fn read(texts: &Value, faults: &mut Faults) -> Result<Option<Self>, ServiceError>;
}

impl<A, B> QueryParts for (A, B)
where
    A: DeserializeOwned + Validate<Context = ()>,
    B: DeserializeOwned + Validate<Context = ()>,
{
    fn read(texts: &Value, faults: &mut Faults) -> Result<Option<Self>, ServiceError> {
        let (first, second) = (faults.of(texts)?, faults.of(texts)?);
        Ok(first.zip(second))
    }
}

impl<A, B, C> QueryParts for (A, B, C)
where
    A: DeserializeOwned + Validate<Context = ()>,
    B: DeserializeOwned + Validate<Context = ()>,
    C: DeserializeOwned + Validate<Context = ()>,
{
    fn read(texts: &Value, faults: &mut Faults) -> Result<Option<Self>, ServiceError> {
        let (both, third) = (<(A, B)>::read(texts, faults)?, faults.of(texts)?);
        Ok(both
            .zip(third)
            .map(|((first, second), third)| (first, second, third)))
    }
}

fn texts_of(parts: &Parts) -> Result<Value, ServiceError> {
    let query = parts.uri.query().unwrap_or_default();
    let texts: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    refuse_nul(&texts)?;
    Ok(gather(texts))
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

    #[derive(Debug, Deserialize, Validate)]
    #[garde(allow_unvalidated)]
    struct Sorting {
        by: Option<Status>,
    }

    #[tokio::test]
    async fn the_faults_of_all_parts_are_listed() {
        let read = async |query: &str| {
            let uri = format!("/tickets?{query}");
            let (mut parts, ()) = Request::builder().uri(uri).body(()).unwrap().into_parts();
            ApiQueries::<(List, Sorting)>::from_request_parts(&mut parts, &()).await
        };
        let ApiQueries((list, sorting)) = read("page=3&by=OPEN").await.unwrap();
        assert_eq!(list.page, 3);
        assert!(matches!(sorting.by, Some(Status::Open)));
        let Err(ApiError(ServiceError::InvalidInput(faults))) = read("page=0&by=X&q=1").await else {
            panic!("two wrong parameters are accepted");
        };
        let at: Vec<_> = faults.iter().map(|fault| fault.location.join(".")).collect();
        assert_eq!(at, ["query.page", "query.by"]);
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
