//! One condition: an operator, a key and its values.
//! Knows every operator of the IAM policy language; must not know statements or which keys exist.

use std::borrow::Cow;

use ipnet::IpNet;

use super::arn::{Arn, ArnPattern, Variables};
use super::context::{FactKey, Facts, Value};
use super::literal::{self, Decimal};
use super::pattern::{Pattern, Syntax};
use super::variable::Trouble;

/// An operator's name that is not in the language.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnknownOperator;

#[derive(Debug)]
pub(super) struct Condition {
    key: FactKey,
    check: Check,
    negated: bool,
    set: Set,
    if_exists: bool,
    /// The key is never there in this kind of document.
    hidden: bool,
}

/// The set operator in front of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    None,
    ForAllValues,
    ForAnyValue,
}

/// An operator's name, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator {
    pub(super) set: Set,
    comparison: Comparison,
    negated: bool,
    if_exists: bool,
}

#[derive(Clone, Copy, Debug)]
enum Comparison {
    Null,
    Equals,
    EqualsIgnoreCase,
    Like,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    Ip,
    Arn,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What values are compared with. A typed operand that could not be read stays, as `None`: reaching it is an error.
#[derive(Debug)]
enum Check {
    Null(Box<[Option<bool>]>),
    Text(Box<[Pattern]>),
    TextIgnoreCase(Box<[Pattern]>),
    Arn(Box<[ArnPattern]>),
    Numeric(Order, Box<[Option<Decimal>]>),
    Date(Order, Box<[Option<Decimal>]>),
    Bool(Box<[Option<bool>]>),
    Binary(Box<[Option<Box<[u8]>>]>),
    Ip(Box<[Option<IpNet>]>),
}

impl Operator {
    pub(super) fn parse(name: &str) -> Result<Self, UnknownOperator> {
        let (set, rest) = match (name.strip_prefix("ForAllValues:"), name.strip_prefix("ForAnyValue:")) {
            (Some(rest), _) => (Set::ForAllValues, rest),
            (_, Some(rest)) => (Set::ForAnyValue, rest),
            _ => (Set::None, name),
        };
        let (bare, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |bare| (bare, true));
        let (comparison, negated) = comparison(bare).ok_or(UnknownOperator)?;
        if matches!(comparison, Comparison::Null) && (if_exists || set != Set::None) {
            return Err(UnknownOperator);
        }
        Ok(Self { set, comparison, negated, if_exists })
    }
}

impl Condition {
    pub(super) fn compile(
        operator: Operator,
        key: FactKey,
        values: &[Cow<'_, str>],
        variables: bool,
        hidden: bool,
    ) -> Self {
        let patterns =
            |wildcards| values.iter().map(|text| Pattern::compile(text, Syntax { wildcards, variables })).collect();
        let arn_variables = if variables { Variables::Everywhere } else { Variables::Nowhere };
        let check = match operator.comparison {
            Comparison::Null => Check::Null(read(values, literal::boolean)),
            Comparison::Equals => Check::Text(patterns(false)),
            Comparison::EqualsIgnoreCase => Check::TextIgnoreCase(patterns(false)),
            Comparison::Like => Check::Text(patterns(true)),
            Comparison::Arn => Check::Arn(values.iter().map(|text| ArnPattern::compile(text, arn_variables)).collect()),
            Comparison::Numeric(order) => Check::Numeric(order, read(values, literal::decimal)),
            Comparison::Date(order) => Check::Date(order, read(values, literal::date)),
            Comparison::Bool => Check::Bool(read(values, literal::boolean)),
            Comparison::Binary => Check::Binary(read(values, literal::bytes)),
            Comparison::Ip => Check::Ip(read(values, literal::network)),
        };
        let Operator { set, negated, if_exists, .. } = operator;
        Self { key, check, negated, set, if_exists, hidden }
    }

    /// The key's name as the policy writes it.
    pub(super) fn key(&self) -> &str {
        self.key.written()
    }

    pub(super) fn holds(&self, facts: &dyn Facts) -> Result<bool, Trouble> {
        let value = if self.hidden { None } else { facts.value(&self.key) };
        let value = value.filter(|value| !matches!(value, Value::Many(texts) if texts.is_empty()));
        if let Check::Null(wanted) = &self.check {
            return if value == Some(Value::Ambiguous) {
                Err(Trouble::Ambiguous)
            } else {
                any(wanted, |wanted| Ok(wanted.ok_or(Trouble::WrongType)? == value.is_none()))
            };
        }
        match (value, self.set) {
            (None, set) => Ok(self.holds_without_value(set)),
            (Some(Value::Ambiguous), _) => Err(Trouble::Ambiguous),
            // A multivalued key needs a set operator.
            (Some(Value::Many(_)), Set::None) => Ok(false),
            (Some(Value::One(text)), _) => self.passes(&text, facts),
            (Some(Value::Many(texts)), Set::ForAnyValue) => any(&texts, |text| self.passes(text, facts)),
            (Some(Value::Many(texts)), Set::ForAllValues) => {
                any(&texts, |text| self.passes(text, facts).map(|passes| !passes)).map(|failed| !failed)
            }
        }
    }

    fn holds_without_value(&self, set: Set) -> bool {
        match set {
            _ if self.if_exists => true,
            Set::ForAllValues => true,
            Set::ForAnyValue => false,
            Set::None => self.negated,
        }
    }

    /// One value of the request against all values of the policy: one of them, or none of them when negated.
    fn passes(&self, text: &str, facts: &dyn Facts) -> Result<bool, Trouble> {
        self.equals_any(text, facts).map(|equal| equal != self.negated)
    }

    fn equals_any(&self, text: &str, facts: &dyn Facts) -> Result<bool, Trouble> {
        let wrong = Trouble::WrongType;
        match &self.check {
            Check::Null(_) => Err(wrong),
            Check::Text(patterns) => any(patterns, |pattern| pattern.matches(text, facts)),
            Check::TextIgnoreCase(patterns) => {
                any(patterns, |pattern| Ok(equal_ignoring_case(&pattern.text(facts)?, text)))
            }
            Check::Arn(patterns) => {
                let arn = Arn::split(text);
                any(patterns, |pattern| pattern.matches(&arn, facts))
            }
            Check::Numeric(order, operands) => ordered(*order, literal::decimal(text), operands),
            Check::Date(order, operands) => ordered(*order, literal::date(text), operands),
            Check::Bool(operands) => {
                let value = literal::boolean(text).ok_or(wrong)?;
                any(operands, |operand| Ok(operand.ok_or(wrong)? == value))
            }
            Check::Binary(operands) => {
                let value = literal::bytes(text).ok_or(wrong)?;
                any(operands, |operand| Ok(*operand.as_ref().ok_or(wrong)? == value))
            }
            Check::Ip(operands) => {
                let value = literal::address(text).ok_or(wrong)?;
                any(operands, |operand| Ok(operand.ok_or(wrong)?.contains(&value)))
            }
        }
    }
}

fn comparison(name: &str) -> Option<(Comparison, bool)> {
    let typed = |rest: &str| match rest {
        "Equals" => Some((Order::Equal, false)),
        "NotEquals" => Some((Order::Equal, true)),
        "LessThan" => Some((Order::Less, false)),
        "LessThanEquals" => Some((Order::LessOrEqual, false)),
        "GreaterThan" => Some((Order::Greater, false)),
        "GreaterThanEquals" => Some((Order::GreaterOrEqual, false)),
        _ => None,
    };
    if let Some(rest) = name.strip_prefix("Numeric") {
        return typed(rest).map(|(order, negated)| (Comparison::Numeric(order), negated));
    }
    if let Some(rest) = name.strip_prefix("Date") {
        return typed(rest).map(|(order, negated)| (Comparison::Date(order), negated));
    }
    Some(match name {
        "StringEquals" => (Comparison::Equals, false),
        "StringNotEquals" => (Comparison::Equals, true),
        "StringEqualsIgnoreCase" => (Comparison::EqualsIgnoreCase, false),
        "StringNotEqualsIgnoreCase" => (Comparison::EqualsIgnoreCase, true),
        "StringLike" => (Comparison::Like, false),
        "StringNotLike" => (Comparison::Like, true),
        "Bool" => (Comparison::Bool, false),
        "BinaryEquals" => (Comparison::Binary, false),
        "IpAddress" => (Comparison::Ip, false),
        "NotIpAddress" => (Comparison::Ip, true),
        "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
        "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
        "Null" => (Comparison::Null, false),
        _ => return None,
    })
}

fn read<T>(values: &[Cow<'_, str>], parse: impl Fn(&str) -> Option<T>) -> Box<[Option<T>]> {
    values.iter().map(|text| parse(text)).collect()
}

/// Whether one of the operands holds. An error of one counts only if none of the others holds.
fn any<T>(operands: &[T], holds: impl Fn(&T) -> Result<bool, Trouble>) -> Result<bool, Trouble> {
    let mut trouble = None;
    for operand in operands {
        match holds(operand) {
            Ok(true) => return Ok(true),
            Ok(false) | Err(Trouble::Unresolved) => {}
            Err(other) => trouble = Some(other),
        }
    }
    trouble.map_or(Ok(false), Err)
}

fn ordered(order: Order, value: Option<Decimal>, operands: &[Option<Decimal>]) -> Result<bool, Trouble> {
    let value = value.ok_or(Trouble::WrongType)?;
    any(operands, |operand| {
        let operand = operand.ok_or(Trouble::WrongType)?;
        Ok(match order {
            Order::Equal => value == operand,
            Order::Less => value < operand,
            Order::LessOrEqual => value <= operand,
            Order::Greater => value > operand,
            Order::GreaterOrEqual => value >= operand,
        })
    })
}

fn equal_ignoring_case(one: &str, other: &str) -> bool {
    if one.is_ascii() && other.is_ascii() {
        one.eq_ignore_ascii_case(other)
    } else {
        one.to_lowercase() == other.to_lowercase()
    }
}
