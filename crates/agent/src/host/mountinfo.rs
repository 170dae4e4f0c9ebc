//! What is mounted, read from the kernel's list: no look at the mount itself, which may hang.

use std::path::Path;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mounted {
    /// The superblock's device number, `major:minor`: another mount at the same place has another.
    pub(crate) device: String,
    /// File system type, `nfs4`.
    pub(crate) kind: String,
    /// What is mounted, `name:/path` of an NFS mount.
    pub(crate) source: String,
    /// Options of the superblock.
    pub(crate) options: Vec<String>,
}

/// The mount that is seen at `point`, by the text of `/proc/self/mountinfo`.
pub(crate) fn at(mountinfo: &str, point: &Path) -> Option<Mounted> {
    // Later lines lie above earlier ones.
    mountinfo.lines().filter_map(|line| parse(line, point)).next_back()
}

fn parse(line: &str, point: &Path) -> Option<Mounted> {
    let (place, what) = line.split_once(" - ")?;
    let place: Vec<&str> = place.split(' ').collect();
    if Path::new(&unescape(place.get(4)?)) != point {
        return None;
    }
    let mut what = what.split(' ');
    Some(Mounted {
        device: (*place.get(2)?).to_owned(),
        kind: what.next()?.to_owned(),
        source: unescape(what.next()?),
        options: what.next().unwrap_or_default().split(',').map(str::to_owned).collect(),
    })
}

/// The kernel writes blanks and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let rest: Vec<u8> = bytes.clone().take(3).collect();
        let code = std::str::from_utf8(&rest)
            .ok()
            .filter(|r| byte == b'\\' && r.len() == 3)
            .and_then(|r| u8::from_str_radix(r, 8).ok());
        match code {
            Some(code) => {
                out.push(code);
                bytes.nth(2);
            }
            None => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Mounted {
    /// Whether it can carry a lock that fences: NFS 4.1 or later, hard, with the server's own locks.
    ///
    /// # Errors
    /// In words: what is wrong with it.
    pub(crate) fn fences(&self) -> Result<(), String> {
        if self.kind != "nfs4" {
            return Err(format!("{} of type {} is mounted there", self.source, self.kind));
        }
        let has = |option: &str| self.options.iter().any(|o| o == option);
        if has("soft") || has("softerr") || !has("hard") {
            return Err(format!(
                "{} is not mounted with `hard`, so a stall could lose writes",
                self.source
            ));
        }
        if !has("vers=4.1") && !has("vers=4.2") {
            return Err(format!("{} is not mounted with NFS 4.1", self.source));
        }
        match self
            .options
            .iter()
            .find(|o| o.starts_with("local_lock=") && *o != "local_lock=none")
        {
            Some(local) => Err(format!(
                "{} is mounted with {local}: its locks are local to this host",
                self.source
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
22 1 0:20 / / rw,relatime shared:1 - ext4 /dev/root rw
60 22 0:31 / /mnt/mqaws rw - tmpfs tmpfs rw
61 22 0:45 / /mnt/mqaws rw,relatime shared:30 master:2 - nfs4 fs-1.efs.eu-west-1.amazonaws.com:/ rw,vers=4.1,rsize=1048576,wsize=1048576,namlen=255,hard,noresvport,proto=tcp,timeo=600,retrans=2,sec=sys,clientaddr=10.0.0.4,local_lock=none,addr=10.0.0.9
62 22 0:46 / /mnt/a\\040b rw - nfs4 x:/ rw,vers=4.2,soft,local_lock=none";

    #[test]
    fn the_uppermost_mount_counts_and_names_are_unescaped() {
        let mounted = at(TEXT, Path::new("/mnt/mqaws")).expect("mounted");
        assert_eq!(
            (mounted.device.as_str(), mounted.kind.as_str(), mounted.source.as_str()),
            ("0:45", "nfs4", "fs-1.efs.eu-west-1.amazonaws.com:/")
        );
        mounted.fences().expect("as it should be");
        assert!(at(TEXT, Path::new("/mnt/a b")).expect("mounted").fences().is_err());
        assert_eq!(at(TEXT, Path::new("/mnt")), None);
        assert_eq!(at("\n - \nx - y z", Path::new("/")), None);
    }

    #[test]
    fn what_cannot_fence_is_refused() {
        let good = at(TEXT, Path::new("/mnt/mqaws")).expect("mounted");
        let with = |from: &str, to: &str| {
            let mut bad = good.clone();
            bad.options = bad
                .options
                .iter()
                .map(|o| if o == from { to.to_owned() } else { o.clone() })
                .collect();
            bad.fences()
        };
        with("vers=4.1", "vers=4.2").expect("later");
        for (from, to) in [
            ("hard", "soft"),
            ("vers=4.1", "vers=4.0"),
            ("vers=4.1", "vers=3"),
            ("local_lock=none", "local_lock=all"),
        ] {
            assert!(with(from, to).is_err(), "{to}");
        }
        let tmpfs = Mounted {
            kind: "tmpfs".into(),
            ..good
        };
        assert!(tmpfs.fences().expect_err("no NFS").contains("type tmpfs"));
    }
}
