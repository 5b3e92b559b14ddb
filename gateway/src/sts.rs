//! The XML of STS: the answer to `GetCallerIdentity`, and errors.
//! Pure; knows neither who calls nor whether that was proved.

use std::fmt::Write as _;

use crate::serve::Answer;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Who a caller is, as `GetCallerIdentity` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// `AIDA...` for a user; the account's id for its root.
    pub user_id: String,
    /// Twelve digits.
    pub account: String,
    pub arn: String,
}

/// The answer to `GetCallerIdentity`.
pub fn caller_identity(identity: &CallerIdentity, request_id: &str) -> Answer {
    let CallerIdentity { user_id, account, arn } = identity;
    let (user_id, account, arn) = (escaped(user_id), escaped(account), escaped(arn));
    xml(
        200,
        format!(
            "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\">\n  <GetCallerIdentityResult>\n    \
             <Arn>{arn}</Arn>\n    <UserId>{user_id}</UserId>\n    <Account>{account}</Account>\n  \
             </GetCallerIdentityResult>\n  <ResponseMetadata>\n    <RequestId>{}</RequestId>\n  \
             </ResponseMetadata>\n</GetCallerIdentityResponse>\n",
            escaped(request_id)
        ),
    )
}

/// An error. Codes have no suffix `Exception` here; whose fault it is follows from the status.
pub fn error(status: u16, code: &str, message: &str, request_id: &str) -> Answer {
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    xml(
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

fn xml(status: u16, body: String) -> Answer {
    Answer { status, headers: vec![("content-type", "text/xml".into())], body: body.into_bytes(), close: false }
}

/// Fit for an element's text; what XML 1.0 cannot hold at all becomes a question mark.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
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
    safe
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
