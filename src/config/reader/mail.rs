//! How mail leaves the service.

use super::Reader;
use crate::config::{MailSettings, MailTransport, SmtpSettings, SmtpTls};
use crate::domain::person::Email;

/// How many mails a process hands over at the same time, unless it is told. Few enough for the servers that count the
/// connections of one client, and enough that the way to a far one is no bottleneck.
const CONCURRENT_SENDS: usize = 8;
/// The same with Graph, which takes no more requests at the same time from one application for one mailbox;
/// several processes have to share that.
const CONCURRENT_SENDS_OF_GRAPH: usize = 4;

impl Reader {
    pub(in crate::config) fn mail(&mut self, development: bool) -> MailSettings {
        let transport = match self.text("MAIL_TRANSPORT").as_deref() {
            None if development => MailTransport::Log,
            None => {
                self.problem(
                    "MAIL_TRANSPORT is required outside of development: smtp, graph, log or disabled",
                );
                MailTransport::Disabled
            }
            Some("smtp") => MailTransport::Smtp(self.smtp()),
            Some("graph") => MailTransport::Graph {
                mailbox: self.graph_mailbox(),
            },
            Some("log") => MailTransport::Log,
            Some("disabled") => MailTransport::Disabled,
            Some(_) => {
                self.problem("MAIL_TRANSPORT must be smtp, graph, log or disabled");
                MailTransport::Disabled
            }
        };
        self.known.extend([
            "SMTP_HOST",
            "SMTP_PORT",
            "SMTP_USERNAME",
            "SMTP_PASSWORD",
            "SMTP_TLS",
        ]);
        let from = self.text_or("MAIL_FROM", "workflow-ops@localhost.localdomain");
        self.check_address("MAIL_FROM", &from);
        let reply_to = self.text("MAIL_REPLY_TO");
        if let Some(address) = &reply_to {
            self.check_address("MAIL_REPLY_TO", address);
        }
        let sends = match transport {
            MailTransport::Graph { .. } => CONCURRENT_SENDS_OF_GRAPH,
            MailTransport::Smtp(_) | MailTransport::Log | MailTransport::Disabled => CONCURRENT_SENDS,
        };
        MailSettings {
            transport,
            max_concurrent_sends: self.number_or("MAIL_MAX_CONCURRENT_SENDS", sends, 1, 100),
            from,
            reply_to,
            recipient_domains: self.recipient_domains(),
        }
    }

    fn recipient_domains(&mut self) -> Vec<String> {
        let text = self.text_or("MAIL_RECIPIENT_DOMAINS", "").to_lowercase();
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let domains: Vec<String> = parts.map(str::to_owned).collect();
        for domain in &domains {
            if Email::try_from(format!("x@{domain}")).is_err() {
                self.problem(format!(
                    "MAIL_RECIPIENT_DOMAINS: {domain} is not a domain like example.com"
                ));
            }
        }
        domains
    }

    fn check_address(&mut self, name: &str, address: &str) {
        if Email::try_from(address).is_err() {
            self.problem(format!("{name} must be an e-mail address"));
        }
    }

    fn graph_mailbox(&mut self) -> String {
        let mailbox = self.text_or("SERVICE_MAILBOX_EMAIL", "");
        self.check_address("SERVICE_MAILBOX_EMAIL", &mailbox);
        if self.text("AAD_CLIENT_SECRET").is_none() {
            self.problem("AAD_CLIENT_SECRET is required with MAIL_TRANSPORT=graph");
        }
        mailbox
    }

    fn smtp(&mut self) -> SmtpSettings {
        let host = self.text_or("SMTP_HOST", "");
        if host.is_empty() {
            self.problem("SMTP_HOST is required with MAIL_TRANSPORT=smtp");
        }
        let loopback = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1");
        let tls = match self.text("SMTP_TLS").as_deref() {
            None | Some("starttls") => SmtpTls::StartTls,
            Some("implicit") => SmtpTls::Implicit,
            Some("none") if loopback => SmtpTls::None,
            Some("none") => {
                self.problem("SMTP_TLS may be none on loopback only");
                SmtpTls::StartTls
            }
            Some(_) => {
                self.problem("SMTP_TLS must be starttls, implicit or none");
                SmtpTls::StartTls
            }
        };
        let default_port = if tls == SmtpTls::Implicit { 465 } else { 587 };
        SmtpSettings {
            host,
            port: self.number_or("SMTP_PORT", default_port, 1, u16::MAX),
            username: self.text("SMTP_USERNAME"),
            password: self.secret("SMTP_PASSWORD"),
            tls,
        }
    }
}
