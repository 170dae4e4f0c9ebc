//! The section `image`: its values beside the others.

use super::read::Reader;
use crate::model::{Connect, Engine, Image, Mount, Package};

impl Reader {
    /// What the machine that builds needs to know.
    pub(super) fn machine(&mut self, image: &Image) {
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
    pub(super) fn packages(&mut self, image: &Image) {
        for key in ["image.package", "image.package_sha256"] {
            if !image.engine.is_licensed() && self.is_given(key) {
                let engine = image.engine.as_str();
                let message = format!("`{key}` does not go with engine `{engine}`, which comes from the distribution");
                let licensed = Engine::all().find(|engine| engine.is_licensed());
                let other = licensed.map(|engine| format!(", or set `image.engine: {}`", engine.as_str()));
                self.against(key, message, format!("remove it{}", other.unwrap_or_default()));
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
