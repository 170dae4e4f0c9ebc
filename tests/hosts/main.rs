//! One writer on real hosts: the agent with its real wiring and units (in its dev profile), under systemd and cloud-init, on a kernel of its own, with NFSv4.1.
//!
//! The hosts are User-Mode Linux guests, the server is nfs-ganesha, the cloud is the lab, the queue manager is the stand-in (a
//! test double). What each story demands is read on the server's side of the data, where the stand-in stamps every record
//! with the epoch of its writer. Needs root and the packages that `scripts/test` installs; else each test prints `SKIPPED hosts`
//! and why, or fails under `MQAWS_REQUIRE_HOSTS=1`.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)] // What a story cannot have has failed it.

mod bench;
mod guest;
mod lasting;
mod load;
mod locks;
mod phases;
mod provision;
mod records;
mod rig;
mod site;
mod standby;
mod stories;
#[allow(dead_code, unused_imports, reason = "stories of the local cloud want more")]
#[path = "../support/mod.rs"]
mod support;

macro_rules! stories {
    ($($file:ident::$name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            rig::in_rig(stringify!($name), $file::$name);
        })*
    };
}

stories!(
    stories::the_lock_on_nfs_obeys_every_rule_of_a_lock_between_two_hosts,
    stories::the_power_goes_off_and_another_zone_serves_the_same_messages,
    stories::a_host_that_is_cut_off_resets_itself_and_nothing_of_it_arrives_later,
    stories::a_host_that_wakes_after_its_lease_writes_nothing_into_its_successors_data,
    lasting::a_dead_agent_and_a_server_that_stands_still_cost_no_message_and_no_host,
    lasting::a_host_without_names_with_a_wrong_clock_or_a_full_disk_serves_on,
    lasting::a_host_whose_systemd_stands_still_is_reset_by_its_watchdog,
    lasting::a_full_shared_file_system_ends_nothing_but_the_service,
    stories::a_replacement_waits_for_the_drain_of_the_one_that_still_runs,
    standby::the_one_that_waits_serves_after_the_power_of_the_active_one_went_off,
    standby::an_active_host_that_wakes_after_its_lease_writes_nothing_into_the_standbys_data,
    standby::a_planned_move_under_load_loses_nothing_and_both_hosts_change_places,
    standby::a_killed_process_a_lost_standby_and_a_lost_zone_cost_no_message_under_load,
    standby::an_active_host_without_its_storage_is_ended_and_the_standby_serves,
    bench::starts_by_phase,
);
