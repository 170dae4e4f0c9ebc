//! Condition operators by name.

use super::document::Malformed;

/// An operator as a policy names it: `ForAllValues:StringNotEqualsIfExists`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    /// How many values of a key of many values have to pass.
    pub(crate) set: Option<SetOperator>,
    /// What is compared.
    pub(crate) comparison: Comparison,
    /// `Not…`: true for what is none of the values, and for a key that is absent.
    pub(crate) negated: bool,
    /// `…IfExists`: true for a key that is absent.
    pub(crate) if_exists: bool,
}

/// For keys of many values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetOperator {
    /// `ForAllValues`: true also for a key that is absent.
    All,
    /// `ForAnyValue`: false for a key that is absent.
    Any,
}

/// What a comparison compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// `String…`; `like` knows wildcards, `any_case` ignores case.
    Text { like: bool, any_case: bool },
    /// `Arn…`; IAM's `ArnEquals` and `ArnLike` are the same.
    Arn,
    /// `Numeric…`
    Number(Order),
    /// `Date…`
    Date(Order),
    /// `Bool`
    Flag,
    /// `Null`: whether the key is absent.
    Absence,
}

/// Order of numbers and dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// Reads an operator's name.
    ///
    /// # Errors
    /// An operator that is not known here.
    pub(super) fn parse(name: &str) -> Result<Self, Malformed> {
        let unknown = || Malformed(format!("Invalid Condition type : {name}"));
        let (set, rest) = match name.split_once(':') {
            None => (None, name),
            Some(("ForAllValues", rest)) => (Some(SetOperator::All), rest),
            Some(("ForAnyValue", rest)) => (Some(SetOperator::Any), rest),
            Some(_) => return Err(unknown()),
        };
        let (base, if_exists) = match rest.strip_suffix("IfExists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let text = |like, any_case| Comparison::Text { like, any_case };
        let (comparison, negated) = match base {
            "StringEquals" => (text(false, false), false),
            "StringNotEquals" => (text(false, false), true),
            "StringEqualsIgnoreCase" => (text(false, true), false),
            "StringNotEqualsIgnoreCase" => (text(false, true), true),
            "StringLike" => (text(true, false), false),
            "StringNotLike" => (text(true, false), true),
            "ArnEquals" | "ArnLike" => (Comparison::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Comparison::Arn, true),
            "Bool" => (Comparison::Flag, false),
            // Only the key's presence counts, so nothing can be added to it.
            "Null" if set.is_none() && !if_exists => (Comparison::Absence, false),
            _ => ordered(base).ok_or_else(unknown)?,
        };
        Ok(Self {
            set,
            comparison,
            negated,
            if_exists,
        })
    }
}

fn ordered(base: &str) -> Option<(Comparison, bool)> {
    let (make, order): (fn(Order) -> Comparison, &str) = match base.strip_prefix("Numeric") {
        Some(order) => (Comparison::Number, order),
        None => (Comparison::Date, base.strip_prefix("Date")?),
    };
    let (order, negated) = match order {
        "Equals" => (Order::Equal, false),
        "NotEquals" => (Order::Equal, true),
        "LessThan" => (Order::Less, false),
        "LessThanEquals" => (Order::LessOrEqual, false),
        "GreaterThan" => (Order::Greater, false),
        "GreaterThanEquals" => (Order::GreaterOrEqual, false),
        _ => return None,
    };
    Some((make(order), negated))
}

impl Order {
    /// Whether `found` stands in this order to `wanted`.
    pub(super) fn holds<T: PartialOrd>(self, found: &T, wanted: &T) -> bool {
        match self {
            Order::Equal => found == wanted,
            Order::Less => found < wanted,
            Order::LessOrEqual => found <= wanted,
            Order::Greater => found > wanted,
            Order::GreaterOrEqual => found >= wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_operators_are_read_and_others_refused() {
        let read = Operator::parse("ForAllValues:StringNotEqualsIfExists").unwrap();
        let text = Comparison::Text {
            like: false,
            any_case: false,
        };
        assert_eq!((read.set, read.comparison), (Some(SetOperator::All), text));
        assert!(read.negated && read.if_exists);
        let number = Operator::parse("NumericLessThanEquals").unwrap();
        assert_eq!(number.comparison, Comparison::Number(Order::LessOrEqual));
        for name in [
            "",
            "StringMatches",
            "stringequals",
            "IpAddress",
            "BinaryEquals",
            "NullIfExists",
            "ForAnyValue:Null",
            "ForSome:StringEquals",
            "NumericLike",
            "DateBefore",
        ] {
            assert!(Operator::parse(name).is_err(), "{name}");
        }
    }
}
