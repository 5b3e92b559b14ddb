//! The macros that the generated rows expand through: one row per enum, structure, error code and operation.
//! Grammar of a member: `"WireName" field: kind Type = RULE;`, kind being `must`, `may` or `or_default` (see `read`).

/// An enum of the model with its names on the wire.
macro_rules! enumeration {
    ($name:ident { $($variant:ident = $wire:literal,)+ }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($variant,)+ }

        impl $name {
            /// In the model's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $wire,)+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                match name { $($wire => Ok(Self::$variant),)+ _ => Err(UnknownName) }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                crate::text::parsed(from, stringify!($name), |name| name.parse().ok())
            }
        }

        impl Member for $name {
            type Raw = Scalar<String>;

            fn breaks(raw: &Scalar<String>, constraint: &Constraint) -> bool {
                name_breaks::<Self>(raw, constraint)
            }

            fn shown(raw: &Scalar<String>) -> Option<String> {
                Some(raw.0.clone())
            }

            fn build(raw: Scalar<String>, _: &At<'_>, _: &mut Violations) -> Option<Self> {
                raw.0.parse().ok()
            }
        }

        impl Encode for $name {
            fn write<S: Sink>(&self, to: &mut S) {
                to.text(self.as_str());
            }
        }

        impl Audited for $name {
            fn show<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl AsField for $name {
            fn as_field(&self) -> Option<Field<'_>> {
                Some(Field::Text(self.as_str()))
            }

            fn as_name(&self) -> Option<&str> {
                Some(self.as_str())
            }
        }
    };
}

/// The type of a field: an optional member is an `Option`.
macro_rules! slot {
    (must $type:ty) => { $type };
    (or_default $type:ty) => { $type };
    (may $type:ty) => { Option<$type> };
}

/// The struct itself, and what an audit record shows of it.
macro_rules! structure {
    ($(#[$derive:meta])* $name:ident { $($wire:literal $field:ident: $kind:ident $type:ty $(= $rule:ident)?;)* }) => {
        $(#[$derive])*
        pub struct $name { $(pub $field: slot!($kind $type),)* }

        impl Audited for $name {
            fn show<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                #[allow(unused_mut, reason = "some structures have no members")]
                let mut members = to.serialize_map(None)?;
                $(show($wire, &self.$field, &mut members)?;)*
                members.end()
            }
        }
    };
}

/// Reading a structure from a body.
macro_rules! readable {
    ($name:ident { $($wire:literal $field:ident: $kind:ident $type:ty = $rule:ident;)* }) => {
        const _: () = {
            #[derive(Default)]
            #[allow(unreachable_pub, reason = "an associated type may not be more private than its trait")]
            pub struct Arrived { $($field: Option<<$type as Member>::Raw>,)* }

            impl Members for Arrived {
                fn read<'de, A: serde::de::MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error> {
                    match name {
                        $($wire => once(&mut self.$field, from),)*
                        _ => skip(from),
                    }
                }
            }

            impl Member for $name {
                type Raw = Draft<Arrived>;

                #[allow(unused_variables, reason = "some structures have no members")]
                fn build(raw: Self::Raw, at: &At<'_>, found: &mut Violations) -> Option<Self> {
                    $(let $field = $kind::<$type>(raw.0.$field, at, $wire, $rule, found);)*
                    Some(Self { $($field: $field?,)* })
                }
            }
        };
    };
}

/// The members of an operation's input by name.
macro_rules! fields {
    ($name:ident { $($wire:literal $field:ident: $kind:ident $type:ty = $rule:ident;)* }) => {
        impl Fields for $name {
            const MEMBERS: &'static [&'static str] = &[$($wire,)*];

            fn field(&self, name: &str) -> Option<Field<'_>> {
                match name {
                    $($wire => self.$field.as_field(),)*
                    _ => None,
                }
            }
        }
    };
}

/// Writing a structure to a body.
macro_rules! writable {
    ($name:ident { $($wire:literal $field:ident: $kind:ident $type:ty $(= $rule:ident)?;)* }) => {
        impl Encode for $name {
            fn write<S: Sink>(&self, to: &mut S) {
                to.raw(b"{");
                #[allow(unused_variables, reason = "some structures have no members")]
                let first = true;
                $(let first = member($wire, &self.$field, first, to);)*
                let _ = first;
                to.raw(b"}");
            }
        }
    };
}

/// A structure that is part of inputs.
macro_rules! input {
    ($(#[$derive:meta])* $name:ident $members:tt) => {
        structure! { $(#[$derive])* $name $members }
        readable! { $name $members }

        impl AsField for $name {
            fn as_field(&self) -> Option<Field<'_>> {
                Some(Field::Structure(self))
            }
        }
    };
}

/// A structure that is part of outputs.
macro_rules! output {
    ($(#[$derive:meta])* $name:ident $members:tt) => {
        structure! { $(#[$derive])* $name $members }
        writable! { $name $members }
    };
}

/// A structure that is part of both.
macro_rules! shared {
    ($(#[$derive:meta])* $name:ident $members:tt) => {
        input! { $(#[$derive])* $name $members }
        writable! { $name $members }
    };
}

/// An operation's input, with the accessors of `Request` that it has members for.
macro_rules! request {
    ($(#[$derive:meta])* $name:ident [$($answer:ident)*] $members:tt) => {
        input! { $(#[$derive])* $name $members }
        fields! { $name $members }

        impl Request for $name {
            const SHAPE: &'static str = stringify!($name);
            const MEMBERS: &'static [&'static str] = <Self as Fields>::MEMBERS;

            fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
                body(bytes)
            }

            fn audit_parameters(&self) -> Option<Box<RawValue>> {
                shown(self)
            }

            fn member(&self, name: &str) -> Option<Field<'_>> {
                self.field(name)
            }

            $(answer! { $answer })*
        }
    };
}

/// One accessor of `Request`.
macro_rules! answer {
    (key_id) => {
        fn key_id(&self) -> Option<&str> {
            Some(&self.key_id)
        }
    };
    (optional_key_id) => {
        fn key_id(&self) -> Option<&str> {
            self.key_id.as_deref()
        }
    };
    (dry_run) => {
        fn dry_run(&self) -> bool {
            self.dry_run.unwrap_or_default()
        }
    };
    (grant_tokens) => {
        fn grant_tokens(&self) -> &[String] {
            &self.grant_tokens
        }
    };
    (encryption_context) => {
        fn encryption_context(&self) -> Option<&BTreeMap<String, String>> {
            self.encryption_context.as_ref()
        }
    };
    (recipient) => {
        fn has_recipient(&self) -> bool {
            self.recipient.is_some()
        }
    };
    (limit) => {
        fn limit(&self) -> Option<i32> {
            self.limit
        }
    };
    (marker) => {
        fn marker(&self) -> Option<&str> {
            self.marker.as_deref()
        }
    };
}

/// An operation's output.
macro_rules! response {
    ($(#[$derive:meta])* $name:ident $members:tt) => {
        output! { $(#[$derive])* $name $members }

        impl Response for $name {
            const SHAPE: &'static str = stringify!($name);

            fn encode(&self) -> Zeroizing<Vec<u8>> {
                encode(self)
            }

            fn audit_elements(&self) -> Option<Box<RawValue>> {
                shown(self)
            }
        }
    };
}

/// The error codes with their HTTP status.
macro_rules! error_codes {
    ($($code:ident $status:literal,)+) => {
        /// The code of an error as it stands in `__type`: the model's exceptions and those of every AWS JSON service.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ErrorCode { $($code,)+ }

        impl ErrorCode {
            pub const ALL: &'static [Self] = &[$(Self::$code,)+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => stringify!($code),)+ }
            }

            /// The HTTP status that it is answered with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$code => $status,)+ }
            }

            /// True when the service is at fault and the same request may succeed later.
            pub const fn fault(self) -> bool {
                self.status() >= 500
            }
        }

        impl std::fmt::Display for ErrorCode {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for ErrorCode {
            type Err = UnknownName;

            fn from_str(name: &str) -> Result<Self, UnknownName> {
                Self::ALL.iter().copied().find(|code| code.as_str() == name).ok_or(UnknownName)
            }
        }
    };
}

/// The operations: `Name(Input => Output) [grant operations] (items by default, at most) { errors }`.
macro_rules! operations {
    ($($name:ident($input:ident => $output:ident) [$($grant:ident)*] $across:literal $(($default:literal, $max:literal))? { $($error:ident)* })+) => {
        /// All operations of the model, by name.
        pub static OPERATIONS: &[OperationModel] = &[$(OperationModel {
            name: stringify!($name),
            input: <$input as Request>::SHAPE,
            output: <$output as Response>::SHAPE,
            errors: &[$(ErrorCode::$error,)*],
            grants: &[$(GrantOperation::$grant,)*],
            across_accounts: $across,
            page: page!($($default, $max)?),
            validate: |body| $input::parse(body).map(drop),
        },)+];
    };
}

macro_rules! page {
    () => {
        None
    };
    ($default:literal, $max:literal) => {
        Some(Page { items_default: $default, items_max: $max })
    };
}
