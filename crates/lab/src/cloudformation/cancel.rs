//! CancelUpdateStack: an update under way stops and goes back.

use super::service::CloudFormation;
use super::signals::missing;
use super::state::State;
use super::template::invalid;
use crate::api::{ApiResult, only, text};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

impl CloudFormation {
    pub(super) fn cancel_update_stack(&self, params: &Value) -> ApiResult {
        only(params, &["StackName", "ClientRequestToken"])?;
        let name = text(params, "StackName").ok_or_else(|| missing("StackName"))?;
        {
            let state = self.lock();
            let Some(stack) = state.stack(&name).filter(|s| s.deleted.is_none()) else {
                return Err(invalid(format!("Stack [{name}] does not exist")));
            };
            let running = state
                .cancels
                .get(&stack.id)
                .filter(|_| stack.status == "UPDATE_IN_PROGRESS");
            let Some(cancel) = running else {
                return Err(invalid("CancelUpdateStack cannot be called from current stack status"));
            };
            cancel.store(true, Ordering::SeqCst);
        }
        // Those who wait for signals look at once.
        self.news.notify_waiters();
        Ok(Value::Null)
    }
}

/// Makes an operation stoppable from now on.
pub(super) fn stoppable(state: &mut State, stack_id: &str) -> Arc<AtomicBool> {
    let cancel = Arc::<AtomicBool>::default();
    state.cancels.insert(stack_id.to_owned(), cancel.clone());
    cancel
}
