//! Where the services are.

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
        }
    }

    /// Version of the query API; `None` for a service that speaks JSON.
    pub(super) fn version(self) -> Option<&'static str> {
        match self {
            Self::Ec2 => Some("2016-11-15"),
            Self::AutoScaling => Some("2011-01-01"),
            Self::CloudFormation => Some("2010-05-15"),
            Self::CloudWatch => Some("2010-08-01"),
            Self::SecretsManager | Self::Efs => None,
        }
    }
}

/// One endpoint for all services, or the public ones of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    region: String,
    every: Option<String>,
}

impl Endpoints {
    /// The endpoints of a region; `every`, when given, stands in for all of them.
    pub fn new(region: &str, every: Option<&str>) -> Self {
        Self {
            region: region.to_owned(),
            every: every
                .filter(|e| !e.is_empty())
                .map(|e| e.trim_end_matches('/').to_owned()),
        }
    }

    /// The endpoints of a region, or the one named by `AWS_ENDPOINT_URL`.
    pub fn from_env(region: &str) -> Self {
        Self::new(region, std::env::var("AWS_ENDPOINT_URL").ok().as_deref())
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// URL of a service, with a path of `/`.
    pub fn url(&self, service: Service) -> String {
        match &self.every {
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

/// DNS suffix of the region's partition.
pub fn dns_suffix(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "amazonaws.com.cn",
        r if r.starts_with("us-iso-") => "c2s.ic.gov",
        r if r.starts_with("us-isob-") => "sc2s.sgov.gov",
        r if r.starts_with("eusc-") => "amazonaws.eu",
        _ => "amazonaws.com",
    }
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
    }
}
