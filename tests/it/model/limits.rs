//! Every member of every input against the model: a body that satisfies it is taken, and each limit passed by one is
//! refused with AWS's text for that member. The texts are made from the fixture here, apart from the code under test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use kms_core::model::{Invalid, OperationModel};
use serde_json::{Map, Value, json};

use super::Model;

/// A value for each shape that has a pattern.
const EXAMPLES: &[(&str, &str)] = &[
    ("AccountIdType", "111122223333"),
    ("AliasNameType", "alias/a:b_c-d"),
    ("BackingKeyIdType", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ("CloudHsmClusterIdType", "cluster-abcdefghijk"),
    ("GrantConstraintSourceArnType", "arn:aws:s3:us-east-1:111122223333:bucket"),
    ("GrantNameType", "name/1:2_3-4"),
    ("KeyMaterialDescriptionType", "made on Monday: no. 1"),
    ("MarkerType", "a marker ÿ"),
    ("PolicyNameType", "default"),
    ("PolicyType", "{\n\t}"),
    ("PrincipalIdType", "arn:aws:iam::111122223333:role/a+b=c,d.e@f"),
    ("RegionType", "us-gov-west-1"),
    ("ServicePrincipalType", "ec2.us-east-1.amazonaws.com"),
    ("XksKeyIdType", "key-1_2.3"),
    ("XksProxyAuthenticationAccessKeyIdType", "ABCDEFGHIJKLMNOPQRST"),
    ("XksProxyAuthenticationRawSecretAccessKeyType", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ/+="),
    ("XksProxyUriEndpointType", "https://xks.example.com"),
    ("XksProxyUriPathType", "/a/b/kms/xks/v1"),
    ("XksProxyVpcEndpointServiceNameType", "com.amazonaws.vpce.us-east-1.vpce-svc-0123"),
];

#[test]
fn a_full_body_is_taken() {
    each_operation(|model, operation, shape| {
        let body = Value::Object(model.full(shape));
        assert_eq!((operation.validate)(body.to_string().as_bytes()), Ok(()), "{} {body}", operation.name);
    });
}

#[test]
fn a_missing_member_is_named() {
    each_operation(|model, operation, shape| {
        for member in model.shape(shape)["required"].as_array().into_iter().flatten() {
            let mut body = model.full(shape);
            body.shift_remove(member.as_str().unwrap());
            let text =
                format!("Value null at '{}' failed to satisfy constraint: Member must not be null", lower(member));
            refused(operation, body, &text);
        }
    });
}

#[test]
fn a_value_past_a_limit_is_refused() {
    let mut checked = 0;
    each_operation(|model, operation, shape| {
        for (member, target) in model.shape(shape)["members"].as_object().unwrap() {
            let name = target["shape"].as_str().unwrap();
            for (value, shown, constraint) in model.wrong(name) {
                let mut body = model.full(shape);
                body.insert(member.clone(), value);
                let at = lower(&json!(member));
                refused(operation, body, &format!("Value{shown} at '{at}' failed to satisfy constraint: {constraint}"));
                checked += 1;
            }
        }
    });
    assert!(checked > 200, "only {checked} limits were found in the model");
}

fn each_operation(mut check: impl FnMut(&Model, &OperationModel, &str)) {
    let model = Model::load();
    for (name, operation) in model.operations() {
        let shape = operation["input"]["shape"].as_str().unwrap();
        check(&model, OperationModel::find(name).unwrap(), shape);
    }
}

fn refused(operation: &OperationModel, body: Map<String, Value>, text: &str) {
    let text = format!("1 validation error detected: {text}");
    let answer = (operation.validate)(Value::Object(body).to_string().as_bytes());
    assert_eq!(answer, Err(Invalid::Validation(text)), "{}", operation.name);
}

fn lower(name: &Value) -> String {
    let name = name.as_str().unwrap();
    format!("{}{}", name[..1].to_lowercase(), &name[1..])
}

impl Model {
    /// A structure with all its members.
    fn full(&self, structure: &str) -> Map<String, Value> {
        let members = self.shape(structure)["members"].as_object().unwrap();
        members.iter().map(|(name, member)| (name.clone(), self.right(member["shape"].as_str().unwrap()))).collect()
    }

    /// A value of a shape.
    fn right(&self, name: &str) -> Value {
        let shape = self.shape(name);
        let min = shape["min"].as_u64().unwrap_or_default();
        match shape["type"].as_str().unwrap() {
            "string" => match (shape["enum"].as_array(), shape.get("pattern")) {
                (Some(names), _) => names[0].clone(),
                (_, Some(_)) => json!(EXAMPLES.iter().find(|(shape, _)| *shape == name).expect(name).1),
                _ => json!("x".repeat(min.max(1) as usize)),
            },
            "blob" => json!("AAEC/w=="),
            "boolean" => json!(true),
            "integer" => json!(min),
            "timestamp" => json!(1_700_000_000.25),
            "map" => json!({"purpose": "test", "": "empty"}),
            "list" => json!([self.right(shape["member"]["shape"].as_str().unwrap())]),
            _ => Value::Object(self.full(name)),
        }
    }

    /// Values that break exactly one constraint of a shape: the value, what the text repeats of it, and the constraint.
    fn wrong(&self, name: &str) -> Vec<(Value, String, String)> {
        let shape = self.shape(name);
        let (max, min) = (shape["max"].as_i64(), shape["min"].as_i64().filter(|min| *min > 0));
        let above = |unit| max.map(|max| format!("Member must have {unit} less than or equal to {max}"));
        let below = |unit| min.map(|min| format!("Member must have {unit} greater than or equal to {min}"));
        let mut wrong = Vec::new();
        match shape["type"].as_str().unwrap() {
            "string" if shape["enum"].is_array() => {
                let names: Vec<&str> =
                    shape["enum"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
                let seen = self.facts["enum_set_order"][name].as_array();
                if seen.is_none() {
                    let set = format!("Member must satisfy enum value set: [{}]", names.join(", "));
                    wrong.push((json!("nonsense"), " 'nonsense'".to_owned(), set));
                }
            }
            "string" if shape.get("pattern").is_none() => {
                let shown = |text: &str| if shape["sensitive"] == true { String::new() } else { format!(" '{text}'") };
                for (length, constraint) in
                    [(max.map(|max| max + 1), above("length")), (min.map(|min| min - 1), below("length"))]
                {
                    let text = "é".repeat(length.unwrap_or_default() as usize);
                    wrong.extend(constraint.map(|constraint| (json!(text), shown(&text), constraint)));
                }
            }
            "blob" => {
                let long = format!("{}=", "A".repeat(((max.unwrap() + 1) / 3 * 4 + 3) as usize));
                let long = if (max.unwrap() + 1) % 3 == 2 { long } else { format!("{}==", &long[..long.len() - 2]) };
                wrong.push((json!(long), String::new(), above("length").unwrap()));
                wrong.push((json!(""), String::new(), below("length").unwrap()));
            }
            "integer" => {
                for (value, constraint) in [(max.unwrap() + 1, above("value")), (min.unwrap() - 1, below("value"))] {
                    wrong.push((json!(value), format!(" '{value}'"), constraint.unwrap()));
                }
            }
            _ => {}
        }
        wrong
    }
}
