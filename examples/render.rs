//! Library use: from a typed deployment to a CloudFormation template, without any AWS call.

use mqaws::model::{Deployment, QueueManager, QueueManagerName, StackName};
use mqaws::render;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = QueueManagerName::new("ORDERS")?;
    let deployment = Deployment {
        stack: StackName::default_of(&name),
        queue_manager: QueueManager {
            name,
            ..QueueManager::default()
        },
        ..Deployment::default()
    };
    print!("{}", render::body(&deployment)?);
    Ok(())
}
