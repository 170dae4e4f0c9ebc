//! The files that the template provisions with, embedded: everything in the folder `packer/provision`.

/// A file below `provision/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProvisionFile {
    /// Path below the folder.
    pub path: &'static str,
    /// What is in it.
    pub text: &'static str,
    /// Whether it is a program.
    pub executable: bool,
}

/// The scripts that are run, in order, each a step of the build.
pub const STEPS: [&str; 6] = [
    "10-accounts.sh",
    "20-storage.sh",
    "30-engine.sh",
    "40-kernel.sh",
    "50-agent.sh",
    "60-finish.sh",
];

/// A file with the text that stands in the folder.
macro_rules! file {
    ($path:literal, $executable:literal) => {
        ProvisionFile {
            path: $path,
            text: include_str!(concat!("../../../packer/provision/", $path)),
            executable: $executable,
        }
    };
}

/// Every file of the folder, by path; a test compares the two.
pub const PROVISION: &[ProvisionFile] = &[
    file!("10-accounts.sh", true),
    file!("20-storage.sh", true),
    file!("30-engine.sh", true),
    file!("40-kernel.sh", true),
    file!("50-agent.sh", true),
    file!("60-finish.sh", true),
    file!("step.sh", false),
    file!("units/journald.conf.d/mqaws.conf", false),
    file!("units/limits.d/mqaws.conf", false),
    file!("units/logind.conf.d/mqaws.conf", false),
    file!("units/modules-load.d/mqaws.conf", false),
    file!("units/mqaws-agent.service", false),
    file!("units/mqaws-engine.service", false),
    file!("units/sysctl.d/mqaws.conf", false),
    file!("units/system.conf.d/mqaws.conf", false),
    file!("units/tmpfiles.d/mqaws.conf", false),
];
