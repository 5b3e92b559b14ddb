//! Written by the test `model` from the API model, and not by hand: `UPDATE=1 cargo test -p kms-tests --test it model`.
//! What a row means stands in `shape`; what a rule means, in `constraint`.

use std::collections::BTreeMap;

use kms_hsm::Plaintext;
use serde::ser::SerializeMap as _;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::audited::{Audited, show, shown};
use super::constraint::Constraint::{Each, LengthMax, LengthMin, Matches, OneOf, ValueMax, ValueMin};
use super::constraint::{At, Constraint, Pattern, Rule, Violations};
use super::field::{AsField, Field, Fields};
use super::read::{Draft, Member, Members, body, may, must, once, or_default, skip};
use super::scalar::{Scalar, name_breaks};
use super::value::{Blob, SecretText, UnknownName};
use super::write::{Encode, Sink, encode, member};
use super::{Empty, Invalid, OperationModel, Page, Request, Response};
use crate::clock::Timestamp;

static FREE: Rule = &[];
static ACCOUNT_ID_TYPE_PATTERN: Pattern = Pattern::new("[0-9]{12}");
static ACCOUNT_ID_TYPE: Rule = &[LengthMax(12), LengthMin(12), Matches(&ACCOUNT_ID_TYPE_PATTERN)];
static ALGORITHM_SPEC: Rule = &[OneOf("RSAES_PKCS1_V1_5, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, RSA_AES_KEY_WRAP_SHA_1, RSA_AES_KEY_WRAP_SHA_256, SM2PKE")];
static ALIAS_NAME_TYPE_PATTERN: Pattern = Pattern::new("^[a-zA-Z0-9:/_-]+$");
static ALIAS_NAME_TYPE: Rule = &[LengthMax(256), LengthMin(1), Matches(&ALIAS_NAME_TYPE_PATTERN)];
static ATTESTATION_DOCUMENT_TYPE: Rule = &[LengthMax(262144), LengthMin(1)];
static BACKING_KEY_ID_TYPE_PATTERN: Pattern = Pattern::new("^[a-f0-9]+$");
static BACKING_KEY_ID_TYPE: Rule = &[LengthMax(64), LengthMin(64), Matches(&BACKING_KEY_ID_TYPE_PATTERN)];
static CIPHERTEXT_TYPE: Rule = &[LengthMax(6144), LengthMin(1)];
static CLOUD_HSM_CLUSTER_ID_TYPE_PATTERN: Pattern = Pattern::new("cluster-[2-7a-zA-Z]{11,16}");
static CLOUD_HSM_CLUSTER_ID_TYPE: Rule = &[LengthMax(24), LengthMin(19), Matches(&CLOUD_HSM_CLUSTER_ID_TYPE_PATTERN)];
static CUSTOM_KEY_STORE_ID_TYPE: Rule = &[LengthMax(64), LengthMin(1)];
static CUSTOM_KEY_STORE_NAME_TYPE: Rule = &[LengthMax(256), LengthMin(1)];
static CUSTOM_KEY_STORE_TYPE: Rule = &[OneOf("AWS_CLOUDHSM, EXTERNAL_KEY_STORE")];
static CUSTOMER_MASTER_KEY_SPEC: Rule = &[OneOf("RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2")];
static DATA_KEY_PAIR_SPEC: Rule = &[OneOf("RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, SM2, ECC_NIST_EDWARDS25519, ML_KEM_512, ML_KEM_768, ML_KEM_1024")];
static DATA_KEY_SPEC: Rule = &[OneOf("AES_256, AES_128")];
static DESCRIPTION_TYPE: Rule = &[LengthMax(8192), LengthMin(0)];
static DRY_RUN_MODIFIER_LIST: Rule = &[Each(DRY_RUN_MODIFIER_TYPE)];
static DRY_RUN_MODIFIER_TYPE: Rule = &[OneOf("IGNORE_CIPHERTEXT")];
static ENCAPSULATION_ALGORITHM_SPEC: Rule = &[OneOf("ML_KEM")];
static ENCRYPTION_ALGORITHM_SPEC: Rule = &[OneOf("SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE")];
static EXPIRATION_MODEL_TYPE: Rule = &[OneOf("KEY_MATERIAL_EXPIRES, KEY_MATERIAL_DOES_NOT_EXPIRE")];
static GRANT_CONSTRAINT_SOURCE_ARN_TYPE_PATTERN: Pattern = Pattern::new("^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$");
static GRANT_CONSTRAINT_SOURCE_ARN_TYPE: Rule = &[LengthMax(512), LengthMin(20), Matches(&GRANT_CONSTRAINT_SOURCE_ARN_TYPE_PATTERN)];
static GRANT_ID_TYPE: Rule = &[LengthMax(128), LengthMin(1)];
static GRANT_NAME_TYPE_PATTERN: Pattern = Pattern::new("^[a-zA-Z0-9:/_-]+$");
static GRANT_NAME_TYPE: Rule = &[LengthMax(256), LengthMin(1), Matches(&GRANT_NAME_TYPE_PATTERN)];
static GRANT_OPERATION: Rule = &[OneOf("Decrypt, Encrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, ReEncryptFrom, ReEncryptTo, Sign, Verify, GetPublicKey, CreateGrant, RetireGrant, DescribeKey, GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext, GenerateMac, VerifyMac, DeriveSharedSecret, Encapsulate, Decapsulate")];
static GRANT_OPERATION_LIST: Rule = &[Each(GRANT_OPERATION)];
static GRANT_TOKEN_LIST: Rule = &[LengthMax(10), LengthMin(0), Each(GRANT_TOKEN_TYPE)];
static GRANT_TOKEN_TYPE: Rule = &[LengthMax(8192), LengthMin(1)];
static IMPORT_TYPE: Rule = &[OneOf("NEW_KEY_MATERIAL, EXISTING_KEY_MATERIAL")];
static INCLUDE_KEY_MATERIAL: Rule = &[OneOf("ALL_KEY_MATERIAL, ROTATIONS_ONLY")];
static KEY_AGREEMENT_ALGORITHM_SPEC: Rule = &[OneOf("ECDH")];
static KEY_ENCRYPTION_MECHANISM: Rule = &[OneOf("RSAES_OAEP_SHA_256")];
static KEY_ID_TYPE: Rule = &[LengthMax(2048), LengthMin(1)];
static KEY_MATERIAL_DESCRIPTION_TYPE_PATTERN: Pattern = Pattern::new("^[a-zA-Z0-9:/_\\s.-]+$");
static KEY_MATERIAL_DESCRIPTION_TYPE: Rule = &[LengthMax(256), LengthMin(0), Matches(&KEY_MATERIAL_DESCRIPTION_TYPE_PATTERN)];
static KEY_SPEC: Rule = &[OneOf("RSA_2048, ECC_NIST_P384, ECC_NIST_P256, ECC_NIST_P521, HMAC_384, RSA_3072, ECC_SECG_P256K1, RSA_4096, SYMMETRIC_DEFAULT, HMAC_256, HMAC_224, HMAC_512, SM2, ML_DSA_44, ML_DSA_65, ML_DSA_87, ECC_NIST_EDWARDS25519, ML_KEM_512, ML_KEM_768, ML_KEM_1024")];
static KEY_STORE_PASSWORD_TYPE: Rule = &[LengthMax(32), LengthMin(7)];
static KEY_USAGE_TYPE: Rule = &[OneOf("ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, KEY_AGREEMENT, ENCAPSULATE_DECAPSULATE")];
static LIMIT_TYPE: Rule = &[ValueMax(1000), ValueMin(1)];
static MAC_ALGORITHM_SPEC: Rule = &[OneOf("HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512")];
static MARKER_TYPE_PATTERN: Pattern = Pattern::new("[\\u0020-\\u00FF]*");
static MARKER_TYPE: Rule = &[LengthMax(1024), LengthMin(1), Matches(&MARKER_TYPE_PATTERN)];
static MESSAGE_TYPE: Rule = &[OneOf("RAW, DIGEST, EXTERNAL_MU")];
static NUMBER_OF_BYTES_TYPE: Rule = &[ValueMax(1024), ValueMin(1)];
static ORIGIN_TYPE: Rule = &[OneOf("AWS_KMS, EXTERNAL, AWS_CLOUDHSM, EXTERNAL_KEY_STORE")];
static PENDING_WINDOW_IN_DAYS_TYPE: Rule = &[ValueMax(365), ValueMin(1)];
static PLAINTEXT_TYPE: Rule = &[LengthMax(4096), LengthMin(1)];
static POLICY_NAME_TYPE_PATTERN: Pattern = Pattern::new("[\\w]+");
static POLICY_NAME_TYPE: Rule = &[LengthMax(128), LengthMin(1), Matches(&POLICY_NAME_TYPE_PATTERN)];
static POLICY_TYPE_PATTERN: Pattern = Pattern::new("[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+");
static POLICY_TYPE: Rule = &[LengthMax(131072), LengthMin(1), Matches(&POLICY_TYPE_PATTERN)];
static PRINCIPAL_ID_TYPE_PATTERN: Pattern = Pattern::new("^[\\w+=,.@:/-]+$");
static PRINCIPAL_ID_TYPE: Rule = &[LengthMax(256), LengthMin(1), Matches(&PRINCIPAL_ID_TYPE_PATTERN)];
static PUBLIC_KEY_TYPE: Rule = &[LengthMax(8192), LengthMin(1)];
static REGION_TYPE_PATTERN: Pattern = Pattern::new("^([a-z]+-){2,3}\\d+$");
static REGION_TYPE: Rule = &[LengthMax(32), LengthMin(1), Matches(&REGION_TYPE_PATTERN)];
static RESOURCE_OWNER_TYPE: Rule = &[OneOf("SELF, OTHER_ACCOUNTS_VIA_RAM")];
static RESOURCE_OWNERS_LIST: Rule = &[LengthMax(2), LengthMin(1), Each(RESOURCE_OWNER_TYPE)];
static ROTATION_PERIOD_IN_DAYS_TYPE: Rule = &[ValueMax(2560), ValueMin(90)];
static SERVICE_PRINCIPAL_TYPE_PATTERN: Pattern = Pattern::new("^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$");
static SERVICE_PRINCIPAL_TYPE: Rule = &[LengthMax(128), LengthMin(1), Matches(&SERVICE_PRINCIPAL_TYPE_PATTERN)];
static SIGNING_ALGORITHM_SPEC: Rule = &[OneOf("RSASSA_PSS_SHA_256, RSASSA_PSS_SHA_384, RSASSA_PSS_SHA_512, RSASSA_PKCS1_V1_5_SHA_256, RSASSA_PKCS1_V1_5_SHA_384, RSASSA_PKCS1_V1_5_SHA_512, ECDSA_SHA_256, ECDSA_SHA_384, ECDSA_SHA_512, SM2DSA, ML_DSA_SHAKE_256, ED25519_SHA_512, ED25519_PH_SHA_512")];
static TAG_KEY_LIST: Rule = &[Each(TAG_KEY_TYPE)];
static TAG_KEY_TYPE: Rule = &[LengthMax(128), LengthMin(1)];
static TAG_VALUE_TYPE: Rule = &[LengthMax(256), LengthMin(0)];
static TRUST_ANCHOR_CERTIFICATE_TYPE: Rule = &[LengthMax(5000), LengthMin(1)];
static WRAPPING_KEY_SPEC: Rule = &[OneOf("RSA_2048, RSA_3072, RSA_4096, SM2")];
static XKS_KEY_ID_TYPE_PATTERN: Pattern = Pattern::new("^[a-zA-Z0-9-_.]+$");
static XKS_KEY_ID_TYPE: Rule = &[LengthMax(128), LengthMin(1), Matches(&XKS_KEY_ID_TYPE_PATTERN)];
static XKS_PROXY_AUTHENTICATION_ACCESS_KEY_ID_TYPE_PATTERN: Pattern = Pattern::new("^[A-Z2-7]+$");
static XKS_PROXY_AUTHENTICATION_ACCESS_KEY_ID_TYPE: Rule = &[LengthMax(30), LengthMin(20), Matches(&XKS_PROXY_AUTHENTICATION_ACCESS_KEY_ID_TYPE_PATTERN)];
static XKS_PROXY_AUTHENTICATION_RAW_SECRET_ACCESS_KEY_TYPE_PATTERN: Pattern = Pattern::new("^[a-zA-Z0-9\\/+=]+$");
static XKS_PROXY_AUTHENTICATION_RAW_SECRET_ACCESS_KEY_TYPE: Rule = &[LengthMax(64), LengthMin(43), Matches(&XKS_PROXY_AUTHENTICATION_RAW_SECRET_ACCESS_KEY_TYPE_PATTERN)];
static XKS_PROXY_CONNECTIVITY_TYPE: Rule = &[OneOf("PUBLIC_ENDPOINT, VPC_ENDPOINT_SERVICE")];
static XKS_PROXY_URI_ENDPOINT_TYPE_PATTERN: Pattern = Pattern::new("^https://[a-zA-Z0-9.-]+$");
static XKS_PROXY_URI_ENDPOINT_TYPE: Rule = &[LengthMax(128), LengthMin(10), Matches(&XKS_PROXY_URI_ENDPOINT_TYPE_PATTERN)];
static XKS_PROXY_URI_PATH_TYPE_PATTERN: Pattern = Pattern::new("^(/[a-zA-Z0-9\\/_-]+/kms/xks/v\\d{1,2})$|^(/kms/xks/v\\d{1,2})$");
static XKS_PROXY_URI_PATH_TYPE: Rule = &[LengthMax(128), LengthMin(10), Matches(&XKS_PROXY_URI_PATH_TYPE_PATTERN)];
static XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME_TYPE_PATTERN: Pattern = Pattern::new("^(com|eu)\\.amazonaws\\.vpce\\.([a-z]+-){2,3}\\d+\\.vpce-svc-[0-9a-z]+$");
static XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME_TYPE: Rule = &[LengthMax(64), LengthMin(20), Matches(&XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME_TYPE_PATTERN)];
#[cfg(test)]
pub(super) static PATTERNS: &[&Pattern] = &[&ACCOUNT_ID_TYPE_PATTERN, &ALIAS_NAME_TYPE_PATTERN, &BACKING_KEY_ID_TYPE_PATTERN, &CLOUD_HSM_CLUSTER_ID_TYPE_PATTERN, &GRANT_CONSTRAINT_SOURCE_ARN_TYPE_PATTERN, &GRANT_NAME_TYPE_PATTERN, &KEY_MATERIAL_DESCRIPTION_TYPE_PATTERN, &MARKER_TYPE_PATTERN, &POLICY_NAME_TYPE_PATTERN, &POLICY_TYPE_PATTERN, &PRINCIPAL_ID_TYPE_PATTERN, &REGION_TYPE_PATTERN, &SERVICE_PRINCIPAL_TYPE_PATTERN, &XKS_KEY_ID_TYPE_PATTERN, &XKS_PROXY_AUTHENTICATION_ACCESS_KEY_ID_TYPE_PATTERN, &XKS_PROXY_AUTHENTICATION_RAW_SECRET_ACCESS_KEY_TYPE_PATTERN, &XKS_PROXY_URI_ENDPOINT_TYPE_PATTERN, &XKS_PROXY_URI_PATH_TYPE_PATTERN, &XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME_TYPE_PATTERN];

enumeration! { AlgorithmSpec {
    RsaesPkcs1V15 = "RSAES_PKCS1_V1_5",
    RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
    RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
    RsaAesKeyWrapSha1 = "RSA_AES_KEY_WRAP_SHA_1",
    RsaAesKeyWrapSha256 = "RSA_AES_KEY_WRAP_SHA_256",
    Sm2pke = "SM2PKE",
} }

enumeration! { ConnectionErrorCodeType {
    InvalidCredentials = "INVALID_CREDENTIALS",
    ClusterNotFound = "CLUSTER_NOT_FOUND",
    NetworkErrors = "NETWORK_ERRORS",
    InternalError = "INTERNAL_ERROR",
    InsufficientCloudhsmHsms = "INSUFFICIENT_CLOUDHSM_HSMS",
    UserLockedOut = "USER_LOCKED_OUT",
    UserNotFound = "USER_NOT_FOUND",
    UserLoggedIn = "USER_LOGGED_IN",
    SubnetNotFound = "SUBNET_NOT_FOUND",
    InsufficientFreeAddressesInSubnet = "INSUFFICIENT_FREE_ADDRESSES_IN_SUBNET",
    XksProxyAccessDenied = "XKS_PROXY_ACCESS_DENIED",
    XksProxyNotReachable = "XKS_PROXY_NOT_REACHABLE",
    XksVpcEndpointServiceNotFound = "XKS_VPC_ENDPOINT_SERVICE_NOT_FOUND",
    XksProxyInvalidResponse = "XKS_PROXY_INVALID_RESPONSE",
    XksProxyInvalidConfiguration = "XKS_PROXY_INVALID_CONFIGURATION",
    XksVpcEndpointServiceInvalidConfiguration = "XKS_VPC_ENDPOINT_SERVICE_INVALID_CONFIGURATION",
    XksProxyTimedOut = "XKS_PROXY_TIMED_OUT",
    XksProxyInvalidTlsConfiguration = "XKS_PROXY_INVALID_TLS_CONFIGURATION",
} }

enumeration! { ConnectionStateType {
    Connected = "CONNECTED",
    Connecting = "CONNECTING",
    Failed = "FAILED",
    Disconnected = "DISCONNECTED",
    Disconnecting = "DISCONNECTING",
} }

enumeration! { CustomKeyStoreType {
    AwsCloudhsm = "AWS_CLOUDHSM",
    ExternalKeyStore = "EXTERNAL_KEY_STORE",
} }

enumeration! { CustomerMasterKeySpec {
    Rsa2048 = "RSA_2048",
    Rsa3072 = "RSA_3072",
    Rsa4096 = "RSA_4096",
    EccNistP256 = "ECC_NIST_P256",
    EccNistP384 = "ECC_NIST_P384",
    EccNistP521 = "ECC_NIST_P521",
    EccSecgP256k1 = "ECC_SECG_P256K1",
    SymmetricDefault = "SYMMETRIC_DEFAULT",
    Hmac224 = "HMAC_224",
    Hmac256 = "HMAC_256",
    Hmac384 = "HMAC_384",
    Hmac512 = "HMAC_512",
    Sm2 = "SM2",
} }

enumeration! { DataKeyPairSpec {
    Rsa2048 = "RSA_2048",
    Rsa3072 = "RSA_3072",
    Rsa4096 = "RSA_4096",
    EccNistP256 = "ECC_NIST_P256",
    EccNistP384 = "ECC_NIST_P384",
    EccNistP521 = "ECC_NIST_P521",
    EccSecgP256k1 = "ECC_SECG_P256K1",
    Sm2 = "SM2",
    EccNistEdwards25519 = "ECC_NIST_EDWARDS25519",
    MlKem512 = "ML_KEM_512",
    MlKem768 = "ML_KEM_768",
    MlKem1024 = "ML_KEM_1024",
} }

enumeration! { DataKeySpec {
    Aes256 = "AES_256",
    Aes128 = "AES_128",
} }

enumeration! { DryRunModifierType {
    IgnoreCiphertext = "IGNORE_CIPHERTEXT",
} }

enumeration! { EncapsulationAlgorithmSpec {
    MlKem = "ML_KEM",
} }

enumeration! { EncryptionAlgorithmSpec {
    SymmetricDefault = "SYMMETRIC_DEFAULT",
    RsaesOaepSha1 = "RSAES_OAEP_SHA_1",
    RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
    Sm2pke = "SM2PKE",
} }

enumeration! { ExpirationModelType {
    KeyMaterialExpires = "KEY_MATERIAL_EXPIRES",
    KeyMaterialDoesNotExpire = "KEY_MATERIAL_DOES_NOT_EXPIRE",
} }

enumeration! { GrantOperation {
    Decrypt = "Decrypt",
    Encrypt = "Encrypt",
    GenerateDataKey = "GenerateDataKey",
    GenerateDataKeyWithoutPlaintext = "GenerateDataKeyWithoutPlaintext",
    ReEncryptFrom = "ReEncryptFrom",
    ReEncryptTo = "ReEncryptTo",
    Sign = "Sign",
    Verify = "Verify",
    GetPublicKey = "GetPublicKey",
    CreateGrant = "CreateGrant",
    RetireGrant = "RetireGrant",
    DescribeKey = "DescribeKey",
    GenerateDataKeyPair = "GenerateDataKeyPair",
    GenerateDataKeyPairWithoutPlaintext = "GenerateDataKeyPairWithoutPlaintext",
    GenerateMac = "GenerateMac",
    VerifyMac = "VerifyMac",
    DeriveSharedSecret = "DeriveSharedSecret",
    Encapsulate = "Encapsulate",
    Decapsulate = "Decapsulate",
} }

enumeration! { ImportState {
    Imported = "IMPORTED",
    PendingImport = "PENDING_IMPORT",
} }

enumeration! { ImportType {
    NewKeyMaterial = "NEW_KEY_MATERIAL",
    ExistingKeyMaterial = "EXISTING_KEY_MATERIAL",
} }

enumeration! { IncludeKeyMaterial {
    AllKeyMaterial = "ALL_KEY_MATERIAL",
    RotationsOnly = "ROTATIONS_ONLY",
} }

enumeration! { KeyAgreementAlgorithmSpec {
    Ecdh = "ECDH",
} }

enumeration! { KeyEncryptionMechanism {
    RsaesOaepSha256 = "RSAES_OAEP_SHA_256",
} }

enumeration! { KeyLastUsageTrackingOperation {
    Decrypt = "Decrypt",
    DeriveSharedSecret = "DeriveSharedSecret",
    Encrypt = "Encrypt",
    GenerateDataKey = "GenerateDataKey",
    GenerateDataKeyPair = "GenerateDataKeyPair",
    GenerateDataKeyPairWithoutPlaintext = "GenerateDataKeyPairWithoutPlaintext",
    GenerateDataKeyWithoutPlaintext = "GenerateDataKeyWithoutPlaintext",
    GenerateMac = "GenerateMac",
    ReEncrypt = "ReEncrypt",
    Sign = "Sign",
    Verify = "Verify",
    VerifyMac = "VerifyMac",
    Encapsulate = "Encapsulate",
    Decapsulate = "Decapsulate",
} }

enumeration! { KeyManagerType {
    Aws = "AWS",
    Customer = "CUSTOMER",
} }

enumeration! { KeyMaterialState {
    NonCurrent = "NON_CURRENT",
    Current = "CURRENT",
    PendingRotation = "PENDING_ROTATION",
    PendingMultiRegionImportAndRotation = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION",
} }

enumeration! { KeySpec {
    Rsa2048 = "RSA_2048",
    Rsa3072 = "RSA_3072",
    Rsa4096 = "RSA_4096",
    EccNistP256 = "ECC_NIST_P256",
    EccNistP384 = "ECC_NIST_P384",
    EccNistP521 = "ECC_NIST_P521",
    EccSecgP256k1 = "ECC_SECG_P256K1",
    SymmetricDefault = "SYMMETRIC_DEFAULT",
    Hmac224 = "HMAC_224",
    Hmac256 = "HMAC_256",
    Hmac384 = "HMAC_384",
    Hmac512 = "HMAC_512",
    Sm2 = "SM2",
    MlDsa44 = "ML_DSA_44",
    MlDsa65 = "ML_DSA_65",
    MlDsa87 = "ML_DSA_87",
    EccNistEdwards25519 = "ECC_NIST_EDWARDS25519",
    MlKem512 = "ML_KEM_512",
    MlKem768 = "ML_KEM_768",
    MlKem1024 = "ML_KEM_1024",
} }

enumeration! { KeyState {
    Creating = "Creating",
    Enabled = "Enabled",
    Disabled = "Disabled",
    PendingDeletion = "PendingDeletion",
    PendingImport = "PendingImport",
    PendingReplicaDeletion = "PendingReplicaDeletion",
    Unavailable = "Unavailable",
    Updating = "Updating",
} }

enumeration! { KeyUsageType {
    SignVerify = "SIGN_VERIFY",
    EncryptDecrypt = "ENCRYPT_DECRYPT",
    GenerateVerifyMac = "GENERATE_VERIFY_MAC",
    KeyAgreement = "KEY_AGREEMENT",
    EncapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE",
} }

enumeration! { MacAlgorithmSpec {
    HmacSha224 = "HMAC_SHA_224",
    HmacSha256 = "HMAC_SHA_256",
    HmacSha384 = "HMAC_SHA_384",
    HmacSha512 = "HMAC_SHA_512",
} }

enumeration! { MessageType {
    Raw = "RAW",
    Digest = "DIGEST",
    ExternalMu = "EXTERNAL_MU",
} }

enumeration! { MultiRegionKeyType {
    Primary = "PRIMARY",
    Replica = "REPLICA",
} }

enumeration! { OriginType {
    AwsKms = "AWS_KMS",
    External = "EXTERNAL",
    AwsCloudhsm = "AWS_CLOUDHSM",
    ExternalKeyStore = "EXTERNAL_KEY_STORE",
} }

enumeration! { ResourceOwnerType {
    SelfAccount = "SELF",
    OtherAccountsViaRam = "OTHER_ACCOUNTS_VIA_RAM",
} }

enumeration! { RotationType {
    Automatic = "AUTOMATIC",
    OnDemand = "ON_DEMAND",
} }

enumeration! { SigningAlgorithmSpec {
    RsassaPssSha256 = "RSASSA_PSS_SHA_256",
    RsassaPssSha384 = "RSASSA_PSS_SHA_384",
    RsassaPssSha512 = "RSASSA_PSS_SHA_512",
    RsassaPkcs1V15Sha256 = "RSASSA_PKCS1_V1_5_SHA_256",
    RsassaPkcs1V15Sha384 = "RSASSA_PKCS1_V1_5_SHA_384",
    RsassaPkcs1V15Sha512 = "RSASSA_PKCS1_V1_5_SHA_512",
    EcdsaSha256 = "ECDSA_SHA_256",
    EcdsaSha384 = "ECDSA_SHA_384",
    EcdsaSha512 = "ECDSA_SHA_512",
    Sm2dsa = "SM2DSA",
    MlDsaShake256 = "ML_DSA_SHAKE_256",
    Ed25519Sha512 = "ED25519_SHA_512",
    Ed25519PhSha512 = "ED25519_PH_SHA_512",
} }

enumeration! { WrappingKeySpec {
    Rsa2048 = "RSA_2048",
    Rsa3072 = "RSA_3072",
    Rsa4096 = "RSA_4096",
    Sm2 = "SM2",
} }

enumeration! { XksProxyConnectivityType {
    PublicEndpoint = "PUBLIC_ENDPOINT",
    VpcEndpointService = "VPC_ENDPOINT_SERVICE",
} }

output! { #[derive(Debug, Default, Clone, PartialEq, Eq)] AliasListEntry {
    "AliasName" alias_name: may String;
    "AliasArn" alias_arn: may String;
    "TargetKeyId" target_key_id: may String;
    "CreationDate" creation_date: may Timestamp;
    "LastUpdatedDate" last_updated_date: may Timestamp;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] CancelKeyDeletionRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] CancelKeyDeletionResponse {
    "KeyId" key_id: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ConnectCustomKeyStoreRequest [] {
    "CustomKeyStoreId" custom_key_store_id: must String = CUSTOM_KEY_STORE_ID_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] ConnectCustomKeyStoreResponse {
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] CreateAliasRequest [] {
    "AliasName" alias_name: must String = ALIAS_NAME_TYPE;
    "TargetKeyId" target_key_id: must String = KEY_ID_TYPE;
} }

request! { #[derive(Debug)] CreateCustomKeyStoreRequest [] {
    "CustomKeyStoreName" custom_key_store_name: must String = CUSTOM_KEY_STORE_NAME_TYPE;
    "CloudHsmClusterId" cloud_hsm_cluster_id: may String = CLOUD_HSM_CLUSTER_ID_TYPE;
    "TrustAnchorCertificate" trust_anchor_certificate: may String = TRUST_ANCHOR_CERTIFICATE_TYPE;
    "KeyStorePassword" key_store_password: may SecretText = KEY_STORE_PASSWORD_TYPE;
    "CustomKeyStoreType" custom_key_store_type: may CustomKeyStoreType = CUSTOM_KEY_STORE_TYPE;
    "XksProxyUriEndpoint" xks_proxy_uri_endpoint: may String = XKS_PROXY_URI_ENDPOINT_TYPE;
    "XksProxyUriPath" xks_proxy_uri_path: may String = XKS_PROXY_URI_PATH_TYPE;
    "XksProxyVpcEndpointServiceName" xks_proxy_vpc_endpoint_service_name: may String = XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME_TYPE;
    "XksProxyVpcEndpointServiceOwner" xks_proxy_vpc_endpoint_service_owner: may String = ACCOUNT_ID_TYPE;
    "XksProxyAuthenticationCredential" xks_proxy_authentication_credential: may XksProxyAuthenticationCredentialType = FREE;
    "XksProxyConnectivity" xks_proxy_connectivity: may XksProxyConnectivityType = XKS_PROXY_CONNECTIVITY_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] CreateCustomKeyStoreResponse {
    "CustomKeyStoreId" custom_key_store_id: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] CreateGrantRequest [key_id dry_run grant_tokens] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "GranteePrincipal" grantee_principal: may String = PRINCIPAL_ID_TYPE;
    "RetiringPrincipal" retiring_principal: may String = PRINCIPAL_ID_TYPE;
    "Operations" operations: must Vec<GrantOperation> = GRANT_OPERATION_LIST;
    "Constraints" constraints: may GrantConstraints = FREE;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "Name" name: may String = GRANT_NAME_TYPE;
    "DryRun" dry_run: may bool = FREE;
    "GranteeServicePrincipal" grantee_service_principal: may String = SERVICE_PRINCIPAL_TYPE;
    "RetiringServicePrincipal" retiring_service_principal: may String = SERVICE_PRINCIPAL_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] CreateGrantResponse {
    "GrantToken" grant_token: may String;
    "GrantId" grant_id: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] CreateKeyRequest [] {
    "Policy" policy: may String = POLICY_TYPE;
    "Description" description: may String = DESCRIPTION_TYPE;
    "KeyUsage" key_usage: may KeyUsageType = KEY_USAGE_TYPE;
    "CustomerMasterKeySpec" customer_master_key_spec: may CustomerMasterKeySpec = CUSTOMER_MASTER_KEY_SPEC;
    "KeySpec" key_spec: may KeySpec = KEY_SPEC;
    "Origin" origin: may OriginType = ORIGIN_TYPE;
    "CustomKeyStoreId" custom_key_store_id: may String = CUSTOM_KEY_STORE_ID_TYPE;
    "BypassPolicyLockoutSafetyCheck" bypass_policy_lockout_safety_check: or_default bool = FREE;
    "Tags" tags: or_default Vec<Tag> = FREE;
    "MultiRegion" multi_region: may bool = FREE;
    "XksKeyId" xks_key_id: may String = XKS_KEY_ID_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] CreateKeyResponse {
    "KeyMetadata" key_metadata: may KeyMetadata;
} }

output! { #[derive(Debug, Default)] CustomKeyStoresListEntry {
    "CustomKeyStoreId" custom_key_store_id: may String;
    "CustomKeyStoreName" custom_key_store_name: may String;
    "CloudHsmClusterId" cloud_hsm_cluster_id: may String;
    "TrustAnchorCertificate" trust_anchor_certificate: may String;
    "ConnectionState" connection_state: may ConnectionStateType;
    "ConnectionErrorCode" connection_error_code: may ConnectionErrorCodeType;
    "CreationDate" creation_date: may Timestamp;
    "CustomKeyStoreType" custom_key_store_type: may CustomKeyStoreType;
    "XksProxyConfiguration" xks_proxy_configuration: may XksProxyConfigurationType;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] DecapsulateRequest [key_id dry_run grant_tokens] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "SharedSecretCiphertextBlob" shared_secret_ciphertext_blob: must Blob = CIPHERTEXT_TYPE;
    "EncapsulationAlgorithm" encapsulation_algorithm: must EncapsulationAlgorithmSpec = ENCAPSULATION_ALGORITHM_SPEC;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "DryRun" dry_run: may bool = FREE;
} }

response! { #[derive(Debug, Default)] DecapsulateResponse {
    "KeyId" key_id: may String;
    "SharedSecret" shared_secret: may Plaintext;
    "EncapsulationAlgorithm" encapsulation_algorithm: may EncapsulationAlgorithmSpec;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] DecryptRequest [optional_key_id dry_run grant_tokens encryption_context recipient] {
    "CiphertextBlob" ciphertext_blob: may Blob = CIPHERTEXT_TYPE;
    "EncryptionContext" encryption_context: may BTreeMap<String, String> = FREE;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "KeyId" key_id: may String = KEY_ID_TYPE;
    "EncryptionAlgorithm" encryption_algorithm: may EncryptionAlgorithmSpec = ENCRYPTION_ALGORITHM_SPEC;
    "Recipient" recipient: may RecipientInfo = FREE;
    "DryRun" dry_run: may bool = FREE;
    "DryRunModifiers" dry_run_modifiers: or_default Vec<DryRunModifierType> = DRY_RUN_MODIFIER_LIST;
} }

response! { #[derive(Debug, Default)] DecryptResponse {
    "KeyId" key_id: may String;
    "Plaintext" plaintext: may Plaintext;
    "EncryptionAlgorithm" encryption_algorithm: may EncryptionAlgorithmSpec;
    "CiphertextForRecipient" ciphertext_for_recipient: may Blob;
    "KeyMaterialId" key_material_id: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] DeleteAliasRequest [] {
    "AliasName" alias_name: must String = ALIAS_NAME_TYPE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] DeleteCustomKeyStoreRequest [] {
    "CustomKeyStoreId" custom_key_store_id: must String = CUSTOM_KEY_STORE_ID_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] DeleteCustomKeyStoreResponse {
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] DeleteImportedKeyMaterialRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "KeyMaterialId" key_material_id: may String = BACKING_KEY_ID_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] DeleteImportedKeyMaterialResponse {
    "KeyId" key_id: may String;
    "KeyMaterialId" key_material_id: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] DeriveSharedSecretRequest [key_id dry_run grant_tokens recipient] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "KeyAgreementAlgorithm" key_agreement_algorithm: must KeyAgreementAlgorithmSpec = KEY_AGREEMENT_ALGORITHM_SPEC;
    "PublicKey" public_key: must Blob = PUBLIC_KEY_TYPE;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "DryRun" dry_run: may bool = FREE;
    "Recipient" recipient: may RecipientInfo = FREE;
} }

response! { #[derive(Debug, Default)] DeriveSharedSecretResponse {
    "KeyId" key_id: may String;
    "SharedSecret" shared_secret: may Plaintext;
    "CiphertextForRecipient" ciphertext_for_recipient: may Blob;
    "KeyAgreementAlgorithm" key_agreement_algorithm: may KeyAgreementAlgorithmSpec;
    "KeyOrigin" key_origin: may OriginType;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] DescribeCustomKeyStoresRequest [limit marker] {
    "CustomKeyStoreId" custom_key_store_id: may String = CUSTOM_KEY_STORE_ID_TYPE;
    "CustomKeyStoreName" custom_key_store_name: may String = CUSTOM_KEY_STORE_NAME_TYPE;
    "Limit" limit: may i32 = LIMIT_TYPE;
    "Marker" marker: may String = MARKER_TYPE;
} }

response! { #[derive(Debug, Default)] DescribeCustomKeyStoresResponse {
    "CustomKeyStores" custom_key_stores: or_default Vec<CustomKeyStoresListEntry>;
    "NextMarker" next_marker: may String;
    "Truncated" truncated: or_default bool;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] DescribeKeyRequest [key_id grant_tokens] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] DescribeKeyResponse {
    "KeyMetadata" key_metadata: may KeyMetadata;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] DisableKeyRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] DisableKeyRotationRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] DisconnectCustomKeyStoreRequest [] {
    "CustomKeyStoreId" custom_key_store_id: must String = CUSTOM_KEY_STORE_ID_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] DisconnectCustomKeyStoreResponse {
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] EnableKeyRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] EnableKeyRotationRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "RotationPeriodInDays" rotation_period_in_days: may i32 = ROTATION_PERIOD_IN_DAYS_TYPE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] EncapsulateRequest [key_id dry_run grant_tokens] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "EncapsulationAlgorithm" encapsulation_algorithm: must EncapsulationAlgorithmSpec = ENCAPSULATION_ALGORITHM_SPEC;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "DryRun" dry_run: may bool = FREE;
} }

response! { #[derive(Debug, Default)] EncapsulateResponse {
    "KeyId" key_id: may String;
    "SharedSecret" shared_secret: may Plaintext;
    "SharedSecretCiphertextBlob" shared_secret_ciphertext_blob: may Blob;
    "EncapsulationAlgorithm" encapsulation_algorithm: may EncapsulationAlgorithmSpec;
} }

request! { #[derive(Debug)] EncryptRequest [key_id dry_run grant_tokens encryption_context] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "Plaintext" plaintext: must Plaintext = PLAINTEXT_TYPE;
    "EncryptionContext" encryption_context: may BTreeMap<String, String> = FREE;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "EncryptionAlgorithm" encryption_algorithm: may EncryptionAlgorithmSpec = ENCRYPTION_ALGORITHM_SPEC;
    "DryRun" dry_run: may bool = FREE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] EncryptResponse {
    "CiphertextBlob" ciphertext_blob: may Blob;
    "KeyId" key_id: may String;
    "EncryptionAlgorithm" encryption_algorithm: may EncryptionAlgorithmSpec;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] GenerateDataKeyPairRequest [key_id dry_run grant_tokens encryption_context recipient] {
    "EncryptionContext" encryption_context: may BTreeMap<String, String> = FREE;
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "KeyPairSpec" key_pair_spec: must DataKeyPairSpec = DATA_KEY_PAIR_SPEC;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "Recipient" recipient: may RecipientInfo = FREE;
    "DryRun" dry_run: may bool = FREE;
} }

response! { #[derive(Debug, Default)] GenerateDataKeyPairResponse {
    "PrivateKeyCiphertextBlob" private_key_ciphertext_blob: may Blob;
    "PrivateKeyPlaintext" private_key_plaintext: may Plaintext;
    "PublicKey" public_key: may Blob;
    "KeyId" key_id: may String;
    "KeyPairSpec" key_pair_spec: may DataKeyPairSpec;
    "CiphertextForRecipient" ciphertext_for_recipient: may Blob;
    "KeyMaterialId" key_material_id: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] GenerateDataKeyPairWithoutPlaintextRequest [key_id dry_run grant_tokens encryption_context] {
    "EncryptionContext" encryption_context: may BTreeMap<String, String> = FREE;
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "KeyPairSpec" key_pair_spec: must DataKeyPairSpec = DATA_KEY_PAIR_SPEC;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "DryRun" dry_run: may bool = FREE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] GenerateDataKeyPairWithoutPlaintextResponse {
    "PrivateKeyCiphertextBlob" private_key_ciphertext_blob: may Blob;
    "PublicKey" public_key: may Blob;
    "KeyId" key_id: may String;
    "KeyPairSpec" key_pair_spec: may DataKeyPairSpec;
    "KeyMaterialId" key_material_id: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] GenerateDataKeyRequest [key_id dry_run grant_tokens encryption_context recipient] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "EncryptionContext" encryption_context: may BTreeMap<String, String> = FREE;
    "NumberOfBytes" number_of_bytes: may i32 = NUMBER_OF_BYTES_TYPE;
    "KeySpec" key_spec: may DataKeySpec = DATA_KEY_SPEC;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "Recipient" recipient: may RecipientInfo = FREE;
    "DryRun" dry_run: may bool = FREE;
} }

response! { #[derive(Debug, Default)] GenerateDataKeyResponse {
    "CiphertextBlob" ciphertext_blob: may Blob;
    "Plaintext" plaintext: may Plaintext;
    "KeyId" key_id: may String;
    "CiphertextForRecipient" ciphertext_for_recipient: may Blob;
    "KeyMaterialId" key_material_id: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] GenerateDataKeyWithoutPlaintextRequest [key_id dry_run grant_tokens encryption_context] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "EncryptionContext" encryption_context: may BTreeMap<String, String> = FREE;
    "KeySpec" key_spec: may DataKeySpec = DATA_KEY_SPEC;
    "NumberOfBytes" number_of_bytes: may i32 = NUMBER_OF_BYTES_TYPE;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "DryRun" dry_run: may bool = FREE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] GenerateDataKeyWithoutPlaintextResponse {
    "CiphertextBlob" ciphertext_blob: may Blob;
    "KeyId" key_id: may String;
    "KeyMaterialId" key_material_id: may String;
} }

request! { #[derive(Debug)] GenerateMacRequest [key_id dry_run grant_tokens] {
    "Message" message: must Plaintext = PLAINTEXT_TYPE;
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "MacAlgorithm" mac_algorithm: must MacAlgorithmSpec = MAC_ALGORITHM_SPEC;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "DryRun" dry_run: may bool = FREE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] GenerateMacResponse {
    "Mac" mac: may Blob;
    "MacAlgorithm" mac_algorithm: may MacAlgorithmSpec;
    "KeyId" key_id: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] GenerateRandomRequest [recipient] {
    "NumberOfBytes" number_of_bytes: may i32 = NUMBER_OF_BYTES_TYPE;
    "CustomKeyStoreId" custom_key_store_id: may String = CUSTOM_KEY_STORE_ID_TYPE;
    "Recipient" recipient: may RecipientInfo = FREE;
} }

response! { #[derive(Debug, Default)] GenerateRandomResponse {
    "Plaintext" plaintext: may Plaintext;
    "CiphertextForRecipient" ciphertext_for_recipient: may Blob;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] GetKeyLastUsageRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] GetKeyLastUsageResponse {
    "KeyId" key_id: may String;
    "KeyLastUsage" key_last_usage: may KeyLastUsageData;
    "TrackingStartDate" tracking_start_date: may Timestamp;
    "KeyCreationDate" key_creation_date: may Timestamp;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] GetKeyPolicyRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "PolicyName" policy_name: may String = POLICY_NAME_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] GetKeyPolicyResponse {
    "Policy" policy: may String;
    "PolicyName" policy_name: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] GetKeyRotationStatusRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] GetKeyRotationStatusResponse {
    "KeyRotationEnabled" key_rotation_enabled: or_default bool;
    "KeyId" key_id: may String;
    "RotationPeriodInDays" rotation_period_in_days: may i32;
    "NextRotationDate" next_rotation_date: may Timestamp;
    "OnDemandRotationStartDate" on_demand_rotation_start_date: may Timestamp;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] GetParametersForImportRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "WrappingAlgorithm" wrapping_algorithm: must AlgorithmSpec = ALGORITHM_SPEC;
    "WrappingKeySpec" wrapping_key_spec: must WrappingKeySpec = WRAPPING_KEY_SPEC;
} }

response! { #[derive(Debug, Default)] GetParametersForImportResponse {
    "KeyId" key_id: may String;
    "ImportToken" import_token: may Blob;
    "PublicKey" public_key: may Plaintext;
    "ParametersValidTo" parameters_valid_to: may Timestamp;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] GetPublicKeyRequest [key_id grant_tokens] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] GetPublicKeyResponse {
    "KeyId" key_id: may String;
    "PublicKey" public_key: may Blob;
    "CustomerMasterKeySpec" customer_master_key_spec: may CustomerMasterKeySpec;
    "KeySpec" key_spec: may KeySpec;
    "KeyUsage" key_usage: may KeyUsageType;
    "EncryptionAlgorithms" encryption_algorithms: may Vec<EncryptionAlgorithmSpec>;
    "SigningAlgorithms" signing_algorithms: may Vec<SigningAlgorithmSpec>;
    "KeyAgreementAlgorithms" key_agreement_algorithms: may Vec<KeyAgreementAlgorithmSpec>;
    "EncapsulationAlgorithms" encapsulation_algorithms: may Vec<EncapsulationAlgorithmSpec>;
} }

shared! { #[derive(Debug, Default, Clone, PartialEq, Eq)] GrantConstraints {
    "EncryptionContextSubset" encryption_context_subset: may BTreeMap<String, String> = FREE;
    "EncryptionContextEquals" encryption_context_equals: may BTreeMap<String, String> = FREE;
    "SourceArn" source_arn: may String = GRANT_CONSTRAINT_SOURCE_ARN_TYPE;
} }

output! { #[derive(Debug, Default, Clone, PartialEq, Eq)] GrantListEntry {
    "KeyId" key_id: may String;
    "GrantId" grant_id: may String;
    "Name" name: may String;
    "CreationDate" creation_date: may Timestamp;
    "GranteePrincipal" grantee_principal: may String;
    "RetiringPrincipal" retiring_principal: may String;
    "IssuingAccount" issuing_account: may String;
    "Operations" operations: or_default Vec<GrantOperation>;
    "Constraints" constraints: may GrantConstraints;
    "GranteeServicePrincipal" grantee_service_principal: may String;
    "RetiringServicePrincipal" retiring_service_principal: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ImportKeyMaterialRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "ImportToken" import_token: must Blob = CIPHERTEXT_TYPE;
    "EncryptedKeyMaterial" encrypted_key_material: must Blob = CIPHERTEXT_TYPE;
    "ValidTo" valid_to: may Timestamp = FREE;
    "ExpirationModel" expiration_model: may ExpirationModelType = EXPIRATION_MODEL_TYPE;
    "ImportType" import_type: may ImportType = IMPORT_TYPE;
    "KeyMaterialDescription" key_material_description: may String = KEY_MATERIAL_DESCRIPTION_TYPE;
    "KeyMaterialId" key_material_id: may String = BACKING_KEY_ID_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] ImportKeyMaterialResponse {
    "KeyId" key_id: may String;
    "KeyMaterialId" key_material_id: may String;
} }

output! { #[derive(Debug, Default, Clone, PartialEq, Eq)] KeyLastUsageData {
    "Operation" operation: may KeyLastUsageTrackingOperation;
    "Timestamp" timestamp: may Timestamp;
    "CloudTrailEventId" cloud_trail_event_id: may String;
    "KmsRequestId" kms_request_id: may String;
} }

output! { #[derive(Debug, Default, Clone, PartialEq, Eq)] KeyListEntry {
    "KeyId" key_id: may String;
    "KeyArn" key_arn: may String;
} }

output! { #[derive(Debug, Default, Clone, PartialEq, Eq)] KeyMetadata {
    "AWSAccountId" aws_account_id: may String;
    "KeyId" key_id: must String;
    "Arn" arn: may String;
    "CreationDate" creation_date: may Timestamp;
    "Enabled" enabled: or_default bool;
    "Description" description: may String;
    "KeyUsage" key_usage: may KeyUsageType;
    "KeyState" key_state: may KeyState;
    "DeletionDate" deletion_date: may Timestamp;
    "ValidTo" valid_to: may Timestamp;
    "Origin" origin: may OriginType;
    "CustomKeyStoreId" custom_key_store_id: may String;
    "CloudHsmClusterId" cloud_hsm_cluster_id: may String;
    "ExpirationModel" expiration_model: may ExpirationModelType;
    "KeyManager" key_manager: may KeyManagerType;
    "CustomerMasterKeySpec" customer_master_key_spec: may CustomerMasterKeySpec;
    "KeySpec" key_spec: may KeySpec;
    "EncryptionAlgorithms" encryption_algorithms: may Vec<EncryptionAlgorithmSpec>;
    "SigningAlgorithms" signing_algorithms: may Vec<SigningAlgorithmSpec>;
    "KeyAgreementAlgorithms" key_agreement_algorithms: may Vec<KeyAgreementAlgorithmSpec>;
    "EncapsulationAlgorithms" encapsulation_algorithms: may Vec<EncapsulationAlgorithmSpec>;
    "MultiRegion" multi_region: may bool;
    "MultiRegionConfiguration" multi_region_configuration: may MultiRegionConfiguration;
    "PendingDeletionWindowInDays" pending_deletion_window_in_days: may i32;
    "MacAlgorithms" mac_algorithms: may Vec<MacAlgorithmSpec>;
    "XksKeyConfiguration" xks_key_configuration: may XksKeyConfigurationType;
    "CurrentKeyMaterialId" current_key_material_id: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ListAliasesRequest [optional_key_id limit marker] {
    "KeyId" key_id: may String = KEY_ID_TYPE;
    "Limit" limit: may i32 = LIMIT_TYPE;
    "Marker" marker: may String = MARKER_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] ListAliasesResponse {
    "Aliases" aliases: or_default Vec<AliasListEntry>;
    "NextMarker" next_marker: may String;
    "Truncated" truncated: or_default bool;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ListGrantsRequest [key_id limit marker] {
    "Limit" limit: may i32 = LIMIT_TYPE;
    "Marker" marker: may String = MARKER_TYPE;
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "GrantId" grant_id: may String = GRANT_ID_TYPE;
    "GranteePrincipal" grantee_principal: may String = PRINCIPAL_ID_TYPE;
    "GranteeServicePrincipal" grantee_service_principal: may String = SERVICE_PRINCIPAL_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] ListGrantsResponse {
    "Grants" grants: or_default Vec<GrantListEntry>;
    "NextMarker" next_marker: may String;
    "Truncated" truncated: or_default bool;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ListKeyPoliciesRequest [key_id limit marker] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "Limit" limit: may i32 = LIMIT_TYPE;
    "Marker" marker: may String = MARKER_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] ListKeyPoliciesResponse {
    "PolicyNames" policy_names: or_default Vec<String>;
    "NextMarker" next_marker: may String;
    "Truncated" truncated: or_default bool;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ListKeyRotationsRequest [key_id limit marker] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "IncludeKeyMaterial" include_key_material: may IncludeKeyMaterial = INCLUDE_KEY_MATERIAL;
    "Limit" limit: may i32 = LIMIT_TYPE;
    "Marker" marker: may String = MARKER_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] ListKeyRotationsResponse {
    "Rotations" rotations: or_default Vec<RotationsListEntry>;
    "NextMarker" next_marker: may String;
    "Truncated" truncated: or_default bool;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ListKeysRequest [limit marker] {
    "Limit" limit: may i32 = LIMIT_TYPE;
    "Marker" marker: may String = MARKER_TYPE;
    "ResourceOwners" resource_owners: or_default Vec<ResourceOwnerType> = RESOURCE_OWNERS_LIST;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] ListKeysResponse {
    "Keys" keys: or_default Vec<KeyListEntry>;
    "NextMarker" next_marker: may String;
    "Truncated" truncated: or_default bool;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ListResourceTagsRequest [key_id limit marker] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "Limit" limit: may i32 = LIMIT_TYPE;
    "Marker" marker: may String = MARKER_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] ListResourceTagsResponse {
    "Tags" tags: or_default Vec<Tag>;
    "NextMarker" next_marker: may String;
    "Truncated" truncated: or_default bool;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ListRetirableGrantsRequest [limit marker] {
    "Limit" limit: may i32 = LIMIT_TYPE;
    "Marker" marker: may String = MARKER_TYPE;
    "RetiringPrincipal" retiring_principal: may String = PRINCIPAL_ID_TYPE;
    "RetiringServicePrincipal" retiring_service_principal: may String = SERVICE_PRINCIPAL_TYPE;
} }

output! { #[derive(Debug, Default, Clone, PartialEq, Eq)] MultiRegionConfiguration {
    "MultiRegionKeyType" multi_region_key_type: may MultiRegionKeyType;
    "PrimaryKey" primary_key: may MultiRegionKey;
    "ReplicaKeys" replica_keys: or_default Vec<MultiRegionKey>;
} }

output! { #[derive(Debug, Default, Clone, PartialEq, Eq)] MultiRegionKey {
    "Arn" arn: may String;
    "Region" region: may String;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] PutKeyPolicyRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "PolicyName" policy_name: may String = POLICY_NAME_TYPE;
    "Policy" policy: must String = POLICY_TYPE;
    "BypassPolicyLockoutSafetyCheck" bypass_policy_lockout_safety_check: or_default bool = FREE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ReEncryptRequest [dry_run grant_tokens] {
    "CiphertextBlob" ciphertext_blob: may Blob = CIPHERTEXT_TYPE;
    "SourceEncryptionContext" source_encryption_context: may BTreeMap<String, String> = FREE;
    "SourceKeyId" source_key_id: may String = KEY_ID_TYPE;
    "DestinationKeyId" destination_key_id: must String = KEY_ID_TYPE;
    "DestinationEncryptionContext" destination_encryption_context: may BTreeMap<String, String> = FREE;
    "SourceEncryptionAlgorithm" source_encryption_algorithm: may EncryptionAlgorithmSpec = ENCRYPTION_ALGORITHM_SPEC;
    "DestinationEncryptionAlgorithm" destination_encryption_algorithm: may EncryptionAlgorithmSpec = ENCRYPTION_ALGORITHM_SPEC;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "DryRun" dry_run: may bool = FREE;
    "DryRunModifiers" dry_run_modifiers: or_default Vec<DryRunModifierType> = DRY_RUN_MODIFIER_LIST;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] ReEncryptResponse {
    "CiphertextBlob" ciphertext_blob: may Blob;
    "SourceKeyId" source_key_id: may String;
    "KeyId" key_id: may String;
    "SourceEncryptionAlgorithm" source_encryption_algorithm: may EncryptionAlgorithmSpec;
    "DestinationEncryptionAlgorithm" destination_encryption_algorithm: may EncryptionAlgorithmSpec;
    "SourceKeyMaterialId" source_key_material_id: may String;
    "DestinationKeyMaterialId" destination_key_material_id: may String;
} }

input! { #[derive(Debug, Default, Clone, PartialEq, Eq)] RecipientInfo {
    "KeyEncryptionAlgorithm" key_encryption_algorithm: may KeyEncryptionMechanism = KEY_ENCRYPTION_MECHANISM;
    "AttestationDocument" attestation_document: may Blob = ATTESTATION_DOCUMENT_TYPE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ReplicateKeyRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "ReplicaRegion" replica_region: must String = REGION_TYPE;
    "Policy" policy: may String = POLICY_TYPE;
    "BypassPolicyLockoutSafetyCheck" bypass_policy_lockout_safety_check: or_default bool = FREE;
    "Description" description: may String = DESCRIPTION_TYPE;
    "Tags" tags: or_default Vec<Tag> = FREE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] ReplicateKeyResponse {
    "ReplicaKeyMetadata" replica_key_metadata: may KeyMetadata;
    "ReplicaPolicy" replica_policy: may String;
    "ReplicaTags" replica_tags: may Vec<Tag>;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] RetireGrantRequest [optional_key_id dry_run] {
    "GrantToken" grant_token: may String = GRANT_TOKEN_TYPE;
    "KeyId" key_id: may String = KEY_ID_TYPE;
    "GrantId" grant_id: may String = GRANT_ID_TYPE;
    "DryRun" dry_run: may bool = FREE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] RevokeGrantRequest [key_id dry_run] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "GrantId" grant_id: must String = GRANT_ID_TYPE;
    "DryRun" dry_run: may bool = FREE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] RotateKeyOnDemandRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] RotateKeyOnDemandResponse {
    "KeyId" key_id: may String;
} }

output! { #[derive(Debug, Default, Clone, PartialEq, Eq)] RotationsListEntry {
    "KeyId" key_id: may String;
    "KeyMaterialId" key_material_id: may String;
    "KeyMaterialDescription" key_material_description: may String;
    "ImportState" import_state: may ImportState;
    "KeyMaterialState" key_material_state: may KeyMaterialState;
    "ExpirationModel" expiration_model: may ExpirationModelType;
    "ValidTo" valid_to: may Timestamp;
    "RotationDate" rotation_date: may Timestamp;
    "RotationType" rotation_type: may RotationType;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] ScheduleKeyDeletionRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "PendingWindowInDays" pending_window_in_days: may i32 = PENDING_WINDOW_IN_DAYS_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] ScheduleKeyDeletionResponse {
    "KeyId" key_id: may String;
    "DeletionDate" deletion_date: may Timestamp;
    "KeyState" key_state: may KeyState;
    "PendingWindowInDays" pending_window_in_days: may i32;
} }

request! { #[derive(Debug)] SignRequest [key_id dry_run grant_tokens] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "Message" message: must Plaintext = PLAINTEXT_TYPE;
    "MessageType" message_type: may MessageType = MESSAGE_TYPE;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "SigningAlgorithm" signing_algorithm: must SigningAlgorithmSpec = SIGNING_ALGORITHM_SPEC;
    "DryRun" dry_run: may bool = FREE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] SignResponse {
    "KeyId" key_id: may String;
    "Signature" signature: may Blob;
    "SigningAlgorithm" signing_algorithm: may SigningAlgorithmSpec;
} }

shared! { #[derive(Debug, Default, Clone, PartialEq, Eq)] Tag {
    "TagKey" tag_key: must String = TAG_KEY_TYPE;
    "TagValue" tag_value: must String = TAG_VALUE_TYPE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] TagResourceRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "Tags" tags: must Vec<Tag> = FREE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] UntagResourceRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "TagKeys" tag_keys: must Vec<String> = TAG_KEY_LIST;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] UpdateAliasRequest [] {
    "AliasName" alias_name: must String = ALIAS_NAME_TYPE;
    "TargetKeyId" target_key_id: must String = KEY_ID_TYPE;
} }

request! { #[derive(Debug)] UpdateCustomKeyStoreRequest [] {
    "CustomKeyStoreId" custom_key_store_id: must String = CUSTOM_KEY_STORE_ID_TYPE;
    "NewCustomKeyStoreName" new_custom_key_store_name: may String = CUSTOM_KEY_STORE_NAME_TYPE;
    "KeyStorePassword" key_store_password: may SecretText = KEY_STORE_PASSWORD_TYPE;
    "CloudHsmClusterId" cloud_hsm_cluster_id: may String = CLOUD_HSM_CLUSTER_ID_TYPE;
    "XksProxyUriEndpoint" xks_proxy_uri_endpoint: may String = XKS_PROXY_URI_ENDPOINT_TYPE;
    "XksProxyUriPath" xks_proxy_uri_path: may String = XKS_PROXY_URI_PATH_TYPE;
    "XksProxyVpcEndpointServiceName" xks_proxy_vpc_endpoint_service_name: may String = XKS_PROXY_VPC_ENDPOINT_SERVICE_NAME_TYPE;
    "XksProxyVpcEndpointServiceOwner" xks_proxy_vpc_endpoint_service_owner: may String = ACCOUNT_ID_TYPE;
    "XksProxyAuthenticationCredential" xks_proxy_authentication_credential: may XksProxyAuthenticationCredentialType = FREE;
    "XksProxyConnectivity" xks_proxy_connectivity: may XksProxyConnectivityType = XKS_PROXY_CONNECTIVITY_TYPE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] UpdateCustomKeyStoreResponse {
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] UpdateKeyDescriptionRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "Description" description: must String = DESCRIPTION_TYPE;
} }

request! { #[derive(Debug, Clone, PartialEq, Eq)] UpdatePrimaryRegionRequest [key_id] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "PrimaryRegion" primary_region: must String = REGION_TYPE;
} }

request! { #[derive(Debug)] VerifyMacRequest [key_id dry_run grant_tokens] {
    "Message" message: must Plaintext = PLAINTEXT_TYPE;
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "MacAlgorithm" mac_algorithm: must MacAlgorithmSpec = MAC_ALGORITHM_SPEC;
    "Mac" mac: must Blob = CIPHERTEXT_TYPE;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "DryRun" dry_run: may bool = FREE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] VerifyMacResponse {
    "KeyId" key_id: may String;
    "MacValid" mac_valid: or_default bool;
    "MacAlgorithm" mac_algorithm: may MacAlgorithmSpec;
} }

request! { #[derive(Debug)] VerifyRequest [key_id dry_run grant_tokens] {
    "KeyId" key_id: must String = KEY_ID_TYPE;
    "Message" message: must Plaintext = PLAINTEXT_TYPE;
    "MessageType" message_type: may MessageType = MESSAGE_TYPE;
    "Signature" signature: must Blob = CIPHERTEXT_TYPE;
    "SigningAlgorithm" signing_algorithm: must SigningAlgorithmSpec = SIGNING_ALGORITHM_SPEC;
    "GrantTokens" grant_tokens: or_default Vec<String> = GRANT_TOKEN_LIST;
    "DryRun" dry_run: may bool = FREE;
} }

response! { #[derive(Debug, Default, Clone, PartialEq, Eq)] VerifyResponse {
    "KeyId" key_id: may String;
    "SignatureValid" signature_valid: or_default bool;
    "SigningAlgorithm" signing_algorithm: may SigningAlgorithmSpec;
} }

output! { #[derive(Debug, Default, Clone, PartialEq, Eq)] XksKeyConfigurationType {
    "Id" id: may String;
} }

input! { #[derive(Debug)] XksProxyAuthenticationCredentialType {
    "AccessKeyId" access_key_id: must SecretText = XKS_PROXY_AUTHENTICATION_ACCESS_KEY_ID_TYPE;
    "RawSecretAccessKey" raw_secret_access_key: must SecretText = XKS_PROXY_AUTHENTICATION_RAW_SECRET_ACCESS_KEY_TYPE;
} }

output! { #[derive(Debug, Default)] XksProxyConfigurationType {
    "Connectivity" connectivity: may XksProxyConnectivityType;
    "AccessKeyId" access_key_id: may SecretText;
    "UriEndpoint" uri_endpoint: may String;
    "UriPath" uri_path: may String;
    "VpcEndpointServiceName" vpc_endpoint_service_name: may String;
    "VpcEndpointServiceOwner" vpc_endpoint_service_owner: may String;
} }

error_codes! {
    AccessDeniedException 400,
    AlreadyExistsException 400,
    CloudHsmClusterInUseException 400,
    CloudHsmClusterInvalidConfigurationException 400,
    CloudHsmClusterNotActiveException 400,
    CloudHsmClusterNotFoundException 400,
    CloudHsmClusterNotRelatedException 400,
    ConflictException 400,
    CustomKeyStoreHasCMKsException 400,
    CustomKeyStoreInvalidStateException 400,
    CustomKeyStoreNameInUseException 400,
    CustomKeyStoreNotFoundException 400,
    DependencyTimeoutException 500,
    DisabledException 400,
    DryRunOperationException 400,
    ExpiredImportTokenException 400,
    ExpiredTokenException 400,
    IncompleteSignatureException 400,
    IncorrectKeyException 400,
    IncorrectKeyMaterialException 400,
    IncorrectTrustAnchorException 400,
    InternalFailure 500,
    InvalidAliasNameException 400,
    InvalidArnException 400,
    InvalidCiphertextException 400,
    InvalidGrantIdException 400,
    InvalidGrantTokenException 400,
    InvalidImportTokenException 400,
    InvalidKeyUsageException 400,
    InvalidMarkerException 400,
    InvalidSignatureException 400,
    KMSInternalException 500,
    KMSInvalidMacException 400,
    KMSInvalidSignatureException 400,
    KMSInvalidStateException 400,
    KeyUnavailableException 500,
    LimitExceededException 400,
    MalformedPolicyDocumentException 400,
    MissingAuthenticationTokenException 400,
    NotAuthorizedException 400,
    NotFoundException 400,
    RequestEntityTooLargeException 413,
    RequestExpired 400,
    SerializationException 400,
    ServiceUnavailableException 503,
    TagException 400,
    ThrottlingException 400,
    UnknownOperationException 400,
    UnrecognizedClientException 400,
    UnsupportedOperationException 400,
    ValidationException 400,
    XksKeyAlreadyInUseException 400,
    XksKeyInvalidConfigurationException 400,
    XksKeyNotFoundException 400,
    XksProxyIncorrectAuthenticationCredentialException 400,
    XksProxyInvalidConfigurationException 400,
    XksProxyInvalidResponseException 400,
    XksProxyUriEndpointInUseException 400,
    XksProxyUriInUseException 400,
    XksProxyUriUnreachableException 400,
    XksProxyVpcEndpointServiceInUseException 400,
    XksProxyVpcEndpointServiceInvalidConfigurationException 400,
    XksProxyVpcEndpointServiceNotFoundException 400,
}

operations! {
    CancelKeyDeletion(CancelKeyDeletionRequest => CancelKeyDeletionResponse) [] false {
        NotFoundException InvalidArnException DependencyTimeoutException KMSInternalException KMSInvalidStateException
    }
    ConnectCustomKeyStore(ConnectCustomKeyStoreRequest => ConnectCustomKeyStoreResponse) [] false {
        CloudHsmClusterNotActiveException CustomKeyStoreInvalidStateException CustomKeyStoreNotFoundException KMSInternalException CloudHsmClusterInvalidConfigurationException
    }
    CreateAlias(CreateAliasRequest => Empty) [] false {
        DependencyTimeoutException AlreadyExistsException NotFoundException InvalidAliasNameException KMSInternalException LimitExceededException KMSInvalidStateException
    }
    CreateCustomKeyStore(CreateCustomKeyStoreRequest => CreateCustomKeyStoreResponse) [] false {
        CloudHsmClusterInUseException CustomKeyStoreNameInUseException CloudHsmClusterNotFoundException KMSInternalException CloudHsmClusterNotActiveException IncorrectTrustAnchorException CloudHsmClusterInvalidConfigurationException LimitExceededException XksProxyUriInUseException XksProxyUriEndpointInUseException XksProxyUriUnreachableException XksProxyIncorrectAuthenticationCredentialException XksProxyVpcEndpointServiceInUseException XksProxyVpcEndpointServiceNotFoundException XksProxyVpcEndpointServiceInvalidConfigurationException XksProxyInvalidResponseException XksProxyInvalidConfigurationException
    }
    CreateGrant(CreateGrantRequest => CreateGrantResponse) [CreateGrant] true {
        NotFoundException DisabledException DependencyTimeoutException InvalidArnException KMSInternalException InvalidGrantTokenException LimitExceededException KMSInvalidStateException DryRunOperationException
    }
    CreateKey(CreateKeyRequest => CreateKeyResponse) [] false {
        MalformedPolicyDocumentException DependencyTimeoutException InvalidArnException UnsupportedOperationException KMSInternalException LimitExceededException TagException CustomKeyStoreNotFoundException CustomKeyStoreInvalidStateException CloudHsmClusterInvalidConfigurationException XksKeyInvalidConfigurationException XksKeyAlreadyInUseException XksKeyNotFoundException
    }
    Decapsulate(DecapsulateRequest => DecapsulateResponse) [Decapsulate] true {
        NotFoundException DisabledException KeyUnavailableException DependencyTimeoutException InvalidGrantTokenException InvalidKeyUsageException InvalidCiphertextException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    Decrypt(DecryptRequest => DecryptResponse) [Decrypt] true {
        NotFoundException DisabledException InvalidCiphertextException KeyUnavailableException IncorrectKeyException InvalidKeyUsageException DependencyTimeoutException InvalidGrantTokenException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    DeleteAlias(DeleteAliasRequest => Empty) [] false {
        DependencyTimeoutException NotFoundException KMSInternalException KMSInvalidStateException
    }
    DeleteCustomKeyStore(DeleteCustomKeyStoreRequest => DeleteCustomKeyStoreResponse) [] false {
        CustomKeyStoreHasCMKsException CustomKeyStoreInvalidStateException CustomKeyStoreNotFoundException KMSInternalException
    }
    DeleteImportedKeyMaterial(DeleteImportedKeyMaterialRequest => DeleteImportedKeyMaterialResponse) [] false {
        InvalidArnException UnsupportedOperationException DependencyTimeoutException NotFoundException KMSInternalException KMSInvalidStateException
    }
    DeriveSharedSecret(DeriveSharedSecretRequest => DeriveSharedSecretResponse) [DeriveSharedSecret] true {
        NotFoundException DisabledException KeyUnavailableException DependencyTimeoutException InvalidGrantTokenException InvalidKeyUsageException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    DescribeCustomKeyStores(DescribeCustomKeyStoresRequest => DescribeCustomKeyStoresResponse) [] false (100, 1000) {
        CustomKeyStoreNotFoundException InvalidMarkerException KMSInternalException
    }
    DescribeKey(DescribeKeyRequest => DescribeKeyResponse) [DescribeKey] true {
        NotFoundException InvalidArnException DependencyTimeoutException KMSInternalException
    }
    DisableKey(DisableKeyRequest => Empty) [] false {
        NotFoundException InvalidArnException DependencyTimeoutException KMSInternalException KMSInvalidStateException
    }
    DisableKeyRotation(DisableKeyRotationRequest => Empty) [] false {
        NotFoundException DisabledException InvalidArnException DependencyTimeoutException KMSInternalException KMSInvalidStateException UnsupportedOperationException
    }
    DisconnectCustomKeyStore(DisconnectCustomKeyStoreRequest => DisconnectCustomKeyStoreResponse) [] false {
        CustomKeyStoreInvalidStateException CustomKeyStoreNotFoundException KMSInternalException
    }
    EnableKey(EnableKeyRequest => Empty) [] false {
        NotFoundException InvalidArnException DependencyTimeoutException KMSInternalException LimitExceededException KMSInvalidStateException
    }
    EnableKeyRotation(EnableKeyRotationRequest => Empty) [] false {
        NotFoundException DisabledException InvalidArnException DependencyTimeoutException KMSInternalException KMSInvalidStateException UnsupportedOperationException
    }
    Encapsulate(EncapsulateRequest => EncapsulateResponse) [Encapsulate] true {
        NotFoundException DisabledException KeyUnavailableException DependencyTimeoutException InvalidGrantTokenException InvalidKeyUsageException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    Encrypt(EncryptRequest => EncryptResponse) [Encrypt] true {
        NotFoundException DisabledException KeyUnavailableException DependencyTimeoutException InvalidKeyUsageException InvalidGrantTokenException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    GenerateDataKey(GenerateDataKeyRequest => GenerateDataKeyResponse) [GenerateDataKey] true {
        NotFoundException DisabledException KeyUnavailableException DependencyTimeoutException InvalidKeyUsageException InvalidGrantTokenException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    GenerateDataKeyPair(GenerateDataKeyPairRequest => GenerateDataKeyPairResponse) [GenerateDataKeyPair] true {
        NotFoundException DisabledException KeyUnavailableException DependencyTimeoutException InvalidKeyUsageException InvalidGrantTokenException KMSInternalException KMSInvalidStateException UnsupportedOperationException DryRunOperationException
    }
    GenerateDataKeyPairWithoutPlaintext(GenerateDataKeyPairWithoutPlaintextRequest => GenerateDataKeyPairWithoutPlaintextResponse) [GenerateDataKeyPairWithoutPlaintext] true {
        NotFoundException DisabledException KeyUnavailableException DependencyTimeoutException InvalidKeyUsageException InvalidGrantTokenException KMSInternalException KMSInvalidStateException UnsupportedOperationException DryRunOperationException
    }
    GenerateDataKeyWithoutPlaintext(GenerateDataKeyWithoutPlaintextRequest => GenerateDataKeyWithoutPlaintextResponse) [GenerateDataKeyWithoutPlaintext] true {
        NotFoundException DisabledException KeyUnavailableException DependencyTimeoutException InvalidKeyUsageException InvalidGrantTokenException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    GenerateMac(GenerateMacRequest => GenerateMacResponse) [GenerateMac] true {
        NotFoundException DisabledException KeyUnavailableException InvalidKeyUsageException InvalidGrantTokenException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    GenerateRandom(GenerateRandomRequest => GenerateRandomResponse) [] false {
        DependencyTimeoutException KMSInternalException UnsupportedOperationException CustomKeyStoreNotFoundException CustomKeyStoreInvalidStateException
    }
    GetKeyLastUsage(GetKeyLastUsageRequest => GetKeyLastUsageResponse) [] false {
        NotFoundException InvalidArnException DependencyTimeoutException KMSInternalException
    }
    GetKeyPolicy(GetKeyPolicyRequest => GetKeyPolicyResponse) [] false {
        NotFoundException InvalidArnException DependencyTimeoutException KMSInternalException KMSInvalidStateException
    }
    GetKeyRotationStatus(GetKeyRotationStatusRequest => GetKeyRotationStatusResponse) [] true {
        NotFoundException InvalidArnException DependencyTimeoutException KMSInternalException KMSInvalidStateException UnsupportedOperationException
    }
    GetParametersForImport(GetParametersForImportRequest => GetParametersForImportResponse) [] false {
        InvalidArnException UnsupportedOperationException DependencyTimeoutException NotFoundException KMSInternalException KMSInvalidStateException
    }
    GetPublicKey(GetPublicKeyRequest => GetPublicKeyResponse) [GetPublicKey] true {
        NotFoundException DisabledException KeyUnavailableException DependencyTimeoutException UnsupportedOperationException InvalidArnException InvalidGrantTokenException InvalidKeyUsageException KMSInternalException KMSInvalidStateException
    }
    ImportKeyMaterial(ImportKeyMaterialRequest => ImportKeyMaterialResponse) [] false {
        InvalidArnException UnsupportedOperationException DependencyTimeoutException NotFoundException KMSInternalException KMSInvalidStateException InvalidCiphertextException IncorrectKeyMaterialException ExpiredImportTokenException InvalidImportTokenException
    }
    ListAliases(ListAliasesRequest => ListAliasesResponse) [] false (50, 100) {
        DependencyTimeoutException InvalidMarkerException KMSInternalException InvalidArnException NotFoundException
    }
    ListGrants(ListGrantsRequest => ListGrantsResponse) [] true (50, 100) {
        NotFoundException DependencyTimeoutException InvalidMarkerException InvalidGrantIdException InvalidArnException KMSInternalException KMSInvalidStateException
    }
    ListKeyPolicies(ListKeyPoliciesRequest => ListKeyPoliciesResponse) [] false (100, 1000) {
        NotFoundException InvalidArnException DependencyTimeoutException KMSInternalException KMSInvalidStateException
    }
    ListKeyRotations(ListKeyRotationsRequest => ListKeyRotationsResponse) [] false (100, 1000) {
        NotFoundException InvalidArnException InvalidMarkerException KMSInternalException KMSInvalidStateException UnsupportedOperationException
    }
    ListKeys(ListKeysRequest => ListKeysResponse) [] false (100, 1000) {
        DependencyTimeoutException KMSInternalException InvalidMarkerException
    }
    ListResourceTags(ListResourceTagsRequest => ListResourceTagsResponse) [] false (50, 50) {
        KMSInternalException NotFoundException InvalidArnException InvalidMarkerException
    }
    ListRetirableGrants(ListRetirableGrantsRequest => ListGrantsResponse) [] false (50, 100) {
        DependencyTimeoutException InvalidMarkerException InvalidArnException NotFoundException KMSInternalException
    }
    PutKeyPolicy(PutKeyPolicyRequest => Empty) [] false {
        NotFoundException InvalidArnException MalformedPolicyDocumentException DependencyTimeoutException UnsupportedOperationException KMSInternalException LimitExceededException KMSInvalidStateException
    }
    ReEncrypt(ReEncryptRequest => ReEncryptResponse) [ReEncryptFrom ReEncryptTo] true {
        NotFoundException DisabledException InvalidCiphertextException KeyUnavailableException IncorrectKeyException DependencyTimeoutException InvalidKeyUsageException InvalidGrantTokenException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    ReplicateKey(ReplicateKeyRequest => ReplicateKeyResponse) [] false {
        AlreadyExistsException DisabledException InvalidArnException KMSInvalidStateException KMSInternalException LimitExceededException MalformedPolicyDocumentException NotFoundException TagException UnsupportedOperationException
    }
    RetireGrant(RetireGrantRequest => Empty) [RetireGrant] true {
        InvalidArnException InvalidGrantTokenException InvalidGrantIdException NotFoundException DependencyTimeoutException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    RevokeGrant(RevokeGrantRequest => Empty) [] true {
        NotFoundException DependencyTimeoutException InvalidArnException InvalidGrantIdException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    RotateKeyOnDemand(RotateKeyOnDemandRequest => RotateKeyOnDemandResponse) [] false {
        NotFoundException DisabledException InvalidArnException DependencyTimeoutException KMSInternalException KMSInvalidStateException UnsupportedOperationException LimitExceededException ConflictException
    }
    ScheduleKeyDeletion(ScheduleKeyDeletionRequest => ScheduleKeyDeletionResponse) [] false {
        NotFoundException InvalidArnException DependencyTimeoutException KMSInternalException KMSInvalidStateException
    }
    Sign(SignRequest => SignResponse) [Sign] true {
        NotFoundException DisabledException KeyUnavailableException DependencyTimeoutException InvalidKeyUsageException InvalidGrantTokenException KMSInternalException KMSInvalidStateException DryRunOperationException
    }
    TagResource(TagResourceRequest => Empty) [] false {
        KMSInternalException NotFoundException InvalidArnException KMSInvalidStateException LimitExceededException TagException
    }
    UntagResource(UntagResourceRequest => Empty) [] false {
        KMSInternalException NotFoundException InvalidArnException KMSInvalidStateException TagException
    }
    UpdateAlias(UpdateAliasRequest => Empty) [] false {
        DependencyTimeoutException NotFoundException KMSInternalException LimitExceededException KMSInvalidStateException
    }
    UpdateCustomKeyStore(UpdateCustomKeyStoreRequest => UpdateCustomKeyStoreResponse) [] false {
        CustomKeyStoreNotFoundException CustomKeyStoreNameInUseException CloudHsmClusterNotFoundException CloudHsmClusterNotRelatedException CustomKeyStoreInvalidStateException KMSInternalException CloudHsmClusterNotActiveException CloudHsmClusterInvalidConfigurationException XksProxyUriInUseException XksProxyUriEndpointInUseException XksProxyUriUnreachableException XksProxyIncorrectAuthenticationCredentialException XksProxyVpcEndpointServiceInUseException XksProxyVpcEndpointServiceNotFoundException XksProxyVpcEndpointServiceInvalidConfigurationException XksProxyInvalidResponseException XksProxyInvalidConfigurationException
    }
    UpdateKeyDescription(UpdateKeyDescriptionRequest => Empty) [] false {
        NotFoundException InvalidArnException DependencyTimeoutException KMSInternalException KMSInvalidStateException
    }
    UpdatePrimaryRegion(UpdatePrimaryRegionRequest => Empty) [] false {
        DisabledException InvalidArnException KMSInvalidStateException KMSInternalException NotFoundException UnsupportedOperationException
    }
    Verify(VerifyRequest => VerifyResponse) [Verify] true {
        NotFoundException DisabledException KeyUnavailableException DependencyTimeoutException InvalidKeyUsageException InvalidGrantTokenException KMSInternalException KMSInvalidStateException KMSInvalidSignatureException DryRunOperationException
    }
    VerifyMac(VerifyMacRequest => VerifyMacResponse) [VerifyMac] true {
        NotFoundException DisabledException KeyUnavailableException InvalidKeyUsageException InvalidGrantTokenException KMSInternalException KMSInvalidMacException KMSInvalidStateException DryRunOperationException
    }
}
