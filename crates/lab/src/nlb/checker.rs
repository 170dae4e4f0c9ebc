//! The checker of one target.

use super::pool::{Pool, Usage};
use super::probe;
use super::target::{Phase, TargetKey};
use std::net::SocketAddr;
use std::sync::Weak;
use tokio::sync::watch;

/// Waits until the group is in use, then for the registration, then checks until the group is no longer in use.
pub(super) async fn keep_checking(
    pool: Weak<Pool>,
    mut usage: watch::Receiver<Option<Usage>>,
    key: TargetKey,
    target: SocketAddr,
) {
    loop {
        if usage.wait_for(Option::is_some).await.is_err() {
            return;
        }
        let Some(registration) = pool.upgrade().map(|p| p.settings().registration) else {
            return;
        };
        tokio::select! {
            () = tokio::time::sleep(registration) => {}
            _ = usage.wait_for(Option::is_none) => continue,
        }
        if !pool.upgrade().is_some_and(|p| p.enter(&key, Phase::Checking)) {
            return;
        }
        loop {
            let Some((check, network)) = pool.upgrade().map(|p| (p.settings().check, p.network().clone())) else {
                return;
            };
            let next = tokio::time::Instant::now() + check.interval;
            let passed = probe::check(&network, target, &check).await;
            if !pool.upgrade().is_some_and(|p| p.observe(&key, passed)) {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                _ = usage.wait_for(Option::is_none) => break,
            }
        }
        if !pool.upgrade().is_some_and(|p| p.enter(&key, Phase::Registering)) {
            return;
        }
    }
}
