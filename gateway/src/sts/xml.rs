//! The XML of STS: the answers of its actions, and errors.
//! Pure; knows neither who calls nor whether that was proved.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use crate::serve::Answer;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Who a caller is, as `GetCallerIdentity` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// `AIDA...` for a user, `AROA...:name` for a session; the account's id for its root.
    pub user_id: String,
    /// Twelve digits.
    pub account: String,
    pub arn: String,
}

/// A session, as its caller is told of it. Has no `Debug`: it holds the secret.
pub struct AssumedRole {
    /// `AROA...:name`
    pub id: String,
    pub arn: String,
    pub access_key_id: String,
    pub secret_access_key: Zeroizing<String>,
    pub session_token: String,
    /// ISO 8601.
    pub expiration: String,
    /// In percent; `None` when there is neither a session policy nor a tag.
    pub packed_policy_size: Option<u32>,
    pub source_identity: Option<String>,
    pub web_identity: Option<WebIdentityAnswer>,
}

impl std::fmt::Debug for AssumedRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AssumedRole").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// What an answer to AssumeRoleWithWebIdentity says of the token that was traded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentityAnswer {
    pub subject: String,
    pub provider: String,
    pub audience: String,
}

/// The answer to `GetCallerIdentity`.
pub fn caller_identity(identity: &CallerIdentity, request_id: &str) -> Answer {
    answer("GetCallerIdentity", request_id, |result| {
        result.text("Arn", &identity.arn);
        result.text("UserId", &identity.user_id);
        result.text("Account", &identity.account);
    })
}

impl AssumedRole {
    /// The answer to `action`, which is one of those that make sessions.
    pub fn answer(&self, action: &str, request_id: &str) -> Answer {
        answer(action, request_id, |result| {
            result.element("AssumedRoleUser", |user| {
                user.text("AssumedRoleId", &self.id);
                user.text("Arn", &self.arn);
            });
            result.element("Credentials", |credentials| {
                credentials.text("AccessKeyId", &self.access_key_id);
                credentials.text("SecretAccessKey", &self.secret_access_key);
                credentials.text("SessionToken", &self.session_token);
                credentials.text("Expiration", &self.expiration);
            });
            if let Some(percent) = self.packed_policy_size {
                result.text("PackedPolicySize", &percent.to_string());
            }
            if let Some(web) = &self.web_identity {
                result.text("SubjectFromWebIdentityToken", &web.subject);
                result.text("Provider", &web.provider);
                result.text("Audience", &web.audience);
            }
            if let Some(source_identity) = &self.source_identity {
                result.text("SourceIdentity", source_identity);
            }
        })
    }
}

/// Elements that are being written, each on a line of its own.
struct Xml {
    text: String,
    depth: usize,
}

/// The length of an answer with a full session token: with this much room it is never moved, and its secret never copied.
const ROOM_BYTES: usize = 16 * 1024;

impl Xml {
    fn element(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        self.line(&format!("<{name}>"));
        self.depth += 1;
        fill(self);
        self.depth -= 1;
        self.line(&format!("</{name}>"));
    }

    fn text(&mut self, name: &str, value: &str) {
        self.indent();
        for piece in ["<", name, ">"] {
            self.text.push_str(piece);
        }
        push_escaped(&mut self.text, value);
        for piece in ["</", name, ">\n"] {
            self.text.push_str(piece);
        }
    }

    fn line(&mut self, line: &str) {
        self.indent();
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn indent(&mut self) {
        (0..self.depth).for_each(|_| self.text.push_str("  "));
    }
}

fn answer(action: &str, request_id: &str, fill: impl FnOnce(&mut Xml)) -> Answer {
    let mut xml = Xml { text: String::with_capacity(ROOM_BYTES), depth: 1 };
    // Writing to a string cannot fail.
    writeln!(xml.text, "<{action}Response xmlns=\"{NAMESPACE}\">").unwrap_or_default();
    xml.element(&format!("{action}Result"), fill);
    xml.element("ResponseMetadata", |metadata| metadata.text("RequestId", request_id));
    writeln!(xml.text, "</{action}Response>").unwrap_or_default();
    xml_answer(200, xml.text)
}

/// An error. Codes have no suffix `Exception` here; whose fault it is follows from the status.
pub fn error(status: u16, code: &str, message: &str, request_id: &str) -> Answer {
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    xml_answer(
        status,
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>{fault}</Type>\n    <Code>{}</Code>\n    \
             <Message>{}</Message>\n  </Error>\n  <RequestId>{}</RequestId>\n</ErrorResponse>\n",
            escaped(code),
            escaped(message),
            escaped(request_id)
        ),
    )
}

/// An action that this service does not have.
pub fn invalid_action(action: &str, version: &str, request_id: &str) -> Answer {
    let (action, version): (String, String) = (action.chars().take(64).collect(), version.chars().take(64).collect());
    error(400, "InvalidAction", &format!("Could not find operation {action} for version {version}"), request_id)
}

fn xml_answer(status: u16, body: String) -> Answer {
    Answer { status, headers: vec![("content-type", "text/xml".into())], body: body.into_bytes(), close: false }
}

/// Fit for an element's text; what XML 1.0 cannot hold at all becomes a question mark.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    push_escaped(&mut safe, text);
    safe
}

fn push_escaped(safe: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\t' | '\n' => safe.push(letter),
            // Writing to a string cannot fail.
            '\r' => write!(safe, "&#{};", u32::from(letter)).unwrap_or_default(),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push('?'),
            letter => safe.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    fn text(answer: Answer) -> String {
        assert_eq!(answer.headers, [("content-type", "text/xml".into())]);
        String::from_utf8(answer.body).unwrap()
    }

    #[test]
    fn who_am_i() {
        let identity = CallerIdentity {
            user_id: "AIDAEXAMPLE".to_owned(),
            account: "111122223333".to_owned(),
            arn: "arn:aws:iam::111122223333:user/a&b".to_owned(),
        };
        let text = text(caller_identity(&identity, "6a1e"));
        for part in [
            "<Arn>arn:aws:iam::111122223333:user/a&amp;b</Arn>",
            "<UserId>AIDAEXAMPLE</UserId>",
            "<Account>111122223333</Account>",
            "<RequestId>6a1e</RequestId>",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn a_session() {
        let role = AssumedRole {
            id: "AROAEXAMPLE:one".to_owned(),
            arn: "arn:aws:sts::111122223333:assumed-role/reader/one".to_owned(),
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: Zeroizing::new("secret/+=".to_owned()),
            session_token: "a.b.c".to_owned(),
            expiration: "2026-11-25T03:00:00Z".to_owned(),
            packed_policy_size: Some(6),
            source_identity: None,
            web_identity: None,
        };
        let text = text(role.answer("AssumeRole", "6a1e"));
        for part in [
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <AssumeRoleResult>\n",
            "    <Credentials>\n      <AccessKeyId>ASIAEXAMPLE</AccessKeyId>\n",
            "<SecretAccessKey>secret/+=</SecretAccessKey>",
            "    <PackedPolicySize>6</PackedPolicySize>\n",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!format!("{role:?}").contains("secret"));
    }

    #[test]
    fn errors() {
        let answer = error(403, "SignatureDoesNotMatch", "<no>", "6a1e");
        assert_eq!(answer.status, 403);
        let text = text(answer);
        assert!(text.contains("<Type>Sender</Type>\n    <Code>SignatureDoesNotMatch</Code>"), "{text}");
        assert!(text.contains("<Message>&lt;no&gt;</Message>"), "{text}");
        let unknown = invalid_action("Fly", "2011-06-15", "6a1e");
        assert!(self::text(unknown).contains("Could not find operation Fly for version 2011-06-15"));
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(message in any::<String>()) {
            let text = text(error(400, "A", &message, ""));
            prop_assert_eq!(text.matches('<').count(), text.matches('>').count());
            prop_assert_eq!(text.matches('<').count(), 12);
        }
    }
}
