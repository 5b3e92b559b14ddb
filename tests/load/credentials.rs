//! Who calls: access keys from AWS_* variables, or from profiles in a file as AWS's tools keep them.
//! Knows the variables' names and the file's format; shows no secret.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::Outcome;
use crate::cli::Options;

const REGION: &str = "us-east-1";

/// An access key, and the region that it is used in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// The profile's name, or `environment`.
    pub(crate) name: String,
    pub(crate) access_key_id: String,
    pub(crate) secret: String,
    pub(crate) session_token: Option<String>,
    pub(crate) region: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Credentials")
            .field("name", &self.name)
            .field("id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// What the options name: every profile asked for, or the one key of the environment. Never empty.
pub(crate) fn load(options: &Options, variable: &dyn Fn(&str) -> Option<String>) -> Outcome<Vec<Credentials>> {
    let region = options.region.clone().or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
    let Some(file) = &options.credentials else {
        if !options.profiles.is_empty() {
            return Err("--profile needs --credentials FILE".into());
        }
        return Ok(vec![of_environment(region, variable)?]);
    };
    let profiles = parse(&read(file)?);
    let names = if options.profiles.is_empty() { vec!["default".to_owned()] } else { options.profiles.clone() };
    names.iter().map(|name| of_profile(name, &profiles, region.as_deref())).collect()
}

fn read(file: &Path) -> Outcome<String> {
    Ok(fs::read_to_string(file).map_err(|why| format!("{}: {why}", file.display()))?)
}

fn of_environment(region: Option<String>, variable: &dyn Fn(&str) -> Option<String>) -> Outcome<Credentials> {
    let needed = |name: &str| variable(name).ok_or_else(|| format!("{name} is not set, and there is no --credentials"));
    Ok(Credentials {
        name: "environment".to_owned(),
        access_key_id: needed("AWS_ACCESS_KEY_ID")?,
        secret: needed("AWS_SECRET_ACCESS_KEY")?,
        session_token: variable("AWS_SESSION_TOKEN"),
        region: region.unwrap_or_else(|| REGION.to_owned()),
    })
}

type Profiles = BTreeMap<String, BTreeMap<String, String>>;

fn of_profile(name: &str, profiles: &Profiles, region: Option<&str>) -> Outcome<Credentials> {
    let profile = profiles.get(name).ok_or_else(|| format!("the credentials file has no profile `{name}`"))?;
    let needed = |key: &str| profile.get(key).cloned().ok_or_else(|| format!("profile `{name}` has no {key}"));
    let own = || profile.get("region").cloned();
    Ok(Credentials {
        name: name.to_owned(),
        access_key_id: needed("aws_access_key_id")?,
        secret: needed("aws_secret_access_key")?,
        session_token: profile.get("aws_session_token").cloned(),
        region: region.map(str::to_owned).or_else(own).unwrap_or_else(|| REGION.to_owned()),
    })
}

/// Profiles by name: `[name]` or `[profile name]`, then lines of `key = value`; `#` and `;` begin comments.
fn parse(text: &str) -> Profiles {
    let mut profiles = Profiles::new();
    let mut current = None;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        if let Some(head) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let name = head.trim().strip_prefix("profile ").unwrap_or(head).trim();
            current = Some(profiles.entry(name.to_owned()).or_default());
        } else if let Some((key, value)) = line.split_once('=')
            && let Some(profile) = &mut current
        {
            profile.insert(key.trim().to_lowercase(), value.trim().to_owned());
        }
    }
    profiles
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use clap::Parser as _;

    use super::*;

    const FILE: &str = "# two accounts\n[default]\naws_access_key_id = AKIA1\naws_secret_access_key=s=1\n\
                        [profile other]\nAWS_ACCESS_KEY_ID = AKIA2\naws_secret_access_key = s2\naws_session_token = t\n\
                        region = eu-west-1\n";

    #[test]
    fn profiles_are_read_as_the_aws_tools_write_them() {
        let profiles = parse(FILE);
        let first = of_profile("default", &profiles, None).unwrap();
        assert_eq!(
            (first.access_key_id.as_str(), first.secret.as_str(), first.region.as_str()),
            ("AKIA1", "s=1", REGION)
        );
        let other = of_profile("other", &profiles, None).unwrap();
        assert_eq!((other.session_token.as_deref(), other.region.as_str()), (Some("t"), "eu-west-1"));
        assert_eq!(of_profile("other", &profiles, Some("here-1")).unwrap().region, "here-1");
        assert!(of_profile("nobody", &profiles, None).is_err());
    }

    #[test]
    fn the_environment_gives_one_key_or_says_what_is_missing() {
        let options = Options::try_parse_from(["kannuki-load"]).unwrap();
        let some = |name: &str| (name != "AWS_SESSION_TOKEN").then(|| name.to_lowercase());
        let found = load(&options, &some).unwrap();
        assert_eq!((found.len(), found[0].region.as_str(), found[0].session_token.as_deref()), (1, "aws_region", None));
        assert!(load(&options, &|_| None).unwrap_err().to_string().contains("AWS_ACCESS_KEY_ID"));
    }

    #[test]
    fn no_secret_is_shown() {
        let profiles = parse(FILE);
        assert!(!format!("{:?}", of_profile("default", &profiles, None).unwrap()).contains("s=1"));
    }
}
