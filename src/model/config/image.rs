//! The section `image`: every value checked, alone and beside the others.

use super::build::Wrong;
use super::error::Violation;
use super::read::Reader;
use crate::model::{Connect, Deployment, Engine, Image, Mount, Package};

impl Reader {
    /// The image that was given, with defaults in place of what is wrong or absent.
    pub(super) fn image(&mut self) -> Image {
        let defaults = Deployment::default().image;
        let engines = Engine::ALL.map(|engine| (engine.as_str(), engine));
        let ways = Connect::ALL.map(|way| (way.as_str(), way));
        let mounts = Mount::ALL.map(|mount| (mount.as_str(), mount));
        let image = Image {
            engine: self.choice("image.engine", &engines, defaults.engine),
            source: self.name("image.source"),
            vpc: self.name("image.vpc"),
            subnet: self.name("image.subnet"),
            instance_type: self.name("image.instance_type").unwrap_or(defaults.instance_type),
            connect: self.choice("image.connect", &ways, defaults.connect),
            ssh_from: self.name("image.ssh_from"),
            ssh_username: self.name("image.ssh_username").unwrap_or(defaults.ssh_username),
            instance_profile: self.name("image.instance_profile"),
            package: self.name("image.package"),
            package_sha256: self.name("image.package_sha256"),
            engine_version: self.name("image.engine_version"),
            mount: self
                .is_given("image.mount")
                .then(|| self.choice("image.mount", &mounts, Mount::default())),
            efs_utils_package: self.scalar("image.efs_utils_package", |file| match file.parse::<Package>() {
                Ok(Package::File(file)) => Ok(file),
                _ => Err(Wrong::new(
                    format!("`image.efs_utils_package` must be the path of a file, found `{file}`"),
                    "name an rpm or deb package on this machine",
                )),
            }),
            efs_utils_sha256: self.name("image.efs_utils_sha256"),
            kms_key: self.name("image.kms_key"),
            root_device: self.name("image.root_device"),
        };
        self.machine(&image);
        self.packages(&image);
        image
    }

    fn against(&mut self, key: &str, message: impl Into<String>, hint: &str) {
        let place = self.place(key);
        self.refuse(Violation::new(key, message, place).hint(hint));
    }

    /// What the machine that builds needs to know.
    fn machine(&mut self, image: &Image) {
        if self.is_given("image.vpc") && !self.is_given("image.subnet") {
            let hint = "name the subnet too under `image.subnet`; the VPC alone follows from it";
            self.against("image.vpc", "a VPC to build in needs a subnet", hint);
        }
        let profile = self.is_given("image.instance_profile");
        if image.connect == Connect::SessionManager {
            if !profile {
                let hint = "name one under `image.instance_profile` that may use Session Manager";
                let message = "connecting by Session Manager needs an instance profile";
                self.against("image.connect", message, hint);
            }
            if self.is_given("image.ssh_from") {
                let message = "`image.ssh_from` does not go with Session Manager, which opens no port";
                self.against("image.ssh_from", message, "remove it, or set `image.connect: ssh`");
            }
        }
        if matches!(image.package, Some(Package::S3(_))) && !profile {
            let hint = "name one under `image.instance_profile` that may read the object";
            self.against("image.package", "a package in S3 needs an instance profile", hint);
        }
    }

    /// What is installed, and by which checksum it is known.
    fn packages(&mut self, image: &Image) {
        for key in ["image.package", "image.package_sha256"] {
            if !image.engine.is_licensed() && self.is_given(key) {
                let engine = image.engine.as_str();
                let message = format!("`{key}` does not go with engine `{engine}`, which comes from the distribution");
                let licensed = Engine::ALL.into_iter().find(|engine| engine.is_licensed());
                let other = licensed.map(|engine| format!(", or set `image.engine: {}`", engine.as_str()));
                self.against(key, message, &format!("remove it{}", other.unwrap_or_default()));
            }
        }
        for (file, sum) in [
            ("image.package", "image.package_sha256"),
            ("image.efs_utils_package", "image.efs_utils_sha256"),
        ] {
            // One mistake is told once.
            if !image.engine.is_licensed() && file == "image.package" {
                continue;
            }
            match (self.is_given(file), self.is_given(sum)) {
                (true, false) => {
                    let hint = format!("give what `sha256sum` prints for it under `{sum}`");
                    self.against(file, format!("`{file}` is not taken without its checksum"), &hint);
                }
                (false, true) => {
                    let hint = format!("name the package under `{file}`, or remove `{sum}`");
                    self.against(sum, format!("`{sum}` is the checksum of nothing"), &hint);
                }
                _ => {}
            }
        }
        if image.mount == Some(Mount::Nfs) && self.is_given("image.efs_utils_package") {
            let message = "`image.efs_utils_package` does not go with `image.mount: nfs`, which needs no efs-utils";
            self.against("image.efs_utils_package", message, "remove one of them");
        }
    }
}
