//! A Packer template as typed data, as far as mqaws uses one: the JSON form of HCL2.
//!
//! Fields stand in the order of the document. One that is `None` is not written, so that each rendering says only what its
//! Packer knows.

use indexmap::IndexMap;
use serde::Serialize;

/// A text of a template: HCL2 reads every string of the JSON form as a template of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text(String);

impl Text {
    /// A text that means itself, whatever is in it.
    pub fn literal(text: impl AsRef<str>) -> Self {
        Self(text.as_ref().replace("${", "$${").replace("%{", "%%{"))
    }

    /// The value of an expression, of any type.
    pub fn expression(expression: impl AsRef<str>) -> Self {
        Self(format!("${{{}}}", expression.as_ref()))
    }

    /// A text with `${…}` in it.
    pub fn template(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The value of a variable.
    pub fn variable(name: &str) -> Self {
        Self::expression(format!("var.{name}"))
    }
}

/// A whole template.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PackerTemplate {
    /// What it is, for people who read it.
    #[serde(rename = "//")]
    pub comment: String,
    /// Versions that it needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packer: Option<Requirements>,
    /// What can be given to it.
    pub variable: IndexMap<&'static str, Variable>,
    /// What it looks up first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// Values that are made of others.
    pub locals: IndexMap<&'static str, Text>,
    /// The machine that is built on.
    source: Sources,
    /// What is done on it.
    pub build: [Build; 1],
}

impl PackerTemplate {
    /// A template of these parts, without any for later versions.
    pub(super) fn new(comment: String, source: Source, build: Build) -> Self {
        Self {
            comment,
            packer: None,
            variable: IndexMap::new(),
            data: None,
            locals: IndexMap::new(),
            source: Sources {
                ebs: Named { mqaws: source },
            },
            build: [build],
        }
    }

    pub(super) fn source_mut(&mut self) -> &mut Source {
        &mut self.source.ebs.mqaws
    }

    /// The template as the file that Packer takes, which must be called `*.pkr.json`.
    pub fn to_json(&self) -> String {
        format!("{:#}\n", serde_json::to_value(self).expect("a template is plain data"))
    }

    /// Variables that have no default, so that whoever runs Packer must give them.
    pub fn required(&self) -> Vec<&'static str> {
        let open = self.variable.iter().filter(|(_, variable)| variable.default.is_none());
        open.map(|(name, _)| *name).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Sources {
    #[serde(rename = "amazon-ebs")]
    ebs: Named,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Named {
    mqaws: Source,
}

/// Versions that a template needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Requirements {
    /// Of Packer itself.
    pub required_version: &'static str,
    /// Of its plugins, by name.
    pub required_plugins: IndexMap<&'static str, Plugin>,
}

/// A plugin of Packer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plugin {
    /// Which versions will do.
    pub version: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

/// A variable of a template; all of ours are strings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    #[serde(rename = "type")]
    kind: &'static str,
    /// What it is.
    pub description: String,
    /// `None`: it must be given; `Some(None)`: null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Option<Text>>,
}

impl Variable {
    /// A variable that must be given.
    pub fn required(description: &str) -> Self {
        Self {
            kind: "string",
            description: description.to_owned(),
            default: None,
        }
    }

    /// With a default, which may be null.
    #[must_use]
    pub fn or(mut self, default: Option<impl AsRef<str>>) -> Self {
        self.default = Some(default.map(Text::literal));
        self
    }
}

/// What a template looks up first; Packer 1.6 knows none of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Data {
    /// Parameters of Systems Manager, by the name that the template gives them.
    #[serde(rename = "amazon-parameterstore")]
    pub parameters: IndexMap<&'static str, ParameterStore>,
}

/// A parameter of Systems Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ParameterStore {
    /// Region of the parameter.
    pub region: Text,
    /// Its name.
    pub name: Text,
    /// Whether a secret is decrypted: never, as none is read.
    pub with_decryption: bool,
}

/// The machine that is built on, and the image that is made of it: builder `amazon-ebs`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[allow(missing_docs, reason = "the names and their meaning are the builder's own")]
pub struct Source {
    pub region: Text,
    pub custom_endpoint_ec2: Text,
    pub skip_region_validation: Text,
    pub skip_metadata_api_check: Text,
    pub vpc_id: Text,
    pub subnet_id: Text,
    pub source_ami: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dynamic: Option<Dynamic>,
    pub instance_type: Text,
    pub iam_instance_profile: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_options: Option<MetadataOptions>,
    pub launch_block_device_mappings: [BlockDevice; 1],
    pub communicator: &'static str,
    pub ssh_username: Text,
    pub ssh_timeout: &'static str,
    pub ssh_interface: Text,
    pub ssh_host: Text,
    pub ssh_port: Text,
    pub ssh_keypair_name: Text,
    pub ssh_private_key_file: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporary_key_pair_type: Option<&'static str>,
    pub temporary_security_group_source_cidrs: [Text; 1],
    pub run_tags: IndexMap<String, Text>,
    pub run_volume_tags: IndexMap<String, Text>,
    pub ami_name: Text,
    pub ami_description: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imds_support: Option<&'static str>,
    pub encrypt_boot: bool,
    pub kms_key_id: Text,
    pub tags: IndexMap<String, Text>,
    pub snapshot_tags: IndexMap<String, Text>,
}

/// A block that is there only when a variable says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dynamic {
    /// The filter of the source image, when no id is given.
    pub source_ami_filter: SourceFilter,
}

/// How a source image is found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceFilter {
    /// A list of one entry when the filter is used, of none when it is not.
    pub for_each: Text,
    /// The filter.
    pub content: FilterContent,
}

/// A filter of images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FilterContent {
    /// EC2's filters.
    pub filters: IndexMap<&'static str, Text>,
    /// Whose images.
    pub owners: [Text; 1],
    /// The newest of several.
    pub most_recent: bool,
}

/// How the building machine's metadata can be read; Packer 1.6 cannot say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names and their meaning are EC2's own")]
pub struct MetadataOptions {
    pub http_endpoint: &'static str,
    pub http_tokens: &'static str,
    pub http_put_response_hop_limit: u8,
}

/// A volume of the building machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the names and their meaning are EC2's own")]
pub struct BlockDevice {
    pub device_name: Text,
    pub volume_size: u32,
    pub volume_type: &'static str,
    pub iops: u32,
    pub throughput: u32,
    pub delete_on_termination: bool,
    pub encrypted: bool,
    pub kms_key_id: Text,
}

/// What is done on the machine, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Build {
    /// The machine.
    pub sources: [&'static str; 1],
    /// Steps.
    pub provisioner: Vec<Provisioner>,
    /// What is written down afterwards.
    #[serde(rename = "post-processor")]
    pub post_processor: [PostProcessor; 1],
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provisioner {
    /// One command of the login's own.
    #[serde(rename = "shell")]
    Inline {
        /// The command.
        inline: [&'static str; 1],
    },
    /// An upload.
    #[serde(rename = "file")]
    File {
        /// An expression that gives a list of paths; a folder with a slash at its end stands for what is in it.
        sources: Text,
        /// A folder with a slash at its end, or, for one file, its name there.
        destination: &'static str,
    },
    /// A script.
    #[serde(rename = "shell")]
    Script {
        /// Its path.
        script: Text,
        /// `NAME=VALUE` each.
        environment_vars: Vec<Text>,
        /// How it is run.
        execute_command: &'static str,
    },
}

/// What is written down afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PostProcessor {
    /// The file that tells what was made.
    pub manifest: ManifestFile,
}

/// The file that tells what was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ManifestFile {
    /// Its path.
    pub output: Text,
    /// Whether only the names of files are told.
    pub strip_path: bool,
    /// What mqaws wants to find in it.
    pub custom_data: IndexMap<&'static str, Text>,
}
