//! The secret with the application's user.

use super::parameters::only_if;
use super::tags::tags;
use crate::model::Deployment;
use crate::template::{DeletionPolicy, Resource, Template, object, reference, sub};

/// Logical id of the secret.
pub(crate) const CREDENTIALS: &str = "Credentials";

/// Adds the application's user, with a password that nobody chose.
pub(crate) fn add(template: &mut Template, _: &Deployment) {
    let secret = object! {
        "Description" => sub("Application user of queue manager ${QueueManagerName}"),
        "KmsKeyId" => only_if("HasCredentialsKey", reference("CredentialsKey")),
        "GenerateSecretString" => object! {
            "SecretStringTemplate" => sub("{\"username\":\"${UserName}\"}"),
            "GenerateStringKey" => "password",
            "PasswordLength" => 32,
            // Letters and digits survive every shell, URL and MQSC string.
            "ExcludePunctuation" => true,
        },
        "Tags" => tags(),
    };
    let mut secret = Resource::new("AWS::SecretsManager::Secret", secret);
    // A password without its queue manager is worth nothing; a new stack on the kept data makes a new one.
    secret.deletion_policy = Some(DeletionPolicy::Delete);
    secret.update_replace_policy = Some(DeletionPolicy::Delete);
    template.resources.insert(CREDENTIALS.to_owned(), secret);
}
