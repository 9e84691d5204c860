//! A script made a module of its own: with the engine that the primary runs scripts on,
//! on this machine, in a sandbox with the bounds of an attempt.

use super::context::Context;
use super::exit::{Exit, Fault};
use crate::client::ClientError;
use crate::output::human::clean;
use bytes::Bytes;
use std::path::Path;
use wasmhost_jobc::Engine;
use wasmhost_jobc::module::describe;
use wasmhost_proto::executor::RunScript;
use wasmhost_proto::limits::MAX_SCRIPT;
use wasmhost_proto::module::Manifest;
use wasmhost_sandbox::{StandaloneError, Standalones};

/// The language of a file, if it is a script.
pub(crate) fn language(path: &Path) -> Option<Engine> {
    path.to_str().and_then(Engine::of)
}

/// The module of a script and the engine of its language.
pub(crate) async fn make(cx: &Context, path: &Path, engine: Engine) -> anyhow::Result<Bytes> {
    let shown = path.display();
    if engine == Engine::Python {
        let title = format!("{shown} cannot be made a module of its own");
        let fault = Fault::new(Exit::REFUSED, "no_standalone", title);
        let help = "Python runs on an engine that is a command: write `script` in a definition";
        return Err(fault.help(help).into());
    }
    let script = read(path)?;
    let name = script.name.clone();
    let client = cx.client().await?;
    let view = client.module(engine.module()).await.map_err(no_engine)?;
    // What is named may move on between the two requests; a digest does not.
    let code = client.module_content(&view).await?;
    cx.out.talk(format!("making a module of {shown}"));
    let made = tokio::task::spawn_blocking(move || Standalones::new(&code)?.make(script)).await?;
    let made = made.map_err(|error| refused(&shown.to_string(), engine, error))?;
    for line in made.log.lines() {
        cx.out.talk(clean(line));
    }
    let title = name
        .rsplit_once('.')
        .map_or(name.as_str(), |(stem, _)| stem);
    let manifest = Manifest {
        name: super::modules::name_of(title),
        description: format!("The script {name}"),
        sdk: view.names.last().cloned().unwrap_or_default(),
        ..Manifest::default()
    };
    Ok(describe(&made.module, &manifest).into())
}

/// The script. It goes by its file's name alone: where the file was is nothing that a
/// module should know.
fn read(path: &Path) -> anyhow::Result<RunScript> {
    let failed = |error| ClientError::File {
        what: format!("cannot read the script {}", path.display()),
        error,
    };
    let len = std::fs::metadata(path).map_err(failed)?.len();
    if len > MAX_SCRIPT as u64 {
        let title = format!(
            "{} has {len} bytes: a script has at most {MAX_SCRIPT}",
            path.display()
        );
        return Err(Fault::new(Exit::REFUSED, "too_large", title).into());
    }
    let source = std::fs::read_to_string(path).map_err(failed)?;
    let name = path.file_name().unwrap_or_default();
    Ok(RunScript {
        name: name.to_string_lossy().into_owned(),
        source,
    })
}

fn no_engine(error: ClientError) -> Fault {
    let mut fault = Fault::of(error.into());
    if fault.exit == Exit::NOT_FOUND {
        let help = "start the primary with --engines, or push an engine under this name";
        fault.problem.help = Some(help.into());
    }
    fault
}

fn refused(shown: &str, engine: Engine, error: StandaloneError) -> Fault {
    let inside = "move it into the function that is called with the input";
    let (code, title, help) = match &error {
        StandaloneError::Script(failure) => {
            let title = format!("{shown}: {}", failure.message);
            ("script_failed", title, failure.backtrace.clone())
        }
        StandaloneError::Random | StandaloneError::Open => (
            "script_failed",
            format!("{shown}: {error}"),
            Some(inside.into()),
        ),
        StandaloneError::Engine(_) => (
            "bad_engine",
            format!("the module {}: {error}", engine.module()),
            Some("`cargo xtask build-tasks` builds engines of this version".into()),
        ),
        StandaloneError::Sandbox(_) => ("error", error.to_string(), None),
    };
    let fault = Fault::new(Exit::REFUSED, code, title);
    match help {
        Some(help) => fault.help(help),
        None => fault,
    }
}
