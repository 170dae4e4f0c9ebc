//! The parts of an ARN.

use mqaws_contract::Partition;

/// An ARN of a partition that there is, in one of its regions or in none.
#[derive(Debug, Clone, Copy)]
pub(in crate::model) struct Arn<'a> {
    /// The partition.
    pub partition: &'static Partition,
    /// The service, `kms`.
    pub service: &'a str,
    /// The region; empty for what belongs to the whole partition.
    pub region: &'a str,
    /// The account, or `aws` for what is AWS's own.
    pub account: &'a str,
    /// What the service calls it, `key/ID`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads an ARN; `None` for a text that is none.
    pub(in crate::model) fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        if next()? != "arn" {
            return None;
        }
        let arn = Self {
            partition: Partition::named(next()?)?,
            service: next()?,
            region: next()?,
            account: next()?,
            resource: next()?,
        };
        let is_account = arn.account == "aws" || is_account(arn.account);
        let is_there = arn.region.is_empty() || arn.partition.has(arn.region);
        let is_named = !arn.resource.is_empty() && arn.resource.bytes().all(|byte| byte.is_ascii_graphic());
        (is_account && is_there && is_named).then_some(arn)
    }

    /// The rest of the resource's name, if it is of a service in a region and of an account, and begins so.
    pub(in crate::model) fn regional(&self, service: &str, kind: &str) -> Option<&'a str> {
        let fits = self.service == service && !self.region.is_empty() && is_account(self.account);
        fits.then(|| self.resource.strip_prefix(kind))?
            .filter(|rest| !rest.is_empty())
    }

    /// The rest of the resource's name, if it is of a service that has no regions, and begins so.
    pub(in crate::model) fn global(&self, service: &str, kind: &str) -> Option<&'a str> {
        let fits = self.service == service && self.region.is_empty();
        fits.then(|| self.resource.strip_prefix(kind))?
            .filter(|rest| !rest.is_empty())
    }
}

pub(in crate::model) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
