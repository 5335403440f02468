//! Sending mail: one message to one person through the configured transport.
//!
//! A failure says what it means for the queue ([`MailError`]): this mail will never pass, this mail may pass later, or
//! the transport as a whole is away. Bodies and addresses are never logged.

mod graph;
mod log;
mod message;
mod smtp;

pub use graph::GraphSettings;
pub use smtp::{SmtpSettings, SmtpTls};

use crate::domain::id::NotificationId;
use crate::domain::person::Email;
use crate::domain::time::Timestamp;
use std::path::PathBuf;
use std::time::Duration;

/// Longest time one mail may take, from connecting to the last answer.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(20);

/// Longest reason kept of a failure, in characters.
const MAX_REASON_CHARS: usize = 300;

/// The client for calls to Graph and its authority. It follows no redirect: the credentials it carries are for the
/// configured addresses and for nobody whom an answer names.
///
/// # Errors
/// The client cannot be built.
pub fn http_client() -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        .timeout(SEND_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// How mail leaves this service (`MAIL_TRANSPORT`), and in whose name.
#[derive(Debug, Clone)]
pub struct MailSettings {
    /// The way out.
    pub transport: TransportSettings,
    /// The sender, `Name <address>` or an address (`MAIL_FROM`).
    pub from: String,
    /// Where answers go, if not to the sender (`MAIL_REPLY_TO`).
    pub reply_to: Option<String>,
}

/// The way out of this service.
#[derive(Debug, Clone)]
pub enum TransportSettings {
    /// An SMTP server.
    Smtp(SmtpSettings),
    /// Microsoft Graph, as an application.
    Graph(GraphSettings),
    /// The log, and in development a file per mail in this folder.
    Log {
        /// Where the files go; none are written without it.
        folder: Option<PathBuf>,
    },
    /// Nowhere: mails are cancelled.
    Disabled,
}

/// One message to one person.
#[derive(Debug, Clone)]
pub struct OutgoingMail {
    /// Who gets it.
    pub to: Email,
    /// One line without control characters.
    pub subject: String,
    /// The HTML part.
    pub html: String,
    /// The plain-text part.
    pub text: String,
    /// Our id of it.
    pub notification_id: NotificationId,
    /// The stable key that the `Message-ID` is made from: the same key always gives the same one.
    pub key: String,
    /// The correlation id of the request that caused it.
    pub correlation_id: Option<String>,
    /// When it is sent.
    pub date: Timestamp,
}

/// What the transport says of an accepted mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The transport's own id or answer.
    pub provider_message_id: Option<String>,
}

/// Why a mail was not sent, by what follows from it. The reasons hold no secrets and no third person's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The recipient or the content was refused; a repeat would be refused too.
    #[error("{reason}")]
    Permanent {
        /// What the other side said.
        reason: String,
    },
    /// This mail failed; it may pass later, and others may pass now.
    #[error("{reason}")]
    Passing {
        /// What happened.
        reason: String,
        /// How long the other side asked to wait.
        retry_after: Option<Duration>,
    },
    /// No mail passes now: unreachable, not trusted, not signed in, throttled.
    #[error("{reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// How long the other side asked to wait.
        retry_after: Option<Duration>,
    },
    /// Sending is switched off.
    #[error("mail is switched off (MAIL_TRANSPORT=disabled)")]
    Disabled,
}

/// The configured mail settings cannot work.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {reason}")]
pub struct MailSetupError {
    /// The variable at fault.
    pub setting: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// Sends mail; built once, shared by all workers.
#[derive(Debug)]
pub struct MailClient {
    envelope: message::Envelope,
    transport: Transport,
}

#[derive(Debug)]
enum Transport {
    Smtp(Box<smtp::SmtpTransport>),
    Graph(Box<graph::GraphTransport>),
    Log(log::LogTransport),
    Disabled,
}

impl MailClient {
    /// A client for these settings; connects to nothing yet. `http` is the shared client with time-outs.
    pub fn new(settings: &MailSettings, http: &reqwest::Client) -> Result<Self, MailSetupError> {
        let transport = match &settings.transport {
            TransportSettings::Smtp(smtp) => {
                Transport::Smtp(Box::new(smtp::SmtpTransport::new(smtp.clone())?))
            }
            TransportSettings::Graph(graph) => {
                Transport::Graph(Box::new(graph::GraphTransport::new(graph.clone(), http.clone())))
            }
            TransportSettings::Log { folder } => Transport::Log(log::LogTransport::new(folder.clone())),
            TransportSettings::Disabled => Transport::Disabled,
        };
        let envelope = message::Envelope::new(&settings.from, settings.reply_to.as_deref())?;
        Ok(Self { envelope, transport })
    }

    /// Sends one mail, within [`SEND_TIMEOUT`].
    pub async fn send(&self, mail: &OutgoingMail) -> Result<Receipt, MailError> {
        match &self.transport {
            Transport::Smtp(smtp) => smtp.send(&self.envelope, mail).await,
            Transport::Graph(graph) => graph.send(&self.envelope, mail).await,
            Transport::Log(log) => log.send(&self.envelope, mail).await,
            Transport::Disabled => Err(MailError::Disabled),
        }
    }

    /// Whether mails really leave the house; a transport that only logs is never unhealthy.
    pub const fn is_remote(&self) -> bool {
        matches!(self.transport, Transport::Smtp(_) | Transport::Graph(_))
    }

    /// The transport's name as configured.
    pub const fn name(&self) -> &'static str {
        match self.transport {
            Transport::Smtp(_) => "smtp",
            Transport::Graph(_) => "graph",
            Transport::Log(_) => "log",
            Transport::Disabled => "disabled",
        }
    }
}

/// A reason fit for the store: one line, bounded.
fn short(reason: &str) -> String {
    let line: String = reason
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_REASON_CHARS)
        .collect();
    line.trim().to_owned()
}
