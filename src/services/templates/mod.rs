//! Mail texts: the built-in messages, administrators' overrides, and one function that renders either.
//!
//! The same [`Templates::render`] serves sending, previews and the administrators' detail views. Values are data in
//! every form: HTML-escaped in bodies, cut to one line in subjects, never expanded a second time.

mod catalogue;
mod markup;
mod placeholders;
mod plain_text;
mod sanitizer;
mod style;
mod values;

pub use placeholders::Override;
pub use values::Payload;

use crate::domain::notice::TemplateKey;
use crate::domain::time::Timestamp;
use catalogue::{Link, Message};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Output, State, UndefinedBehavior, Value};
use values::Values;

/// Longest subject, in characters.
pub const MAX_SUBJECT_CHARS: usize = 200;
/// Largest body an administrator may save, in bytes.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// A message ready to be sent or shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// One line without control characters.
    pub subject: String,
    /// An HTML fragment with inline styles only.
    pub html: String,
    /// The same in plain text.
    pub text: String,
}

/// A template cannot be rendered.
#[derive(Debug, thiserror::Error)]
#[error("mail template {key}")]
pub struct TemplateError {
    key: &'static str,
    #[source]
    source: minijinja::Error,
}

/// The built-in messages, ready to render.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    app_url: String,
    company_name: String,
}

impl Templates {
    /// Loads all messages. `app_url` is the SPA's address without a slash at its end.
    pub fn new(app_url: &str, company_name: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| {
            if name.rsplit_once('.').is_some_and(|(_, kind)| kind == "html") {
                AutoEscape::Html
            } else {
                AutoEscape::None
            }
        });
        environment.set_formatter(write_value);
        environment.add_filter("lines", style::lines);
        environment.add_filter("brief", style::brief);
        environment.add_filter("instant", style::instant);
        let mut add = |key: &'static str, name: String, source: &'static str| {
            let added = environment.add_template_owned(name, source);
            added.map_err(|source| TemplateError { key, source })
        };
        add(
            "layout",
            "layout.html".to_owned(),
            include_str!("mail/layout.html"),
        )?;
        add("parts", "parts.html".to_owned(), include_str!("mail/parts.html"))?;
        for key in TemplateKey::ALL {
            let message = catalogue::message(key);
            add(key.as_str(), format!("{}.html", key.as_str()), message.body)?;
            add(key.as_str(), format!("{}.subject", key.as_str()), message.subject)?;
        }
        Ok(Self {
            environment,
            app_url: app_url.trim_end_matches('/').to_owned(),
            company_name: company_name.to_owned(),
        })
    }

    /// The message of `key` with these values, in an administrator's wording where there is one.
    pub fn render(
        &self,
        key: TemplateKey,
        payload: &Payload,
        wording: Option<&Override>,
        now: Timestamp,
    ) -> Result<Rendered, TemplateError> {
        let message = catalogue::message(key);
        let values = values::of_payload(&message, payload, &self.common(now));
        let subject = match wording.and_then(|o| o.subject.as_deref()) {
            Some(custom) => placeholders::fill_text(custom, &values),
            None => self.built_in(
                key,
                "subject",
                &message,
                &values,
                &self.link(message.link, payload),
            )?,
        };
        let html = match wording.and_then(|o| o.body.as_deref()) {
            Some(custom) => sanitizer::fill(custom, &values),
            None => self.built_in(key, "html", &message, &values, &self.link(message.link, payload))?,
        };
        Ok(finished(&subject, &html))
    }

    /// The built-in message with its placeholders in place of values, as administrators edit it.
    pub fn skeleton(&self, key: TemplateKey) -> Result<Rendered, TemplateError> {
        let message = catalogue::message(key);
        let values = values::placeholders(&message);
        let link = match message.link {
            Link::Ticket => "{{app_url}}/tickets/{{ticket_id}}".to_owned(),
            Link::TicketTab(tab) => format!("{{{{app_url}}}}/tickets/{{{{ticket_id}}}}?tab={tab}"),
            Link::ChangeRequests => "{{app_url}}/manager/change-requests".to_owned(),
        };
        let subject = self.built_in(key, "subject", &message, &values, &link)?;
        let html = self.built_in(key, "html", &message, &values, &link)?;
        Ok(finished(&subject, &html))
    }

    /// The built-in message with `payload` laid over example values.
    pub fn preview(
        &self,
        key: TemplateKey,
        payload: &Payload,
        now: Timestamp,
    ) -> Result<Rendered, TemplateError> {
        self.render(key, &values::over_samples(payload), None, now)
    }

    fn built_in(
        &self,
        key: TemplateKey,
        part: &str,
        message: &Message,
        values: &Values,
        link: &str,
    ) -> Result<String, TemplateError> {
        let failed = |source| TemplateError {
            key: key.as_str(),
            source,
        };
        let name = format!("{}.{part}", key.as_str());
        let template = self.environment.get_template(&name).map_err(failed)?;
        let mut context = values.clone();
        for (name, value) in [
            ("link", link),
            ("link_label", message.link.label()),
            ("heading", message.heading),
            ("accent", message.accent),
        ] {
            context.insert(name.to_owned(), value.into());
        }
        template.render(Serde(&context)).map_err(failed)
    }

    /// A link that works: the ticket, the change requests, or the dashboard when no ticket is named.
    fn link(&self, link: Link, payload: &Payload) -> String {
        let ticket = payload
            .get("ticket_id")
            .and_then(|id| id.as_str())
            .filter(|id| !id.is_empty());
        let path = match (link, ticket) {
            (Link::ChangeRequests, _) => "/manager/change-requests".to_owned(),
            (Link::Ticket, Some(id)) => format!("/tickets/{}", style::url_encoded(id)),
            (Link::TicketTab(tab), Some(id)) => format!("/tickets/{}?tab={tab}", style::url_encoded(id)),
            (Link::Ticket | Link::TicketTab(_), None) => "/dashboard".to_owned(),
        };
        format!("{}{path}", self.app_url)
    }

    fn common(&self, now: Timestamp) -> values::Common<'_> {
        values::Common {
            app_url: &self.app_url,
            company_name: &self.company_name,
            now,
        }
    }
}

/// An override's body as it may be stored: only harmless markup, placeholders kept.
pub fn sanitized_body(body: &str) -> String {
    sanitizer::clean(body)
}

/// A subject as it may be stored or sent: one line, bounded.
pub fn sanitized_subject(subject: &str) -> String {
    style::one_line(subject, MAX_SUBJECT_CHARS)
}

fn finished(subject: &str, html: &str) -> Rendered {
    let html = html.trim().to_owned();
    Rendered {
        subject: sanitized_subject(subject),
        text: plain_text::of(&html),
        html,
    }
}

/// Writes a value, escaped in HTML; unlike the engine's own escaping it leaves slashes readable.
fn write_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    let is_html = *state.auto_escape() == AutoEscape::Html;
    let written = if is_html && !value.is_safe() {
        out.write_str(&markup::escaped(&value.to_string()))
    } else {
        write!(out, "{value}")
    };
    written.map_err(minijinja::Error::from)
}

#[cfg(test)]
mod tests;
