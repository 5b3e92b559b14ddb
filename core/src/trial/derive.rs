//! The condition keys that follow from a fixture's scene, as the live service would fill them in.
//! Knows where each key comes from (policy semantics: caller, source, key, operation, time); decides nothing.

use std::collections::BTreeMap;

use super::stage::Aim;
use super::suite::{Caller, ContextValue, Endpoint, Key, Request, Suite, Texts, Vpc};
use crate::authz::{FactKey, FactMap, Principal, Value};
use crate::clock::Timestamp;

/// Condition keys that a caller answers for itself.
const OF_PRINCIPAL: [&str; 9] = [
    "aws:PrincipalArn",
    "aws:PrincipalAccount",
    "aws:PrincipalType",
    "aws:userid",
    "aws:username",
    "aws:PrincipalIsAWSService",
    "aws:PrincipalServiceName",
    "aws:PrincipalServiceNamesList",
    "kms:CallerAccount",
];

/// All facts of one request. What the fixture gives by hand comes last and overrides, or takes away.
///
/// # Errors
/// When what is given contradicts itself.
pub(super) fn facts(
    suite: &Suite,
    request: &Request,
    caller: &Caller,
    principal: &Principal,
    network: Option<(&Endpoint, &Vpc)>,
    aim: &Aim<'_>,
) -> Result<FactMap, String> {
    let mut facts = Facts(BTreeMap::new());
    let given = || caller.context.iter().chain(&request.context);
    let via =
        given().rev().find(|(name, _)| name.eq_ignore_ascii_case("kms:ViaService")).and_then(|(_, value)| one(value));
    if via.is_some() && network.is_some() {
        return Err("a call that a service makes comes through no endpoint of its principal's".to_owned());
    }
    of_caller(&mut facts, suite, caller, principal, aim, request);
    if !matches!(principal, Principal::Service { .. }) && via.is_none() {
        of_source(&mut facts, suite, request, network);
    }
    of_time(&mut facts, suite, principal)?;
    of_service(&mut facts, via);
    of_operation(&mut facts, request, aim);
    if let Some(key) = aim.key {
        of_key(&mut facts, key, aim, &request.action);
    }
    if let Some(account) = &aim.account {
        facts.text("aws:ResourceAccount", account);
        of_organization(&mut facts, suite, account, "aws:Resource");
    }
    for (name, value) in given() {
        facts.given(name, value);
    }
    Ok(facts.into_map())
}

fn of_caller(
    facts: &mut Facts,
    suite: &Suite,
    caller: &Caller,
    principal: &Principal,
    aim: &Aim<'_>,
    request: &Request,
) {
    let on_key_or_store =
        aim.key.is_some() || request.action == "kms:CreateKey" || request.action.contains("CustomKeyStore");
    for name in OF_PRINCIPAL.into_iter().filter(|name| *name != "kms:CallerAccount" || on_key_or_store) {
        if let Some(value) = principal.fact(&FactKey::new(name)) {
            facts.value(name, value);
        }
    }
    for (name, value) in &caller.tags {
        facts.text(&format!("aws:PrincipalTag/{name}"), value);
    }
    if let Some(account) = principal.account() {
        of_organization(facts, suite, account, "aws:Principal");
    }
}

/// `aws:PrincipalOrgID` and the path, and their like.
fn of_organization(facts: &mut Facts, suite: &Suite, account: &str, head: &str) {
    let Some((organization, nodes)) = suite.membership(account) else { return };
    facts.text(&format!("{head}OrgID"), &organization.id);
    let units = nodes.iter().filter(|node| node.id != account).map(|node| format!("{}/", node.id)).collect::<String>();
    facts.many(&format!("{head}OrgPaths"), [format!("{}/{units}", organization.id)]);
}

/// Behind an endpoint aws:SourceIp is absent; off one, the VPC keys are (AWS PrivateLink guide).
fn of_source(facts: &mut Facts, suite: &Suite, request: &Request, network: Option<(&Endpoint, &Vpc)>) {
    let Some((endpoint, vpc)) = network else {
        if let Some(address) = &request.source_ip {
            facts.text("aws:SourceIp", address);
        }
        return;
    };
    let account = endpoint.account.as_ref().unwrap_or(&vpc.account);
    facts.text("aws:SourceVpce", &endpoint.id);
    facts.text("aws:SourceVpc", &vpc.id);
    facts.text("aws:SourceVpcArn", &format!("arn:aws:ec2:{}:{}:vpc/{}", suite.region(), vpc.account, vpc.id));
    facts.text("aws:VpceAccount", account);
    of_organization(facts, suite, account, "aws:Vpce");
    if let Some(address) = &request.source_ip {
        facts.text("aws:VpcSourceIp", address);
    }
    for (head, tags) in [("kannuki:SourceVpceTag", &endpoint.tags), ("kannuki:SourceVpcTag", &vpc.tags)] {
        tags.iter().for_each(|(name, value)| facts.text(&format!("{head}/{name}"), value));
    }
}

fn of_time(facts: &mut Facts, suite: &Suite, principal: &Principal) -> Result<(), String> {
    let now = Timestamp::from_iso(suite.now())
        .ok_or_else(|| format!("`{}` is no time such as 2026-01-01T00:00:00Z", suite.now()))?;
    facts.text("aws:CurrentTime", &now.iso());
    facts.text("aws:EpochTime", &now.seconds().to_string());
    facts.text("aws:SecureTransport", "true");
    facts.text("aws:RequestedRegion", suite.region());
    if matches!(principal, Principal::AssumedRole { .. } | Principal::FederatedUser { .. }) {
        facts.text("aws:TokenIssueTime", &now.iso());
    }
    Ok(())
}

/// What a service adds that calls for its principal (IAM User Guide, "Forward access sessions").
fn of_service(facts: &mut Facts, via: Option<&str>) {
    facts.text("aws:ViaAWSService", if via.is_some() { "true" } else { "false" });
    let Some(name) = via.and_then(|via| via.split('.').next()) else { return };
    let service = format!("{name}.amazonaws.com");
    facts.text("aws:CalledViaFirst", &service);
    facts.text("aws:CalledViaLast", &service);
    facts.many("aws:CalledVia", [service]);
}

/// Parameters whose default counts as their value, and the encryption context.
fn of_operation(facts: &mut Facts, request: &Request, aim: &Aim<'_>) {
    let symmetric = aim.key.is_none_or(|key| key.spec.as_deref().is_none_or(|spec| spec == "SYMMETRIC_DEFAULT"));
    let defaults: &[(&str, &str)] = match request.action.as_str() {
        "kms:CreateKey" => &[
            ("kms:KeySpec", "SYMMETRIC_DEFAULT"),
            ("kms:CustomerMasterKeySpec", "SYMMETRIC_DEFAULT"),
            ("kms:KeyUsage", "ENCRYPT_DECRYPT"),
            ("kms:CustomerMasterKeyUsage", "ENCRYPT_DECRYPT"),
            ("kms:KeyOrigin", "AWS_KMS"),
            ("kms:MultiRegion", "false"),
        ],
        "kms:ScheduleKeyDeletion" => &[("kms:ScheduleKeyDeletionPendingWindowInDays", "30")],
        "kms:PutKeyPolicy" | "kms:GetKeyPolicy" => &[("kms:PolicyName", "default")],
        "kms:CreateGrant" | "kms:ListGrants" | "kms:RevokeGrant" => &[("kms:GrantIsForAWSResource", "false")],
        "kms:Encrypt" | "kms:Decrypt" | "kms:ReEncryptFrom" | "kms:ReEncryptTo" if symmetric => ALGORITHM,
        action if action.starts_with("kms:GenerateDataKey") => ALGORITHM,
        _ => &[],
    };
    defaults.iter().for_each(|(name, value)| facts.text(name, value));
    let pairs = request.encryption_context.iter().flatten();
    for (name, value) in pairs.clone() {
        facts.text(&format!("kms:EncryptionContext:{name}"), value);
    }
    if request.encryption_context.as_ref().is_some_and(|pairs| !pairs.is_empty()) {
        facts.many("kms:EncryptionContextKeys", pairs.map(|(name, _)| name.clone()));
    }
}

const ALGORITHM: &[(&str, &str)] = &[("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT")];

fn of_key(facts: &mut Facts, key: &Key, aim: &Aim<'_>, action: &str) {
    let (spec, usage) =
        (key.spec.as_deref().unwrap_or("SYMMETRIC_DEFAULT"), key.usage.as_deref().unwrap_or("ENCRYPT_DECRYPT"));
    for (name, value) in [
        ("kms:KeySpec", spec),
        ("kms:CustomerMasterKeySpec", spec),
        ("kms:KeyUsage", usage),
        ("kms:CustomerMasterKeyUsage", usage),
        ("kms:KeyOrigin", key.origin.as_deref().unwrap_or("AWS_KMS")),
        ("kms:MultiRegion", if key.multi_region.is_some() { "true" } else { "false" }),
    ] {
        facts.text(name, value);
    }
    if let Some(kind) = &key.multi_region {
        facts.text("kms:MultiRegionKeyType", kind);
    }
    for (name, value) in &key.tags {
        facts.text(&format!("aws:ResourceTag/{name}"), value);
    }
    facts.many("kms:ResourceAliases", key.aliases.iter().cloned());
    if let Some(alias) = aim.alias.as_deref().filter(|_| takes_alias(action)) {
        facts.text("kms:RequestAlias", alias);
    }
}

/// Cryptographic operations, DescribeKey and GetPublicKey can be given an alias.
fn takes_alias(action: &str) -> bool {
    const OTHERS: [&str; 4] = ["kms:CreateGrant", "kms:ListGrants", "kms:RetireGrant", "kms:RevokeGrant"];
    let operation = action.strip_prefix("kms:").and_then(crate::model::OperationModel::of_action);
    operation.is_some_and(|(operation, _)| operation.across_accounts && operation.name != "GetKeyRotationStatus")
        && !OTHERS.contains(&action)
}

fn one(value: &ContextValue) -> Option<&str> {
    match value {
        Some(Texts::One(text)) => Some(text),
        _ => None,
    }
}

/// Facts in the making, by the name in lower case.
struct Facts(BTreeMap<String, (String, Value<'static>)>);

impl Facts {
    fn value(&mut self, name: &str, value: Value<'static>) {
        self.0.insert(name.to_owned(), (name.to_owned(), value));
    }

    fn text(&mut self, name: &str, text: &str) {
        self.value(name, Value::one(text).into_owned());
    }

    fn many(&mut self, name: &str, texts: impl IntoIterator<Item = String>) {
        self.value(name, Value::Many(texts.into_iter().map(Into::into).collect()));
    }

    fn given(&mut self, name: &str, value: &ContextValue) {
        self.0.retain(|known, _| !known.eq_ignore_ascii_case(name));
        match value {
            None => {}
            Some(Texts::One(text)) => self.text(name, text),
            Some(Texts::Many(texts)) => self.many(name, texts.iter().cloned()),
        }
    }

    fn into_map(self) -> FactMap {
        let mut map = FactMap::default();
        self.0.into_values().for_each(|(name, value)| map.insert(&name, value));
        map
    }
}
