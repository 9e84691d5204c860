//! `demo`: from a fresh clone to two finished jobs on a cluster of three
//! processes, with results that are checked.

mod corpus;

use crate::cluster::Cluster;
use crate::repository::Repository;
use crate::steps::Steps;
use crate::{build_tasks, words};
use anyhow::{Context, Result, bail};
use corpus::Corpus;
use std::fs;
use std::path::Path;

/// How many words are shown.
const SHOWN: usize = 20;
/// The picture, left in the folder in which the demonstration runs.
const PICTURE: &str = "mandelbrot.png";

pub(crate) fn run(folder: Option<&Path>) -> Result<()> {
    let repository = Repository::open()?;
    let mut steps = Steps::default();
    steps.cargo("build --workspace")?;
    steps.step("building the task modules", || {
        build_tasks::run(&["wordcount", "wordcount-top", "mandelbrot", "mandelbrot-png"])
    })?;

    let corpus = match folder {
        Some(folder) => Corpus::of_folder(folder)?,
        None => Corpus::of_dependencies()?,
    };
    eprintln!("==> starting a primary and two workers");
    let cluster = Cluster::start(&repository, "demo")?;
    let shown =
        count_words(&repository, &cluster, &corpus).and_then(|()| render(&repository, &cluster));
    if shown.is_err() {
        eprint!("{}", cluster.explain());
    }
    shown?;
    cluster.stop();
    farewell(&repository);
    Ok(())
}

fn count_words(repository: &Repository, cluster: &Cluster, corpus: &Corpus) -> Result<()> {
    eprintln!(
        "==> counting the words of {} files, {:.1} MB, {}",
        corpus.files.len(),
        corpus.bytes as f64 / 1e6,
        corpus.origin
    );
    let definition = format!(
        "[job]\nname = \"wordcount\"\n\n\
         [task]\nname = \"count\"\nmodule = {{ path = {} }}\n\
         array = {{ files = [\n{}], batch = \"1MiB\" }}\n\n\
         [reduce]\nname = \"top\"\nmodule = {{ path = {} }}\nlimits = {{ memory = \"1GiB\" }}\n",
        quoted(&repository.module("wordcount")),
        corpus
            .files
            .iter()
            .map(|file| format!("  {},\n", quoted(file)))
            .collect::<String>(),
        quoted(&repository.module("wordcount-top")),
    );
    let result = cluster.submit("wordcount", &definition, &cluster.dir().join("words.json"))?;
    let text = fs::read(&result).with_context(|| format!("no result in {}", result.display()))?;
    let counted = words::Top::read(&text)?;

    eprintln!("==> counting them once more, plainly, to compare");
    let plain = words::Top::count(&corpus.files, counted.top.len())?;
    if counted != plain {
        bail!("the job counted {counted:?}, and the plain count is {plain:?}");
    }
    println!();
    for (word, count) in counted.top.iter().take(SHOWN) {
        println!("{count:>10}  {word}");
    }
    println!(
        "\n{} words, {} different ones; the plain count agrees.\n",
        counted.words, counted.distinct
    );
    Ok(())
}

fn render(repository: &Repository, cluster: &Cluster) -> Result<()> {
    eprintln!("==> rendering {PICTURE}");
    let definition = format!(
        "[job]\nname = \"mandelbrot\"\n\n\
         [task]\nname = \"tile\"\nmodule = {{ path = {} }}\n\
         array = {{ range = [0, 48] }}\n\
         input = {{ width = 1600, height = 1200, iterations = 500 }}\n\n\
         [reduce]\nname = \"png\"\nmodule = {{ path = {} }}\n",
        quoted(&repository.module("mandelbrot")),
        quoted(&repository.module("mandelbrot-png")),
    );
    let picture = std::env::current_dir()?.join(PICTURE);
    let picture = cluster.submit("mandelbrot", &definition, &picture)?;
    let bytes = fs::read(&picture).with_context(|| format!("no {}", picture.display()))?;
    if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        bail!("{} is no PNG", picture.display());
    }
    println!("\nThe picture is in {}.", picture.display());
    Ok(())
}

/// A path as TOML: its basic strings escape as those of JSON do.
fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

fn farewell(repository: &Repository) {
    let wasmhost = repository.wasmhost();
    let wasmhost = std::env::current_dir()
        .ok()
        .and_then(|here| Some(wasmhost.strip_prefix(here).ok()?.to_path_buf()))
        .unwrap_or(wasmhost);
    let wasmhost = wasmhost.display();
    let next = [
        (
            format!("{wasmhost} dev"),
            "a primary and a worker to play with",
        ),
        (
            format!("{wasmhost} submit tasks/montecarlo/job.toml --wait"),
            "in another terminal: build a job and run it",
        ),
        (format!("{wasmhost} jobs"), "what became of it"),
        (
            "cargo xtask demo FOLDER".into(),
            "the words of your own texts",
        ),
        ("cargo xtask test".into(), "whether everything holds"),
    ];
    println!("\nThe cluster of this demonstration is gone. Next:\n");
    let width = next.iter().map(|(command, _)| command.len()).max();
    for (command, what) in &next {
        println!("  {command:0$}  {what}", width.unwrap_or(0));
    }
}
