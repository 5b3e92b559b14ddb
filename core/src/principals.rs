//! How stored policies and grants name users and roles: by their unique ids, as AWS stores them, so that a name that is given to
//! someone else later does not pass to them what the former owner had. Changes texts; judges nothing.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::authz::PrincipalName;
use crate::id::{AccountId, Place};
use crate::view::RegionView;

/// Who there is.
pub(crate) trait Directory {
    fn has_account(&self, account: AccountId) -> bool;
    /// The unique id of the user or role of this ARN.
    fn unique_id(&self, arn: &str) -> Option<String>;
    fn has_unique_id(&self, id: &str) -> bool;
    fn has_role_named(&self, account: AccountId, name: &str) -> bool;
}

impl Directory for RegionView {
    fn has_account(&self, account: AccountId) -> bool {
        self.account_exists(account)
    }

    fn unique_id(&self, arn: &str) -> Option<String> {
        let user = self.identity(arn).map(|user| user.id.clone());
        user.or_else(|| self.role(arn).map(|role| role.id.clone()))
    }

    fn has_unique_id(&self, id: &str) -> bool {
        self.arn_of(id).is_some()
    }

    fn has_role_named(&self, account: AccountId, name: &str) -> bool {
        self.role_named(account, name).is_some()
    }
}

/// The text of a policy that parses, with unique ids in the place of the ARNs of users and roles.
///
/// # Errors
/// The first principal that does not exist.
pub(crate) fn at_rest(text: &str, place: &Place, directory: &dyn Directory) -> Result<String, String> {
    let mut bound = Vec::new();
    for (range, name) in named(text) {
        match identified(&name, place, directory) {
            Some(Identified::AsIs) => {}
            Some(Identified::By(id)) => bound.push((range, id)),
            None => return Err(name),
        }
    }
    Ok(replaced(text, &bound))
}

/// The text of a stored policy as it is shown: with the ARNs of users and roles that there are. Of those that are gone
/// their ids are left.
pub fn shown(text: &str, view: &RegionView) -> String {
    let known = named(text).into_iter().filter_map(|(range, name)| Some((range, view.arn_of(&name)?.to_string())));
    replaced(text, &known.collect::<Vec<_>>())
}

/// The name under which a principal is stored, given its ARN: for a user or role its unique id, for others the ARN.
/// `None` when there is no such principal.
pub(crate) fn stored_name(arn: &str, place: &Place, directory: &dyn Directory) -> Option<String> {
    PrincipalName::from_arn(arn)?;
    match identified(arn, place, directory)? {
        Identified::AsIs => Some(arn.to_owned()),
        Identified::By(id) => Some(id),
    }
}

/// The name under which a stored principal is shown: the ARN of a user or role, or its unique id once it has gone.
pub(crate) fn shown_name(stored: &str, view: &RegionView) -> String {
    view.arn_of(stored).map_or_else(|| stored.to_owned(), |arn| arn.to_string())
}

enum Identified {
    AsIs,
    By(String),
}

/// `None` when there is no such principal.
fn identified(name: &str, place: &Place, directory: &dyn Directory) -> Option<Identified> {
    let foreign = name.starts_with("arn:") && name.split(':').nth(1) != Some(&*place.partition);
    if foreign {
        return None;
    }
    let account = |text: &str| AccountId::parse(text).filter(|account| directory.has_account(*account));
    let is_there = match PrincipalName::from_aws(name)? {
        PrincipalName::User { .. } | PrincipalName::Role { .. } => {
            return directory.unique_id(name).map(Identified::By);
        }
        PrincipalName::Account(id) => account(&id).is_some(),
        PrincipalName::Session { account: id, role, .. } => {
            account(&id).is_some_and(|account| directory.has_role_named(account, &role))
        }
        PrincipalName::FederatedUser { account: id, .. } => account(&id).is_some(),
        PrincipalName::Id(id) => directory.has_unique_id(&id),
        PrincipalName::Service(_) | PrincipalName::Federated(_) | PrincipalName::CanonicalUser(_) => false,
    };
    is_there.then_some(Identified::AsIs)
}

/// What stands under `AWS` in the policy's principals, `*` excepted: where, quotes included, and what.
fn named(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let statements = serde_json::from_str::<Outline<'_>>(text).map(|outline| items(outline.statement));
    for statement in statements.unwrap_or_default() {
        let Ok(who) = serde_json::from_str::<Who<'_>>(statement.get()) else { continue };
        for principals in [who.principal, who.not_principal].into_iter().flatten() {
            let aws = serde_json::from_str::<Named<'_>>(principals.get()).ok().and_then(|named| named.aws);
            for name in aws.map(items).unwrap_or_default() {
                let Ok(decoded) = serde_json::from_str::<String>(name.get()) else { continue };
                if let Some(range) = place_of(name.get(), text).filter(|_| decoded != "*") {
                    found.push((range, decoded));
                }
            }
        }
    }
    found
}

/// The parts of a document on the way to its principals, as they stand in its text.
#[derive(Deserialize)]
struct Outline<'t> {
    #[serde(borrow, rename = "Statement")]
    statement: &'t RawValue,
}

#[derive(Deserialize)]
struct Who<'t> {
    #[serde(borrow, default, rename = "Principal")]
    principal: Option<&'t RawValue>,
    #[serde(borrow, default, rename = "NotPrincipal")]
    not_principal: Option<&'t RawValue>,
}

#[derive(Deserialize)]
struct Named<'t> {
    #[serde(borrow, default, rename = "AWS")]
    aws: Option<&'t RawValue>,
}

/// A list's items, or the one thing that stands for a list of one.
fn items(raw: &RawValue) -> Vec<&RawValue> {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| vec![raw])
}

/// Where a part that was borrowed from a text stands in it.
fn place_of(part: &str, text: &str) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let range = start..start + part.len();
    (text.get(range.clone()) == Some(part)).then_some(range)
}

/// The text with other strings at these places.
fn replaced(text: &str, places: &[(Range<usize>, String)]) -> String {
    let mut new = String::with_capacity(text.len());
    let mut at = 0;
    // Statements and principals come in the order of the text, `Principal` and `NotPrincipal` never together.
    for (range, name) in places {
        new.push_str(text.get(at..range.start).unwrap_or_default());
        new.push('"');
        new.push_str(name);
        new.push('"');
        at = range.end;
    }
    new.push_str(text.get(at..).unwrap_or_default());
    new
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const ANA: &str = "arn:aws:iam::111122223333:user/team/ana";
    const APP: &str = "arn:aws:iam::111122223333:role/App";

    struct Known(BTreeMap<&'static str, &'static str>);

    impl Directory for Known {
        fn has_account(&self, account: AccountId) -> bool {
            account.as_str() == "111122223333"
        }

        fn unique_id(&self, arn: &str) -> Option<String> {
            self.0.get(arn).map(|id| (*id).to_owned())
        }

        fn has_unique_id(&self, id: &str) -> bool {
            self.0.values().any(|known| *known == id)
        }

        fn has_role_named(&self, _: AccountId, name: &str) -> bool {
            name == "App"
        }
    }

    fn rest(text: &str) -> Result<String, String> {
        let known = Known(BTreeMap::from([(ANA, "AIDAAAAAAAAAAAAAAAAAA"), (APP, "AROAAAAAAAAAAAAAAAAAA")]));
        at_rest(text, &Place::new("aws", "us-east-1"), &known)
    }

    #[test]
    fn users_and_roles_become_ids_and_everything_else_stays_as_it_was_written() {
        let text = r#" { "Statement" : [
            {"Principal":{ "AWS" : [ "arn:aws:iam::111122223333:user/team/ana", "*" ,"111122223333" ],
                "Service":"a.amazonaws.com" }, "Sid": "arn:aws:iam::111122223333:user/team/ana"},
            {"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role\/App"},
                "Condition":{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/App"}}},
            {"Principal":"*"}, {"Principal":{"AWS":"arn:aws:sts::111122223333:assumed-role/App/s"}} ] } "#;
        let expected = text
            .replacen(r#""arn:aws:iam::111122223333:user/team/ana""#, r#""AIDAAAAAAAAAAAAAAAAAA""#, 1)
            .replacen(r#""arn:aws:iam::111122223333:role\/App""#, r#""AROAAAAAAAAAAAAAAAAAA""#, 1);
        assert_eq!(rest(text).as_deref(), Ok(expected.as_str()));
        assert_eq!(rest(&expected).as_deref(), Ok(expected.as_str()));
    }

    #[test]
    fn who_does_not_exist_is_named() {
        for absent in [
            "arn:aws:iam::111122223333:user/ana",
            "arn:aws:iam::111122223333:role/team/ana",
            "arn:aws-cn:iam::111122223333:root",
            "arn:aws:iam::444455556666:root",
            "444455556666",
            "AIDABBBBBBBBBBBBBBBBB",
            "arn:aws:sts::111122223333:assumed-role/Other/s",
            "arn:aws:sts::444455556666:federated-user/f",
        ] {
            let text = format!(r#"{{"Statement":{{"Principal":{{"AWS":["{ANA}","{absent}"]}}}}}}"#);
            assert_eq!(rest(&text), Err(absent.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in "[\\[\\]{}\":,* ]{0,12}(\"(Statement|Principal|AWS)\":)?\\PC{0,40}") {
            let _ = rest(&text);
        }

        #[test]
        fn any_name_is_found_where_it_stands(before in "[ \n\té]{0,5}", name in "\\PC{1,30}") {
            let quoted = serde_json::to_string(&name).unwrap();
            let text = format!(r#"{{"Id":"é{{",{before}"Statement":[{{"Principal":{{"AWS":[{before}{quoted}]}}}}]}}"#);
            if let [(range, found)] = named(&text).as_slice() {
                prop_assert_eq!((&text[range.clone()], found), (quoted.as_str(), &name));
            } else {
                prop_assert!(name == "*" || before.contains('é'));
            }
        }
    }
}
