//! The image that instances start from: the section `image` of `mqaws.yaml`, which `mqaws ami` reads and `deploy` does not.
//!
//! That IBM's licence is accepted is no key of the file: only a flag of the build says so.

mod names;
mod source;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cidr::Cidr;
use super::deployment::{Deployment, Mount};
use super::engine::Engine;
use super::names::{InstanceType, KmsKey, SubnetId, VpcId};
pub use names::{
    DeviceName, EngineVersion, ImageOwner, ImagePattern, InstanceProfile, LoginName, ParameterName, Sha256,
};
pub use source::{Package, SourceImage};

/// How the image is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Image {
    /// The engine that it holds.
    pub engine: Engine,
    /// Image that it is made from; when absent, [`Engine::source`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceImage>,
    /// VPC of the machine that builds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc: Option<VpcId>,
    /// Subnet of the machine that builds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<SubnetId>,
    /// EC2 type of the machine that builds it.
    pub instance_type: InstanceType,
    /// How Packer connects to the build instance.
    pub connect: Connect,
    /// Range from which ssh may reach that machine while it builds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_from: Option<Cidr>,
    /// Account that ssh logs in to.
    pub ssh_username: LoginName,
    /// Instance profile of that machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_profile: Option<InstanceProfile>,
    /// The engine's package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<Package>,
    /// SHA-256 of that package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_sha256: Option<Sha256>,
    /// Version of the engine, or its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine_version: Option<EngineVersion>,
    /// What instances mount the file system with; when absent, as the storage says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount: Option<Mount>,
    /// Package of efs-utils on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efs_utils_package: Option<String>,
    /// SHA-256 of that package.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efs_utils_sha256: Option<Sha256>,
    /// Key that encrypts the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<KmsKey>,
    /// Root device of the source image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_device: Option<DeviceName>,
}

impl Image {
    /// The source image, named or the engine's own.
    pub fn source(&self) -> SourceImage {
        self.source.clone().unwrap_or_else(|| self.engine.source())
    }

    /// The root device of the source image, named or that of the engine's own.
    pub fn root_device(&self) -> DeviceName {
        self.root_device.clone().unwrap_or_else(|| self.engine.root_device())
    }

    /// Whether the source image is known to have no efs-utils in its own repositories; of most images nothing is known.
    fn lacks_efs_utils(&self) -> bool {
        self.source() == Engine::default().source()
    }
}

impl Deployment {
    /// What the image must be able to mount the file system with.
    pub fn image_mount(&self) -> Mount {
        self.image.mount.unwrap_or(self.storage.mount)
    }

    /// Keys that a build of the image needs and nobody gave, each with what to do about it.
    pub fn image_missing(&self) -> Vec<(&'static str, String)> {
        let image = &self.image;
        let mut missing = Vec::new();
        let mut want = |given: bool, key, hint: &str| {
            if !given {
                missing.push((key, hint.to_owned()));
            }
        };
        let version = match image.engine.is_licensed() {
            true => {
                let package = format!(
                    "specify the package of {}, a local tarball or s3://BUCKET/KEY",
                    image.engine.facts().name
                );
                want(image.package.is_some(), "image.package", &package);
                let sum = "specify the package's SHA-256, as printed by `sha256sum`";
                want(image.package_sha256.is_some(), "image.package_sha256", sum);
                "specify the package's version, such as 9.4.0.0"
            }
            false => "specify the version in the distribution or in `image.package`, or its prefix, such as 4.3",
        };
        want(image.engine_version.is_some(), "image.engine_version", version);
        let lacking = self.image_mount() == Mount::EfsUtils && image.lacks_efs_utils();
        want(
            !lacking || image.efs_utils_package.is_some(),
            "image.efs_utils_package",
            "RHEL does not provide efs-utils: specify its package, or set `storage.mount: nfs`",
        );
        missing
    }
}

impl Engine {
    /// The image that it is built on when none is named.
    ///
    /// Owner and name of Red Hat's images are from documents and were never looked up in an account; so is the form of
    /// Amazon's names, which leaves out the minimal and the container images.
    pub fn source(self) -> SourceImage {
        let (owner, name, _) = self.facts().base_image;
        SourceImage::Filter {
            owner: ImageOwner::new(owner).expect("the owner obeys the rule"),
            name: ImagePattern::new(name).expect("the name obeys the rule"),
        }
    }

    fn root_device(self) -> DeviceName {
        let (.., name) = self.facts().base_image;
        DeviceName::new(name).expect("the device obeys the rule")
    }
}

/// How Packer reaches the machine that builds the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Connect {
    /// By ssh to its address, with a key pair of this build.
    Ssh,
    /// By ssh through Session Manager, which needs its plugin on this machine and an instance profile.
    SessionManager,
}

impl Connect {
    /// Every way.
    pub const ALL: [Self; 2] = [Self::Ssh, Self::SessionManager];

    /// The word that the file uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::SessionManager => "session-manager",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_wants_what_nobody_but_the_user_has() {
        let keys = |image: &Image, mount| -> Vec<_> {
            let mut deployment = Deployment {
                image: image.clone(),
                ..Deployment::default()
            };
            deployment.storage.mount = mount;
            deployment.image_missing().into_iter().map(|(key, _)| key).collect()
        };
        let ibm = Image::default();
        let three = ["image.package", "image.package_sha256", "image.engine_version"];
        assert_eq!(keys(&ibm, Mount::Nfs), three);
        assert_eq!(keys(&ibm, Mount::EfsUtils)[3..], ["image.efs_utils_package"]);
        let rabbit = Image {
            engine: Engine::of("rabbitmq").unwrap(),
            ..Image::default()
        };
        assert_eq!(keys(&rabbit, Mount::EfsUtils), ["image.engine_version"]);
        let on_red_hat = Image {
            source: Some(Engine::default().source()),
            engine_version: Some(EngineVersion::new("3.13").unwrap()),
            ..rabbit
        };
        assert_eq!(keys(&on_red_hat, Mount::EfsUtils), ["image.efs_utils_package"]);
        assert!(keys(&on_red_hat, Mount::Nfs).is_empty());
    }
}
