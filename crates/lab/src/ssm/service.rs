//! The service: which handler answers which action.

use super::state::State;
use super::{commands, documents, parameters};
use crate::api::{ApiResult, Call, Cloud, Service, unknown_action};
use crate::ec2::Ec2;
use indexmap::IndexMap;
use parking_lot::{Mutex, MutexGuard};
use std::pin::Pin;
use std::sync::Arc;

/// Systems Manager of the local cloud.
pub(crate) struct Ssm {
    /// Where instances are.
    pub(super) ec2: Arc<Ec2>,
    state: Mutex<State>,
}

impl Ssm {
    /// A service with the seeded parameters.
    pub(crate) fn new(ec2: Arc<Ec2>) -> Arc<Self> {
        Arc::new(Self {
            ec2,
            state: Mutex::new(State {
                commands: IndexMap::new(),
                documents: IndexMap::new(),
                parameters: parameters::seed(),
            }),
        })
    }

    /// The state; never held across an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    async fn answer(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> ApiResult {
        let params = &call.params;
        match call.action.as_str() {
            "SendCommand" => commands::send(&self, &cloud, params).await,
            "GetCommandInvocation" => commands::invocation(&self.state(), params),
            "ListCommandInvocations" => commands::invocations(&self.state(), params),
            "ListCommands" => commands::list_commands(&self.state(), params),
            "DescribeInstanceInformation" => commands::instance_information(&self, &cloud, params).await,
            "CreateDocument" => documents::create(&mut self.state(), params),
            "UpdateDocument" => documents::update(&mut self.state(), params),
            "UpdateDocumentDefaultVersion" => documents::set_default(&mut self.state(), params),
            "DescribeDocument" => documents::describe(&mut self.state(), params),
            "GetDocument" => documents::get(&mut self.state(), params),
            "DeleteDocument" => documents::delete(&mut self.state(), params),
            "AddTagsToResource" => documents::add_tags(&mut self.state(), params),
            "RemoveTagsFromResource" => documents::remove_tags(&mut self.state(), params),
            "ListTagsForResource" => documents::list_tags(&mut self.state(), params),
            "GetParameter" => parameters::get(&self.state(), &cloud.region, params),
            "GetParameters" => parameters::get_many(&self.state(), &cloud.region, params),
            "PutParameter" => parameters::put(&mut self.state(), params),
            "DeleteParameter" => parameters::delete(&mut self.state(), params),
            _ => Err(unknown_action(&call)),
        }
    }
}

impl Service for Ssm {
    fn call(self: Arc<Self>, cloud: Arc<Cloud>, call: Call) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> {
        Box::pin(self.answer(cloud, call))
    }
}
