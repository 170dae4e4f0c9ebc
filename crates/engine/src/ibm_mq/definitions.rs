//! The default definitions: MQSC for a listener, an application user, an AMQP channel and the test's own queues.
//!
//! The application user is an account of the operating system outside the group `mqm`, so never an administrator. Every
//! channel is closed by a back-stop rule, administrators are blocked on all of them, and what is opened asks for user and
//! password. There is no password in these texts and no default one anywhere.
//!
//! The statements follow the developer configuration that IBM publishes with its container. *Unverified*, since nothing here
//! has run on a real IBM MQ: `LOCLADDR` as the address that an AMQP channel listens on, `IGNSTATE` on `START SERVICE` and
//! `START CHANNEL`, and whether gets over AMQP need `ALTUSR` on the queue manager, as one of IBM's samples has it. `ALTUSR` is
//! left out: it lets the user act for anybody.
//!
//! TLS follows a sample of IBM's for AMQP: `SSLKEYR` with the whole name of a `.p12` file (9.4.0 wants that suffix for AMQP),
//! `KEYRPWD` in clear text, which the queue manager keeps encrypted, `REFRESH SECURITY`, then the channels. *Unverified*: that
//! the AMQP service heeds `CERTLABL` of the queue manager, and which encryptions of PKCS#12 its Java and GSKit read.

use std::{fmt::Write, net::IpAddr, path::Path};

use super::name::ObjectName;

/// The user that applications connect as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Name of the account, at most 12 characters.
    pub(crate) user: ObjectName,
    /// Profiles of the queues that it may use, such as `APP.**`.
    pub(crate) queue_profiles: Vec<ObjectName>,
}

/// What the definitions depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definitions {
    /// The address that listeners bind to; all addresses of the host when absent.
    pub(crate) address: Option<IpAddr>,
    /// TCP port of the queue manager.
    pub(crate) mq_port: u16,
    /// TCP port of the AMQP service; absent when it is off.
    pub(crate) amqp_port: Option<u16>,
    /// Whether mqaws' own channels speak TLS and nothing else; the queue manager must know a [`KeyRepository`] first.
    pub(crate) tls: bool,
    /// The application user.
    pub(crate) application: Application,
}

/// TLS 1.2 and later, whatever both sides know; the server alone shows a certificate, clients have user and password.
const TLS: &str = " SSLCIPH(ANY_TLS12_OR_HIGHER) SSLCAUTH(OPTIONAL)";

/// The queue manager's certificate and private key, a PKCS#12 file.
#[derive(Clone, Copy)]
pub(crate) struct KeyRepository<'a> {
    /// The file, with its suffix `.p12`.
    pub(crate) file: &'a Path,
    /// What opens it.
    pub(crate) password: &'a str,
    /// Name of the certificate in it.
    pub(crate) label: &'a str,
}

impl KeyRepository<'_> {
    /// The MQSC text that makes it the queue manager's; holds the password. TLS channels that run are stopped by it.
    pub(crate) fn mqsc(&self) -> String {
        let quoted = |text: &str| text.replace('\'', "''");
        format!(
            "ALTER QMGR SSLKEYR('{}')\nALTER QMGR KEYRPWD('{}')\nALTER QMGR CERTLABL('{}')\nREFRESH SECURITY(*) TYPE(SSL)\n",
            quoted(&self.file.to_string_lossy()),
            quoted(self.password),
            quoted(self.label),
        )
    }
}

/// Name of the TCP listener.
pub(crate) const LISTENER: &str = "MQAWS.LISTENER";
/// Name of the channel for clients that speak MQ's own protocol.
pub(crate) const CLIENT_CHANNEL: &str = mqaws_contract::engine::MQ.notation.channel;
/// Name of the AMQP channel.
pub(crate) const AMQP_CHANNEL: &str = "MQAWS.AMQP";
/// Name of the authentication information: user and password of the operating system.
pub(crate) const AUTHENTICATION: &str = "MQAWS.IDPWOS";
/// Prefix of the failover test's own queues.
pub(crate) const PROBE_PREFIX: &str = "MQAWS.PROBE.";

impl Definitions {
    /// The definitions for an application user that may use `APP.**`.
    pub fn new(address: Option<IpAddr>, mq_port: u16, amqp_port: Option<u16>, user: ObjectName) -> Self {
        let application = Application {
            user,
            queue_profiles: vec![ObjectName::literal("APP.**")],
        };
        Self {
            address,
            mq_port,
            amqp_port,
            tls: false,
            application,
        }
    }

    /// The MQSC text. It may be applied again at any time: every statement replaces or adds what is the same.
    pub fn mqsc(&self) -> String {
        let mut text = String::from("* Default definitions of mqaws; do not put passwords here\n");
        let user = &self.application.user;
        let tls = if self.tls { TLS } else { "" };
        let mut line = |statement: String| {
            text.push_str(&statement);
            text.push('\n');
        };
        line(format!(
            "DEFINE AUTHINFO('{AUTHENTICATION}') AUTHTYPE(IDPWOS) CHCKCLNT(REQUIRED) CHCKLOCL(OPTIONAL) ADOPTCTX(YES) REPLACE"
        ));
        line(format!("ALTER QMGR CHLAUTH(ENABLED) CONNAUTH('{AUTHENTICATION}')"));
        line("REFRESH SECURITY(*) TYPE(CONNAUTH)".to_owned());
        line("SET CHLAUTH('*') TYPE(ADDRESSMAP) ADDRESS('*') USERSRC(NOACCESS) DESCR('Back-stop: closed') ACTION(REPLACE)".to_owned());
        line(
            "SET CHLAUTH('*') TYPE(BLOCKUSER) USERLIST('*MQADMIN') DESCR('No administrators') ACTION(REPLACE)"
                .to_owned(),
        );
        line(format!(
            "DEFINE CHANNEL('{CLIENT_CHANNEL}') CHLTYPE(SVRCONN) TRPTYPE(TCP) MCAUSER('{user}'){tls} REPLACE"
        ));
        line(opened(CLIENT_CHANNEL));
        line(format!(
            "SET AUTHREC OBJTYPE(QMGR) PRINCIPAL('{user}') AUTHADD(CONNECT,INQ)"
        ));
        let probe = ObjectName::literal("MQAWS.PROBE.**");
        for profile in self.application.queue_profiles.iter().chain([&probe]) {
            line(format!(
                "SET AUTHREC PROFILE('{profile}') OBJTYPE(QUEUE) PRINCIPAL('{user}') AUTHADD(PUT,GET,BROWSE,INQ)"
            ));
        }
        let mut listener = format!("DEFINE LISTENER('{LISTENER}') TRPTYPE(TCP) PORT({})", self.mq_port);
        if let Some(address) = self.address {
            let _ = write!(listener, " IPADDR('{address}')");
        }
        line(listener + " CONTROL(QMGR) REPLACE");
        line(format!("START LISTENER('{LISTENER}') IGNSTATE(YES)"));
        if let Some(port) = self.amqp_port {
            let mut channel =
                format!("DEFINE CHANNEL('{AMQP_CHANNEL}') CHLTYPE(AMQP) PORT({port}) MCAUSER('{user}'){tls}");
            if let Some(address) = self.address {
                let _ = write!(channel, " LOCLADDR('{address}')");
            }
            line(channel + " REPLACE");
            line(opened(AMQP_CHANNEL));
            line("ALTER SERVICE('SYSTEM.AMQP.SERVICE') CONTROL(QMGR)".to_owned());
            line("START SERVICE('SYSTEM.AMQP.SERVICE') IGNSTATE(YES)".to_owned());
            line(format!("START CHANNEL('{AMQP_CHANNEL}') IGNSTATE(YES)"));
        }
        text
    }
}

/// Opens a channel to clients that give user and password.
fn opened(channel: &str) -> String {
    format!(
        "SET CHLAUTH('{channel}') TYPE(ADDRESSMAP) ADDRESS('*') USERSRC(CHANNEL) CHCKCLNT(REQUIRED) ACTION(REPLACE)"
    )
}

/// One queue of the failover test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeQueueDefinition {
    name: ObjectName,
}

impl ProbeQueueDefinition {
    /// The queue `MQAWS.PROBE.<suffix>`; absent when that is no valid name.
    pub fn new(suffix: &str) -> Option<Self> {
        Self::named(&format!("{PROBE_PREFIX}{suffix}"))
    }

    /// The queue of that whole name; absent when it does not begin with `MQAWS.PROBE.` or is no valid name.
    pub fn named(name: &str) -> Option<Self> {
        let suffix = name.strip_prefix(PROBE_PREFIX)?;
        let name = ObjectName::new(name)?;
        (!suffix.is_empty() && !suffix.contains('*')).then_some(Self { name })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Defines it: persistent by default, shared, as deep as MQ allows.
    pub fn define(&self) -> String {
        format!(
            "DEFINE QLOCAL('{}') DEFPSIST(YES) SHARE DEFSOPT(SHARED) MAXDEPTH(999999999) REPLACE",
            self.name
        )
    }

    /// Deletes it with its messages.
    pub fn delete(&self) -> String {
        format!("DELETE QLOCAL('{}') PURGE", self.name)
    }

    /// Shows its depth.
    pub fn depth(&self) -> String {
        format!("DISPLAY QLOCAL('{}') CURDEPTH", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definitions() -> Definitions {
        Definitions::new(
            Some([127, 77, 10, 1].into()),
            1414,
            Some(5672),
            ObjectName::literal("mqapp"),
        )
    }

    #[test]
    fn the_default_definitions() {
        insta::assert_snapshot!(definitions().mqsc());
    }

    #[test]
    fn without_amqp_and_address_nothing_of_them_is_left() {
        let text = Definitions {
            address: None,
            amqp_port: None,
            ..definitions()
        }
        .mqsc();
        for word in ["AMQP", "IPADDR", "LOCLADDR"] {
            assert!(!text.contains(word), "{word}");
        }
        assert!(text.contains("PORT(1414) CONTROL(QMGR)"));
    }

    #[test]
    fn with_tls_no_channel_of_ours_is_plain() {
        let text = Definitions {
            tls: true,
            ..definitions()
        }
        .mqsc();
        let channels: Vec<&str> = text.lines().filter(|l| l.starts_with("DEFINE CHANNEL")).collect();
        assert_eq!(channels.len(), 2);
        assert!(
            channels.iter().all(|l| l.contains("SSLCIPH(ANY_TLS12_OR_HIGHER)")),
            "{channels:?}"
        );
        assert!(!definitions().mqsc().contains("SSL"));
    }

    #[test]
    fn a_key_repository_is_named_whole_and_quoted() {
        let text = KeyRepository {
            file: Path::new("/run/mqaws-tls/QM1.p12"),
            password: "it's",
            label: "mine",
        }
        .mqsc();
        let expected = "ALTER QMGR SSLKEYR('/run/mqaws-tls/QM1.p12')\nALTER QMGR KEYRPWD('it''s')\nALTER QMGR CERTLABL('mine')\nREFRESH SECURITY(*) TYPE(SSL)\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_password_and_no_administrator() {
        let text = definitions().mqsc().to_lowercase();
        assert!(!text.contains("passw0rd") && !text.contains("pwd("));
        assert!(!text.contains("mcauser('mqm')"));
        assert!(text.contains("'*mqadmin'"));
    }

    #[test]
    fn a_line_is_one_statement_and_fits_a_line_of_mqsc() {
        for line in definitions().mqsc().lines() {
            assert!(line.len() <= 250 && !line.ends_with(['+', '-']), "{line}");
        }
    }

    #[test]
    fn probe_queues_stay_under_their_prefix() {
        let queue = ProbeQueueDefinition::new("R1.A").unwrap();
        assert_eq!(queue.name(), "MQAWS.PROBE.R1.A");
        assert!(queue.define().contains("DEFPSIST(YES)"));
        for name in [
            "PAYROLL",
            "MQAWS.PROBE.",
            "MQAWS.PROBE.*",
            "MQAWS.PROBE.A B",
            "MQAWS.PROBE.X') PURGE",
        ] {
            assert_eq!(ProbeQueueDefinition::named(name), None, "{name}");
        }
    }
}
