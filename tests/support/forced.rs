//! Changes past every check of ours, as CloudFormation would carry them out.

use mqaws::aws::Clients;
use mqaws::deploy::Blueprint;
use mqaws::deploy::ports::{Event, SetKind, Stacks};
use mqaws::model::{Engine, Topology};
use mqaws::observe::ports::Readings;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The stack of the tests.
pub(crate) const STACK: &str = "mqaws-qm1";

/// How long an update may take, the way back included.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits for an answer.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// Carries a change out past every check of ours, as CloudFormation would; returns the stack's status at the end and the
/// operation's events.
pub(crate) fn forced(clients: &Clients, template: &str, change: &[(&str, &str)]) -> (String, Vec<Event>) {
    wait(async {
        let stack = clients.stack(STACK).await.expect("read").expect("a stack");
        let from = clients.events(&stack.id, stack.created).await.expect("events").len();
        let (declarations, _) = template.split_once("\nResources:\n").expect("parameters stand first");
        let declared = |name: &str| declarations.contains(&format!("\n  {name}:\n    Type:"));
        let mut parameters: BTreeMap<String, String> = stack.parameters.clone();
        parameters.extend(change.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        parameters.retain(|name, _| declared(name));
        let blueprint = Blueprint {
            stack: STACK.into(),
            queue_manager: "QM1".into(),
            topology: Topology::default(),
            engine: Engine::default(),
            template: template.into(),
            parameters,
            tags: stack.tags.clone(),
            role: None,
            protect: false,
            adopts: None,
            renewal: None,
            engine_version: None,
        };
        let name = format!("forced-{from}");
        let ids = clients
            .create_change_set(&blueprint, &name, SetKind::Update)
            .await
            .expect("a change set");
        let deadline = Instant::now() + PATIENCE;
        let pause = || tokio::time::sleep(Duration::from_millis(100));
        loop {
            let set = clients.change_set(&ids.change_set).await.expect("read");
            match set.status.as_str() {
                "CREATE_COMPLETE" => break,
                "FAILED" => panic!("{change:?}: {:?}", set.reason),
                _ => pause().await,
            }
            assert!(Instant::now() < deadline, "the change set is not made");
        }
        clients.execute(&ids.change_set, &name).await.expect("executed");
        loop {
            let events = clients.events(&stack.id, stack.created).await.expect("events");
            // What the operation before told last may come late.
            let own = events[from..].iter().filter(|e| e.is_of_stack(&stack.id));
            let mut own = own
                .map(|e| e.status.as_str())
                .skip_while(|s| *s != "UPDATE_IN_PROGRESS");
            if let Some(end) = own.find(|s| !s.ends_with("_IN_PROGRESS")) {
                return (end.to_owned(), events[from..].to_vec());
            }
            assert!(Instant::now() < deadline, "{change:?} does not end");
            pause().await;
        }
    })
}
