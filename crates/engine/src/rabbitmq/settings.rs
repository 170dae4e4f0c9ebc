//! What a node is started with: its files as text, and the variables of its commands.

use super::places::{NODE, NODE_HOST, Places};
use crate::Command;
use mqaws_contract::engine::RABBITMQ;
use mqaws_contract::engine::rabbitmq::MANAGEMENT;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// Where the node speaks to its own commands. No other host does: it is bound to this one.
const DISTRIBUTION: u16 = 25672;

/// How a node is started.
#[derive(Debug, Clone)]
pub(super) struct Settings<'a> {
    pub(super) places: &'a Places,
    /// Shared directory of its database.
    pub(super) base: PathBuf,
    pub(super) queue_manager: &'a str,
    /// What listeners bind to.
    pub(super) address: IpAddr,
    pub(super) amqp_port: u16,
    pub(super) management_port: Option<u16>,
    /// Whether those two speak TLS; the ports without it are then open for this host alone.
    pub(super) tls: bool,
}

impl Settings<'_> {
    /// What the node and its commands are bound to: of several nodes on one machine, as in the local cloud, each has an address.
    fn inside(&self) -> IpAddr {
        inside(self.address)
    }

    /// Where AMQP is spoken without TLS.
    pub(super) fn plain_amqp(&self) -> SocketAddr {
        match self.tls {
            true => (self.inside(), RABBITMQ.endpoints[0].port).into(),
            false => (self.address, self.amqp_port).into(),
        }
    }

    /// Where the management plugin answers without TLS.
    pub(super) fn plain_management(&self) -> Option<SocketAddr> {
        let plain = RABBITMQ.endpoint(&MANAGEMENT).map(|endpoint| endpoint.port);
        self.management_port.zip(plain).map(|(port, plain)| match self.tls {
            true => (self.inside(), plain).into(),
            false => (self.address, port).into(),
        })
    }

    /// `rabbitmq.conf`. Definitions are applied at every start, for the agent's own user has a new password each time.
    pub(super) fn conf(&self) -> String {
        let mut lines = vec![
            format!("cluster_name = {}", self.queue_manager),
            format!("listeners.tcp.1 = {}", self.plain_amqp()),
            format!("distribution.listener.interface = {}", self.inside()),
            "log.console = false".to_owned(),
            "log.file.level = info".to_owned(),
            // The package's own rotation is of another directory.
            "log.file.rotation.size = 10485760".to_owned(),
            "log.file.rotation.count = 5".to_owned(),
            // Each health check is a connection, and three lines would be written about each.
            "log.connection.level = warning".to_owned(),
            format!(
                "load_definitions = {}",
                self.places.setting("definitions.json").display()
            ),
        ];
        if let Some(plain) = self.plain_management() {
            lines.push(format!("management.tcp.ip = {}", plain.ip()));
            lines.push(format!("management.tcp.port = {}", plain.port()));
        }
        if self.tls {
            let to = SocketAddr::new(self.address, self.amqp_port);
            lines.push(format!("listeners.ssl.1 = {to}"));
            // Clients show a password, and no certificate.
            for (key, value) in [("verify", "verify_none"), ("fail_if_no_peer_cert", "false")] {
                lines.push(format!("ssl_options.{key} = {value}"));
            }
            for (number, version) in ["tlsv1.3", "tlsv1.2"].iter().enumerate() {
                lines.push(format!("ssl_options.versions.{} = {version}", number + 1));
            }
            let mut serves = vec!["ssl_options"];
            if let Some(port) = self.management_port {
                lines.push(format!("management.ssl.ip = {}", self.address));
                lines.push(format!("management.ssl.port = {port}"));
                serves.push("management.ssl");
            }
            let file = self.places.certificate();
            for what in serves {
                for key in ["certfile", "keyfile", "cacertfile"] {
                    lines.push(format!("{what}.{key} = {}", file.display()));
                }
            }
        }
        lines.join("\n") + "\n"
    }

    /// `enabled_plugins`.
    pub(super) fn plugins(&self) -> &'static str {
        match self.management_port {
            Some(_) => "[rabbitmq_management].\n",
            None => "[].\n",
        }
    }

    /// Erlang's own hosts file: nothing of a node's name is asked of a name server.
    pub(super) fn hosts(&self) -> String {
        let address = match self.inside() {
            IpAddr::V4(v4) => v4.octets().map(|part| part.to_string()).join(","),
            IpAddr::V6(v6) => v6.segments().map(|part| part.to_string()).join(","),
        };
        format!("{{host, {{{address}}}, [\"{NODE_HOST}\"]}}.\n{{lookup, [file]}}.\n")
    }

    /// The command that leaves the node behind and ends. Nothing of the unit's watchdog is for it.
    pub(super) fn start(&self, epmd: u16, unused: u16) -> Command {
        let places = self.places;
        let command = Command::new("/usr/bin/env")
            .args(["-u", "NOTIFY_SOCKET"])
            .arg(places.commands.join(SERVER))
            .args(["-detached", MARK, self.queue_manager])
            .env("RABBITMQ_MNESIA_BASE", &self.base)
            .env("RABBITMQ_PLUGINS_EXPAND_DIR", places.home.join("plugins"))
            .env("RABBITMQ_LOG_BASE", &places.logs)
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", places.setting("enabled_plugins"))
            .env("RABBITMQ_CONFIG_FILE", places.setting("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", places.setting("advanced.config"))
            // Looked at before the start alone, and to be free on every address of the machine.
            .env("RABBITMQ_DIST_PORT", unused.to_string())
            .env("ERL_EPMD_PORT", epmd.to_string())
            .env("ERL_EPMD_ADDRESS", self.inside().to_string())
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                format!("-start_epmd false -erl_epmd_port {DISTRIBUTION}"),
            );
        common(command, places)
    }
}

/// The command that starts a node.
pub(super) const SERVER: &str = "rabbitmq-server";
/// The word before the queue manager's name on the node's command line.
pub(super) const MARK: &str = "-mqaws_queue_manager";

/// What a node at this address and its commands are bound to.
pub(super) fn inside(address: IpAddr) -> IpAddr {
    match address.is_loopback() {
        true => address,
        false => IpAddr::from([127, 0, 0, 1]),
    }
}

/// A command of the node that runs.
pub(super) fn control(places: &Places, words: &[&str]) -> Command {
    let command = Command::new(places.commands.join("rabbitmqctl"))
        .args(["-q", "-n", NODE])
        .args(words)
        .env(
            "RABBITMQ_CTL_ERL_ARGS",
            format!("-start_epmd false -erl_epmd_port {DISTRIBUTION} -dist_listen false"),
        );
    common(command, places)
}

/// The port mapper, which a start wants to find and nothing uses.
pub(super) fn port_mapper(places: &Places, address: IpAddr, port: u16) -> Command {
    let command = Command::new(places.erlang.join("epmd"))
        .args(["-daemon", "-address", &inside(address).to_string(), "-port"])
        .arg(port.to_string());
    common(command, places)
}

/// What Erlang runs to put the names of members into the file of names. Each member's settings say its own, and are read as bytes, as the
/// node reads them. Of several members of one name the newest has it; a name that belongs to a member that is there is left to that one, and
/// so is a member that is older than the file by more than a write of it takes: its name was saved once, and taken away since.
const NAME_MEMBERS: &str = r#"
[Dir] = init:get_plain_arguments(),
File = filename:join(Dir, "names.dets"),
Written = fun(Path) -> {ok, Info} = file:read_file_info(Path, [{time, posix}]), element(6, Info) end,
Settings = fun(Member) -> filename:join([Dir, Member, "config"]) end,
Saved = Written(File),
{ok, Names} = dets:open_file(names, [{file, File}]),
Named = dets:foldl(fun({_, UId}, All) -> All#{UId => true} end, #{}, Names),
Read = fun(Member) ->
    {ok, Text} = file:read_file(Settings(Member)),
    {ok, Tokens, _} = erl_scan:string(binary_to_list(Text)),
    {ok, #{id := {Name, _}, uid := UId}} = erl_parse:parse_term(Tokens),
    UId = list_to_binary(Member),
    {Written(Settings(Member)), Name, UId}
end,
{ok, All} = file:list_dir(Dir),
Nameless = lists:append([try [Read(Member)] catch _:_ -> io:format("left ~ts: its settings cannot be read~n", [Member]), [] end
    || Member <- All, filelib:is_regular(Settings(Member)), not is_map_key(list_to_binary(Member), Named)]),
[case dets:lookup(Names, Name) of
    _ when At < Saved - 5 -> io:format("left ~ts: older than the names~n", [UId]);
    [{_, Other}] -> case filelib:is_regular(Settings(Other)) of
        true -> io:format("left ~ts: its name is that of ~ts~n", [UId, Other]);
        false -> ok = dets:insert(Names, {Name, UId}), io:format("named ~ts~n", [UId])
    end;
    [] -> ok = dets:insert(Names, {Name, UId}), io:format("named ~ts~n", [UId])
end || {At, Name, UId} <- lists:reverse(lists:sort(Nameless))],
ok = dets:close(Names),
halt(0).
"#;

/// The word before the queue manager's name on the command line that changes the file of names.
pub(super) const NAMES_MARK: &str = "-mqaws_names_of";

/// The command that puts the names of members of quorum queues into the node's file of names, while no node runs.
pub(super) fn name_members(places: &Places, queue_manager: &str, dir: &Path) -> Command {
    let command = Command::new(places.erlang.join("erl"))
        .args(["-noinput", "-boot", "no_dot_erlang", NAMES_MARK, queue_manager])
        .args(["-eval", NAME_MEMBERS, "-extra"])
        .arg(dir)
        .env("ERL_CRASH_DUMP_BYTES", "0");
    common(command, places)
}

fn common(command: Command, places: &Places) -> Command {
    let mut path = OsString::from(&places.erlang);
    path.push(":/usr/sbin:/usr/bin:/sbin:/bin");
    command
        .env("PATH", path)
        .env("HOME", &places.home)
        .env("LANG", "C.UTF-8")
        .env("RABBITMQ_NODENAME", NODE)
        .env("RABBITMQ_CONF_ENV_FILE", Path::new("/dev/null"))
        .env("ERL_INETRC", places.setting("hosts"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Root;

    fn settings(address: &str) -> (Places, IpAddr) {
        let places = Places::new(&Root::new("/"), "/usr/lib/rabbitmq/bin", "/etc/mqaws/definitions.json");
        (places, address.parse().expect("an address"))
    }

    #[test]
    fn a_node_binds_to_its_address_and_its_distribution_to_this_host_alone() {
        for (address, inside, hosts) in [
            ("10.0.1.7", "127.0.0.1", "{127,0,0,1}"),
            ("127.77.10.4", "127.77.10.4", "{127,77,10,4}"),
        ] {
            let (places, address) = settings(address);
            let settings = Settings {
                places: &places,
                base: "/mnt/mqaws/QM1/rabbitmq".into(),
                queue_manager: "QM1",
                address,
                amqp_port: 5672,
                management_port: Some(15672),
                tls: false,
            };
            let conf = settings.conf();
            assert!(conf.contains(&format!("listeners.tcp.1 = {address}:5672\n")), "{conf}");
            assert!(
                conf.contains(&format!("distribution.listener.interface = {inside}\n")),
                "{conf}"
            );
            for line in ["log.file.rotation.size = 10485760", "log.file.rotation.count = 5"] {
                assert!(conf.lines().any(|one| one == line), "{line}: {conf}");
            }
            assert!(settings.hosts().contains(hosts), "{}", settings.hosts());
            let start = settings.start(1, 2);
            assert!(
                start
                    .to_string()
                    .ends_with("rabbitmq-server -detached -mqaws_queue_manager QM1"),
                "{start}"
            );
        }
    }

    #[test]
    fn with_a_certificate_the_ports_without_tls_are_for_this_host_alone() {
        let (places, address) = settings("10.0.1.7");
        let settings = Settings {
            places: &places,
            base: "/mnt/mqaws/QM1/rabbitmq".into(),
            queue_manager: "QM1",
            address,
            amqp_port: 5671,
            management_port: Some(15671),
            tls: true,
        };
        let conf = settings.conf();
        for line in [
            "listeners.tcp.1 = 127.0.0.1:5672",
            "listeners.ssl.1 = 10.0.1.7:5671",
            "management.tcp.ip = 127.0.0.1",
            "management.tcp.port = 15672",
            "management.ssl.ip = 10.0.1.7",
            "management.ssl.port = 15671",
            "ssl_options.keyfile = /var/lib/mqaws/rabbitmq/tls.pem",
            "management.ssl.certfile = /var/lib/mqaws/rabbitmq/tls.pem",
        ] {
            assert!(conf.lines().any(|one| one == line), "{line}: {conf}");
        }
    }
}
