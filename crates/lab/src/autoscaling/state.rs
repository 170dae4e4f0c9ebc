//! What Auto Scaling knows.

use super::group::{Activity, Group};
use crate::api::ApiError;
use indexmap::IndexMap;

/// Everything that Auto Scaling knows.
#[derive(Default)]
pub(super) struct State {
    /// Groups by name.
    pub(crate) groups: IndexMap<String, Group>,
    /// Activities of deleted groups: name, ARN, activity.
    pub(crate) past: Vec<(String, String, Activity)>,
}

impl State {
    /// A group.
    ///
    /// # Errors
    /// `ValidationError` in AWS's words.
    pub(super) fn group(&mut self, name: &str) -> Result<&mut Group, ApiError> {
        self.groups.get_mut(name).ok_or_else(|| {
            invalid(format!(
                "AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
            ))
        })
    }

    /// The group that has an instance.
    ///
    /// # Errors
    /// `ValidationError` in AWS's words.
    pub(super) fn group_of(&mut self, instance: &str) -> Result<&mut Group, ApiError> {
        self.groups
            .values_mut()
            .find(|g| g.members.contains_key(instance))
            .ok_or_else(|| {
                invalid(format!(
                    "Instance Id not found - No managed instance found for instance ID: {instance}"
                ))
            })
    }
}

/// `ValidationError`, the code of most refusals of this service.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("ValidationError", message)
}
