//! The one contract of a deployed stack: what its template calls its outputs, tags and parameters, and what they say when they are
//! read again.
//!
//! [`write_outputs`] is the one writer, [`Parts::read`] the one reader; whatever works on a stack works on its [`Parts`].

mod address;
mod documents;
mod outputs;
mod way;

pub use address::{Address, InvalidAddress};
pub use documents::{Documents, NoDocument};
pub use mqaws_contract::engine::{AMQP, Protocol};
pub(crate) use outputs::{References, write_outputs};
pub use way::{AMQP_PARAMETER, HAS_AMQP, HAS_CERTIFICATE, OWN_GROUP, OWN_TARGETS, Way};

use crate::model::{Engine, Topology};
use mqaws_contract::verb::Class;
use std::collections::BTreeMap;

/// The most bytes of a template that CloudFormation takes in the call itself.
///
/// Source: CloudFormation quotas, "Template body size in a request".
pub const MOST_TEMPLATE_BYTES: usize = 51_200;

/// The tag that carries the stack's name, on the stack and on all that is in it.
pub const STACK_TAG: &str = "mqaws:stack";

/// The tag of the file system that carries the queue manager's name, with `:` for `%`.
pub const QUEUE_MANAGER_TAG: &str = "mqaws:queue-manager";

/// The tag of a stack that has its file system and nothing else yet, with the stack's name: it is being adopted.
pub const ADOPTED_BY_TAG: &str = "mqaws:adopted-by";

/// The tag of a stack that carries the word of its topology; the first one's stacks have none.
pub const TOPOLOGY_TAG: &str = "mqaws:topology";

/// The tag of a stack that carries the word of its engine; the first one's stacks have none.
pub const ENGINE_TAG: &str = "mqaws:engine";

/// The tag of an Auto Scaling group that says who tests its stack.
pub const UNDER_TEST_TAG: &str = "mqaws:under-test";

pub use mqaws_contract::agent::ALLOW_FAULTS_TAG;

/// The template's parameter with the queue manager's name.
pub const QUEUE_MANAGER_PARAMETER: &str = "QueueManagerName";

/// The parameter of Systems Manager that names the image of an engine which `mqaws ami build` made last.
pub fn image_parameter(engine: Engine) -> String {
    format!("/mqaws/ami/{}", engine.as_str())
}

/// An output of the template; for those of the endpoints see [`Way`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Output {
    /// DNS name of the load balancer.
    Endpoint,
    /// Id of the file system.
    FileSystemId,
    /// Names of the members' Auto Scaling groups, in the order of the topology's members, with `,` between them.
    GroupName,
    /// ARN of the load balancer.
    LoadBalancerArn,
    /// ARN of the secret with the application's user.
    CredentialsSecret,
    /// ARN of the secret with the certificate; absent without TLS.
    CertificateSecret,
    /// Name of the queue manager.
    QueueManagerName,
    /// Name of the document of [`Class::Read`], which is its logical id too, as are those of the others.
    ReadDocument,
    /// Name of the document of [`Class::Test`]; absent where faults are not allowed.
    TestDocument,
    /// Name of the document of [`Class::Operate`].
    OperateDocument,
    /// Name of the document of [`Class::Fence`].
    FenceDocument,
}

impl Output {
    /// Its name in the template.
    pub fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "Endpoint",
            Self::FileSystemId => "FileSystemId",
            Self::GroupName => "GroupName",
            Self::LoadBalancerArn => "LoadBalancerArn",
            Self::CredentialsSecret => "CredentialsSecret",
            Self::CertificateSecret => "CertificateSecret",
            Self::QueueManagerName => "QueueManagerName",
            Self::ReadDocument => "ReadDocument",
            Self::TestDocument => "TestDocument",
            Self::OperateDocument => "OperateDocument",
            Self::FenceDocument => "FenceDocument",
        }
    }

    /// The one that names the document of a class.
    pub fn document(class: Class) -> Self {
        match class {
            Class::Read => Self::ReadDocument,
            Class::Test => Self::TestDocument,
            Class::Operate => Self::OperateDocument,
            Class::Fence => Self::FenceDocument,
        }
    }
}

/// A way to the queue manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// What is spoken there.
    pub protocol: Protocol,
    /// Where.
    pub address: Address,
    /// As the output has it, for people and clients to copy.
    pub text: String,
    /// The target group behind it.
    pub targets: Option<Targets>,
}

/// A target group of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    /// The output that names it.
    pub output: String,
    /// Its ARN.
    pub arn: String,
}

/// A place in the topology that one instance at a time sits on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Name of its Auto Scaling group.
    pub group: String,
}

/// What a stack consists of, as far as its outputs say; one that failed before it had any has nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parts {
    /// Topology that makes the queue manager highly available.
    pub topology: Topology,
    /// Engine of the queue manager.
    pub engine: Engine,
    /// Name of the queue manager.
    pub queue_manager: Option<String>,
    /// The members.
    pub members: Vec<Member>,
    /// The ways to the queue manager, at most one a protocol.
    pub endpoints: Vec<Endpoint>,
    /// DNS name of the load balancer.
    pub dns_name: Option<String>,
    /// ARN of the load balancer.
    pub load_balancer: Option<String>,
    /// Id of the shared file system.
    pub storage: Option<String>,
    /// ARN of the secret with the application's user.
    pub secret: Option<String>,
    /// ARN of the secret with the certificate; absent without TLS.
    pub certificate: Option<String>,
    /// The documents of Systems Manager.
    pub documents: Documents,
}

/// What a stack says of itself, and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// An output that should name an address.
    #[error("invalid output {output} of stack {stack}")]
    Address {
        /// Name of the stack.
        stack: String,
        /// Which one.
        output: String,
        /// Why.
        source: InvalidAddress,
    },
    /// A topology that this version does not know.
    #[error("stack {stack} has topology `{word}`, which this version of mqaws does not support")]
    Topology {
        /// Name of the stack.
        stack: String,
        /// What its tag says.
        word: String,
    },
    /// An engine that this version does not know.
    #[error("stack {stack} has engine `{word}`, which this version of mqaws does not support")]
    Engine {
        /// Name of the stack.
        stack: String,
        /// What its tag says.
        word: String,
    },
}

impl Unreadable {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Address { stack, .. } => format!(
                "the template may have been changed outside mqaws: see `aws cloudformation describe-stacks --stack-name {stack}`; to repair it, run `mqaws \
                 deploy --stack {stack}`"
            ),
            Self::Topology { .. } | Self::Engine { .. } => {
                "use the version of mqaws that deployed it, or a newer one".to_owned()
            }
        }
    }
}

/// The topology of a stack, by its tags.
///
/// # Errors
/// [`Unreadable::Topology`].
pub fn topology(stack: &str, tags: &BTreeMap<String, String>) -> Result<Topology, Unreadable> {
    let Some(word) = tags.get(TOPOLOGY_TAG) else {
        return Ok(Topology::default());
    };
    Topology::of(word).ok_or_else(|| Unreadable::Topology {
        stack: stack.to_owned(),
        word: word.clone(),
    })
}

/// The engine of a stack, by its tags.
///
/// # Errors
/// [`Unreadable::Engine`].
pub fn engine(stack: &str, tags: &BTreeMap<String, String>) -> Result<Engine, Unreadable> {
    let Some(word) = tags.get(ENGINE_TAG) else {
        return Ok(Engine::default());
    };
    Engine::of(word).ok_or_else(|| Unreadable::Engine {
        stack: stack.to_owned(),
        word: word.clone(),
    })
}

impl Parts {
    /// Reads the outputs and tags of a stack; those that mqaws does not know are ignored, as are empty ones.
    ///
    /// # Errors
    /// [`Unreadable`], when an address is none, which a template of mqaws never gives, or when topology or engine is unknown.
    pub fn read(
        stack: &str,
        outputs: &BTreeMap<String, String>,
        tags: &BTreeMap<String, String>,
    ) -> Result<Self, Unreadable> {
        let named = |name: &str| outputs.get(name).filter(|value| !value.is_empty()).cloned();
        let output = |output: Output| named(output.name());
        let engine = engine(stack, tags)?;
        let mut endpoints = Vec::new();
        for way in Way::all(engine) {
            let Some(text) = named(&way.address()) else { continue };
            let address = Address::parse_as(&text, way.protocol()).map_err(|source| Unreadable::Address {
                stack: stack.to_owned(),
                output: way.address(),
                source,
            })?;
            endpoints.push(Endpoint {
                protocol: *way.protocol(),
                address,
                text,
                targets: named(&way.targets()).map(|arn| Targets {
                    output: way.targets(),
                    arn,
                }),
            });
        }
        let groups = output(Output::GroupName);
        Ok(Self {
            topology: topology(stack, tags)?,
            engine,
            queue_manager: output(Output::QueueManagerName),
            members: groups
                .iter()
                .flat_map(|names| names.split(','))
                .map(|group| Member {
                    group: group.to_owned(),
                })
                .collect(),
            endpoints,
            dns_name: output(Output::Endpoint),
            load_balancer: output(Output::LoadBalancerArn),
            storage: output(Output::FileSystemId),
            secret: output(Output::CredentialsSecret),
            certificate: output(Output::CertificateSecret),
            documents: Documents::new(stack, |name| {
                outputs.get(name).filter(|value| !value.is_empty()).cloned()
            }),
        })
    }

    /// The endpoint of a protocol.
    pub fn endpoint(&self, protocol: &Protocol) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.protocol == *protocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outputs(some: &[(&str, &str)]) -> BTreeMap<String, String> {
        some.iter()
            .map(|(output, value)| ((*output).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_stack_without_outputs_has_no_parts() {
        assert_eq!(
            Parts::read("s", &BTreeMap::new(), &BTreeMap::new()),
            Ok(Parts {
                documents: Documents::new("s", |_| None),
                ..Parts::default()
            })
        );
    }

    #[test]
    fn endpoints_know_their_targets() {
        let parts = Parts::read(
            "s",
            &outputs(&[
                ("MqEndpoint", "lb(1414)"),
                ("TargetGroupArn", "arn:mq"),
                ("AmqpEndpoint", "lb:5672"),
                ("AmqpTargetGroupArn", ""),
                ("GroupName", "g"),
            ]),
            &BTreeMap::new(),
        )
        .unwrap();
        let [mq, amqp] = parts.endpoints.as_slice() else {
            panic!("{parts:?}")
        };
        assert_eq!((mq.address.port, mq.text.as_str()), (1414, "lb(1414)"));
        assert_eq!(mq.targets.as_ref().map(|targets| targets.arn.as_str()), Some("arn:mq"));
        assert_eq!(amqp.targets, None);
        assert_eq!(parts.endpoint(&AMQP), Some(amqp));
        assert_eq!(parts.members, [Member { group: "g".into() }]);
    }

    #[test]
    fn a_bad_port_is_no_other_one() {
        let error = Parts::read("s", &outputs(&[("AmqpEndpoint", "lb:56x72")]), &BTreeMap::new()).unwrap_err();
        assert_eq!(error.to_string(), "invalid output AmqpEndpoint of stack s");
        let Unreadable::Address { source, .. } = error else {
            panic!("{error}")
        };
        assert!(source.to_string().contains("lb:56x72"));
    }

    #[test]
    fn another_topology_is_not_taken_for_the_first() {
        let tagged = |word: &str| BTreeMap::from([(TOPOLOGY_TAG.to_owned(), word.to_owned())]);
        let read = |tags: &BTreeMap<String, String>| Parts::read("s", &outputs(&[("GroupName", "a,b")]), tags);
        let first = Topology::default();
        assert_eq!(read(&BTreeMap::new()).map(|parts| parts.topology), Ok(first));
        assert_eq!(read(&tagged(first.as_str())).map(|parts| parts.members.len()), Ok(2));
        assert_eq!(read(&tagged("toy")).map(|parts| parts.topology), Ok(Topology::TOY));
        let error = read(&tagged("newer")).unwrap_err();
        assert!(error.to_string().contains("`newer`") && error.hint().contains("version"));
    }

    #[test]
    fn the_tag_of_the_engine_says_which_outputs_are_endpoints() {
        let tagged = |word: &str| BTreeMap::from([(ENGINE_TAG.to_owned(), word.to_owned())]);
        let other = Engine::all().find(|engine| *engine != Engine::default()).unwrap();
        let written: Vec<(String, String)> = Way::all(other)
            .map(|way| (way.address(), format!("lb:{}", way.port())))
            .collect();
        let all: BTreeMap<String, String> = written.iter().cloned().collect();
        let parts = Parts::read("s", &all, &tagged(other.as_str())).unwrap();
        let read: Vec<&str> = parts.endpoints.iter().map(|endpoint| endpoint.text.as_str()).collect();
        let written: Vec<&str> = written.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!((parts.engine, read), (other, written));
        let error = Parts::read("s", &all, &tagged("newer")).unwrap_err();
        assert!(error.to_string().contains("`newer`") && error.hint().contains("version"));
    }
}
