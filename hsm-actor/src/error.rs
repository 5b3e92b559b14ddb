//! What an HSM answers when it does not do what was asked.
//! Says what a caller may act on, and never why a ciphertext or a stored material failed to open.

/// The refusal of a command. Every variant is safe to show to an operator; none holds a byte of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HsmError {
    /// The ciphertext is not one that this material made with this encryption context.
    #[error("the ciphertext does not open under this key and encryption context")]
    InvalidCiphertext,
    /// The signature is not this key's of this message by this algorithm.
    #[error("the signature does not verify")]
    InvalidSignature,
    /// The code is not this key's of this message by this algorithm.
    #[error("the message authentication code does not verify")]
    InvalidMac,
    /// The other side's public key is no point of this key's curve, or not encoded as one.
    #[error("the public key cannot be agreed with")]
    InvalidPublicKey,
    /// Stored material opened, but is not the material that its id names.
    #[error("the stored material is not the one that its id names")]
    MaterialMismatch,
    /// A stored material or secret does not open: altered, moved to another row, or its domain key is gone.
    #[error("a wrapped key does not open")]
    Unopenable,
    /// The material's label does not permit this command.
    #[error("the material does not permit this command")]
    Refused,
    /// A size is outside what the command takes.
    #[error("a size is out of bounds")]
    TooLarge,
    /// Every slot holds as many commands as it may. Retry later.
    #[error("the HSM slots are busy")]
    Busy,
    /// The deadline passed before there was a reply.
    #[error("the deadline passed")]
    Expired,
    /// No healthy slot could take the command. Retry later.
    #[error("no HSM slot is available")]
    Unavailable,
    /// The command killed two slots, or a primitive failed. Not worth a retry.
    #[error("the HSM failed")]
    Fault,
    /// A known answer came out wrong, or an output did not verify before it left.
    #[error("an HSM self-test failed")]
    SelfTest,
}
