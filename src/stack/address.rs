//! Hosts and ports as clients write them.

use mqaws_contract::engine::Protocol;

/// Where clients connect: a host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// DNS name, or an IP address; one of version 6 without brackets.
    pub host: String,
    /// Port, from 1.
    pub port: u16,
}

/// A text that names no host and port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid address `{text}`: must be a host and a port from 1 to 65535, as in {example}")]
pub struct InvalidAddress {
    /// What was given.
    pub text: String,
    example: String,
}

impl Address {
    /// Reads `host:port`; an IPv6 address stands in brackets.
    ///
    /// # Errors
    /// [`InvalidAddress`].
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let read = || {
            let (host, port) = text.rsplit_once(':')?;
            let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
            let plain = !host.contains([':', '[', ']']);
            Self::of(bracketed.or(plain.then_some(host))?, port)
        };
        read().ok_or_else(|| InvalidAddress {
            text: text.to_owned(),
            example: "mq.example.com:1000".to_owned(),
        })
    }

    /// Reads an address as the clients of a protocol write it.
    ///
    /// # Errors
    /// [`InvalidAddress`].
    pub fn parse_as(text: &str, protocol: &Protocol) -> Result<Self, InvalidAddress> {
        let (before, after) = protocol.notation.port;
        if (before, after) == (":", "") {
            return Self::parse(text);
        }
        let read = || {
            let (host, port) = text.strip_suffix(after)?.rsplit_once(before)?;
            Self::of(host, port)
        };
        read().ok_or_else(|| InvalidAddress {
            text: text.to_owned(),
            example: format!("mq.example.com{before}1000{after}"),
        })
    }

    fn of(host: &str, port: &str) -> Option<Self> {
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|&port| digits && port > 0)?;
        let good = !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"()/@".contains(&byte));
        good.then(|| Self {
            host: host.to_owned(),
            port,
        })
    }
}

/// `host:port`, an IPv6 address in brackets.
impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqaws_contract::engine::MQ;

    #[test]
    fn addresses_are_read_whole_or_not_at_all() {
        for (text, host, port) in [
            ("lb.example:5672", "lb.example", 5672),
            ("127.0.0.1:1", "127.0.0.1", 1),
            ("[::1]:65535", "::1", 65535),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port));
            assert_eq!(address.to_string(), text);
        }
        for text in [
            "",
            "lb",
            "lb:",
            ":5672",
            "lb:0",
            "lb:65536",
            "lb:+1",
            "lb:5672x",
            "::1:5672",
            "[::1:5672",
            "l b:1",
            "a/b:1",
            "u@h:1",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        let address = Address::parse_as("lb.example(1414)", &MQ).unwrap();
        assert_eq!((address.host.as_str(), address.port), ("lb.example", 1414));
        for text in ["lb(1414", "lb1414)", "lb()", "(1414)", "lb(0)", "a(1),b(2)", "lb:1414"] {
            assert!(Address::parse_as(text, &MQ).is_err(), "{text}");
        }
    }
}
