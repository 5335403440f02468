//! From the process's settings to a mail client.

use crate::clients::mail::{
    self, GraphSettings, MailClient, MailSetupError, SEND_TIMEOUT, TransportSettings,
};
use crate::config::{Environment, MailTransport, Settings, SmtpTls};
use secrecy::SecretString;
use std::time::Duration;

/// The mail client of this process. A send takes at most a third of the time that one process owns a mail.
pub fn mail_client(settings: &Settings, http: &reqwest::Client) -> Result<MailClient, MailSetupError> {
    let send_timeout = SEND_TIMEOUT.min(settings.scheduler.lock_duration / 3);
    let mail = mail::MailSettings {
        transport: transport(settings, send_timeout),
        from: settings.mail.from.clone(),
        reply_to: settings.mail.reply_to.clone(),
    };
    MailClient::new(&mail, http)
}

fn transport(settings: &Settings, send_timeout: Duration) -> TransportSettings {
    match &settings.mail.transport {
        MailTransport::Smtp(smtp) => TransportSettings::Smtp(mail::SmtpSettings {
            host: smtp.host.clone(),
            port: smtp.port,
            username: smtp.username.clone(),
            password: smtp.password.clone(),
            tls: match smtp.tls {
                SmtpTls::None => mail::SmtpTls::None,
                SmtpTls::StartTls => mail::SmtpTls::StartTls,
                SmtpTls::Implicit => mail::SmtpTls::Implicit,
            },
            connect_timeout: Duration::from_secs(5).min(send_timeout),
            send_timeout,
            max_idle: settings.mail.max_concurrent_sends,
        }),
        MailTransport::Graph { mailbox } => TransportSettings::Graph(GraphSettings {
            authority: settings.auth.authority.as_str().trim_end_matches('/').to_owned(),
            tenant_id: settings.auth.tenant_id.clone(),
            client_id: settings.auth.client_id.clone(),
            client_secret: settings
                .auth
                .client_secret
                .clone()
                .unwrap_or_else(|| SecretString::from("")),
            base_url: settings
                .directory
                .graph_base_url
                .as_str()
                .trim_end_matches('/')
                .to_owned(),
            mailbox: mailbox.clone(),
            send_timeout,
        }),
        MailTransport::Log => TransportSettings::Log {
            folder: (settings.environment == Environment::Development)
                .then(|| settings.storage_path.join("mail")),
        },
        MailTransport::Disabled => TransportSettings::Disabled,
    }
}
