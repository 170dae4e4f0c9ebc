//! The section `image`: its values beside the others.

use super::read::Reader;
use crate::model::{Connect, Image, Mount, Package};

impl Reader {
    /// What the machine that builds needs to know.
    pub(super) fn machine(&mut self, image: &Image) {
        if self.is_given("image.vpc") && !self.is_given("image.subnet") {
            let hint = "also set `image.subnet`; the VPC follows from the subnet";
            self.against("image.vpc", "`image.vpc` requires `image.subnet`", hint);
        }
        let profile = self.is_given("image.instance_profile");
        if image.connect == Connect::SessionManager {
            if !profile {
                let hint = "set `image.instance_profile` to one that allows Session Manager";
                let message = "`image.connect: session-manager` requires `image.instance_profile`";
                self.against("image.connect", message, hint);
            }
            if self.is_given("image.ssh_from") {
                let message =
                    "`image.ssh_from` cannot be combined with `image.connect: session-manager`, which opens no port";
                self.against("image.ssh_from", message, "remove it, or set `image.connect: ssh`");
            }
        }
        if matches!(image.package, Some(Package::S3(_))) && !profile {
            let hint = "set `image.instance_profile` to one that can read the object";
            self.against(
                "image.package",
                "a package in S3 requires `image.instance_profile`",
                hint,
            );
        }
    }

    /// What is installed, and by which checksum it is known.
    pub(super) fn packages(&mut self, image: &Image) {
        for (file, sum) in [
            ("image.package", "image.package_sha256"),
            ("image.efs_utils_package", "image.efs_utils_sha256"),
        ] {
            match (self.is_given(file), self.is_given(sum)) {
                (true, false) => {
                    let hint = format!("set `{sum}` to the checksum that `sha256sum` prints for the file");
                    self.against(file, format!("`{file}` requires `{sum}`"), &hint);
                }
                (false, true) => {
                    let hint = format!("set `{file}` to the package, or remove `{sum}`");
                    self.against(sum, format!("`{sum}` requires `{file}`"), &hint);
                }
                _ => {}
            }
        }
        if image.mount == Some(Mount::Nfs) && self.is_given("image.efs_utils_package") {
            let message =
                "`image.efs_utils_package` cannot be combined with `image.mount: nfs`, which does not use efs-utils";
            self.against("image.efs_utils_package", message, "remove one of them");
        }
    }
}
