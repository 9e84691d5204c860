//! Modules and scripts: which ones a node means, and whether they are there.

use super::Planner;
use crate::catalogue::ModuleFacts;
use crate::definition::Node;
use crate::read::clip;
use crate::script;
use crate::source::{Script, ScriptText, Source};
use wasmhost_proto::Digest;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::MAX_SCRIPT;
use wasmhost_proto::module::ModuleKind;
use wasmhost_proto::plan;

impl Planner<'_> {
    /// Reports a module that only the client has, and has not sent.
    pub(super) fn unresolved(&mut self, node: &Node) {
        let source = &node.source.value;
        let key = source.key();
        if source.is_local() && !self.request.modules.contains_key(&key) {
            let message = format!("the client sent no module for \"{}\"", clip(&key));
            let help = "push the module and name its digest in `modules`";
            self.report
                .add("unresolved-module", Some(&node.source.at), message, help);
        }
    }

    /// The module of a node; none if it is missing, which is reported unless only the
    /// client can bring it.
    pub(super) fn module(&mut self, node: &Node) -> Option<ModuleFacts> {
        let source = &node.source.value;
        let key = source.key();
        let given = self.request.modules.get(&key).copied();
        if given.is_none() && source.is_local() {
            return None;
        }
        let catalogue = self.catalogue?;
        let found = self.found.entry(key.clone()).or_insert_with(|| {
            match given.or_else(|| key.parse::<Digest>().ok()) {
                Some(digest) => Ok(catalogue.digest(digest)),
                None => catalogue.find(&key),
            }
        });
        let at = Some(&node.source.at);
        match (found, source) {
            (Ok(Some(facts)), _) => return Some(*facts),
            (Ok(None), Source::Script(script)) => {
                let (engine, name) = (script.engine.module(), script.engine.name());
                let message = format!("there is no engine for {name} scripts in the store");
                let help = format!(
                    "push it once: `wasmhost module push {name}.wasm --name {engine}`, \
                     or start the primary with `--engines DIR`"
                );
                self.report.add("missing-engine", at, message, help);
            }
            (Ok(None), _) => {
                let message = format!("there is no module \"{}\" in the store", clip(&key));
                let help =
                    "see `wasmhost module list`, and add it with `wasmhost module push FILE`";
                self.report.add("unknown-module", at, message, help);
            }
            (Err(ambiguous), _) => {
                let some: Vec<String> = ambiguous.0.iter().take(10).cloned().collect();
                let message = format!("\"{}\" fits several modules", clip(&key));
                let help = format!("choose one of {}", some.join(", "));
                self.report.add("ambiguous-module", at, message, help);
            }
        }
        None
    }

    /// The script of a node, if it has one; none with a report if it is missing.
    pub(super) fn script(&mut self, node: &Node) -> Option<Option<plan::Script>> {
        let Some(script) = node.source.value.script() else {
            return Some(None);
        };
        let source = match &script.from {
            ScriptText::Inline(text) => self.keep(text.as_bytes()),
            ScriptText::File(path) => {
                let key = script.file_key().unwrap_or_default();
                self.file(&key, path, &node.source.at)?
            }
        };
        if source.len > MAX_SCRIPT as u64 {
            let message = format!(
                "the script has {} bytes, and may have {MAX_SCRIPT}",
                source.len
            );
            let help = "give its data as `input`, or make a module of it";
            self.report
                .add("too-large", Some(&node.source.at), message, help);
            return None;
        }
        self.look_at(script, &source)?;
        let name = script.label(&node.name);
        Some(Some(plan::Script { name, source }))
    }

    /// Reports what is wrong with a script that was uploaded; once, however many run it.
    pub(super) fn look_at(&mut self, script: &Script, source: &BlobRef) -> Option<()> {
        let path = script.path().filter(|path| !self.looked.contains(*path));
        let (Some(path), Some(catalogue)) = (path, self.catalogue) else {
            return Some(());
        };
        self.looked.insert(path.clone());
        let text = catalogue.script(source);
        let mistake = text.and_then(|text| script::check(script.engine, path, &text));
        match mistake {
            None => Some(()),
            Some(mistake) => {
                self.report.push(mistake);
                None
            }
        }
    }

    /// Reports what a module of this kind cannot be given.
    pub(super) fn fits_kind(&mut self, node: &Node, kind: ModuleKind) {
        if kind != ModuleKind::Task {
            if node.driver {
                let message = format!("`{}` is a driver, and its module is a command", node.name);
                let help = "a driver is a task of the SDK, or a script";
                self.report.add("unfit-key", Some(&node.at), message, help);
            }
            return;
        }
        let args = node.args.first().map(|arg| ("args", &arg.at));
        let env = node.env.first().map(|(_, value)| ("env", &value.at));
        for (key, at) in args.into_iter().chain(env) {
            let message = format!("`{key}` is for commands, and the module is a task");
            self.report.add(
                "unfit-key",
                Some(at),
                message,
                "give it with `input` or `config`",
            );
        }
    }
}
