//! Every published sample of IBM MQ's output is read as its source means it. `tests/fixtures/ibm-mq/INDEX.md` names the sources.

#![allow(clippy::unwrap_used)] // In a test, what cannot be had is a failure.

use std::{collections::BTreeSet, path::PathBuf};

use mqaws_engine::ibm_mq::{
    QueueManagerStatus as Status,
    drbd::{self, Disk, DrbdRole},
    dspmq::{self, Quorum, Role, Standby},
    fields::Answer,
    messages::{self, Message, Progress, Severity},
    rdqmstatus::{self, FileSystemUse, Replication, Report, Role as RdqmRole},
    stanza,
    version::Version,
};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ibm-mq")
}

fn sample(name: &str) -> String {
    std::fs::read_to_string(directory().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

#[test]
fn every_sample_has_a_source_and_a_test() {
    let index = sample("INDEX.md");
    let this = include_str!("ibm_mq_samples.rs");
    let mut files = BTreeSet::new();
    for entry in std::fs::read_dir(directory()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "INDEX.md" {
            assert!(index.contains(&name), "{name} has no source in INDEX.md");
            assert!(this.contains(&name), "{name} is not tested");
            files.insert(name);
        }
    }
    assert_eq!(files.len(), 34);
}

#[test]
fn dspmq_multi_instance() {
    for (file, name, status, default) in [
        ("dspmq-multi-instance-active.txt", "QMIMIQ11", Status::Running, "NO"),
        (
            "dspmq-multi-instance-standby.txt",
            "QMIMIQ11",
            Status::RunningAsStandby,
            "YES",
        ),
    ] {
        let found = dspmq::parse(&sample(file));
        assert_eq!(found.len(), 1, "{file}");
        let queue_manager = &found[0];
        assert_eq!(queue_manager.name.as_deref(), Some(name));
        assert_eq!(queue_manager.status, Some(status));
        assert_eq!(queue_manager.standby, Some(Standby::Permitted));
        assert_eq!(queue_manager.fields.get("DEFAULT"), Some(default));
        assert_eq!(queue_manager.fields.get("INSTPATH"), Some("/usr/mqm"));
        assert_eq!(queue_manager.fields.get("INSTVER"), Some("8.0.0.5"));
        let instances: Vec<_> = queue_manager
            .instances
            .iter()
            .map(|i| (i.name.as_str(), i.role.clone()))
            .collect();
        assert_eq!(
            instances,
            [("iasv0001", Some(Role::Active)), ("tasv0397", Some(Role::Standby))]
        );
        assert_eq!(queue_manager.active().unwrap().name, "iasv0001");
    }

    let found = dspmq::parse(&sample("dspmq-two-queue-managers.txt"));
    let [ended, running] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!(ended.name.as_deref(), Some("QMTEMQS02A"));
    assert_eq!(ended.status, Some(Status::EndedImmediately));
    assert_eq!(ended.standby, Some(Standby::NotApplicable));
    assert!(ended.instances.is_empty());
    assert_eq!(running.name.as_deref(), Some("QMTEMQS02"));
    assert_eq!(running.status, Some(Status::Running));
    assert_eq!(running.standby, Some(Standby::NotPermitted));
    assert_eq!(running.instances.len(), 1);
}

#[test]
fn dspmq_instances_without_indent() {
    for (file, status) in [
        ("dspmq-x-on-standby.txt", Status::RunningAsStandby),
        ("dspmq-x-on-active.txt", Status::Running),
    ] {
        let found = dspmq::parse(&sample(file));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].status, Some(status));
        assert_eq!(found[0].instances.len(), 2);
        assert_eq!(found[0].active().unwrap().name, "qm1-ibm-mq-0");
    }
}

#[test]
fn dspmq_native_ha_of_9_4_5() {
    let found = dspmq::parse(&sample("dspmq-nativeha-x-9.4.5.txt"));
    assert_eq!(found.len(), 1);
    let queue_manager = &found[0];
    assert_eq!(queue_manager.name.as_deref(), Some("QMNATIVE"));
    assert_eq!(queue_manager.status, None);
    assert_eq!(queue_manager.role, Some(Role::Active));
    assert_eq!(queue_manager.in_sync, Some(Answer::Yes));
    assert_eq!(
        queue_manager.quorum,
        Some(Quorum {
            in_sync: 3,
            configured: 3
        })
    );
    assert_eq!(queue_manager.fields.get("GRPLSN"), Some("<0:0:20:41720>"));
    assert_eq!(queue_manager.fields.get("INSTANCE"), Some("nha-rhel-crr-a1"));
    assert_eq!(queue_manager.instances.len(), 3);
    let last = &queue_manager.instances[2];
    assert_eq!(
        (last.name.as_str(), &last.role),
        ("nha-rhel-crr-a3", &Some(Role::Replica))
    );
    assert_eq!(
        (last.backlog_kib, &last.connected_to_active),
        (Some(0), &Some(Answer::Yes))
    );
    assert_eq!(last.fields.get("SYNCTIME"), Some("2026-06-18T19:40:07.705509Z"));
    assert_eq!(last.fields.get("HASTATUS"), Some("Normal"));

    let found = dspmq::parse(&sample("dspmq-nativeha-g-9.4.5.txt"));
    assert_eq!(found.len(), 1);
    let [live, recovery] = &found[0].groups[..] else {
        panic!("{found:?}")
    };
    assert_eq!(
        (live.name.as_str(), live.role.as_deref(), live.backlog_kib),
        ("Live", Some("Live"), None)
    );
    assert_eq!(
        (recovery.name.as_str(), recovery.status.as_deref()),
        ("Recovery", Some("Normal"))
    );
    assert_eq!(recovery.backlog_kib, Some(0));
    assert_eq!(recovery.fields.get("GRPADDR"), Some("10.99.0.82"));

    let found = dspmq::parse(&sample("dspmq-nativeha-g-groups-only.txt"));
    assert_eq!((found.len(), found[0].name.as_deref()), (1, None));
    assert_eq!(found[0].groups.len(), 2);
    assert_eq!(
        found[0].groups[0].fields.get("GRPADDR"),
        Some("10.99.0.71(9415),10.99.0.72(9415),10.99.0.73(9415)")
    );
    assert_eq!(found[0].groups[0].fields.get("BACKLOG"), Some("0"));
}

#[test]
fn dspmq_native_ha_of_9_2() {
    let found = dspmq::parse(&sample("dspmq-nativeha-x-9.2-active.txt"));
    assert_eq!(found[0].role, Some(Role::Active));
    assert_eq!(found[0].instances.len(), 3);
    assert_eq!(found[0].active().unwrap().fields.get("ALTTIME"), Some("12.03.44"));

    let found = dspmq::parse(&sample("dspmq-nativeha-x-9.2-replica.txt"));
    assert_eq!(
        (found[0].role.clone(), found[0].quorum),
        (
            Some(Role::Replica),
            Some(Quorum {
                in_sync: 2,
                configured: 3
            })
        )
    );
    let behind = found[0]
        .instances
        .iter()
        .find(|i| i.in_sync == Some(Answer::No))
        .unwrap();
    assert_eq!(
        (behind.name.as_str(), behind.backlog_kib),
        ("mq05ha-ibm-mq-1", Some(435))
    );

    let found = dspmq::parse(&sample("dspmq-nativeha-x-9.2-inactive.txt"));
    assert_eq!(
        (found[0].role.clone(), found[0].quorum),
        (
            Some(Role::Unknown),
            Some(Quorum {
                in_sync: 0,
                configured: 3
            })
        )
    );
    assert_eq!(found[0].in_sync, Some(Answer::No));
    for instance in &found[0].instances {
        assert_eq!((&instance.role, instance.backlog_kib), (&Some(Role::Unknown), None));
        assert_eq!(instance.fields.get("ALTDATE"), Some(""));
        assert_eq!(instance.in_sync, Some(Answer::Unknown));
    }

    let statuses: Vec<_> = dspmq::parse(&sample("dspmq-9.2-four-states.txt"))
        .into_iter()
        .filter_map(|q| q.status)
        .collect();
    assert_eq!(
        statuses,
        [
            Status::Running,
            Status::Replica,
            Status::EndedImmediately,
            Status::Negotiating
        ]
    );
    let roles: Vec<_> = dspmq::parse(&sample("dspmq-nativeha-9.2-one-line.txt"))
        .into_iter()
        .filter_map(|q| q.role)
        .collect();
    assert_eq!(roles, [Role::Active, Role::Replica, Role::Unknown]);
}

#[test]
fn qm_ini_of_native_ha() {
    let stanzas = stanza::parse(&sample("qm-ini-nativeha-crr.ini"));
    let titles: Vec<_> = stanzas.iter().map(|s| s.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "NativeHALocalInstance",
            "NativeHAInstance",
            "NativeHAInstance",
            "NativeHAInstance",
            "NativeHARecoveryGroup"
        ]
    );
    assert_eq!(stanzas[0].get("GroupLocalAddress"), Some("(4445)"));
    assert_eq!(stanzas[0].get("cipherspec"), Some("NULL"));
    assert_eq!(
        stanzas[2].get("ReplicationAddress"),
        Some("test-config-instance1(9145)")
    );
    assert_eq!(stanzas[4].get("Enabled"), Some("Yes"));
}

#[test]
fn rdqmstatus_of_both_dr_ha_sites() {
    let report = Report::parse(&sample("rdqmstatus-drha-primary.txt"));
    let local = &report.local;
    assert_eq!(local.node(), Some("wdc1-mq1"));
    assert_eq!(local.status(), Some(Status::Running));
    assert_eq!(
        (local.ha_role(), local.ha_status()),
        (Some(RdqmRole::Primary), Some(Replication::Normal))
    );
    assert_eq!(
        (local.dr_role(), local.dr_status()),
        (Some(RdqmRole::Primary), Some(Replication::Normal))
    );
    assert_eq!(local.get("DR port"), Some("7001"));
    assert_eq!(
        local.dr_remote_addresses(),
        ["10.240.0.4", "10.240.64.4", "10.240.128.4"]
    );
    assert_eq!((local.cpu_percent(), local.memory()), (Some(0.0), Some(182 << 20)));
    let allocated = (2.9 * f64::from(1 << 30)) as u64;
    assert_eq!(
        local.file_system(),
        Some(FileSystemUse {
            used: 58 << 20,
            allocated,
            percent: 2
        })
    );
    let peers: Vec<_> = report
        .peers
        .iter()
        .map(|p| (p.node().unwrap(), p.ha_status()))
        .collect();
    assert_eq!(
        peers,
        [
            ("wdc2-mq1", Some(Replication::Normal)),
            ("wdc3-mq1", Some(Replication::Normal))
        ]
    );

    let report = Report::parse(&sample("rdqmstatus-drha-secondary.txt"));
    assert_eq!(report.local.status(), Some(Status::EndedImmediately));
    assert_eq!(
        (report.local.ha_role(), report.local.dr_role()),
        (Some(RdqmRole::Primary), Some(RdqmRole::Secondary))
    );
    assert_eq!(
        (
            report.local.memory(),
            report.local.cpu_percent(),
            report.local.file_system()
        ),
        (None, None, None)
    );
    assert_eq!(report.peers.len(), 2);
}

#[test]
fn rdqmstatus_of_ha_in_trouble() {
    let report = Report::parse(&sample("rdqmstatus-ha-mixed.txt"));
    assert_eq!(report.local.ha_status(), Some(Replication::Mixed));
    assert_eq!(report.peers[0].ha_status(), Some(Replication::RemoteUnavailable));
    assert_eq!(report.peers[0].ha_out_of_sync(), Some(0));
    assert_eq!(report.peers[1].ha_status(), Some(Replication::Normal));
    assert!(
        report.notes.is_empty(),
        "the trailer of sudo is no part of the report: {:?}",
        report.notes
    );

    let report = Report::parse(&sample("rdqmstatus-ha-lost-quorum.txt"));
    assert_eq!(report.local.status(), Some(Status::RunningElsewhere));
    assert_eq!(
        (report.local.ha_role(), report.local.ha_status()),
        (Some(RdqmRole::Secondary), Some(Replication::RemoteUnavailable))
    );
    assert_eq!(
        report.local.get("HA current location"),
        Some("mqhavm14.hursley.ibm.com")
    );
    assert!(
        report
            .peers
            .iter()
            .all(|p| p.ha_status() == Some(Replication::RemoteUnavailable))
    );

    let report = Report::parse(&sample("rdqmstatus-ha-secondary.txt"));
    assert_eq!(
        (report.local.ha_role(), report.local.ha_status()),
        (Some(RdqmRole::Secondary), Some(Replication::Normal))
    );
    assert_eq!(report.peers.len(), 2);
}

#[test]
fn rdqmstatus_with_the_node_on_a_line_of_its_own() {
    let report = Report::parse(&sample("rdqmstatus-node-on-own-line.txt"));
    assert_eq!(report.local.node(), Some("node-a1"));
    assert_eq!(report.local.status(), Some(Status::Running));
    assert_eq!(report.local.get("DR port"), Some("8001"));
    let peers: Vec<_> = report.peers.iter().map(|p| (p.node(), p.ha_status())).collect();
    assert_eq!(
        peers,
        [
            (Some("node-a2"), Some(Replication::Normal)),
            (Some("node-a3"), Some(Replication::Normal))
        ]
    );
}

#[test]
fn rdqmstatus_summaries() {
    let report = Report::parse(&sample("rdqmstatus-summary-dr.txt"));
    assert_eq!(report.local.node(), Some("mqhavm07.exampleco.com"));
    assert_eq!(report.local.get("DRBD kernel module status"), Some("Loaded"));
    let shown: Vec<_> = report
        .queue_managers
        .iter()
        .map(|q| (q.get("Queue manager name").unwrap(), q.status(), q.dr_role()))
        .collect();
    assert_eq!(
        shown,
        [
            ("DRQM8", Some(Status::EndedImmediately), Some(RdqmRole::Secondary)),
            ("DRQM7", Some(Status::Running), Some(RdqmRole::Primary)),
        ]
    );

    let report = Report::parse(&sample("rdqmstatus-summary-drha.txt"));
    assert_eq!(report.local.node(), Some("vm-jc-2-uksouth"));
    assert_eq!(report.queue_managers.len(), 1);
    assert_eq!(report.queue_managers[0].get("HA current location"), Some("This node"));

    let nodes = rdqmstatus::parse_nodes(&sample("rdqmstatus-nodes.txt"));
    let nodes: Vec<_> = nodes.iter().map(|n| (n.node.as_str(), n.online)).collect();
    assert_eq!(
        nodes,
        [("colgrave-vsi-rdqm-eu-gb-2", true), ("colgrave-vsi-rdqm-eu-gb-3", true)]
    );
}

#[test]
fn dspmqver_and_dspmqinf() {
    let version = Version::parse(&sample("dspmqver-9.0.txt")).unwrap();
    assert_eq!(version.to_string(), "IBM MQ 9.0.0.0");
    assert_eq!(version.numbers(), [9, 0, 0, 0]);
    assert_eq!(version.get("InstPath"), Some("/opt/mqm"));
    assert_eq!(
        (version.get("InstDesc"), version.get("LicenseType")),
        (Some(""), Some("Developer"))
    );
    assert!(!version.is_stand_in());

    for (file, name, directory) in [
        ("dspmqinf-plain.txt", "foo", "foo"),
        ("dspmqinf-slash.txt", "a/b", "a&b"),
        ("dspmqinf-dots.txt", "..", "!!"),
    ] {
        let stanzas = stanza::parse(&sample(file));
        assert_eq!(stanzas.len(), 1);
        assert_eq!(stanzas[0].title, "QueueManager");
        assert_eq!(
            (stanzas[0].get("Name"), stanzas[0].get("Directory")),
            (Some(name), Some(directory))
        );
        assert_eq!(stanzas[0].get("InstallationName"), Some("Installation1"));
        assert_eq!(
            mqaws_contract::PathComponent::of_queue_manager(name).as_str(),
            directory
        );
        assert_eq!(
            stanzas[0].data_path().unwrap(),
            PathBuf::from("/var/mqm/qmgrs").join(directory)
        );
    }
}

#[test]
fn drbd_status_and_quorum() {
    let resources = drbd::parse(&sample("drbdadm-healthy.txt"));
    assert_eq!(resources.len(), 1);
    assert_eq!(
        (resources[0].name.as_str(), &resources[0].role),
        ("QM1", &Some(DrbdRole::Primary))
    );
    assert_eq!(resources[0].disk, Some(Disk::UpToDate));
    let peers: Vec<_> = resources[0]
        .peers
        .iter()
        .map(|p| (p.name.as_str(), p.role.clone(), p.disk.clone()))
        .collect();
    let secondary = (Some(DrbdRole::Secondary), Some(Disk::UpToDate));
    assert_eq!(
        peers,
        [
            ("ip-10-0-2-63", secondary.0.clone(), secondary.1.clone()),
            ("ip-10-0-3-4", secondary.0, secondary.1)
        ]
    );

    let resources = drbd::parse(&sample("drbdadm-synchronising.txt"));
    let behind = &resources[0].peers[1];
    assert_eq!(
        (behind.name.as_str(), &behind.disk),
        ("mqhavm15.hursley.ibm.com", &Some(Disk::Inconsistent))
    );
    assert_eq!(
        (behind.replication.as_deref(), behind.done_percent),
        (Some("SyncSource"), Some(90.91))
    );

    let changes: Vec<_> = sample("drbd-kernel-quorum.txt")
        .lines()
        .filter_map(drbd::quorum_change)
        .collect();
    assert_eq!(
        changes
            .iter()
            .map(|c| (c.resource.as_str(), c.quorum))
            .collect::<Vec<_>>(),
        [("haqm1", false), ("haqm1", true)]
    );
}

#[test]
fn progress_of_replicated_queue_managers() {
    let read = |file| sample(file).lines().map(Progress::parse).collect::<Vec<_>>();
    let name = || "QMRDQM".to_owned();
    assert_eq!(
        read("rdqm-stop.txt"),
        [
            Progress::ReplicationDisabled,
            Progress::WaitingForEnd(name()),
            Progress::Ended(name())
        ]
    );
    assert_eq!(
        read("rdqm-start.txt"),
        [
            Progress::Starting(name()),
            Progress::ReplicationEnabled,
            Progress::Started {
                name: name(),
                version: "9.4.5.0".into()
            }
        ]
    );
    assert_eq!(
        read("rdqm-crtmqm.txt"),
        [
            Progress::Other("Creating replicated data queue manager configuration.".into()),
            Progress::SecondaryCreated("colgrave-vsi-rdqm-eu-gb-2".into()),
            Progress::SecondaryCreated("colgrave-vsi-rdqm-eu-gb-3".into()),
            Progress::Created(None),
            Progress::DirectoryCreated("/var/mqm/vols/qm1/qmgr/qm1".into()),
            Progress::Installation("Installation1".into()),
            Progress::Other("Creating or replacing default objects for queue manager 'QM1'.".into()),
            Progress::DefaultObjects {
                created: 84,
                replaced: 0,
                failed: 0
            },
            Progress::Other("Completing setup.".into()),
            Progress::Other("Setup completed.".into()),
            Progress::Other("Enabling replicated data queue manager.".into()),
            Progress::ReplicationEnabled,
            Progress::RunWithSudo("/opt/mqm/bin/crtmqm".into()),
        ]
    );
    assert_eq!(
        Progress::parse("IBM MQ queue manager 'DRHAQM1' created."),
        Progress::Created(Some("DRHAQM1".into()))
    );
}

#[test]
fn a_missing_licence() {
    let text = sample("systemd-no-licence.txt");
    let message = Message {
        number: 7128,
        severity: Some(Severity::Error),
        text: "No license installed for this copy of IBM MQ.".into(),
    };
    assert_eq!(messages::messages(&text), std::slice::from_ref(&message));
    assert_eq!(message.id(), "AMQ7128E");
    assert_eq!(text.lines().find_map(messages::control_process_status), Some(71));
    assert!(messages::reason(&text).unwrap().contains("AMQ7128E"));
}

mod any_text {
    use super::*;
    use proptest::prelude::*;

    /// Lines that look like what the commands print, with anything in them.
    fn text() -> impl Strategy<Value = String> {
        let line = prop_oneof![
            "\\PC{0,60}",
            "(QMNAME|INSTANCE|GRPNAME)\\([A-Za-z0-9()]{0,12}\\)? +STATUS\\([A-Za-z -]{0,16}\\)",
            "(Node|HA status|DR status|CPU|Memory|Queue manager file system): *[A-Za-z0-9.%,\\[\\] ]{0,30}",
            " {0,6}[a-z0-9.-]{0,10} (role|disk|peer-disk|done|replication):[A-Za-z0-9.]{0,12}",
            "AMQ[0-9]{3,5}[A-Z]?:? .{0,20}",
        ];
        proptest::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
    }

    proptest! {
        #[test]
        fn no_parser_fails(text in text()) {
            dspmq::parse(&text);
            Report::parse(&text);
            rdqmstatus::parse_nodes(&text);
            drbd::parse(&text);
            stanza::parse(&text);
            Version::parse(&text);
            messages::messages(&text);
            messages::reason(&text);
            for line in text.lines() {
                drbd::quorum_change(line);
                Progress::parse(line);
                messages::control_process_status(line);
            }
        }

        #[test]
        fn what_is_not_known_is_kept(status in "[A-Z][A-Za-z ]{0,20}[a-z]", field in "[A-Z]{3,8}", value in "[a-z0-9]{1,9}") {
            let text = format!("QMNAME(QM1)   STATUS({status}) X{field}({value})\n");
            let found = dspmq::parse(&text);
            prop_assert_eq!(found[0].fields.get(&format!("X{field}")), Some(value.as_str()));
            let read = found[0].status.clone().unwrap();
            prop_assert_eq!(read.to_string().to_lowercase(), status.to_lowercase());

            let text = format!("Node: a\nHA status:    {status}\n{field} thing: {value}\n");
            let report = Report::parse(&text);
            prop_assert_eq!(report.local.get(&format!("{field} thing")), Some(value.as_str()));
            prop_assert!(report.local.ha_status().is_some());
        }
    }
}
