//! What commands of MQSC are about: the second word of each.

/// Every object by its names, of any platform; not every command takes every one.
const OBJECTS: &[&[&str]] = &[
    &["APSTATUS"],
    &["ARCHIVE"],
    &["AUTHINFO"],
    &["AUTHREC"],
    &["AUTHSERV"],
    &["BSDS"],
    &["BUFFPOOL"],
    &["CFSTATUS"],
    &["CFSTRUCT"],
    &["CHANNEL", "CHL"],
    &["CHINIT"],
    &["CHLAUTH"],
    &["CHSTATUS", "CHS"],
    &["CLUSQMGR"],
    &["CLUSTER"],
    &["CMDSERV"],
    &["COMMINFO"],
    &["CONN"],
    &["ENTAUTH"],
    &["GROUP"],
    &["INDOUBT"],
    &["LISTENER", "LSTR"],
    &["LOG"],
    &["LSSTATUS"],
    &["MAXSMSGS"],
    &["NAMELIST", "NL"],
    &["POLICY"],
    &["PROCESS", "PROC", "PRO"],
    &["PSID"],
    &["PUBSUB"],
    &["QALIAS", "QA"],
    &["QCLUSTER", "QC"],
    &["QLOCAL", "QL"],
    &["QMGR"],
    &["QMODEL", "QM"],
    &["QMSTATUS"],
    &["QREMOTE", "QR"],
    &["QSTATS"],
    &["QSTATUS", "QS"],
    &["QUEUE", "Q"],
    &["SBSTATUS"],
    &["SECURITY"],
    &["SERVICE"],
    &["SMDS"],
    &["SMDSCONN"],
    &["STGCLASS"],
    &["SUB"],
    &["SVSTATUS"],
    &["SYSTEM"],
    &["TCLUSTER"],
    &["THREAD"],
    &["TOPIC", "TPC"],
    &["TOPICSTR"],
    &["TPIPE"],
    &["TPSTATUS", "TPS"],
    &["TRACE"],
    &["USAGE"],
];

/// What a word is among the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    /// One of them, or how one begins: an abbreviation that is not listed is left to the queue manager.
    Known,
    /// None of them, and one slip of the fingers from this one.
    MeantFor(&'static str),
    /// None that is known here.
    Unknown,
}

/// Looks a word up, in any case.
pub(super) fn object(word: &str) -> Object {
    let upper = word.to_ascii_uppercase();
    let names = || OBJECTS.iter().copied().flatten().copied();
    let known = names().any(|name| name == upper || upper.len() >= 3 && name.starts_with(&upper));
    if known {
        return Object::Known;
    }
    // Two letters are one slip from too many.
    let meant = names().filter(|name| name.len() > 2).find(|name| is_slip(&upper, name));
    meant.map_or(Object::Unknown, Object::MeantFor)
}

/// Whether one letter more, less or other, or two that changed places, tell the words apart.
fn is_slip(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let same = |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| pairs.take_while(|(a, b)| a == b).count();
    let front = same(&mut one.iter().zip(other));
    let (one, other) = (&one[front..], &other[front..]);
    let back = same(&mut one.iter().rev().zip(other.iter().rev()));
    match (&one[..one.len() - back], &other[..other.len() - back]) {
        ([], [_]) | ([_], []) | ([_], [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_an_object_or_one_slip_from_one_or_unknown() {
        for (word, expected) in [
            ("QLOCAL", Object::Known),
            ("ql", Object::Known),
            ("Qloc", Object::Known),
            ("CHAN", Object::Known),
            ("QLOCL", Object::MeantFor("QLOCAL")),
            ("QLOCALL", Object::MeantFor("QLOCAL")),
            ("QLCOAL", Object::MeantFor("QLOCAL")),
            ("QREMOTF", Object::MeantFor("QREMOTE")),
            ("CHLAUT", Object::Known),
            ("TOPIX", Object::MeantFor("TOPIC")),
            ("QX", Object::Unknown),
            ("NEWKIND", Object::Unknown),
            ("", Object::Unknown),
            ("Größe", Object::Unknown),
        ] {
            assert_eq!(object(word), expected, "{word}");
        }
    }
}
