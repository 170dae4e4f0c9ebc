//! Where the services are.

use mqaws_contract::Partition;

/// Services that the agent calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// EC2.
    Ec2,
    /// EC2 Auto Scaling.
    AutoScaling,
    /// CloudFormation.
    CloudFormation,
    /// CloudWatch metrics.
    CloudWatch,
    /// Secrets Manager.
    SecretsManager,
    /// EFS.
    Efs,
    /// S3, its buckets as paths.
    S3,
}

impl Service {
    /// Name in the signature's scope, and first label of the host name: the same for all of these.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ec2 => "ec2",
            Self::AutoScaling => "autoscaling",
            Self::CloudFormation => "cloudformation",
            Self::CloudWatch => "monitoring",
            Self::SecretsManager => "secretsmanager",
            Self::Efs => "elasticfilesystem",
            Self::S3 => "s3",
        }
    }

    /// Version of the query API; `None` for a service that has none.
    pub(super) fn version(self) -> Option<&'static str> {
        match self {
            Self::Ec2 => Some("2016-11-15"),
            Self::AutoScaling => Some("2011-01-01"),
            Self::CloudFormation => Some("2010-05-15"),
            Self::CloudWatch => Some("2010-08-01"),
            Self::SecretsManager | Self::Efs | Self::S3 => None,
        }
    }
}

/// One endpoint for all services, or the public ones of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    region: String,
    every: Option<String>,
    s3: Option<String>,
}

impl Endpoints {
    /// The endpoints of a region; `every`, when given, stands in for all of them.
    pub fn new(region: &str, every: Option<&str>) -> Self {
        Self {
            region: region.to_owned(),
            every: every.and_then(trimmed),
            s3: None,
        }
    }

    /// The endpoints of a region, or the one named by `AWS_ENDPOINT_URL`; for S3 that of `AWS_ENDPOINT_URL_S3`.
    pub(crate) fn from_env(region: &str) -> Self {
        let named = |variable: &str| std::env::var(variable).ok();
        let all = Self::new(region, named("AWS_ENDPOINT_URL").as_deref());
        Self {
            s3: named("AWS_ENDPOINT_URL_S3").as_deref().and_then(trimmed),
            ..all
        }
    }

    /// The region.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// URL of a service, with a path of `/`.
    pub(crate) fn url(&self, service: Service) -> String {
        let own = self.s3.as_ref().filter(|_| service == Service::S3);
        match own.or(self.every.as_ref()) {
            Some(url) => format!("{url}/"),
            None => format!(
                "https://{}.{}.{}/",
                service.name(),
                self.region,
                dns_suffix(&self.region)
            ),
        }
    }
}

fn trimmed(url: &str) -> Option<String> {
    Some(url.trim_end_matches('/').to_owned()).filter(|u| !u.is_empty())
}

/// DNS suffix of the region's partition.
pub fn dns_suffix(region: &str) -> &'static str {
    Partition::of(region).map_or("amazonaws.com", |partition| partition.dns_suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_by_partition_and_one_for_all() {
        let cases = [
            ("eu-west-1", None, Service::Ec2, "https://ec2.eu-west-1.amazonaws.com/"),
            (
                "us-gov-west-1",
                None,
                Service::AutoScaling,
                "https://autoscaling.us-gov-west-1.amazonaws.com/",
            ),
            (
                "cn-north-1",
                None,
                Service::CloudWatch,
                "https://monitoring.cn-north-1.amazonaws.com.cn/",
            ),
            (
                "us-iso-east-1",
                None,
                Service::Ec2,
                "https://ec2.us-iso-east-1.c2s.ic.gov/",
            ),
            (
                "us-isof-south-1",
                None,
                Service::Ec2,
                "https://ec2.us-isof-south-1.csp.hci.ic.gov/",
            ),
            (
                "eu-west-1",
                Some("http://127.77.0.1:4566/"),
                Service::SecretsManager,
                "http://127.77.0.1:4566/",
            ),
            (
                "eu-west-1",
                Some(""),
                Service::CloudFormation,
                "https://cloudformation.eu-west-1.amazonaws.com/",
            ),
        ];
        for (region, every, service, expected) in cases {
            assert_eq!(Endpoints::new(region, every).url(service), expected);
        }
        let mut own = Endpoints::new("eu-west-1", Some("http://127.77.0.1:4566"));
        own.s3 = Some("http://127.77.0.1:9000".to_owned());
        assert_eq!(own.url(Service::S3), "http://127.77.0.1:9000/");
        assert_eq!(own.url(Service::Ec2), "http://127.77.0.1:4566/");
    }
}
