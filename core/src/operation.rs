//! Every KMS operation, declared once. A row says what must hold before its handler may run.
//! Holds no behaviour of its own: the pipeline (`request.rs`, `key_manager.rs`) does what all operations share.

use crate::error::KmsError;
use crate::key::state::States;
use crate::key_manager::{Authorized, Planned};
use crate::model::*;
use crate::operations::{alias, crypto, data_key, grant, lifecycle, listing, policy, public_key, signing, tag};
use crate::request::{self, Prepare};

/// What the gateway, the pipeline, the audit log and the tests know about an operation.
#[derive(Debug)]
pub struct Spec {
    /// The wire name: `TrentService.<name>`.
    pub name: &'static str,
    /// The names of its input and its output in the API model; an operation without an output has an empty one.
    pub input: &'static str,
    pub output: &'static str,
    /// All must pass; each names one resource of the request.
    pub checks: &'static [Check],
    /// The key states in which the operation may run.
    pub states: States,
    pub effect: Effect,
    /// Parses and resolves a request; see `request::prepare`.
    pub prepare: Prepare,
}

impl Spec {
    /// Whether the operation uses keys for cryptography, which is what counts as a use of them.
    pub fn is_cryptographic(&self) -> bool {
        self.states == States::Usable && self.effect == Effect::Read
    }
}

/// One permission on one resource.
#[derive(Debug)]
pub struct Check {
    /// `kms:Encrypt`
    pub action: &'static str,
    pub on: On,
    pub reach: Reach,
}

/// Which resource of the request a permission is needed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// The operation has no resource; policies see `*`.
    Nothing,
    /// The key that KeyId names.
    Key,
    /// As `Key`, where naming an alias is an error of its own.
    KeyToGrant,
    /// As `Key`, and an alias will do.
    KeyOrAlias,
    /// The key that encrypted CiphertextBlob; KeyId, if given, must name it.
    Ciphertext,
    /// ReEncrypt's source and destination.
    Source,
    Destination,
    /// The alias that AliasName names, its target before the call, and TargetKeyId.
    Alias,
    AliasTarget,
    NewTarget,
    /// The key of a grant that is retired: KeyId, or the one that GrantToken names.
    GrantKey,
}

/// Whether an operation works on another account's key at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    OwnAccount,
    AnyAccount,
}

/// `Read` is CloudTrail's readOnly and never waits for the store; `Write` goes to the key's own key manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Read,
    Write,
}

/// The types, and the one step, that differ from one operation to the next.
pub trait Operation: Sized + Send + 'static {
    const SPEC: &'static Spec;
    type Input: Request;
    type Output: Response;

    /// The part of the operation that is its own: a plan, checked at once, and what is left to run.
    fn plan(request: Authorized<Self>) -> Planned<Self::Output>;
}

/// The operation of that wire name, if it has a row.
pub fn find(name: &str) -> Option<&'static Spec> {
    TABLE.iter().copied().find(|spec| spec.name == name)
}

/// Whether AWS KMS has an operation of that name, with or without a row here.
pub fn is_known(name: &str) -> bool {
    OPERATIONS.iter().any(|operation| operation.name == name)
}

/// What an operation of AWS KMS without a row answers.
pub fn unsupported(name: &str) -> KmsError {
    KmsError::Unsupported(format!("The operation {name} is not supported by this service."))
}

macro_rules! operations {
    ($($op:ident($in:ty => $out:ty) [$($action:ident on $on:ident $reach:ident),+]
       $states:ident $effect:ident $plan:path;)+) => {
        $(
            #[derive(Debug)]
            pub struct $op;

            impl Operation for $op {
                const SPEC: &'static Spec = &Spec {
                    name: stringify!($op),
                    input: <$in as Request>::SHAPE,
                    output: <$out as Response>::SHAPE,
                    checks: &[$(Check { action: concat!("kms:", stringify!($action)), on: On::$on, reach: Reach::$reach }),+],
                    states: States::$states,
                    effect: Effect::$effect,
                    prepare: request::prepare::<$op>,
                };
                type Input = $in;
                type Output = $out;

                fn plan(request: Authorized<Self>) -> Planned<$out> {
                    $plan(request)
                }
            }
        )+

        /// Every operation that this service has.
        pub static TABLE: &[&Spec] = &[$(<$op as Operation>::SPEC),+];
    };
}

#[rustfmt::skip]
operations! {
//  operation            shapes                                                 permission on resource, reach          states      effect  handler
    CreateKey            (CreateKeyRequest => CreateKeyResponse)                [CreateKey on Nothing OwnAccount]      Any         Write   lifecycle::create;
    DescribeKey          (DescribeKeyRequest => DescribeKeyResponse)            [DescribeKey on KeyOrAlias AnyAccount] Any         Read    lifecycle::describe;
    UpdateKeyDescription (UpdateKeyDescriptionRequest => Empty)                 [UpdateKeyDescription on Key OwnAccount] NotDeleting Write lifecycle::update_description;
    EnableKey            (EnableKeyRequest => Empty)                            [EnableKey on Key OwnAccount]          NotPending  Write   lifecycle::enable;
    DisableKey           (DisableKeyRequest => Empty)                           [DisableKey on Key OwnAccount]         NotPending  Write   lifecycle::disable;
    ScheduleKeyDeletion  (ScheduleKeyDeletionRequest => ScheduleKeyDeletionResponse) [ScheduleKeyDeletion on Key OwnAccount] NotDeleting Write lifecycle::schedule_deletion;
    CancelKeyDeletion    (CancelKeyDeletionRequest => CancelKeyDeletionResponse) [CancelKeyDeletion on Key OwnAccount] Deleting    Write   lifecycle::cancel_deletion;
    ListKeys             (ListKeysRequest => ListKeysResponse)                  [ListKeys on Nothing OwnAccount]       Any         Read    listing::keys;

    Encrypt              (EncryptRequest => EncryptResponse)                    [Encrypt on KeyOrAlias AnyAccount]     Usable      Read    crypto::encrypt;
    Decrypt              (DecryptRequest => DecryptResponse)                    [Decrypt on Ciphertext AnyAccount]     Usable      Read    crypto::decrypt;
    ReEncrypt            (ReEncryptRequest => ReEncryptResponse)
        [ReEncryptFrom on Source AnyAccount, ReEncryptTo on Destination AnyAccount]                                    Usable      Read    crypto::re_encrypt;
    GenerateDataKey      (GenerateDataKeyRequest => GenerateDataKeyResponse)    [GenerateDataKey on KeyOrAlias AnyAccount] Usable  Read    data_key::generate;
    GenerateDataKeyWithoutPlaintext (GenerateDataKeyWithoutPlaintextRequest => GenerateDataKeyWithoutPlaintextResponse)
        [GenerateDataKeyWithoutPlaintext on KeyOrAlias AnyAccount]                                                     Usable      Read    data_key::generate_without_plaintext;
    GenerateDataKeyPair  (GenerateDataKeyPairRequest => GenerateDataKeyPairResponse)
        [GenerateDataKeyPair on KeyOrAlias AnyAccount]                                                                 Usable      Read    data_key::generate_pair;
    GenerateDataKeyPairWithoutPlaintext (GenerateDataKeyPairWithoutPlaintextRequest => GenerateDataKeyPairWithoutPlaintextResponse)
        [GenerateDataKeyPairWithoutPlaintext on KeyOrAlias AnyAccount]                                                 Usable      Read    data_key::generate_pair_without_plaintext;
    GenerateRandom       (GenerateRandomRequest => GenerateRandomResponse)      [GenerateRandom on Nothing OwnAccount] Any         Read    crypto::generate_random;

    Sign                 (SignRequest => SignResponse)                          [Sign on KeyOrAlias AnyAccount]        Usable      Read    signing::sign;
    Verify               (VerifyRequest => VerifyResponse)                      [Verify on KeyOrAlias AnyAccount]      Usable      Read    signing::verify;
    GenerateMac          (GenerateMacRequest => GenerateMacResponse)            [GenerateMac on KeyOrAlias AnyAccount] Usable      Read    signing::generate_mac;
    VerifyMac            (VerifyMacRequest => VerifyMacResponse)                [VerifyMac on KeyOrAlias AnyAccount]   Usable      Read    signing::verify_mac;
    GetPublicKey         (GetPublicKeyRequest => GetPublicKeyResponse)          [GetPublicKey on KeyOrAlias AnyAccount] Presentable Read   public_key::read;
    DeriveSharedSecret   (DeriveSharedSecretRequest => DeriveSharedSecretResponse) [DeriveSharedSecret on KeyOrAlias AnyAccount] Usable Read public_key::derive_shared_secret;

    CreateAlias          (CreateAliasRequest => Empty)
        [CreateAlias on Alias OwnAccount, CreateAlias on NewTarget OwnAccount]                                         NotDeleting Write   alias::create;
    UpdateAlias          (UpdateAliasRequest => Empty)
        [UpdateAlias on Alias OwnAccount, UpdateAlias on AliasTarget OwnAccount, UpdateAlias on NewTarget OwnAccount]  NotDeleting Write   alias::update;
    DeleteAlias          (DeleteAliasRequest => Empty)
        [DeleteAlias on Alias OwnAccount, DeleteAlias on AliasTarget OwnAccount]                                       Any         Write   alias::delete;
    ListAliases          (ListAliasesRequest => ListAliasesResponse)            [ListAliases on Nothing OwnAccount]    Any         Read    listing::aliases;

    TagResource          (TagResourceRequest => Empty)                          [TagResource on Key OwnAccount]        NotDeleting Write   tag::tag;
    UntagResource        (UntagResourceRequest => Empty)                        [UntagResource on Key OwnAccount]      NotDeleting Write   tag::untag;
    ListResourceTags     (ListResourceTagsRequest => ListResourceTagsResponse)  [ListResourceTags on Key OwnAccount]   Any         Read    tag::list;

    PutKeyPolicy         (PutKeyPolicyRequest => Empty)                         [PutKeyPolicy on Key OwnAccount]       Any         Write   policy::put;
    GetKeyPolicy         (GetKeyPolicyRequest => GetKeyPolicyResponse)          [GetKeyPolicy on Key OwnAccount]       Any         Read    policy::read;
    ListKeyPolicies      (ListKeyPoliciesRequest => ListKeyPoliciesResponse)    [ListKeyPolicies on Key OwnAccount]    Any         Read    policy::list;

    CreateGrant          (CreateGrantRequest => CreateGrantResponse)            [CreateGrant on KeyToGrant AnyAccount] Usable      Write   grant::create;
    ListGrants           (ListGrantsRequest => ListGrantsResponse)              [ListGrants on Key AnyAccount]         Any         Read    grant::list;
    ListRetirableGrants  (ListRetirableGrantsRequest => ListGrantsResponse) [ListRetirableGrants on Nothing OwnAccount] Any Read   grant::list_retirable;
    RetireGrant          (RetireGrantRequest => Empty)                          [RetireGrant on GrantKey AnyAccount]   Any         Write   grant::retire;
    RevokeGrant          (RevokeGrantRequest => Empty)                          [RevokeGrant on Key AnyAccount]        Any         Write   grant::revoke;
}
