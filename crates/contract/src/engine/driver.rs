//! What differs between engines that one driver of the failover test speaks to.

/// A driver with which a failover test speaks to an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriverFacts {
    /// Its name.
    pub name: &'static str,
    /// The engine's first version that it speaks to, major and minor; absent when it speaks to all.
    pub since: Option<(u16, u16)>,
    /// What stands before a queue's name in an address, in which the name is then percent-encoded; empty when the address is the name.
    pub queues: &'static str,
    /// Whether a message that comes again is told by not being acquired first, and not by its count of deliveries.
    pub first_acquirer: bool,
    /// What its figures do not say, in one sentence; empty when there is nothing to say.
    pub caveat: &'static str,
}

impl DriverFacts {
    /// A driver that speaks to all versions, by names alone.
    #[must_use]
    pub const fn plain(name: &'static str) -> Self {
        Self {
            name,
            since: None,
            queues: "",
            first_acquirer: false,
            caveat: "",
        }
    }

    /// The address of a queue.
    pub fn address(&self, queue: &str) -> String {
        if self.queues.is_empty() {
            return queue.to_owned();
        }
        let mut address = self.queues.to_owned();
        for byte in queue.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => address.push(byte.into()),
                _ => address.push_str(&format!("%{byte:02X}")),
            }
        }
        address
    }

    /// Whether it speaks to this version, as the engine says it; nothing is held against one that cannot be read.
    pub fn speaks_to(&self, version: &str) -> bool {
        let number = |text: Option<&str>| text?.parse::<u16>().ok();
        let read = version.split_whitespace().find_map(|word| {
            let mut numbers = word.split('.');
            Some((number(numbers.next())?, number(numbers.next())?))
        });
        match (self.since, read) {
            (Some(since), Some(read)) => read >= since,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: DriverFacts = DriverFacts {
        since: Some((4, 0)),
        queues: "/queues/",
        ..DriverFacts::plain("amqp10")
    };

    #[test]
    fn names_are_encoded_only_where_an_address_is_a_path() {
        for (queue, expected) in [
            ("MQAWS.PROBE.TEST", "/queues/MQAWS.PROBE.TEST"),
            ("a/b c%", "/queues/a%2Fb%20c%25"),
            ("ä", "/queues/%C3%A4"),
        ] {
            assert_eq!(LATER.address(queue), expected);
            assert_eq!(DriverFacts::plain("amqp10").address(queue), queue);
        }
    }

    #[test]
    fn only_versions_that_are_known_to_be_older_are_not_spoken_to() {
        for (version, expected) in [
            ("RabbitMQ 3.10.8", false),
            ("RabbitMQ 4.0.5", true),
            ("RabbitMQ 10.1.0 (untested with mqaws)", true),
            ("something", true),
        ] {
            assert_eq!(LATER.speaks_to(version), expected, "{version}");
            assert!(DriverFacts::plain("amqp10").speaks_to(version));
        }
    }
}
