//! The template, assembled.

use indexmap::IndexMap;

use super::document::{
    BlockDevice, Build, Data, Dynamic, FilterContent, ManifestFile, MetadataOptions, PackerTemplate, ParameterStore,
    Plugin, PostProcessor, Provisioner, Requirements, Source, SourceFilter, Text,
};
use super::provision::STEPS;
use super::variables::variables;
use crate::model::{Deployment, Engine, ParameterName, SourceImage};
use crate::remedy::{ExitKind, Remedy};

/// Where the files lie on the building machine.
const FOLDER: &str = "/tmp/mqaws-provision/";

/// User and group that own the engine's files. They are on a file system that outlives the image, so every image must have
/// the same; IBM's EFS proof of concept pinned these.
const OWNER: u32 = 1234;

/// Which Packer a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rendering {
    /// A current Packer: plugins, data sources, instance metadata only by session token.
    Current,
    /// Packer 1.6, which Debian ships: none of those.
    Packer16,
}

impl Rendering {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Current, Self::Packer16];

    /// The word that the command line uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Packer16 => "packer-1.6",
        }
    }
}

/// Why an image could not be rendered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackerError {
    /// Packer 1.6 looks up no parameter.
    #[error("Packer 1.6 cannot look up the source image `ssm:{parameter}`")]
    Unresolved {
        /// The parameter.
        parameter: ParameterName,
    },
}

impl PackerError {
    /// The key of the configuration that the error is about, and words for its place.
    pub const fn key(&self) -> (&'static str, &'static str) {
        match self {
            Self::Unresolved { .. } => ("image.source", "needs a data source"),
        }
    }
}

impl Remedy for PackerError {
    fn exit(&self) -> ExitKind {
        ExitKind::Precondition
    }

    fn hint(&self) -> Option<String> {
        let Self::Unresolved { parameter } = self;
        Some(format!(
            "set `image.source` to the ID that `aws ssm get-parameter --name {parameter} --query Parameter.Value` prints, or render for a current version of Packer"
        ))
    }

    fn left(&self) -> Option<String> {
        Some("nothing was changed".to_owned())
    }
}

/// Name of the template's file, which Packer knows by its ending.
pub fn file_name(engine: Engine, rendering: Rendering) -> String {
    let of_version = match rendering {
        Rendering::Current => "",
        Rendering::Packer16 => "-packer-1.6",
    };
    format!("{}{of_version}.pkr.json", engine.as_str())
}

/// Tags by which images, and what a build left running, are known.
pub mod tags {
    /// The engine of an image.
    pub const IMAGE: &str = "mqaws:image";
    /// Version of the agent in it.
    pub const AGENT_VERSION: &str = "mqaws:agent-version";
    /// Version of the engine in it.
    pub const ENGINE_VERSION: &str = "mqaws:engine-version";
    /// The build that made something.
    pub const BUILD: &str = "mqaws:build";
    /// Name of the building machine and its volumes.
    pub const BUILDER: &str = "mqaws image build";
}

/// Renders the image of a deployment.
///
/// # Errors
/// [`PackerError::Unresolved`]: a source image by parameter, for Packer 1.6.
pub fn template(deployment: &Deployment, rendering: Rendering) -> Result<PackerTemplate, PackerError> {
    let engine = deployment.image.engine;
    let comment = format!(
        "mqaws image, {} for Packer {}; requires the folder provision/ next to it",
        engine.facts().name,
        match rendering {
            Rendering::Current => "1.7 and later",
            Rendering::Packer16 => "1.6",
        }
    );
    let mut template = PackerTemplate::new(comment, source(deployment), build(engine));
    template.variable = variables(deployment);
    template.locals = locals(engine);
    if let SourceImage::Parameter(parameter) = deployment.image.source() {
        if rendering == Rendering::Packer16 {
            return Err(PackerError::Unresolved { parameter });
        }
        template.source_mut().source_ami =
            Text::expression("var.source_ami == null ? data.amazon-parameterstore.source.value : var.source_ami");
        let parameter = ParameterStore {
            region: Text::variable("region"),
            name: Text::literal(parameter.as_str()),
            with_decryption: false,
        };
        template.data = Some(Data {
            parameters: IndexMap::from([("source", parameter)]),
        });
    }
    if rendering == Rendering::Current {
        later(&mut template);
    }
    Ok(template)
}

/// What Packer 1.6 does not know, or does not do.
fn later(template: &mut PackerTemplate) {
    let amazon = Plugin {
        version: "~> 1.8",
        source: "github.com/hashicorp/amazon",
    };
    template.packer = Some(Requirements {
        required_version: ">= 1.7.0",
        required_plugins: IndexMap::from([("amazon", amazon)]),
    });
    let source = template.source_mut();
    source.imds_support = Some("v2.0");
    // RHEL 9 is documented to take no RSA signature made with SHA-1. Packer 1.6 knows the word, and asks EC2 for RSA all
    // the same.
    source.temporary_key_pair_type = Some("ed25519");
    source.metadata_options = Some(MetadataOptions {
        http_endpoint: "enabled",
        http_tokens: "required",
        http_put_response_hop_limit: 1,
    });
}

fn locals(engine: Engine) -> IndexMap<&'static str, Text> {
    // Both are evaluated once for the whole build.
    let name = format!(
        "mqaws-{}-${{var.engine_version}}-${{var.agent_version}}-${{formatdate(\"YYYYMMDDhhmmss\", timestamp())}}",
        engine.as_str()
    );
    let folder = "var.provision == null ? \"${path.root}/provision\" : var.provision";
    let mut locals = IndexMap::from([("name", Text::template(name)), ("provision", Text::expression(folder))]);
    let base = |variable: &str| format!("\"{FOLDER}${{basename(var.{variable})}}\"");
    let efs_utils = "var.efs_utils_package == \"\" ? [] : [var.efs_utils_package]";
    let given = format!("var.efs_utils_package == \"\" ? \"\" : {}", base("efs_utils_package"));
    let remote = "substr(var.package, 0, 5) == \"s3://\"";
    // Without one, the engine comes from the distribution.
    let as_given = match engine.is_licensed() {
        true => remote.to_owned(),
        false => format!("var.package == \"\" || {remote}"),
    };
    let package = format!("{as_given} ? var.package : {}", base("package"));
    locals.insert("package", Text::expression(package));
    let uploads = format!("{as_given} ? [] : [var.package], {efs_utils}");
    locals.insert("efs_utils_package", Text::expression(given));
    // Beside the scripts, because an upload of nothing is an error.
    let uploads =
        format!("concat([var.provision == null ? \"${{path.root}}/provision/\" : \"${{var.provision}}/\"], {uploads})");
    locals.insert("uploads", Text::expression(uploads));
    locals
}

fn source(deployment: &Deployment) -> Source {
    let image = &deployment.image;
    let own = || {
        deployment
            .tags
            .iter()
            .map(|(key, value)| (key.to_string(), Text::literal(value.as_str())))
    };
    let made: IndexMap<String, Text> = [
        ("Name", Text::expression("local.name")),
        (tags::IMAGE, Text::literal(image.engine.as_str())),
        (tags::AGENT_VERSION, Text::variable("agent_version")),
        (tags::ENGINE_VERSION, Text::variable("engine_version")),
        (tags::BUILD, Text::variable("run")),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into_iter()
    .chain(own())
    .collect();
    let running: IndexMap<String, Text> = [
        ("Name", Text::literal(tags::BUILDER)),
        (tags::BUILD, Text::variable("run")),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into_iter()
    .chain(own())
    .collect();
    let local = Text::expression("var.endpoint_ec2 != null");
    Source {
        region: Text::variable("region"),
        custom_endpoint_ec2: Text::variable("endpoint_ec2"),
        skip_region_validation: local.clone(),
        skip_metadata_api_check: local,
        vpc_id: Text::variable("vpc_id"),
        subnet_id: Text::variable("subnet_id"),
        source_ami: Text::variable("source_ami"),
        dynamic: filter(&image.source()),
        instance_type: Text::variable("instance_type"),
        iam_instance_profile: Text::variable("instance_profile"),
        metadata_options: None,
        launch_block_device_mappings: [BlockDevice {
            device_name: Text::variable("root_device"),
            volume_size: deployment.instance.root_volume_gib,
            volume_type: "gp3",
            // What gp3 has without extra charge; Packer 1.6 wants both named.
            iops: 3000,
            throughput: 125,
            delete_on_termination: true,
            encrypted: true,
            kms_key_id: Text::variable("kms_key_id"),
        }],
        communicator: "ssh",
        ssh_username: Text::variable("ssh_username"),
        ssh_timeout: "10m",
        ssh_interface: Text::variable("ssh_interface"),
        ssh_host: Text::variable("ssh_host"),
        ssh_port: Text::variable("ssh_port"),
        ssh_keypair_name: Text::variable("ssh_keypair_name"),
        ssh_private_key_file: Text::variable("ssh_private_key_file"),
        temporary_key_pair_type: None,
        temporary_security_group_source_cidrs: [Text::variable("ssh_from")],
        run_volume_tags: running.clone(),
        run_tags: running,
        ami_name: Text::expression("local.name"),
        ami_description: Text::template(format!(
            "{} ${{var.engine_version}} with mqaws-agent ${{var.agent_version}}",
            image.engine.facts().name
        )),
        imds_support: None,
        encrypt_boot: true,
        kms_key_id: Text::variable("kms_key_id"),
        snapshot_tags: made.clone(),
        tags: made,
    }
}

/// The filter of a source image, which a given id takes out.
fn filter(source: &SourceImage) -> Option<Dynamic> {
    let SourceImage::Filter { owner, name } = source else {
        return None;
    };
    let filters = [
        ("name", name.as_str()),
        ("virtualization-type", "hvm"),
        ("root-device-type", "ebs"),
    ];
    Some(Dynamic {
        source_ami_filter: SourceFilter {
            for_each: Text::expression("var.source_ami == null ? [\"newest\"] : []"),
            content: FilterContent {
                filters: filters.map(|(key, value)| (key, Text::literal(value))).into(),
                owners: [Text::literal(owner.as_str())],
                most_recent: true,
            },
        },
    })
}

fn build(engine: Engine) -> Build {
    let mut provisioner = vec![
        Provisioner::Inline {
            inline: ["mkdir -p -m 0700 /tmp/mqaws-provision"],
        },
        Provisioner::File {
            sources: Text::expression("local.uploads"),
            destination: FOLDER,
        },
        Provisioner::File {
            sources: Text::expression("[var.agent]"),
            destination: "/tmp/mqaws-provision/mqaws-agent",
        },
    ];
    provisioner.extend(STEPS.map(|step| Provisioner::Script {
        script: Text::template(format!("${{local.provision}}/{step}")),
        environment_vars: environment(engine),
        // Root needs no sudo, which a small system may not have.
        execute_command: "$(test \"$(id -u)\" = 0 || echo sudo -n) env {{ .Vars }} bash '{{ .Path }}'",
    }));
    let manifest = ManifestFile {
        output: Text::variable("manifest"),
        strip_path: true,
        custom_data: IndexMap::from([("run", Text::variable("run"))]),
    };
    Build {
        sources: ["source.amazon-ebs.mqaws"],
        provisioner,
        post_processor: [PostProcessor { manifest }],
    }
}

/// What every script gets.
fn environment(engine: Engine) -> Vec<Text> {
    let owner = OWNER.to_string();
    let variable = |name: &str| format!("${{var.{name}}}");
    let licence = match engine.is_licensed() {
        true => variable("accept_licence"),
        false => "no".to_owned(),
    };
    [
        // The scripts change the machine that they run on, so they want to be told that it is meant.
        ("MQAWS_PROVISION", "1".to_owned()),
        ("MQAWS_ENGINE", engine.as_str().to_owned()),
        ("MQAWS_ENGINE_VERSION", variable("engine_version")),
        ("MQAWS_AGENT_VERSION", variable("agent_version")),
        ("MQAWS_PACKAGE", "${local.package}".to_owned()),
        ("MQAWS_PACKAGE_SHA256", variable("package_sha256")),
        ("MQAWS_ACCEPT_LICENCE", licence),
        ("MQAWS_MOUNT", variable("mount")),
        ("MQAWS_EFS_UTILS_PACKAGE", "${local.efs_utils_package}".to_owned()),
        ("MQAWS_EFS_UTILS_SHA256", variable("efs_utils_sha256")),
        ("MQAWS_MQM_UID", owner.clone()),
        ("MQAWS_MQM_GID", owner),
        ("MQAWS_REGION", variable("region")),
    ]
    .map(|(name, value)| Text::template(format!("{name}={value}")))
    .into()
}
