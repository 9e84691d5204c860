//! Matching: for each open import the one library that exports it, and for what that
//! imports likewise.

use super::interface::Interface;
use super::{Library, Link, Wiring, is_open};
use crate::suggest;
use wasmhost_proto::Digest;
use wasmhost_proto::api::Diagnostic;
use wasmhost_proto::limits::{MAX_COMPOSED_LIBRARIES, MAX_DIAGNOSTICS};

const TOO_LARGE: &str = "too-large";
const ADD: &str = "register one that does: `wasmhost library add FILE`";

/// Finds the libraries that a module with these imports needs; none when it needs none.
///
/// # Errors
/// Every import that nothing satisfies or that several libraries would, libraries that
/// need each other in a circle, and too many of them; all without a place.
pub fn wire(
    module: Digest,
    imports: &[String],
    libraries: &[Library],
) -> Result<Option<Wiring>, Vec<Diagnostic>> {
    if !imports.iter().any(|import| is_open(import)) {
        return Ok(None);
    }
    let mut search = Search {
        libraries,
        path: Vec::new(),
        chosen: Vec::new(),
        links: Vec::new(),
        faults: Vec::new(),
    };
    search.satisfy(None, imports);
    let Search {
        chosen,
        mut links,
        faults,
        ..
    } = search;
    if !faults.is_empty() {
        return Err(faults);
    }
    let place = |library: usize| chosen.iter().position(|c| *c == library);
    for link in &mut links {
        // What no fault is said of has a place.
        link.user = link.user.and_then(place);
        link.library = place(link.library).unwrap_or_default();
    }
    let chosen = chosen.iter().map(|library| libraries[*library].clone());
    Ok(Some(Wiring {
        module,
        libraries: chosen.collect(),
        links,
    }))
}

struct Search<'a> {
    libraries: &'a [Library],
    /// The libraries whose imports are being looked up, from the module's on.
    path: Vec<usize>,
    /// Those that are wired, each after what it uses.
    chosen: Vec<usize>,
    /// By place in `libraries` until all are found.
    links: Vec<Link>,
    faults: Vec<Diagnostic>,
}

impl Search<'_> {
    /// Looks the open imports of the module or a library up.
    fn satisfy(&mut self, user: Option<usize>, imports: &[String]) {
        for import in imports.iter().filter(|import| is_open(import)) {
            if self.faults.len() == MAX_DIAGNOSTICS {
                return;
            }
            match &*self.exporters(import) {
                [] => self.nothing(user, import),
                [(library, export)] => self.link(user, import, *library, export),
                several => self.several(user, import, several),
            }
        }
    }

    /// Those that export what satisfies an import, and under which name. Two names of
    /// one content are one library.
    fn exporters(&self, import: &str) -> Vec<(usize, String)> {
        let wanted = Interface::of(import);
        let mut found: Vec<(usize, String)> = Vec::new();
        for (at, library) in self.libraries.iter().enumerate() {
            let fits = |export: &&String| Interface::of(export).satisfies(&wanted);
            let best = library
                .exports
                .iter()
                .filter(fits)
                .max_by_key(|export| (*export == import, Interface::of(export).numbers()));
            let known =
                |(other, _): &(usize, String)| self.libraries[*other].digest == library.digest;
            if let Some(export) = best
                && !found.iter().any(known)
            {
                found.push((at, export.clone()));
            }
        }
        found
    }

    fn link(&mut self, user: Option<usize>, import: &str, library: usize, export: &str) {
        if let Some(from) = self.path.iter().position(|other| *other == library) {
            return self.circle(from, import);
        }
        self.links.push(Link {
            user,
            import: import.to_owned(),
            library,
            export: export.to_owned(),
        });
        if self.chosen.contains(&library) {
            return;
        }
        // Bounds the depth, too.
        if self.chosen.len() + self.path.len() == MAX_COMPOSED_LIBRARIES {
            return self.too_many();
        }
        self.path.push(library);
        let libraries = self.libraries;
        self.satisfy(Some(library), &libraries[library].imports);
        self.path.pop();
        self.chosen.push(library);
    }

    fn too_many(&mut self) {
        let known = self.faults.iter().any(|fault| fault.code == TOO_LARGE);
        if !known {
            let message = format!("the module needs more than {MAX_COMPOSED_LIBRARIES} libraries");
            let help = "put libraries that go together into one";
            self.fault(TOO_LARGE, message, help.to_owned());
        }
    }

    fn nothing(&mut self, user: Option<usize>, import: &str) {
        let wanted = Interface::of(import);
        let all = || {
            let each = self.libraries.iter();
            each.flat_map(|l| l.exports.iter().map(move |export| (l, export.as_str())))
        };
        let other = all().find(|(_, export)| Interface::of(export).path == wanted.path);
        let paths: Vec<&str> = all().map(|(_, export)| export).collect();
        let help = match (other, suggest::nearest(import, &paths)) {
            (Some((library, export)), _) => {
                let (name, own) = (&library.name, Interface::of(export));
                let older = matches!((own.numbers(), wanted.numbers()), (Some(own), Some(wanted)) if own < wanted);
                let what = if older { "too old" } else { "not compatible" };
                format!("the library `{name}` exports '{export}', which is {what}; {ADD}")
            }
            (None, Some(near)) => format!("did you mean '{near}'? Or {ADD}"),
            (None, None) => {
                format!("sandboxes do not have it, and no library exports it; {ADD}")
            }
        };
        let message = format!("nothing satisfies {}", self.whose(user, import));
        self.fault("unsatisfied-import", message, help);
    }

    fn several(&mut self, user: Option<usize>, import: &str, found: &[(usize, String)]) {
        let names = found
            .iter()
            .map(|(at, export)| format!("`{}` ('{export}')", self.libraries[*at].name));
        let names: Vec<String> = names.collect();
        let message = format!(
            "{} libraries satisfy {}: {}",
            names.len(),
            self.whose(user, import),
            names.join(", ")
        );
        let help = "keep one of them: `wasmhost library remove NAME`; \
            jobs and stored definitions go on with what they have";
        self.fault("ambiguous-import", message, help.to_owned());
    }

    /// The library at `from` of the path is needed by the last one.
    fn circle(&mut self, from: usize, import: &str) {
        let name = |library: &usize| format!("`{}`", self.libraries[*library].name);
        let names: Vec<String> = self.path[from..].iter().map(name).collect();
        let first = names.first().cloned().unwrap_or_default();
        let message = match names.as_slice() {
            [one] => format!("the library {one} imports '{import}', which it exports itself"),
            _ => format!(
                "libraries need each other in a circle: {}, {first} again",
                names.join(", then ")
            ),
        };
        let help = "a library can only use those that do without it: split it, or take one away";
        self.fault("library-cycle", message, help.to_owned());
    }

    fn whose(&self, user: Option<usize>, import: &str) -> String {
        match user {
            None => format!("the import '{import}' of the module"),
            Some(user) => {
                let name = &self.libraries[user].name;
                format!("the import '{import}' of the library `{name}`, which the module needs")
            }
        }
    }

    fn fault(&mut self, code: &str, message: String, help: String) {
        self.faults.push(Diagnostic {
            code: code.to_owned(),
            message,
            help: Some(help),
            span: None,
            file: None,
        });
    }
}
