//! The files that an image holds of this release, as the agent was built with them.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shipped {
    /// Name below `packer/provision/units`.
    pub name: &'static str,
    /// Where it is in an image.
    pub path: &'static str,
    /// What is in it.
    pub text: &'static str,
}

macro_rules! shipped {
    ($name:literal => $path:literal) => {
        Shipped {
            name: $name,
            path: $path,
            text: include_str!(concat!("../../../../packer/provision/units/", $name)),
        }
    };
}

/// Units and settings; a test shows that these are all that the provisioning has.
pub(crate) const SHIPPED: [Shipped; 9] = [
    shipped!("mqaws-agent.service" => "/etc/systemd/system/mqaws-agent.service"),
    shipped!("mqaws-engine.service" => "/etc/systemd/system/mqaws-engine.service"),
    shipped!("system.conf.d/mqaws.conf" => "/etc/systemd/system.conf.d/mqaws.conf"),
    shipped!("logind.conf.d/mqaws.conf" => "/etc/systemd/logind.conf.d/mqaws.conf"),
    shipped!("journald.conf.d/mqaws.conf" => "/etc/systemd/journald.conf.d/mqaws.conf"),
    shipped!("modules-load.d/mqaws.conf" => "/etc/modules-load.d/mqaws.conf"),
    shipped!("tmpfiles.d/mqaws.conf" => "/etc/tmpfiles.d/mqaws.conf"),
    shipped!("sysctl.d/mqaws.conf" => "/etc/sysctl.d/99-mqaws.conf"),
    shipped!("limits.d/mqaws.conf" => "/etc/security/limits.d/99-mqaws.conf"),
];
