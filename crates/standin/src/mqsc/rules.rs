//! Channel authentication rules and authority records.

use super::{
    answer::Answer,
    execute::{known, merged},
    parse::Statement,
};
use crate::standin::{broker::Broker, objects::Kind};

pub(super) fn channel_rule(broker: &Broker, s: &Statement, name: &str) -> Option<Answer> {
    const RULE: &[&str] = &[
        "TYPE", "ADDRESS", "CLNTUSER", "USERLIST", "USERSRC", "MCAUSER", "CHCKCLNT", "DESCR", "ACTION", "WARN",
    ];
    let kind = s.get("TYPE")?;
    if !known(s, RULE, &[]) || !["ADDRESSMAP", "BLOCKUSER", "USERMAP"].contains(&kind) {
        return None;
    }
    let who = s.get("ADDRESS").or_else(|| s.get("CLNTUSER")).unwrap_or_default();
    let key = format!("{name}|{kind}|{who}");
    let mut objects = broker.objects();
    match s.get("ACTION").unwrap_or("ADD") {
        "REMOVE" => {
            objects.remove(Kind::ChannelRule, &key);
        }
        "ADD" if objects.get(Kind::ChannelRule, &key).is_some() => return Some(Answer::exists()),
        "ADD" | "REPLACE" => {
            let mut attributes = merged(None, s);
            attributes.remove("ACTION");
            attributes.insert("CHLAUTH".to_owned(), name.to_owned());
            objects.set(Kind::ChannelRule, &key, attributes);
        }
        _ => return None,
    }
    Some(Answer::done("AMQ8877I: IBM MQ channel authentication record set."))
}

pub(super) fn authority(broker: &Broker, s: &Statement) -> Option<Answer> {
    const RECORD: &[&str] = &["OBJTYPE", "PROFILE", "PRINCIPAL", "GROUP", "AUTHADD", "AUTHRMV"];
    let kind = s.get("OBJTYPE")?;
    if !known(s, RECORD, &[]) || !["QMGR", "QUEUE", "TOPIC", "CHANNEL"].contains(&kind) {
        return None;
    }
    let profile = match kind {
        "QMGR" => broker.name.as_str(),
        _ => s.get("PROFILE")?,
    };
    let who = s.get("PRINCIPAL").or_else(|| s.get("GROUP"))?;
    let key = format!("{kind}|{profile}|{who}");
    let mut objects = broker.objects();
    let mut attributes = objects.get(Kind::Authority, &key).cloned().unwrap_or_default();
    let mut held: Vec<String> = attributes
        .get("AUTHLIST")
        .map(|a| a.split(',').map(str::to_owned).collect())
        .unwrap_or_default();
    for authority in s
        .get("AUTHADD")
        .unwrap_or_default()
        .split(',')
        .filter(|a| !a.is_empty())
    {
        if !held.iter().any(|a| a == authority) {
            held.push(authority.to_owned());
        }
    }
    let removed: Vec<&str> = s.get("AUTHRMV").unwrap_or_default().split(',').collect();
    held.retain(|a| !removed.contains(&a.as_str()));
    attributes.insert("AUTHLIST".to_owned(), held.join(","));
    attributes.insert("OBJTYPE".to_owned(), kind.to_owned());
    attributes.insert("PROFILE".to_owned(), profile.to_owned());
    let holder = if s.get("PRINCIPAL").is_some() {
        "PRINCIPAL"
    } else {
        "GROUP"
    };
    attributes.insert(holder.to_owned(), who.to_owned());
    objects.set(Kind::Authority, &key, attributes);
    Some(Answer::done("AMQ8862I: IBM MQ authority record set."))
}
