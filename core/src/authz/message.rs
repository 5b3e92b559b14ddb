//! What a caller is told about a denial: AWS's words, and no more than AWS says.
//! Knows the texts; must not know how the decision came about.

use super::decide::{Decision, Layer, Verdict};

impl Decision {
    /// The text of `AccessDeniedException`; empty when the verdict is `Allowed`. `resource` is left out of the text
    /// when it is `*` or empty.
    pub fn message(&self, principal_arn: &str, action: &str, resource: &str) -> String {
        let reason = match self.verdict {
            Verdict::Allowed => return String::new(),
            Verdict::ExplicitDeny if self.keeps_owners_secret() => silent(Layer::Key, action),
            Verdict::ExplicitDeny => format!("with an explicit deny in {}", article(self.decided_by.layer())),
            Verdict::ImplicitDeny => silent(self.decided_by.layer(), action),
        };
        // AWS STS says of a trust policy's silence no more than that the caller may not.
        let is_trusts = self.decided_by.layer() == Layer::Key && action.starts_with("sts:");
        let reason =
            if is_trusts && reason == silent(Layer::Key, action) { String::new() } else { format!(" {reason}") };
        let place = if matches!(resource, "" | "*") { String::new() } else { format!(" on resource: {resource}") };
        format!("User: {principal_arn} is not authorized to perform: {action}{place}{reason}")
    }

    /// A Deny on the owner's side would tell a stranger that the key exists: a missing key reads like a silent policy.
    fn keeps_owners_secret(&self) -> bool {
        self.foreign && matches!(self.decided_by.layer(), Layer::Key | Layer::ResourceControl)
    }
}

fn silent(layer: Layer, action: &str) -> String {
    format!("because no {} allows the {action} action", policy(layer))
}

fn article(layer: Layer) -> String {
    let article = if layer == Layer::Identity { "an" } else { "a" };
    format!("{article} {}", policy(layer))
}

fn policy(layer: Layer) -> &'static str {
    match layer {
        Layer::ServiceControl => "service control policy",
        Layer::ResourceControl => "resource control policy",
        Layer::Endpoint => "VPC endpoint policy",
        // A grant never denies and no silence is blamed on grants.
        Layer::Key | Layer::Grant => "resource-based policy",
        Layer::Identity => "identity-based policy",
        Layer::Boundary => "permissions boundary",
        Layer::Session => "session policy",
    }
}
