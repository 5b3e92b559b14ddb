//! The part of a manifest that says how accounts are organized, and which policies are attached where.
//! Knows the grammar and the tree; what a control policy means is `authz`'s.

use std::collections::{BTreeMap, BTreeSet};

use kms_core::registry::{
    ControlPolicies, ControlPolicy, ControlPolicyKind, FULL_ACCESS, MemberAccount, Organization, OrganizationalUnit,
};

use super::documents::Wanted;
use super::{Reading, checked, grammar};
use crate::toml_file::{Located, Section};

/// AWS Organizations quotas.
const UNIT_LEVELS_MAX: usize = 5;
const ATTACHED_MAX: usize = 5;

/// What is known of an organization while it is read.
struct Tree {
    root: String,
    policies: BTreeSet<(ControlPolicyKind, String)>,
    /// Each unit's id, its parent, and where that is written.
    units: BTreeMap<String, (String, usize)>,
}

impl Reading {
    pub(super) fn organization(&mut self, section: &Section<'_>) -> Organization {
        let id = self.claimed_text(section, "id", "organization", grammar::organization_id);
        let root = self.claimed_text(section, "root", "root", grammar::root_id);
        let management_account = self.account_at(section, "management_account").unwrap_or_default();
        let policies: Vec<_> =
            section.sections("policy").iter().filter_map(|policy| self.control_policy(policy, &id)).collect();
        let names = policies.iter().map(|policy| (policy.kind, policy.name.clone()));
        let mut tree = Tree { root: root.clone(), policies: names.collect(), units: BTreeMap::new() };
        let sections = section.sections("organizational_unit");
        let units: Vec<_> = sections.iter().map(|unit| self.unit(unit, &mut tree)).collect();
        for (unit, (parent, at)) in &tree.units {
            tree.require_way_to_root(section, unit, parent, *at);
        }
        let mut accounts: Vec<_> =
            section.sections("account").iter().filter_map(|account| self.member(account, &tree)).collect();
        if !accounts.iter().any(|member| member.id == management_account) && !management_account.is_empty() {
            // It is an account of the organization without being listed, and stands at the root.
            self.claim(section, "account of an organization", &management_account, section.at());
            let (parent, attached) = (root.clone(), ControlPolicies::default());
            accounts.push(MemberAccount { id: management_account.clone(), parent, attached });
        }
        Organization { id, management_account, policies, root, attached: tree.attached(section), units, accounts }
    }

    fn control_policy(&mut self, section: &Section<'_>, organization: &str) -> Option<ControlPolicy> {
        let name = checked(section, section.required("name"), "name", grammar::policy_name);
        let (kind, wanted) = match section.required("type")? {
            Located { value: "SERVICE_CONTROL_POLICY", .. } => (ControlPolicyKind::Service, Wanted::ServiceControl),
            Located { value: "RESOURCE_CONTROL_POLICY", .. } => (ControlPolicyKind::Resource, Wanted::ResourceControl),
            other => {
                section.fault(other.at, "`type` must be SERVICE_CONTROL_POLICY or RESOURCE_CONTROL_POLICY");
                return None;
            }
        };
        let document = self.required_document(section, ("document", "file"), wanted);
        let name = name?;
        if name.value.ends_with(FULL_ACCESS) {
            section.fault(name.at, format!("`{}` is a name of AWS's own", name.value));
        }
        self.claim(section, "control policy", &format!("{organization}/{}", name.value), name.at);
        Some(ControlPolicy { name: name.value.to_owned(), kind, document })
    }

    fn unit(&mut self, section: &Section<'_>, tree: &mut Tree) -> OrganizationalUnit {
        let id = self.claimed_text(section, "id", "organizational unit", grammar::unit_id);
        let (parent, at) = tree.parent(section);
        tree.units.insert(id.clone(), (parent.clone(), at));
        OrganizationalUnit { id, parent, attached: tree.attached(section) }
    }

    fn member(&mut self, section: &Section<'_>, tree: &Tree) -> Option<MemberAccount> {
        let (parent, at) = tree.parent(section);
        let attached = tree.attached(section);
        let id = self.account_at(section, "id")?;
        self.claim(section, "account of an organization", &id, section.at());
        tree.require_place(section, &parent, at);
        Some(MemberAccount { id, parent, attached })
    }
}

impl Tree {
    /// Where a unit or an account hangs; the root when it does not say.
    fn parent(&self, section: &Section<'_>) -> (String, usize) {
        let given = section.text("parent");
        given.map_or_else(|| (self.root.clone(), section.at()), |parent| (parent.value.to_owned(), parent.at))
    }

    fn require_place(&self, section: &Section<'_>, parent: &str, at: usize) -> bool {
        let is_there = parent == self.root || self.units.contains_key(parent);
        if !is_there {
            let shown = parent.escape_debug();
            section.fault(at, format!("`parent` is neither the root nor an organizational unit: `{shown}`"));
        }
        is_there
    }

    fn require_way_to_root(&self, section: &Section<'_>, unit: &str, parent: &str, at: usize) {
        if !self.require_place(section, parent, at) {
            return;
        }
        let above = std::iter::successors(Some(unit), |at| self.units.get(*at).map(|(parent, _)| parent.as_str()));
        if above.take(UNIT_LEVELS_MAX + 1).all(|at| at != self.root) {
            section.fault(at, format!("`{unit}` is more than {UNIT_LEVELS_MAX} levels below the root, or in a circle"));
        }
    }

    /// What is attached to the root, a unit or an account.
    fn attached(&self, section: &Section<'_>) -> ControlPolicies {
        let service = section.texts("service_control_policies");
        let resource = section.texts("resource_control_policies").unwrap_or_default();
        ControlPolicies {
            service: service.map(|names| self.named(section, ControlPolicyKind::Service, names)),
            resource: self.named(section, ControlPolicyKind::Resource, resource),
        }
    }

    fn named(&self, section: &Section<'_>, kind: ControlPolicyKind, names: Vec<Located<&str>>) -> Vec<String> {
        if let Some(name) = names.get(ATTACHED_MAX) {
            section.fault(name.at, format!("more than {ATTACHED_MAX} policies of one type"));
        }
        let mut known = Vec::new();
        for name in names {
            let is_aws_s = kind == ControlPolicyKind::Service && name.value == FULL_ACCESS;
            if is_aws_s || self.policies.contains(&(kind, name.value.to_owned())) {
                known.push(name.value.to_owned());
            } else {
                let shown = name.value.escape_debug();
                section.fault(name.at, format!("the organization has no such policy of this type: `{shown}`"));
            }
        }
        known
    }
}
