//! The condition keys that a KMS request can have: names, whether they hold many values, whether they are ids of AWS's.
//! Names only, from the lists of the IAM User Guide and the KMS Developer Guide; knows no document.

/// One condition key; a name that ends in `/` or `:` stands for all that begin so.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) many: bool,
    /// Made by AWS, so that neither a part of it nor its size says anything.
    pub(super) id: bool,
}

const fn one(name: &'static str) -> Key {
    Key { name, many: false, id: false }
}

const fn many(name: &'static str) -> Key {
    Key { name, many: true, id: false }
}

const fn id(name: &'static str) -> Key {
    Key { name, many: false, id: true }
}

#[rustfmt::skip]
const KEYS: &[Key] = &[
    one("aws:AssumedRoot"), many("aws:CalledVia"), one("aws:CalledViaFirst"), one("aws:CalledViaLast"),
    one("aws:CurrentTime"), one("aws:Ec2InstanceSourcePrivateIPv4"), id("aws:Ec2InstanceSourceVpc"), one("aws:EpochTime"),
    one("aws:FederatedProvider"), one("aws:MultiFactorAuthAge"), one("aws:MultiFactorAuthPresent"),
    id("aws:PrincipalAccount"), one("aws:PrincipalArn"), one("aws:PrincipalIsAWSService"), id("aws:PrincipalOrgID"),
    many("aws:PrincipalOrgPaths"), one("aws:PrincipalServiceName"), many("aws:PrincipalServiceNamesList"),
    one("aws:PrincipalTag/"), one("aws:PrincipalType"), one("aws:referer"), one("aws:RequestedRegion"),
    one("aws:RequestTag/"), id("aws:ResourceAccount"), id("aws:ResourceOrgID"), many("aws:ResourceOrgPaths"),
    one("aws:ResourceTag/"), one("aws:SecureTransport"), id("aws:SourceAccount"), one("aws:SourceArn"),
    one("aws:SourceIdentity"), one("aws:SourceIp"), id("aws:SourceOrgID"), many("aws:SourceOrgPaths"),
    id("aws:SourceVpc"), one("aws:SourceVpcArn"), id("aws:SourceVpce"), many("aws:TagKeys"), one("aws:TokenIssueTime"),
    one("aws:UserAgent"), one("aws:userid"), one("aws:username"), one("aws:ViaAWSService"), id("aws:VpceAccount"),
    id("aws:VpceOrgID"), many("aws:VpceOrgPaths"), one("aws:VpcSourceIp"),
    one("kannuki:SourceVpcTag/"), one("kannuki:SourceVpceTag/"),
    one("kms:BypassPolicyLockoutSafetyCheck"), id("kms:CallerAccount"), one("kms:CustomerMasterKeySpec"),
    one("kms:CustomerMasterKeyUsage"), one("kms:DataKeyPairSpec"), one("kms:EncryptionAlgorithm"),
    one("kms:EncryptionContext:"), many("kms:EncryptionContextKeys"), one("kms:ExpirationModel"),
    one("kms:GrantConstraintSourceArn"), one("kms:GrantConstraintType"), one("kms:GranteePrincipal"),
    one("kms:GranteeServicePrincipal"), one("kms:GrantIsForAWSResource"), many("kms:GrantOperations"),
    one("kms:KeyAgreementAlgorithm"), one("kms:KeyOrigin"), one("kms:KeySpec"), one("kms:KeyUsage"),
    one("kms:MacAlgorithm"), one("kms:MessageType"), one("kms:MultiRegion"), one("kms:MultiRegionKeyType"),
    one("kms:PolicyName"), one("kms:DryRun"), one("kms:PrimaryRegion"), one("kms:RecipientAttestation:"),
    one("kms:ReEncryptOnSameKey"), one("kms:ReplicaRegion"), one("kms:RequestAlias"), many("kms:ResourceAliases"),
    one("kms:RetiringPrincipal"), one("kms:RetiringServicePrincipal"), one("kms:RotationPeriodInDays"),
    one("kms:ScheduleKeyDeletionPendingWindowInDays"), one("kms:SigningAlgorithm"),
    one("kms:TrailingDaysWithoutKeyUsage"), one("kms:ValidTo"), one("kms:ViaService"), one("kms:WrappingAlgorithm"),
    one("kms:WrappingKeySpec"),
];

/// The key of that name, case ignored.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| {
        if key.name.ends_with(['/', ':']) {
            let head = name.get(..key.name.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(key.name)) && name.len() > key.name.len()
        } else {
            key.name.eq_ignore_ascii_case(name)
        }
    })
}

/// The known names, for a suggestion.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// Whether a key of that name would be one of those listed here: other services have their own.
pub(super) fn is_ours(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["aws:", "kms:", "kannuki:"].iter().any(|prefix| lower.starts_with(prefix))
}
