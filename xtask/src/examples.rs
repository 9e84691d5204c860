//! `examples`: runs the definitions in `tasks/examples` as a user would, on a cluster of
//! three processes, and checks what they give against what it must be.

use crate::build_tasks;
use crate::cluster::Cluster;
use crate::repository::Repository;
use crate::steps::{self, Steps};
use crate::toolchain::{self, WASIP1};
use crate::words::Top;
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where they are.
const FOLDER: &str = "tasks/examples";
/// The program that nobody here wrote: a crate and its version.
const TOOL: (&str, &str) = ("pulldown-cmark", "0.13.0");

struct Example {
    /// Its folder.
    name: &'static str,
    /// What its result is called, in `target/examples`.
    result: &'static str,
    /// What it needs besides a cluster.
    needs: &'static [Need],
    /// Whether the result is right; what to say of it.
    check: fn(&[u8]) -> Result<String>,
    /// What it writes beside its result.
    output: Option<Output>,
}

struct Output {
    /// Its name.
    name: &'static str,
    /// Whether it is right.
    check: fn(&str) -> Result<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// The engine for JavaScript in the store.
    JavaScript,
    /// The program.
    Tool,
}

const EXAMPLES: &[Example] = &[
    Example {
        name: "words",
        result: "words.json",
        needs: &[],
        check: words,
        output: None,
    },
    Example {
        name: "animation",
        result: "julia.png",
        needs: &[],
        check: animation,
        output: None,
    },
    Example {
        name: "sweep",
        result: "sweep.json",
        needs: &[],
        check: sweep,
        output: None,
    },
    Example {
        name: "report",
        result: "report.html",
        needs: &[Need::JavaScript],
        check: report,
        output: Some(Output {
            name: "regions.csv",
            check: report_table,
        }),
    },
    Example {
        name: "tool",
        result: "pages.html",
        needs: &[Need::JavaScript, Need::Tool],
        check: tool,
        output: None,
    },
    Example {
        name: "tour",
        result: "tour.svg",
        needs: &[Need::JavaScript],
        check: tour,
        output: None,
    },
];

/// Runs the named examples, all when none is named.
pub(crate) fn run(names: &[&str]) -> Result<()> {
    if let Some(unknown) = names
        .iter()
        .find(|n| !EXAMPLES.iter().any(|e| e.name == **n))
    {
        let all: Vec<&str> = EXAMPLES.iter().map(|e| e.name).collect();
        bail!(
            "there is no example '{unknown}': there are {}",
            all.join(", ")
        );
    }
    let chosen = EXAMPLES
        .iter()
        .filter(|e| names.is_empty() || names.contains(&e.name));
    let chosen: Vec<&Example> = chosen.collect();
    let needs = |need: Need| chosen.iter().any(|example| example.needs.contains(&need));

    let repository = Repository::open()?;
    let mut steps = Steps::default();
    steps.cargo("build --workspace --bin wasmhost")?;
    if needs(Need::JavaScript) {
        steps.step("building the engine for JavaScript", || {
            build_tasks::run(&["engines/js"])
        })?;
    }
    if needs(Need::Tool) {
        steps.step("installing the program of the example 'tool'", install)?;
    }
    eprintln!("==> starting a primary and two workers");
    let cluster = Cluster::start(&repository, "examples-cluster")?;
    let results = repository.target.join("examples");
    fs::create_dir_all(&results)
        .with_context(|| format!("cannot make the folder {}", results.display()))?;
    if needs(Need::JavaScript) {
        cluster.push(&repository.module("engines/js"), "engine-js")?;
    }
    let done = chosen
        .iter()
        .try_for_each(|example| one(&cluster, example, &results));
    if done.is_err() {
        eprint!("{}", cluster.explain());
    }
    done?;
    cluster.stop();
    Ok(())
}

fn one(cluster: &Cluster, example: &Example, results: &Path) -> Result<()> {
    eprintln!("==> {}", example.name);
    let definition = Path::new(FOLDER).join(example.name).join("job.toml");
    let result = results.join(example.result);
    cluster.submit_file(&definition, &result)?;
    let bytes = fs::read(&result).with_context(|| format!("no result in {}", result.display()))?;
    let said = (example.check)(&bytes).with_context(|| format!("{} is wrong", result.display()))?;
    println!("{:<10} {said}, in {}", example.name, result.display());
    if let Some(Output { name, check }) = &example.output {
        let file = results.join(name);
        cluster.output(name, &file)?;
        let text = fs::read_to_string(&file);
        let text = text.with_context(|| format!("no output in {}", file.display()))?;
        check(&text).with_context(|| format!("{} is wrong", file.display()))?;
    }
    Ok(())
}

/// Installs the program into `target/tools`, unless it is there.
fn install() -> Result<()> {
    toolchain::ensure(WASIP1)?;
    let (name, version) = TOOL;
    let args = [
        "install",
        name,
        "--version",
        version,
        "--locked",
        "--target",
        WASIP1,
    ];
    steps::run(steps::cargo().args(args).args(["--root", "target/tools"]))
}

fn words(json: &[u8]) -> Result<String> {
    let counted = Top::read(json)?;
    let mut files = Vec::new();
    for folder in [".", "docs"] {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|e| e == "md") {
                files.push(path);
            }
        }
    }
    let plain = Top::count(&files, counted.top.len())?;
    ensure!(
        counted == plain,
        "the job counted {counted:?}, and the plain count is {plain:?}"
    );
    Ok(format!(
        "{} words of {} files, as a plain count finds them",
        counted.words,
        files.len()
    ))
}

fn animation(png: &[u8]) -> Result<String> {
    ensure!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "it is no PNG");
    // The chunk that makes it an animation: the number of frames is its first word.
    let at = png.windows(4).position(|chunk| chunk == b"acTL");
    let frames = at.and_then(|at| png.get(at + 4..)?.first_chunk().copied());
    let frames = frames.map(u32::from_be_bytes);
    ensure!(frames == Some(60), "it has {frames:?} frames, not 60");
    Ok(format!("60 frames, {} bytes", png.len()))
}

fn sweep(json: &[u8]) -> Result<String> {
    let found: Value = serde_json::from_slice(json)?;
    let number = |pointer: &str| found.pointer(pointer).and_then(Value::as_f64);
    let (Some(rate), Some(momentum), Some(loss)) = (
        number("/best/rate"),
        number("/best/momentum"),
        number("/best/loss"),
    ) else {
        bail!("it names no best parameters: {found}");
    };
    ensure!(
        found["reached"] == true && loss <= 0.002,
        "the goal was missed: {found}"
    );
    let given_up = found["given_up"]
        .as_u64()
        .context("it does not say what was given up")?;
    Ok(format!(
        "rate {rate} and momentum {momentum} came to {loss:.5} in round {}, {given_up} trials were given up",
        found["rounds"]
    ))
}

/// The revenue of each region.
fn regions() -> Result<BTreeMap<String, f64>> {
    let table = fs::read_to_string(Path::new(FOLDER).join("report/sales.csv"))?;
    let mut regions = BTreeMap::new();
    for line in table.lines().skip(1) {
        let [_, region, _, units, price] = line.split(',').collect::<Vec<_>>()[..] else {
            bail!("the table has a broken line: {line}");
        };
        let sum: &mut f64 = regions.entry(region.to_owned()).or_default();
        *sum += units.parse::<f64>()? * price.parse::<f64>()?;
    }
    Ok(regions)
}

fn report_table(csv: &str) -> Result<()> {
    let regions = regions()?;
    ensure!(
        csv.lines().count() == regions.len() + 1,
        "it has other lines"
    );
    for (region, revenue) in &regions {
        let of = csv
            .lines()
            .find(|line| line.starts_with(&format!("{region},")));
        let right = of.is_some_and(|line| line.ends_with(&format!(",{revenue:.2}")));
        ensure!(right, "{region} did not come to {revenue:.2}");
    }
    Ok(())
}

fn report(html: &[u8]) -> Result<String> {
    let page = std::str::from_utf8(html)?;
    let regions = regions()?;
    for (region, revenue) in &regions {
        let cents = format!("{revenue:.2}");
        let (whole, cents) = cents.split_once('.').unwrap_or_default();
        let (thousands, rest) = whole.split_at(whole.len().saturating_sub(3));
        let money = match thousands {
            "" => format!("{rest}.{cents}"),
            thousands => format!("{thousands},{rest}.{cents}"),
        };
        ensure!(
            page.contains(region.as_str()) && page.contains(&money),
            "{region} did not come to {money}"
        );
    }
    ensure!(
        page.contains("<svg") && page.contains("</html>"),
        "it is no page with a picture"
    );
    Ok(format!("{} regions, each with its revenue", regions.len()))
}

fn tool(html: &[u8]) -> Result<String> {
    let page = std::str::from_utf8(html)?;
    for part in [
        "<a href=\"#0\">Harvest</a>",
        "<table>",
        "Orchard",
        "checked",
        "<strong>young</strong>",
    ] {
        ensure!(page.contains(part), "it lacks {part}");
    }
    ensure!(
        page.matches("<section").count() == 3,
        "it has not three pages"
    );
    Ok("three notes in one page".into())
}

/// The picture must show a closed way through all cities, each once, as long as it says.
fn tour(svg: &[u8]) -> Result<String> {
    let page = std::str::from_utf8(svg)?;
    let between = |from: &str, to: &str| {
        let (_, rest) = page.split_once(from)?;
        rest.split_once(to).map(|(found, _)| found)
    };
    let points = between("points=\"", "\"").context("there is no way in it")?;
    let points: Vec<(f64, f64)> = points
        .split(' ')
        .map(|point| {
            let (x, y) = point.split_once(',').context("a broken point")?;
            Ok((x.parse()?, y.parse()?))
        })
        .collect::<Result<_>>()?;
    let mut each: Vec<String> = points.iter().map(|point| format!("{point:?}")).collect();
    each.sort();
    each.dedup();
    ensure!(
        each.len() == 32 && points.len() == 32,
        "it has not 32 cities"
    );
    let next = points.iter().cycle().skip(1);
    let steps = points.iter().zip(next);
    let length: f64 = steps.map(|(a, b)| (a.0 - b.0).hypot(a.1 - b.1)).sum();
    let said: f64 = between("A way of ", " ")
        .context("it has no title")?
        .parse()?;
    ensure!(
        (length - said).abs() < 0.5,
        "it is {length:.1} long and says {said}"
    );
    // A tour by chance is about 1,600 long.
    ensure!(
        length < 600.0,
        "with {length:.1} it is no better than chance"
    );
    Ok(format!("{said} round 32 cities"))
}
