//! The message as it goes over the wire: headers, a plain-text part and an HTML part (RFC 5322, RFC 2046).

use super::{MailError, MailSetupError, OutgoingMail, short};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};
use sha2::{Digest, Sha256};
use std::time::{Duration, UNIX_EPOCH};

/// The header that carries our id, also where the transport sets its own `Message-ID`.
pub(super) const NOTIFICATION_HEADER: &str = "X-Workflow-Ops-Notification-Id";
/// The header that carries the correlation id.
pub(super) const CORRELATION_HEADER: &str = "X-Correlation-Id";

/// Whose name mails go out in.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    from: Mailbox,
    reply_to: Option<Mailbox>,
}

impl Envelope {
    pub(super) fn new(from: &str, reply_to: Option<&str>) -> Result<Self, MailSetupError> {
        let mailbox = |setting: &'static str, text: &str| {
            text.parse::<Mailbox>().map_err(|error| MailSetupError {
                setting,
                reason: error.to_string(),
            })
        };
        Ok(Self {
            from: mailbox("MAIL_FROM", from)?,
            reply_to: reply_to.map(|text| mailbox("MAIL_REPLY_TO", text)).transpose()?,
        })
    }

    pub(super) const fn sender(&self) -> &Address {
        &self.from.email
    }

    /// The whole message. The `Message-ID` depends on the mail's key alone, so that a mail sent twice is recognised.
    pub(super) fn message(&self, mail: &OutgoingMail) -> Result<Message, MailError> {
        let to = recipient(mail)?;
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject.clone())
            .message_id(Some(self.message_id(mail)))
            .date(UNIX_EPOCH + Duration::from_millis(u64::try_from(mail.date.millis()).unwrap_or_default()));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let mut message = builder
            .multipart(MultiPart::alternative_plain_html(
                mail.text.clone(),
                mail.html.clone(),
            ))
            .map_err(|error| refused(&error.to_string()))?;
        let headers = message.headers_mut();
        headers.insert_raw(header("Auto-Submitted", "auto-generated"));
        headers.insert_raw(header(NOTIFICATION_HEADER, mail.notification_id.as_str()));
        if let Some(correlation_id) = mail.correlation_id.as_deref().and_then(header_word) {
            headers.insert_raw(header(CORRELATION_HEADER, correlation_id));
        }
        Ok(message)
    }

    fn message_id(&self, mail: &OutgoingMail) -> String {
        // The public id alone is 48 bits and may occur twice; the key does not.
        let mut digest = hex::encode(Sha256::digest(mail.key.as_bytes()));
        digest.truncate(24);
        format!("<{}.{digest}@{}>", mail.notification_id, self.from.email.domain())
    }
}

pub(super) fn recipient(mail: &OutgoingMail) -> Result<Address, MailError> {
    mail.to
        .as_str()
        .parse::<Address>()
        .map_err(|error| refused(&format!("recipient address: {error}")))
}

/// Header text that cannot break out of its line; anything else is left out.
pub(super) fn header_word(text: &str) -> Option<&str> {
    let plain = text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic());
    (plain && !text.is_empty()).then_some(text)
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn refused(reason: &str) -> MailError {
    MailError::Permanent {
        reason: short(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::NotificationId;
    use crate::domain::person::Email;
    use crate::domain::time::Timestamp;

    fn mail(subject: &str) -> OutgoingMail {
        OutgoingMail {
            to: Email::try_from("ann@contoso.example").unwrap(),
            subject: subject.to_owned(),
            html: "<p>Grüße</p>".to_owned(),
            text: "Grüße".to_owned(),
            notification_id: NotificationId::derived("TKT-1:1:0"),
            key: "TKT-1:1:0".to_owned(),
            correlation_id: Some("COR-1\r\nBcc: eve@evil.example".to_owned()),
            date: Timestamp::from_millis(1_767_605_400_000),
        }
    }

    fn text(mail: &OutgoingMail) -> String {
        let envelope = Envelope::new("Workflow Ops <ops@contoso.example>", None).unwrap();
        String::from_utf8(envelope.message(mail).unwrap().formatted()).unwrap()
    }

    #[test]
    fn the_same_mail_always_has_the_same_message_id() {
        let id = |text: String| {
            text.lines()
                .find(|line| line.starts_with("Message-ID:"))
                .map(ToOwned::to_owned)
        };
        assert_eq!(id(text(&mail("a"))), id(text(&mail("b"))));
        assert!(id(text(&mail("a"))).is_some());
    }

    #[test]
    fn line_breaks_cannot_add_headers() {
        let text = text(&mail("Hello\r\nBcc: eve@evil.example"));
        assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
    }

    #[test]
    fn a_sender_that_is_no_address_is_refused_at_start() {
        let error = Envelope::new("Workflow Ops", None).unwrap_err();
        assert_eq!(error.setting, "MAIL_FROM");
    }
}
