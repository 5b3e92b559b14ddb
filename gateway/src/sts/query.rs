//! The parameters of STS's actions: read from a form, each checked as the API reference demands.
//! All that is wrong is said at once, in AWS's words. Knows no role and no caller.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kms_core::session::{AssumeRole, SessionError};

use crate::wire::Form;

/// Lists of more members are not read; the longest that is allowed has 50.
const MEMBERS_MAX: usize = 100;

/// Reads AssumeRole.
///
/// # Errors
/// `ValidationError` with everything that is wrong.
pub fn assume_role(form: &Form) -> Result<AssumeRole, SessionError> {
    let mut check = Check::default();
    let request = AssumeRole {
        external_id: check.optional(form, "ExternalId", (2, 1224), &EXTERNAL_ID),
        tags: tags(form, &mut check),
        transitive_tag_keys: transitive(form, &mut check),
        source_identity: check.optional(form, "SourceIdentity", (2, 64), &NAME),
        ..common(form, &mut check)
    };
    check.done()?;
    if form.value("SerialNumber").is_some() || form.value("TokenCode").is_some() {
        let text = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
        return Err(SessionError::AccessDenied(text.to_owned()));
    }
    Ok(request)
}

/// Reads AssumeRoleWithWebIdentity, and the token, which is no more than text so far.
///
/// # Errors
/// As [`assume_role`].
pub fn assume_role_with_web_identity(form: &Form) -> Result<(AssumeRole, &str), SessionError> {
    let mut check = Check::default();
    let request = common(form, &mut check);
    let token = form.value("WebIdentityToken");
    check.length("WebIdentityToken", token, (4, 20_000), Shown::Hidden);
    check.done()?;
    if form.value("ProviderId").is_some() {
        let text = "ProviderId is for OAuth 2.0 access tokens, which this service does not take.";
        return Err(SessionError::Validation(text.to_owned()));
    }
    Ok((request, token.unwrap_or_default()))
}

fn common(form: &Form, check: &mut Check) -> AssumeRole {
    let arns = members(form, "PolicyArns");
    if arns.len() > 10 {
        check.violated("policyArns", None, "Member must have length less than or equal to 10");
    }
    let policy_arns = arns.into_iter().map(|(place, fields)| {
        let arn = fields.get("arn").copied();
        check.length(&format!("policyArns.{place}.member.arn"), arn, (20, 2048), Shown::Plain);
        arn.unwrap_or_default().to_owned()
    });
    AssumeRole {
        policy_arns: policy_arns.collect(),
        role_arn: check.required(form, "RoleArn", (20, 2048), &ANYTHING),
        session_name: check.required(form, "RoleSessionName", (2, 64), &NAME),
        policy: check.optional(form, "Policy", (1, usize::MAX), &ANYTHING),
        duration_seconds: check.seconds(form, "DurationSeconds", 900, 43_200),
        ..AssumeRole::default()
    }
}

fn tags(form: &Form, check: &mut Check) -> Vec<(String, String)> {
    let all = members(form, "Tags");
    if all.len() > 50 {
        check.violated("tags", None, "Member must have length less than or equal to 50");
    }
    let read = |(place, fields): (u32, BTreeMap<&str, &str>)| {
        let (key, value) = (fields.get("Key").copied(), fields.get("Value").copied());
        check.text(&format!("tags.{place}.member.key"), key, (1, 128), &TAG);
        check.text(&format!("tags.{place}.member.value"), value, (0, 256), &TAG);
        (key.unwrap_or_default().to_owned(), value.unwrap_or_default().to_owned())
    };
    all.into_iter().map(read).collect()
}

fn transitive(form: &Form, check: &mut Check) -> Vec<String> {
    let all = members(form, "TransitiveTagKeys");
    if all.len() > 50 {
        check.violated("transitiveTagKeys", None, "Member must have length less than or equal to 50");
    }
    let read = |(place, fields): (u32, BTreeMap<&str, &str>)| {
        let key = fields.get("").copied();
        check.text(&format!("transitiveTagKeys.{place}.member"), key, (1, 128), &TAG);
        key.unwrap_or_default().to_owned()
    };
    all.into_iter().map(read).collect()
}

/// The members of a list, by place: each with its fields by name, or with the empty name for its one value.
fn members<'f>(form: &'f Form, list: &str) -> BTreeMap<u32, BTreeMap<&'f str, &'f str>> {
    let mut found: BTreeMap<u32, BTreeMap<&str, &str>> = BTreeMap::new();
    for (name, value) in form.pairs() {
        let rest = name.strip_prefix(list).and_then(|rest| rest.strip_prefix(".member."));
        let Some(rest) = rest else { continue };
        let (place, field) = rest.split_once('.').unwrap_or((rest, ""));
        let Some(place) = place.parse().ok().filter(|_| found.len() <= MEMBERS_MAX) else { continue };
        found.entry(place).or_default().entry(field).or_insert(value);
    }
    found
}

/// Which characters a text may have, and the pattern that says so in the model.
struct Rule {
    allows: fn(char) -> bool,
    pattern: &'static str,
}

/// `\w` is ASCII in the model's patterns, which are Java's.
fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

const NAME: Rule = Rule { allows: |letter| is_word(letter) || "+=,.@-".contains(letter), pattern: r"[\w+=,.@-]*" };
const EXTERNAL_ID: Rule =
    Rule { allows: |letter| is_word(letter) || "+=,.@:/-".contains(letter), pattern: r"[\w+=,.@:\/-]*" };
const TAG: Rule = Rule {
    allows: |letter| letter.is_alphanumeric() || letter == ' ' || "_.:/=+-@".contains(letter),
    pattern: r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*",
};
const ANYTHING: Rule = Rule {
    allows: |letter| matches!(letter, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..),
    pattern: r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+",
};

#[derive(Clone, Copy)]
enum Shown {
    Plain,
    /// The value is a secret.
    Hidden,
}

/// What was found wrong so far.
#[derive(Default)]
struct Check(Vec<String>);

impl Check {
    fn required(&mut self, form: &Form, name: &str, lengths: (usize, usize), rule: &Rule) -> String {
        self.text(&lower(name), form.value(name), lengths, rule);
        form.value(name).unwrap_or_default().to_owned()
    }

    fn optional(&mut self, form: &Form, name: &str, lengths: (usize, usize), rule: &Rule) -> Option<String> {
        let value = form.value(name)?;
        self.text(&lower(name), Some(value), lengths, rule);
        Some(value.to_owned())
    }

    fn seconds(&mut self, form: &Form, name: &str, least: u32, most: u32) -> Option<u32> {
        let text = form.value(name)?;
        let Ok(seconds) = text.parse::<u32>() else {
            self.violated(&lower(name), Some(text), "Member must be an integer");
            return None;
        };
        if seconds < least {
            let constraint = format!("Member must have value greater than or equal to {least}");
            self.violated(&lower(name), Some(text), &constraint);
        }
        if seconds > most {
            self.violated(&lower(name), Some(text), &format!("Member must have value less than or equal to {most}"));
        }
        Some(seconds)
    }

    fn text(&mut self, at: &str, value: Option<&str>, lengths: (usize, usize), rule: &Rule) {
        self.length(at, value, lengths, Shown::Plain);
        if value.is_some_and(|text| !text.chars().all(rule.allows)) {
            self.violated(at, value, &format!("Member must satisfy regular expression pattern: {}", rule.pattern));
        }
    }

    fn length(&mut self, at: &str, value: Option<&str>, (least, most): (usize, usize), shown: Shown) {
        let at = &lower(at);
        let Some(text) = value else {
            self.0.push(format!("Value null at '{at}' failed to satisfy constraint: Member must not be null"));
            return;
        };
        let length = text.chars().count();
        let told = match shown {
            Shown::Plain => Some(text),
            Shown::Hidden => None,
        };
        if length < least {
            self.violated(at, told, &format!("Member must have length greater than or equal to {least}"));
        }
        if length > most {
            self.violated(at, told, &format!("Member must have length less than or equal to {most}"));
        }
    }

    fn violated(&mut self, at: &str, value: Option<&str>, constraint: &str) {
        let value = value.map(|text| format!(" '{}'", text.chars().take(2048).collect::<String>()));
        self.0.push(format!(
            "Value{} at '{at}' failed to satisfy constraint: {constraint}",
            value.as_deref().unwrap_or_default()
        ));
    }

    fn done(self) -> Result<(), SessionError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut text = String::new();
        let errors = if self.0.len() == 1 { "error" } else { "errors" };
        // Writing to a string cannot fail.
        write!(text, "{} validation {errors} detected: ", self.0.len()).unwrap_or_default();
        text.push_str(&self.0.join("; "));
        Err(SessionError::Validation(text))
    }
}

/// As AWS names members in messages: with a small first letter.
fn lower(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const ROLE: &str = "RoleArn=arn:aws:iam::111122223333:role/reader&RoleSessionName=one";

    fn read(text: &str) -> Result<AssumeRole, SessionError> {
        assume_role(&Form::parse(text.as_bytes()).unwrap())
    }

    fn said(text: &str) -> String {
        read(text).unwrap_err().message().to_owned()
    }

    #[test]
    fn every_parameter() {
        let request = read(&format!(
            "{ROLE}&ExternalId=a:/b&DurationSeconds=900&Policy=%7B%7D&SourceIdentity=ana&PolicyArns.member.1.arn=\
             arn:aws:iam::111122223333:policy/p&Tags.member.1.Key=env&Tags.member.1.Value=prod&Tags.member.2.Key=b\
             &Tags.member.2.Value=&TransitiveTagKeys.member.1=env"
        ))
        .unwrap();
        assert_eq!(request.role_arn, "arn:aws:iam::111122223333:role/reader");
        assert_eq!((request.external_id.as_deref(), request.duration_seconds), (Some("a:/b"), Some(900)));
        assert_eq!(request.policy_arns, ["arn:aws:iam::111122223333:policy/p"]);
        let tags = [("env", "prod"), ("b", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(request.tags, tags);
        assert_eq!(request.transitive_tag_keys, ["env"]);
    }

    #[test]
    fn what_is_wrong_is_said_as_aws_says_it() {
        let detected = "1 validation error detected: ";
        let null = "Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null";
        assert_eq!(said("RoleArn=arn:aws:iam::111122223333:role/reader"), format!("{detected}{null}"));
        for (parameter, text) in [
            (
                "DurationSeconds=899",
                "Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
            ),
            (
                "DurationSeconds=43201",
                "Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200",
            ),
            (
                "ExternalId=x",
                "Value 'x' at 'externalId' failed to satisfy constraint: Member must have length greater than or equal to 2",
            ),
            (
                "SourceIdentity=a%20b",
                r"Value 'a b' at 'sourceIdentity' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*",
            ),
            (
                "Tags.member.1.Value=x",
                "Value null at 'tags.1.member.key' failed to satisfy constraint: Member must not be null",
            ),
        ] {
            assert_eq!(said(&format!("{ROLE}&{parameter}")), format!("{detected}{text}"));
        }
        let both = said("RoleArn=short&RoleSessionName=a/b");
        assert!(both.starts_with("2 validation errors detected: Value 'short' at 'roleArn'"), "{both}");
    }

    #[test]
    fn one_time_codes_prove_nothing_here() {
        let refused = read(&format!("{ROLE}&SerialNumber=arn:aws:iam::111122223333:mfa/a&TokenCode=123456"));
        assert_eq!(refused.unwrap_err().code(), "AccessDenied");
    }

    #[test]
    fn a_web_identity_token_is_never_repeated() {
        let form = Form::parse(format!("{ROLE}&WebIdentityToken=abc").as_bytes()).unwrap();
        let error = assume_role_with_web_identity(&form).unwrap_err();
        let text = "Value at 'webIdentityToken' failed to satisfy constraint: Member must have length greater than or equal to 4";
        assert!(error.message().ends_with(text), "{}", error.message());
    }

    proptest! {
        #[test]
        fn no_form_panics(text in "((Tags|PolicyArns|TransitiveTagKeys)\\.member\\.[0-9]{0,12}(\\.(Key|Value|arn))?=.{0,8}&|.{0,8}&){0,8}") {
            let form = Form::parse(text.as_bytes());
            if let Some(form) = form {
                let _ = (assume_role(&form), assume_role_with_web_identity(&form).err());
            }
        }
    }
}
