//! Documents as AWS's command line prints them: the policies of users and roles, and of endpoints.
//! Knows the shapes of `aws iam get-account-authorization-details` and `aws ec2 describe-vpc-endpoints`; must not know
//! what is asked of the documents.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use crate::authz::{Document, Kind};

/// The documents that take the place of those that a request was judged by.
#[derive(Debug, Default)]
pub struct Papers {
    /// By endpoint id.
    pub(super) endpoints: HashMap<String, Document>,
    /// By key id: what follows `key/` in the ARN.
    pub(super) keys: HashMap<String, Document>,
    /// By the ARN of the user or role.
    pub(super) identities: HashMap<String, Identity>,
}

/// Everything that an identity has.
#[derive(Debug, Default)]
pub(super) struct Identity {
    pub(super) policies: Vec<Document>,
    /// `None` when it is not known whether there is one.
    pub(super) boundary: Option<Option<Document>>,
}

impl Papers {
    /// Adds what a file says. `target` is what a plain document is attached to: an endpoint id, a key id or ARN, a user's
    /// or role's ARN. A listing says so itself.
    ///
    /// # Errors
    /// When the file is neither a listing nor a document that fits the target.
    pub fn add(&mut self, text: &str, target: Option<&str>) -> Result<(), String> {
        let json: Value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        if json.get("VpcEndpoints").is_some() {
            return self.endpoints(serde_json::from_value(json).map_err(|error| error.to_string())?);
        }
        if json.get("UserDetailList").is_some() || json.get("RoleDetailList").is_some() {
            return self.account(&serde_json::from_value(json).map_err(|error| error.to_string())?);
        }
        let Some(target) = target else {
            return Err(
                "a policy document needs a name for what it is attached to: NAME=FILE with an endpoint's id, a \
                key's id or ARN, or a user's or role's ARN"
                    .to_owned(),
            );
        };
        if target.starts_with("vpce-") {
            self.endpoints.insert(target.to_owned(), read(text, Kind::Endpoint, target)?);
        } else if target.starts_with("arn:") && (target.contains(":user/") || target.contains(":role/")) {
            let policies = vec![read(text, Kind::Identity, target)?];
            self.identities.insert(target.to_owned(), Identity { policies, boundary: None });
        } else {
            let id = target.rsplit_once(":key/").map_or(target, |(_, id)| id);
            self.keys.insert(id.to_owned(), read(text, Kind::Key, target)?);
        }
        Ok(())
    }

    fn endpoints(&mut self, listing: Endpoints) -> Result<(), String> {
        for endpoint in listing.vpc_endpoints {
            // Gateway endpoints, and those without a policy, are not ours.
            let Some(text) = endpoint.policy_document else { continue };
            let document = read(&text, Kind::Endpoint, &endpoint.vpc_endpoint_id)?;
            self.endpoints.insert(endpoint.vpc_endpoint_id, document);
        }
        Ok(())
    }

    fn account(&mut self, listing: &Account) -> Result<(), String> {
        for owner in listing.user_detail_list.iter().chain(&listing.role_detail_list) {
            let mut policies = listing.policies_of(owner)?;
            for name in &owner.group_list {
                let group = listing.group_detail_list.iter().find(|group| group.group_name.as_deref() == Some(name));
                policies.extend(
                    listing.policies_of(group.ok_or_else(|| format!("group `{name}` is not in the listing"))?)?,
                );
            }
            let boundary = owner.permissions_boundary.as_ref().map(|boundary| &boundary.permissions_boundary_arn);
            let boundary = boundary.map(|arn| listing.managed(arn, Kind::Boundary)).transpose()?;
            self.identities.insert(owner.arn.clone(), Identity { policies, boundary: Some(boundary) });
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoints {
    vpc_endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    vpc_endpoint_id: String,
    #[serde(default)]
    policy_document: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    #[serde(default)]
    user_detail_list: Vec<Owner>,
    #[serde(default)]
    role_detail_list: Vec<Owner>,
    #[serde(default)]
    group_detail_list: Vec<Owner>,
    #[serde(default)]
    policies: Vec<Managed>,
}

/// A user, role or group.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Owner {
    arn: String,
    #[serde(default)]
    group_name: Option<String>,
    #[serde(default)]
    group_list: Vec<String>,
    #[serde(default, alias = "UserPolicyList", alias = "RolePolicyList", alias = "GroupPolicyList")]
    inline: Vec<Inline>,
    #[serde(default)]
    attached_managed_policies: Vec<Attached>,
    #[serde(default)]
    permissions_boundary: Option<Boundary>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inline {
    policy_name: String,
    policy_document: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attached {
    policy_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Boundary {
    permissions_boundary_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Managed {
    arn: String,
    policy_version_list: Vec<Version>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    document: Value,
    is_default_version: bool,
}

impl Account {
    fn policies_of(&self, owner: &Owner) -> Result<Vec<Document>, String> {
        let inline = owner
            .inline
            .iter()
            .map(|policy| read(&text(&policy.policy_document)?, Kind::Identity, &policy.policy_name));
        let attached =
            owner.attached_managed_policies.iter().map(|policy| self.managed(&policy.policy_arn, Kind::Identity));
        inline.chain(attached).collect()
    }

    fn managed(&self, arn: &str, kind: Kind) -> Result<Document, String> {
        let policy = self.policies.iter().find(|policy| policy.arn == arn);
        let version =
            policy.and_then(|policy| policy.policy_version_list.iter().find(|version| version.is_default_version));
        let version =
            version.ok_or_else(|| format!("policy `{arn}` is attached, and its document is not in the listing"))?;
        read(&text(&version.document)?, kind, arn)
    }
}

/// IAM's API gives documents URL-encoded; its command line decodes them to objects.
fn text(document: &Value) -> Result<String, String> {
    let Value::String(text) = document else { return Ok(document.to_string()) };
    if !text.starts_with('%') {
        return Ok(text.clone());
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let pair = (*first == b'%').then(|| after.get(..2)).flatten();
        let byte = pair.and_then(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

fn read(text: &str, kind: Kind, name: &str) -> Result<Document, String> {
    let document =
        Document::parse(text, kind).map_err(|malformed| format!("`{name}` is no {}: {malformed}", kind.as_str()));
    document.map(|document| document.named(name))
}
