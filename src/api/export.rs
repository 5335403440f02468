//! Rows as files: CSV for spreadsheets, JSON Lines for programs; written while they are read.
//!
//! Invariant: a body ends regularly only after the last row. When the rows fail midway the connection is broken off,
//! so that no client takes a part for the whole.

use super::envelope::ApiResult;
use super::view::content_disposition;
use crate::app::App;
use crate::domain::error::ServiceError;
use crate::services::exports::Rows;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use csv::{Terminator, WriterBuilder};
use futures::{StreamExt, TryStreamExt, stream};
use garde::Validate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;
use utoipa::{IntoParams, ToSchema};

/// Rows are sent when they fill this many bytes.
const CHUNK: usize = 16 << 10;

/// The form of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ExportFormat {
    /// RFC 4180, in UTF-8, with a header; cells that a spreadsheet would take for a formula begin with an apostrophe.
    #[default]
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// In which form a file is wanted.
#[derive(Debug, Clone, Copy, Deserialize, Validate, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FormatQuery {
    /// `csv` or `jsonl`.
    #[garde(skip)]
    #[serde(default)]
    #[param(value_type = Option<ExportFormat>, inline)]
    pub(crate) format: ExportFormat,
}

/// A row of an export: an object with the same keys each time.
pub(crate) trait ExportRow: Serialize + Send + 'static {
    /// The keys in order; the header of a CSV file.
    const COLUMNS: &'static [&'static str];
}

/// Answers with a file of `rows` that is called `name` and today's date.
///
/// # Errors
/// Too many exports run just now, or there is not even a first row.
pub(crate) async fn file<R: ExportRow>(
    app: &App,
    rows: Rows<R>,
    format: ExportFormat,
    name: &str,
) -> ApiResult<Response> {
    let mut rows = app.exports.run(rows)?;
    // What fails at once can still be answered properly.
    let first = rows.next().await.transpose()?;
    let rows = stream::iter(first.map(Ok)).chain(rows).boxed();
    let date = app.clock.now().to_chrono().format("%Y-%m-%d");
    let filename = format!("{name}-{date}.{}", format.extension());
    let mut response = Response::new(Body::from_stream(written(rows, format)));
    let texts: [(HeaderName, &str); 5] = [
        (header::CONTENT_TYPE, format.media_type()),
        (
            header::CONTENT_DISPOSITION,
            &content_disposition::attachment(&filename),
        ),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Content-Disposition"),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::from_str(text) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

impl ExportFormat {
    const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl => "application/x-ndjson",
        }
    }

    /// What stands before the first row.
    fn begin<R: ExportRow>(self) -> Result<Vec<u8>, ServiceError> {
        match self {
            Self::Csv => csv_record(R::COLUMNS),
            Self::Jsonl => Ok(Vec::new()),
        }
    }

    /// One row as it stands in the file.
    fn row<R: ExportRow>(self, row: &R) -> Result<Vec<u8>, ServiceError> {
        match self {
            Self::Csv => {
                let value = serde_json::to_value(row).map_err(unwritable)?;
                let cells = R::COLUMNS
                    .iter()
                    .map(|column| value.get(column).map_or_else(String::new, cell));
                csv_record(cells)
            }
            Self::Jsonl => {
                let mut line = serde_json::to_vec(row).map_err(unwritable)?;
                line.push(b'\n');
                Ok(line)
            }
        }
    }
}

/// The file in chunks.
fn written<R: ExportRow>(
    rows: Rows<R>,
    format: ExportFormat,
) -> impl futures::Stream<Item = Result<Bytes, ServiceError>> + Send + 'static {
    let written = rows.map(move |row| format.row(&row?));
    let file = stream::once(std::future::ready(format.begin::<R>())).chain(written);
    let chunks = stream::try_unfold(file.boxed(), |mut file| async move {
        let mut chunk = Vec::with_capacity(CHUNK);
        while chunk.len() < CHUNK {
            match file.try_next().await? {
                Some(part) => chunk.extend(part),
                None if chunk.is_empty() => return Ok(None),
                None => break,
            }
        }
        Ok(Some((Bytes::from(chunk), file)))
    });
    chunks.inspect_err(|error: &ServiceError| {
        tracing::error!(
            error = error as &dyn std::error::Error,
            "an export was broken off"
        );
    })
}

fn csv_record<I, T>(cells: I) -> Result<Vec<u8>, ServiceError>
where
    I: IntoIterator<Item = T>,
    T: AsRef<[u8]>,
{
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(cells).map_err(unwritable)?;
    writer
        .into_inner()
        .map_err(|error| unwritable(error.into_error()))
}

/// A value as one cell: texts as they are, nothing as nothing, everything else as JSON.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => harmless(text).into_owned(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// Text that no spreadsheet takes for a formula (OWASP, CSV injection).
fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn unwritable(error: impl Into<anyhow::Error>) -> ServiceError {
    ServiceError::Defect(error.into().context("a row of an export cannot be written"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[derive(Serialize)]
    struct Row {
        title: &'static str,
        count: i64,
        owner: Option<&'static str>,
        details: Value,
    }

    impl ExportRow for Row {
        const COLUMNS: &'static [&'static str] = &["title", "count", "owner", "details"];
    }

    fn row(title: &'static str) -> Row {
        Row {
            title,
            count: -1,
            owner: None,
            details: serde_json::json!({"a": [1, "=1+1"]}),
        }
    }

    async fn text(
        rows: Vec<Result<Row, ServiceError>>,
        format: ExportFormat,
    ) -> Result<String, ServiceError> {
        let chunks: Vec<Bytes> = written(stream::iter(rows).boxed(), format).try_collect().await?;
        Ok(String::from_utf8(chunks.concat()).unwrap())
    }

    #[tokio::test]
    async fn csv_has_a_header_and_quotes_what_needs_it() {
        let csv = text(vec![Ok(row("a \"b\",\r\nc"))], ExportFormat::Csv)
            .await
            .unwrap();
        assert_eq!(
            csv,
            "title,count,owner,details\r\n\"a \"\"b\"\",\r\nc\",-1,,\"{\"\"a\"\":[1,\"\"=1+1\"\"]}\"\r\n"
        );
        assert_eq!(
            text(Vec::new(), ExportFormat::Csv).await.unwrap(),
            "title,count,owner,details\r\n"
        );
    }

    #[tokio::test]
    async fn json_lines_are_objects_one_a_line() {
        let lines = text(vec![Ok(row("=1")), Ok(row("b\nc"))], ExportFormat::Jsonl)
            .await
            .unwrap();
        let objects: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!((objects.len(), &objects[0]["title"]), (2, &Value::from("=1")));
        assert_eq!(text(Vec::new(), ExportFormat::Jsonl).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_failure_ends_the_body_with_an_error() {
        let rows = vec![Ok(row("a")), Err(ServiceError::defect("the cursor is gone"))];
        assert!(text(rows, ExportFormat::Csv).await.is_err());
    }

    #[rstest]
    #[case::equals("=HYPERLINK(\"x\")", "'=HYPERLINK(\"x\")")]
    #[case::plus("+1", "'+1")]
    #[case::minus("-1", "'-1")]
    #[case::at("@SUM(A1)", "'@SUM(A1)")]
    #[case::tab("\t=1", "'\t=1")]
    #[case::carriage_return("\r=1", "'\r=1")]
    #[case::full_width("＝1", "'＝1")]
    #[case::plain("a=1", "a=1")]
    #[case::nothing("", "")]
    fn cells_that_look_like_formulas_are_neutralised(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(harmless(text), shown);
    }
}
