//! Names of interfaces, `namespace:package/name@version`, and which version stands in
//! for which: semantic versioning, as WebAssembly's own tools read it.

/// The name of an interface, read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Interface<'a> {
    /// All but the version.
    pub(super) path: &'a str,
    /// The version as written; none when there is none.
    pub(super) version: Option<&'a str>,
}

impl<'a> Interface<'a> {
    pub(super) fn of(name: &'a str) -> Interface<'a> {
        match name.split_once('@') {
            Some((path, version)) => Interface {
                path,
                version: Some(version),
            },
            None => Interface {
                path: name,
                version: None,
            },
        }
    }

    /// Whether an export of this name satisfies an import of the name `wanted`: the same
    /// version, or a later one that promises to be compatible. A version that is not
    /// three numbers promises nothing.
    pub(super) fn satisfies(&self, wanted: &Interface<'_>) -> bool {
        if self.path != wanted.path {
            return false;
        }
        match (self.numbers(), wanted.numbers()) {
            (Some(own), Some(wanted)) => own >= wanted && track(own) == track(wanted),
            _ => self.version == wanted.version,
        }
    }

    /// The version's three numbers.
    pub(super) fn numbers(&self) -> Option<[u64; 3]> {
        let mut parts = self.version?.split('.').map(|part| part.parse().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(numbers)
    }
}

/// What compatible versions have in common.
fn track([major, minor, patch]: [u64; 3]) -> [u64; 3] {
    match (major, minor) {
        (0, 0) => [0, 0, patch],
        (0, minor) => [0, minor, 0],
        (major, _) => [major, 0, 0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        let check = |export: &str, import: &str, want: bool| {
            let got = Interface::of(export).satisfies(&Interface::of(import));
            assert_eq!(got, want, "{export} for {import}");
        };
        check("a:b/c@1.0.0", "a:b/c@1.0.0", true);
        check("a:b/c@1.3.0", "a:b/c@1.0.7", true);
        check("a:b/c@1.0.0", "a:b/c@1.0.1", false);
        check("a:b/c@2.0.0", "a:b/c@1.0.0", false);
        check("a:b/c@0.2.9", "a:b/c@0.2.1", true);
        check("a:b/c@0.3.0", "a:b/c@0.2.1", false);
        check("a:b/c@0.0.2", "a:b/c@0.0.1", false);
        check("a:b/c@0.0.1", "a:b/c@0.0.1", true);
        check("a:b/c@1.0.0-rc.1", "a:b/c@1.0.0-rc.1", true);
        check("a:b/c@1.0.0", "a:b/c@1.0.0-rc.1", false);
        check("a:b/c@1.1.0-rc.1", "a:b/c@1.0.0", false);
        check("a:b/c", "a:b/c", true);
        check("a:b/c@1.0.0", "a:b/c", false);
        check("a:b/d@1.0.0", "a:b/c@1.0.0", false);
    }
}
