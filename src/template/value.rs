//! One node of a document: scalars, lists, maps and calls of intrinsic functions.

use std::fmt;

use indexmap::IndexMap;

/// An intrinsic function, of templates and of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Function {
    /// `Ref`
    Ref,
    /// `Fn::GetAtt`; its argument is kept as `Resource.Attribute`.
    GetAtt,
    /// `Fn::Sub`
    Sub,
    /// `Fn::Join`
    Join,
    /// `Fn::Select`
    Select,
    /// `Fn::Split`
    Split,
    /// `Fn::GetAZs`
    GetAzs,
    /// `Fn::If`
    If,
    /// `Fn::Base64`
    Base64,
    /// `Fn::Cidr`
    Cidr,
    /// `Fn::FindInMap`
    FindInMap,
    /// `Fn::ImportValue`
    ImportValue,
    /// `Fn::Length`
    Length,
    /// `Fn::ToJsonString`
    ToJsonString,
    /// `Fn::Transform`
    Transform,
    /// `Fn::Equals`
    Equals,
    /// `Fn::Not`
    Not,
    /// `Fn::And`
    And,
    /// `Fn::Or`
    Or,
    /// `Condition`, a condition named inside another.
    Condition,
    /// `Fn::Contains`, in rules.
    Contains,
    /// `Fn::EachMemberEquals`, in rules.
    EachMemberEquals,
    /// `Fn::EachMemberIn`, in rules.
    EachMemberIn,
    /// `Fn::RefAll`, in rules.
    RefAll,
    /// `Fn::ValueOf`, in rules.
    ValueOf,
    /// `Fn::ValueOfAll`, in rules.
    ValueOfAll,
}

impl Function {
    /// Every function, in the order of the type.
    pub const ALL: [Self; 26] = [
        Self::Ref,
        Self::GetAtt,
        Self::Sub,
        Self::Join,
        Self::Select,
        Self::Split,
        Self::GetAzs,
        Self::If,
        Self::Base64,
        Self::Cidr,
        Self::FindInMap,
        Self::ImportValue,
        Self::Length,
        Self::ToJsonString,
        Self::Transform,
        Self::Equals,
        Self::Not,
        Self::And,
        Self::Or,
        Self::Condition,
        Self::Contains,
        Self::EachMemberEquals,
        Self::EachMemberIn,
        Self::RefAll,
        Self::ValueOf,
        Self::ValueOfAll,
    ];

    /// Key of the long form, such as `Ref` or `Fn::GetAtt`.
    pub const fn long(self) -> &'static str {
        match self {
            Self::Ref => "Ref",
            Self::GetAtt => "Fn::GetAtt",
            Self::Sub => "Fn::Sub",
            Self::Join => "Fn::Join",
            Self::Select => "Fn::Select",
            Self::Split => "Fn::Split",
            Self::GetAzs => "Fn::GetAZs",
            Self::If => "Fn::If",
            Self::Base64 => "Fn::Base64",
            Self::Cidr => "Fn::Cidr",
            Self::FindInMap => "Fn::FindInMap",
            Self::ImportValue => "Fn::ImportValue",
            Self::Length => "Fn::Length",
            Self::ToJsonString => "Fn::ToJsonString",
            Self::Transform => "Fn::Transform",
            Self::Equals => "Fn::Equals",
            Self::Not => "Fn::Not",
            Self::And => "Fn::And",
            Self::Or => "Fn::Or",
            Self::Condition => "Condition",
            Self::Contains => "Fn::Contains",
            Self::EachMemberEquals => "Fn::EachMemberEquals",
            Self::EachMemberIn => "Fn::EachMemberIn",
            Self::RefAll => "Fn::RefAll",
            Self::ValueOf => "Fn::ValueOf",
            Self::ValueOfAll => "Fn::ValueOfAll",
        }
    }

    /// Name of the short form without its `!`, such as `GetAtt`.
    pub fn short(self) -> &'static str {
        let long = self.long();
        long.strip_prefix("Fn::").unwrap_or(long)
    }

    /// Whether CloudFormation documents a short form; the functions that exist only in rules have none.
    pub const fn has_short(self) -> bool {
        !matches!(
            self,
            Self::Contains
                | Self::EachMemberEquals
                | Self::EachMemberIn
                | Self::RefAll
                | Self::ValueOf
                | Self::ValueOfAll
        )
    }

    /// The function with this short name.
    pub fn from_short(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.short() == name)
    }

    /// The function with this long key.
    pub fn from_long(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.long() == key)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.long())
    }
}

/// One node of a document.
///
/// A map never has a function's key as its only key: that would be a [`Value::Call`]. Both readers keep this.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing; CloudFormation refuses it in most places, but documents of others hold it.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number with a fraction.
    Float(f64),
    /// Text.
    Str(String),
    /// A list.
    List(Vec<Value>),
    /// A map in the order of writing.
    Map(IndexMap<String, Value>),
    /// A call of an intrinsic function.
    Call(Function, Box<Value>),
}

impl Value {
    /// A call of `function`, with the argument of `Fn::GetAtt` brought to its one form.
    pub fn call(function: Function, argument: impl Into<Self>) -> Self {
        let argument = argument.into();
        let argument = match (function, argument) {
            (Function::GetAtt, Self::List(parts)) => match parts.as_slice() {
                [Self::Str(resource), Self::Str(attribute)] => Self::Str(format!("{resource}.{attribute}")),
                _ => Self::List(parts),
            },
            (_, argument) => argument,
        };
        Self::Call(function, Box::new(argument))
    }

    /// `AWS::NoValue`: in an `Fn::If`, leaves the property out.
    pub fn no_value() -> Self {
        reference("AWS::NoValue")
    }

    /// The text, when this is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The entries, when this is a list.
    pub fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(entries) => Some(entries),
            _ => None,
        }
    }

    /// The entries, when this is a map.
    pub fn as_map(&self) -> Option<&IndexMap<String, Self>> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value under `key`, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// Kind of the node in words, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Str(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
            Self::Call(..) => "a function call",
        }
    }

    /// Makes a map a call when its only key is a function's; both readers end with it.
    pub(super) fn from_entries(mut entries: IndexMap<String, Self>) -> Self {
        if entries.len() == 1
            && let Some((key, argument)) = entries.first()
            && let Some(function) = Function::from_long(key)
            // `Condition` is a function only around a name; IAM statements have a map under the same key.
            && (function != Function::Condition || argument.as_str().is_some())
            && let Some((_, argument)) = entries.pop()
        {
            return Self::call(function, argument);
        }
        Self::Map(entries)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}

impl From<u16> for Value {
    fn from(value: u16) -> Self {
        Self::Int(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Str(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Str(value)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(entries: Vec<T>) -> Self {
        Self::List(entries.into_iter().map(Into::into).collect())
    }
}

impl From<IndexMap<String, Value>> for Value {
    fn from(entries: IndexMap<String, Value>) -> Self {
        Self::Map(entries)
    }
}

/// `Ref` of a parameter, a resource or a pseudo parameter.
pub fn reference(name: &str) -> Value {
    Value::call(Function::Ref, name)
}

/// `Fn::GetAtt` of a resource's attribute.
pub fn get_att(resource: &str, attribute: &str) -> Value {
    Value::call(Function::GetAtt, format!("{resource}.{attribute}"))
}

/// `Fn::Sub` of a text with `${…}` placeholders.
pub fn sub(text: impl Into<String>) -> Value {
    Value::call(Function::Sub, text.into())
}

/// `Fn::Sub` of a text with values of its own for some placeholders.
pub fn sub_with(text: impl Into<String>, variables: IndexMap<String, Value>) -> Value {
    Value::call(
        Function::Sub,
        Value::List(vec![Value::Str(text.into()), Value::Map(variables)]),
    )
}

/// `Fn::If` of a named condition.
pub fn if_(condition: &str, then: impl Into<Value>, otherwise: impl Into<Value>) -> Value {
    Value::call(
        Function::If,
        Value::List(vec![condition.into(), then.into(), otherwise.into()]),
    )
}

/// A map value: `object! { "Key" => value, … }`.
macro_rules! object {
    ($($key:expr => $value:expr),* $(,)?) => {
        $crate::template::Value::Map(indexmap::IndexMap::from([$((($key).to_string(), $crate::template::Value::from($value))),*]))
    };
}

/// A list value: `list![a, b]`.
macro_rules! list {
    ($($value:expr),* $(,)?) => {
        $crate::template::Value::List(vec![$($crate::template::Value::from($value)),*])
    };
}

pub(crate) use {list, object};
