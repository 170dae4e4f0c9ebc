//! Flags in MQ's style: `-md DIR`, `-q`, and the name of the queue manager last.

/// What a command line said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Flags {
    /// Flags with their values, empty for those that take none.
    given: Vec<(String, String)>,
    /// What is no flag.
    pub(crate) names: Vec<String>,
}

impl Flags {
    /// Reads a command line; the word that is wrong otherwise. A flag may be given once, unless it is in `repeated`.
    pub(super) fn parse(args: &[String], valued: &[&str], plain: &[&str]) -> Result<Self, String> {
        let mut flags = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if !arg.starts_with('-') {
                flags.names.push(arg.clone());
            } else if valued.contains(&arg.as_str()) {
                let value = args.next().filter(|v| !v.is_empty()).ok_or_else(|| arg.clone())?;
                flags.given.push((arg.clone(), value.clone()));
            } else if plain.contains(&arg.as_str()) {
                flags.given.push((arg.clone(), String::new()));
            } else {
                return Err(arg.clone());
            }
        }
        Ok(flags)
    }

    pub(super) fn has(&self, flag: &str) -> bool {
        self.given.iter().any(|(f, _)| f == flag)
    }

    pub(super) fn value(&self, flag: &str) -> Option<&str> {
        self.given.iter().find(|(f, _)| f == flag).map(|(_, v)| v.as_str())
    }

    /// Every value of a flag that may be repeated.
    pub(super) fn values(&self, flag: &str) -> impl Iterator<Item = &str> {
        self.given
            .iter()
            .filter(move |(f, _)| f == flag)
            .map(|(_, v)| v.as_str())
    }

    /// The one name, when there is exactly one.
    pub(super) fn name(&self) -> Option<&str> {
        match &self.names[..] {
            [name] => Some(name),
            _ => None,
        }
    }

    /// How many of these flags were given.
    pub(super) fn count(&self, flags: &[&str]) -> usize {
        flags.iter().filter(|f| self.has(f)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_values_and_names() {
        let args = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let flags = Flags::parse(&args("-md /a -v A=1 -v B=2 -q QM1"), &["-md", "-v"], &["-q"]).unwrap();
        assert_eq!(
            (flags.value("-md"), flags.has("-q"), flags.name()),
            (Some("/a"), true, Some("QM1"))
        );
        assert_eq!(flags.values("-v").collect::<Vec<_>>(), ["A=1", "B=2"]);
        assert_eq!(Flags::parse(&args("-zz QM1"), &[], &[]), Err("-zz".to_owned()));
        assert_eq!(Flags::parse(&args("-md"), &["-md"], &[]), Err("-md".to_owned()));
        assert_eq!(Flags::parse(&args("A B"), &[], &[]).unwrap().name(), None);
    }
}
