//! The tags that every resource carries.

use crate::stack::STACK_TAG;
use crate::template::{Value, object, reference};

/// Its stack, and a name that people recognise.
pub(crate) fn tags() -> Value {
    Value::List(vec![
        object! { "Key" => "Name", "Value" => reference("AWS::StackName") },
        object! { "Key" => STACK_TAG, "Value" => reference("AWS::StackName") },
    ])
}
