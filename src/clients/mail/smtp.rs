//! SMTP with our own small pool of connections.
//!
//! lettre's pooled transport is not used: when a send is cut off by a time-out it puts the half-used connection back,
//! and the next mail reads the answers that belong to the last one. Here a connection returns to the pool only after
//! a complete exchange. Knowing the stage also tells a transport that is away from a mail that was refused.

use super::message::{Envelope, recipient};
use super::{MailError, MailSetupError, OutgoingMail, Receipt, SEND_TIMEOUT, short};
use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a connection may be idle.
const IDLE_LIMIT: Duration = Duration::from_secs(30);
/// How many mails go over one connection.
const MAX_MAILS_PER_CONNECTION: u32 = 100;

/// How the connection is protected (`SMTP_TLS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte, usually port 465.
    Implicit,
    /// STARTTLS, required; usually port 587.
    StartTls,
    /// None; for development and loopback only.
    None,
}

/// Where and how to reach the SMTP server (`SMTP_*`).
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// The server's name, against which its certificate is checked.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user, if the server wants one.
    pub username: Option<String>,
    /// The user's password.
    pub password: Option<SecretString>,
    /// How the connection is protected.
    pub tls: SmtpTls,
    /// Longest time to connect.
    pub connect_timeout: Duration,
    /// Longest time for one mail, connecting included; at most [`SEND_TIMEOUT`].
    pub send_timeout: Duration,
    /// How many idle connections are kept: as many as mails are sent at the same time.
    pub max_idle: usize,
}

pub(super) struct SmtpTransport {
    settings: SmtpSettings,
    tls: Option<TlsParameters>,
    hello: ClientId,
    idle: Mutex<Vec<Idle>>,
}

impl fmt::Debug for SmtpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpTransport")
            .field("host", &self.settings.host)
            .finish_non_exhaustive()
    }
}

struct Idle {
    connection: AsyncSmtpConnection,
    since: Instant,
    mails: u32,
}

impl SmtpTransport {
    pub(super) fn new(settings: SmtpSettings) -> Result<Self, MailSetupError> {
        let tls = match settings.tls {
            SmtpTls::None => None,
            SmtpTls::Implicit | SmtpTls::StartTls => Some(
                TlsParameters::new(settings.host.clone()).map_err(|error| MailSetupError {
                    setting: "SMTP_TLS",
                    reason: error.to_string(),
                })?,
            ),
        };
        Ok(Self {
            settings,
            tls,
            hello: ClientId::default(),
            idle: Mutex::new(Vec::new()),
        })
    }

    pub(super) async fn send(&self, envelope: &Envelope, mail: &OutgoingMail) -> Result<Receipt, MailError> {
        let to = recipient(mail)?;
        let message = envelope.message(mail)?.formatted();
        let deadline = tokio::time::Instant::now() + self.settings.send_timeout.min(SEND_TIMEOUT);
        let connecting = tokio::time::timeout_at(deadline, self.connection()).await;
        let (mut connection, mails) = connecting.map_err(|_| unavailable("time-out while connecting"))??;
        let sending = transmit(&mut connection, envelope.sender(), &to, &message);
        // A connection that was cut off is dropped here, never reused.
        let answer = tokio::time::timeout_at(deadline, sending)
            .await
            .map_err(|_| passing("time-out while sending"))??;
        self.put_back(connection, mails + 1);
        Ok(Receipt {
            provider_message_id: Some(short(&answer)),
        })
    }

    /// An idle connection that still answers, or a new one.
    async fn connection(&self) -> Result<(AsyncSmtpConnection, u32), MailError> {
        while let Some(mut idle) = self.take_idle() {
            let answers =
                tokio::time::timeout(self.settings.connect_timeout, idle.connection.test_connected());
            if answers.await.unwrap_or(false) {
                return Ok((idle.connection, idle.mails));
            }
        }
        let connecting = tokio::time::timeout(self.settings.connect_timeout, self.connect());
        let connection = connecting
            .await
            .map_err(|_| unavailable("time-out while connecting"))??;
        Ok((connection, 0))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, MailError> {
        let settings = &self.settings;
        let wrapper = self.tls.clone().filter(|_| settings.tls == SmtpTls::Implicit);
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (settings.host.as_str(), settings.port),
            Some(settings.connect_timeout),
            &self.hello,
            wrapper,
            None,
        )
        .await
        .map_err(|error| away("connect", &error))?;
        if let (SmtpTls::StartTls, Some(tls)) = (settings.tls, &self.tls) {
            let upgraded = connection.starttls(tls.clone(), &self.hello).await;
            upgraded.map_err(|error| away("STARTTLS", &error))?;
        }
        if let (Some(username), Some(password)) = (&settings.username, &settings.password) {
            let credentials = Credentials::new(username.clone(), password.expose_secret().to_owned());
            let signed_in = connection.auth(DEFAULT_MECHANISMS, &credentials).await;
            signed_in.map_err(|error| away("sign-in", &error))?;
        }
        Ok(connection)
    }

    fn take_idle(&self) -> Option<Idle> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|parked| parked.since.elapsed() < IDLE_LIMIT);
        idle.pop()
    }

    fn put_back(&self, connection: AsyncSmtpConnection, mails: u32) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.settings.max_idle && mails < MAX_MAILS_PER_CONNECTION {
            idle.push(Idle {
                connection,
                since: Instant::now(),
                mails,
            });
        }
    }
}

/// One mail over an open connection; returns the server's last answer.
async fn transmit(
    connection: &mut AsyncSmtpConnection,
    from: &Address,
    to: &Address,
    message: &[u8],
) -> Result<String, MailError> {
    let server = connection.server_info();
    let mut parameters = Vec::new();
    if server.supports_feature(Extension::EightBitMime) {
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    if !to.is_ascii() || !from.is_ascii() {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Err(MailError::Permanent {
                reason: "the mail server does not take addresses with characters beyond ASCII".to_owned(),
            });
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    // A refused sender is refused for every mail, a refused recipient only for this one.
    let begun = connection
        .command(Mail::new(Some(from.clone()), parameters))
        .await;
    begun.map_err(|error| {
        if error.is_permanent() {
            away("MAIL FROM", &error)
        } else {
            failed("MAIL FROM", &error)
        }
    })?;
    let named = connection.command(Rcpt::new(to.clone(), Vec::new())).await;
    named.map_err(|error| failed("RCPT TO", &error))?;
    let opened = connection.command(Data).await;
    opened.map_err(|error| failed("DATA", &error))?;
    let response = connection
        .message(message)
        .await
        .map_err(|error| failed("message", &error))?;
    Ok(response.message().collect::<Vec<_>>().join(" "))
}

trait IsAscii {
    fn is_ascii(&self) -> bool;
}

impl IsAscii for Address {
    fn is_ascii(&self) -> bool {
        AsRef::<str>::as_ref(self).is_ascii()
    }
}

fn failed(stage: &str, error: &Error) -> MailError {
    let reason = describe(stage, error);
    if error.is_permanent() {
        MailError::Permanent { reason }
    } else {
        MailError::Passing {
            reason,
            retry_after: None,
        }
    }
}

fn away(stage: &str, error: &Error) -> MailError {
    MailError::Unavailable {
        reason: describe(stage, error),
        retry_after: None,
    }
}

fn unavailable(reason: &str) -> MailError {
    MailError::Unavailable {
        reason: reason.to_owned(),
        retry_after: None,
    }
}

fn passing(reason: &str) -> MailError {
    MailError::Passing {
        reason: reason.to_owned(),
        retry_after: None,
    }
}

fn describe(stage: &str, error: &Error) -> String {
    short(&format!("smtp {stage}: {error}"))
}
