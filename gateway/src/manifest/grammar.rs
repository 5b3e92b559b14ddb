//! How the names in a manifest are spelled. Each rule answers what is wrong with a text, in words for its author.
//! Knows no TOML and nothing of what a name stands for.

use std::net::IpAddr;

use ipnet::IpNet;

/// A rule: `Err` says what the text must be.
pub(super) type Rule = fn(&str) -> Result<(), &'static str>;

pub(super) fn account_id(text: &str) -> Result<(), &'static str> {
    rule(text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()), "must be twelve digits")
}

/// IAM: letters, digits and `+=,.@_-`, at most 64.
pub(super) fn user_name(text: &str) -> Result<(), &'static str> {
    rule(made_of(text, 1..=64, "+=,.@_-"), "must be 1 to 64 letters, digits or +=,.@_-")
}

pub(super) fn group_name(text: &str) -> Result<(), &'static str> {
    rule(made_of(text, 1..=128, "+=,.@_-"), "must be 1 to 128 letters, digits or +=,.@_-")
}

pub(super) fn role_name(text: &str) -> Result<(), &'static str> {
    rule(made_of(text, 1..=64, "+=,.@_-"), "must be 1 to 64 letters, digits or +=,.@_-")
}

/// IAM, CreateOpenIDConnectProvider: `https://`, a host, perhaps a path; no query and no fragment; 255 in all.
pub(super) fn issuer_url(text: &str) -> Result<(), &'static str> {
    let plain = !text.contains(['?', '#']) && text.len() <= 255;
    rule(plain && https_url(text).is_ok(), "must be https:// with a host and perhaps a path, 255 characters in all")
}

pub(super) fn https_url(text: &str) -> Result<(), &'static str> {
    let rest = text.strip_prefix("https://").unwrap_or_default();
    let visible = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}@".contains(&byte));
    let host = !rest.is_empty() && !rest.starts_with(['/', ':', '?', '#']);
    rule(visible && host && text.len() <= 2048, "must be an https:// URL")
}

pub(super) fn client_id(text: &str) -> Result<(), &'static str> {
    rule((1..=255).contains(&text.chars().count()) && !text.contains(char::is_control), "must be 1 to 255 characters")
}

pub(super) fn organization_id(text: &str) -> Result<(), &'static str> {
    rule(prefixed(text, "o-", 10..=32), "must be o- and 10 to 32 lower-case letters and digits")
}

pub(super) fn root_id(text: &str) -> Result<(), &'static str> {
    rule(prefixed(text, "r-", 4..=32), "must be r- and 4 to 32 lower-case letters and digits")
}

pub(super) fn unit_id(text: &str) -> Result<(), &'static str> {
    let parts = text.strip_prefix("ou-").and_then(|rest| rest.split_once('-'));
    let fits = parts.is_some_and(|(root, own)| prefixed(root, "", 4..=32) && prefixed(own, "", 8..=32));
    rule(fits, "must be ou-, 4 to 32 lower-case letters and digits of the root, and 8 to 32 behind a dash")
}

/// IAM: a slash, or visible ASCII between two slashes, at most 512.
pub(super) fn path(text: &str) -> Result<(), &'static str> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    let enclosed = text == "/" || (text.len() > 1 && text.starts_with('/') && text.ends_with('/'));
    rule(text.len() <= 512 && visible && enclosed, "must begin and end with a slash")
}

pub(super) fn policy_name(text: &str) -> Result<(), &'static str> {
    rule(made_of(text, 1..=128, "+=,.@_-"), "must be 1 to 128 letters, digits or +=,.@_-")
}

pub(super) fn access_key_id(text: &str) -> Result<(), &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    rule((16..=128).contains(&text.len()) && plain, "must be 16 to 128 upper-case letters and digits")?;
    // AWS: ASIA marks the temporary access keys of a session.
    rule(!text.starts_with("ASIA"), "must not begin with ASIA, which marks sessions")
}

pub(super) fn secret(text: &str) -> Result<(), &'static str> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    rule((16..=128).contains(&text.len()) && visible, "must be 16 to 128 visible ASCII characters")
}

pub(super) fn vpc_id(text: &str) -> Result<(), &'static str> {
    rule(prefixed_hex(text, "vpc-"), "must be vpc- and 8 or 17 lower-case hexadecimal digits")
}

pub(crate) fn endpoint_id(text: &str) -> Result<(), &'static str> {
    rule(prefixed_hex(text, "vpce-"), "must be vpce- and 8 or 17 lower-case hexadecimal digits")
}

pub(super) fn zone(text: &str) -> Result<(), &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    rule((1..=32).contains(&text.len()) && plain, "must be 1 to 32 lower-case letters, digits or dashes")
}

pub(super) fn key_id(text: &str) -> Result<(), &'static str> {
    let parsed = uuid::Uuid::try_parse(text).ok().map(|id| id.hyphenated().to_string());
    rule(parsed.as_deref() == Some(text), "must be a lower-case UUID with dashes")
}

/// AWS KMS, CreateAlias: `alias/` and letters, digits, `/_-`; 256 in all; `alias/aws/` is AWS's own.
pub(super) fn alias(text: &str) -> Result<(), &'static str> {
    let name = text.strip_prefix("alias/").unwrap_or_default();
    let fits = made_of(name, 1..=250, "/_-");
    rule(fits, "must be alias/ and then letters, digits or /_-, 256 characters in all")?;
    rule(!name.starts_with("aws/"), "must not begin with alias/aws/, which is reserved")
}

pub(super) fn description(text: &str) -> Result<(), &'static str> {
    rule(text.chars().count() <= 8192, "must be at most 8192 characters")
}

pub(super) fn account_name(text: &str) -> Result<(), &'static str> {
    rule(text.chars().count() <= 50 && !text.contains(char::is_control), "must be at most 50 printable characters")
}

pub(super) fn tag_key(text: &str) -> Result<(), &'static str> {
    rule((1..=128).contains(&text.chars().count()), "must be 1 to 128 characters")?;
    rule(!text.to_ascii_lowercase().starts_with("aws:"), "must not begin with aws:, which is reserved")
}

pub(super) fn tag_value(text: &str) -> Result<(), &'static str> {
    rule(text.chars().count() <= 256, "must be at most 256 characters")
}

/// A network with no bit set behind its prefix.
pub(crate) fn network(text: &str) -> Result<IpNet, &'static str> {
    let network: IpNet = text.parse().map_err(|_| "must be a network such as 10.0.0.0/16")?;
    rule(network == network.trunc(), "must have no bit set behind its prefix")?;
    Ok(network)
}

/// An address that one host can listen on.
pub(super) fn address(text: &str) -> Result<IpAddr, &'static str> {
    let address: IpAddr = text.parse().map_err(|_| "must be an IP address")?;
    // What arrives at such an address proves nothing about where it came from.
    rule(!address.is_unspecified() && !address.is_multicast(), "must be the address of one interface")?;
    Ok(address)
}

fn rule(holds: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(otherwise) }
}

fn made_of(text: &str, length: std::ops::RangeInclusive<usize>, punctuation: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || punctuation.contains(c);
    length.contains(&text.len()) && text.chars().all(allowed)
}

fn prefixed(text: &str, prefix: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    text.strip_prefix(prefix).is_some_and(|rest| {
        length.contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

fn prefixed_hex(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_takes_the_good_and_refuses_the_bad() {
        let table: &[(Rule, &[&str], &[&str])] = &[
            (account_id, &["111122223333"], &["", "11112222333", "1111222233334", "11112222333a", "١11122223333"]),
            (user_name, &["a", "a.b@c+d=e,f_g-h"], &["", "a/b", "a b", "é"]),
            (path, &["/", "/a/b/"], &["", "a", "/a", "a/", "/ /"]),
            (group_name, &["a"], &["", "a b"]),
            (role_name, &["App-1"], &["", "a/b"]),
            (
                issuer_url,
                &["https://idp.example.com", "https://idp.example.com/realms/a"],
                &["", "https://", "http://idp.example.com", "https://a?b", "https://a/#b", "https:///a", "https://u@a"],
            ),
            (https_url, &["https://idp.example.com/jwks?a=b"], &["http://a", "https:// a"]),
            (client_id, &["sts.amazonaws.com", "a b"], &["", "a\n"]),
            (organization_id, &["o-exampleorgid"], &["o-", "o-short", "O-EXAMPLEORGID", "exampleorgid"]),
            (root_id, &["r-ab12"], &["r-", "r-AB12", "ou-ab12-11111111"]),
            (unit_id, &["ou-ab12-11111111"], &["ou-ab12", "ou-ab12-1", "ou-ab12-1111-111", "r-ab12"]),
            (policy_name, &["all-keys"], &["", "a b"]),
            (access_key_id, &["AKIAIOSFODNN7EXAMPLE"], &["AKIA", "akiaiosfodnn7example", "ASIAIOSFODNN7EXAMPLE"]),
            (secret, &["wJalrXUtnFEMI/K7MDENG"], &["short", "has a space in the midst of it"]),
            (
                vpc_id,
                &["vpc-0a1b2c3d", "vpc-0a1b2c3d4e5f60001"],
                &["vpc-", "vpce-0a1b2c3d", "vpc-0A1B2C3D", "vpc-0a1b2c3d4"],
            ),
            (endpoint_id, &["vpce-0a1b2c3d4e5f60001"], &["vpc-0a1b2c3d4e5f60001", "vpce-0a1b2c3d4e5f6000g"]),
            (zone, &["us-east-1a", "use1-az1"], &["", "us east", "US-EAST-1A"]),
            (
                key_id,
                &["1234abcd-12ab-34cd-56ef-1234567890ab"],
                &["1234ABCD-12ab-34cd-56ef-1234567890ab", "1234abcd12ab34cd56ef1234567890ab", "mrk-1234"],
            ),
            (alias, &["alias/demo", "alias/a/b_c-d"], &["demo", "alias/", "alias/aws/s3", "alias/a b", "ALIAS/demo"]),
            (tag_key, &["env"], &["", "aws:env", "AWS:env"]),
        ];
        for (rule, good, bad) in table {
            for text in *good {
                assert_eq!(rule(text), Ok(()), "{text}");
            }
            for text in *bad {
                assert!(rule(text).is_err(), "{text}");
            }
        }
    }

    #[test]
    fn networks_and_addresses() {
        assert!(network("10.0.0.0/8").is_ok() && network("fd00::/8").is_ok());
        assert!(network("10.0.0.1/8").is_err() && network("10.0.0.0").is_err() && network("10.0.0.0/33").is_err());
        assert!(address("127.0.10.1").is_ok() && address("::1").is_ok());
        assert!(address("0.0.0.0").is_err() && address("::").is_err() && address("224.0.0.1").is_err());
    }
}
