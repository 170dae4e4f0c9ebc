//! The lab's own calls, which no AWS client makes.

use crate::api::{ApiResult, Cloud};
use crate::wire::protocol::Raw;
use serde_json::Value;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A request to one of the lab's own calls.
#[derive(Debug, Clone)]
pub struct OwnRequest {
    /// The request as it came in.
    pub(crate) raw: Raw,
    /// The body as JSON; `null` when there is none.
    pub body: Value,
}

type Handler = Arc<dyn Fn(Arc<Cloud>, OwnRequest) -> Pin<Box<dyn Future<Output = ApiResult> + Send>> + Send + Sync>;

/// The lab's own calls by method and path.
#[derive(Default, Clone)]
pub struct Routes {
    handlers: HashMap<(String, String), Handler>,
}

impl Routes {
    /// Adds a call, e.g. `routes.on("POST", "/_mqaws/mount", |cloud, request| async move { … })`.
    ///
    /// The result is the JSON body of a 200; an error answers its status with `{"error","message"}`.
    pub fn on<F, R>(&mut self, method: &str, path: &str, handler: F)
    where
        F: Fn(Arc<Cloud>, OwnRequest) -> R + Send + Sync + 'static,
        R: Future<Output = ApiResult> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |cloud, request| Box::pin(handler(cloud, request)));
        self.handlers.insert((method.to_owned(), path.to_owned()), handler);
    }

    /// The handler of a call.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<Handler> {
        self.handlers.get(&(method.to_owned(), path.to_owned())).cloned()
    }
}
