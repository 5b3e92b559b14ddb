//! The demo's manifest: two accounts, two VPCs, an open and a strict endpoint and one key, with access keys of its own.
//! Knows the text only; it is read back by the parser like any other manifest.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The account that owns the VPCs, the endpoints and the key.
pub const ACCOUNT: &str = "111122223333";
pub const OTHER_ACCOUNT: &str = "444455556666";
pub const ADMINISTRATOR: &str = "administrator";
pub const APPLICATION: &str = "application";
pub const PARTNER: &str = "partner";
pub const OPEN_ENDPOINT: &str = "vpce-0a1b2c3d4e5f60001";
pub const STRICT_ENDPOINT: &str = "vpce-0a1b2c3d4e5f60002";
pub const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

/// Writes the demo manifest of a region with fresh access keys.
pub fn text(region: &str, partition: &str) -> Result<Zeroizing<String>, NoRandomness> {
    let mut text = TEMPLATE.replace("{region}", region).replace("{partition}", partition);
    for user in ["administrator", "application", "partner"] {
        text = text.replace(&format!("{{{user}_id}}"), &access_key_id()?);
        text = text.replace(&format!("{{{user}_secret}}"), &access_key_secret()?);
    }
    Ok(Zeroizing::new(text))
}

/// The machine's random generator failed.
#[derive(Debug, thiserror::Error)]
#[error("the machine gives no random numbers")]
pub struct NoRandomness;

/// `AKIA` and 80 random bits in base 32, as AWS's access key ids look.
fn access_key_id() -> Result<String, NoRandomness> {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut random = [0_u8; 16];
    rand::fill(&mut random).map_err(|_| NoRandomness)?;
    let letters = random.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32)));
    Ok(std::iter::once("AKIA".to_owned()).chain(letters.map(|letter| char::from(*letter).to_string())).collect())
}

/// 240 random bits in base 64: 40 characters, as long as AWS's secrets.
fn access_key_secret() -> Result<Zeroizing<String>, NoRandomness> {
    let mut random = Zeroizing::new([0_u8; 30]);
    rand::fill(random.as_mut_slice()).map_err(|_| NoRandomness)?;
    Ok(Zeroizing::new(STANDARD.encode(random.as_slice())))
}

const TEMPLATE: &str = r#"# The demo's accounts, users, VPCs, endpoints and keys. Made at the first start with access keys of its own;
# later starts read it and never write it. It holds secrets: keep it to yourself.

[[account]]
id = "111122223333"
name = "demo"

[[account.user]]
name = "administrator"
access_keys = [{ id = "{administrator_id}", secret = "{administrator_secret}" }]

[[account.user.policies]]
name = "everything"
document = '''
{
  "Version": "2012-10-17",
  "Statement": [{ "Effect": "Allow", "Action": ["kms:*", "sts:*"], "Resource": "*" }]
}
'''

[[account.user]]
name = "application"
access_keys = [{ id = "{application_id}", secret = "{application_secret}" }]

[[account.user.policies]]
name = "use-the-demo-key"
document = '''
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
      "Resource": "arn:{partition}:kms:{region}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    }
  ]
}
'''

# Another company. It may do anything in its own account; what it may do with the demo key is for the
# key's policy and grants to say.
[[account]]
id = "444455556666"
name = "partner"

[[account.user]]
name = "partner"
access_keys = [{ id = "{partner_id}", secret = "{partner_secret}" }]

[[account.user.policies]]
name = "everything"
document = '''
{
  "Version": "2012-10-17",
  "Statement": [{ "Effect": "Allow", "Action": ["kms:*", "sts:*"], "Resource": "*" }]
}
'''

# A connection to an endpoint must come from its VPC's networks. Here everything runs on one machine, and a
# client that connects to 127.0.10.1 connects from 127.0.0.1: so both VPCs are the loopback network.
[[vpc]]
id = "vpc-0a1b2c3d4e5f60001"
account = "111122223333"
cidrs = ["127.0.0.0/8"]
tags = { env = "dev" }

[[vpc]]
id = "vpc-0a1b2c3d4e5f60002"
account = "111122223333"
cidrs = ["127.0.0.0/8"]
tags = { env = "prod" }

# Open: no policy of its own, so it lets everything through that the other policies allow.
[[endpoint]]
id = "vpce-0a1b2c3d4e5f60001"
vpc = "vpc-0a1b2c3d4e5f60001"
tags = { Name = "open" }
interfaces = [
  { zone = "{region}a", address = "127.0.10.1" },
  { zone = "{region}b", address = "127.0.10.2" },
  { zone = "{region}c", address = "127.0.10.3" },
]

# Strict: three operations on the demo key, and only while the VPC's tag env equals the key's.
[[endpoint]]
id = "vpce-0a1b2c3d4e5f60002"
vpc = "vpc-0a1b2c3d4e5f60002"
tags = { Name = "strict" }
interfaces = [
  { zone = "{region}a", address = "127.0.20.1" },
  { zone = "{region}b", address = "127.0.20.2" },
  { zone = "{region}c", address = "127.0.20.3" },
]
policy = '''
{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Sid": "TheDemoKeyFromItsOwnEnvironment",
      "Effect": "Allow",
      "Principal": "*",
      "Action": ["kms:Encrypt", "kms:Decrypt", "kms:DescribeKey"],
      "Resource": "arn:{partition}:kms:{region}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
      "Condition": { "StringEquals": { "kannuki:SourceVpcTag/env": "${aws:ResourceTag/env}" } }
    }
  ]
}
'''

# Created if it is absent, never deleted. Its policy is the default one, which leaves the decision to the
# identity policies of account 111122223333.
[[key]]
id = "1234abcd-12ab-34cd-56ef-1234567890ab"
account = "111122223333"
description = "The demo key"
aliases = ["alias/demo"]
tags = { env = "prod" }
"#;
