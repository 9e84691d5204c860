//! What stands for each command of the pages: where the lines run that the test
//! cannot run itself, and what to type for the patterns in running text. Runs nothing.

const BENCH: &str = "builds for release and measures for minutes: by hand, on a quiet machine";

const EXAMPLES: &str = "`cargo xtask examples` runs it, as the last step of `cargo xtask test`";

const LIBRARIES: &str = "`tests/tests/libraries.rs` types it, with the library of the page";

/// Lines of blocks that are not run here, and where they are.
pub(crate) const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo xtask test", "runs this test"),
    (
        "cargo xtask demo",
        "builds and starts a cluster of its own: by hand, before a release",
    ),
    ("cargo xtask examples", EXAMPLES),
    (
        "wasmhost submit tasks/examples/words/job.toml --wait",
        EXAMPLES,
    ),
    (
        "wasmhost submit tasks/examples/animation/job.toml -p frames=20 --wait --result-to julia.png",
        EXAMPLES,
    ),
    (
        "wasmhost submit tasks/examples/sweep/job.toml --wait",
        EXAMPLES,
    ),
    (
        "wasmhost submit tasks/examples/report/job.toml -p month=2026-10 --wait --result-to report.html",
        EXAMPLES,
    ),
    (
        "wasmhost submit tasks/examples/tool/job.toml --wait --result-to pages.html",
        EXAMPLES,
    ),
    (
        "wasmhost submit tasks/examples/tour/job.toml --wait --result-to tour.svg",
        EXAMPLES,
    ),
    ("cargo xtask build-tasks engines/js", EXAMPLES),
    (
        "wasmhost module push target/tasks/engines/js.wasm --name engine-js",
        EXAMPLES,
    ),
    (
        "cargo install pulldown-cmark --version 0.13.0 --locked --target wasm32-wasip1 --root target/tools",
        EXAMPLES,
    ),
    (
        "printf %s \"$API_KEY\" | wasmhost secret set api-key --to \"GET https://api.example.com\"",
        "tests/secrets.rs, with secrets of its own",
    ),
    (
        "wasmhost secret remove api-key",
        "tests/secrets.rs, with secrets of its own",
    ),
    (
        "wasmhost outputs JOB",
        "tests/outputs.rs, with a task that writes some",
    ),
    (
        "wasmhost outputs JOB report.html --to report.html",
        "tests/outputs.rs, with a task that writes some",
    ),
    (
        "wasmhost module push oci://ghcr.io/owner/tool:1.0 --name tool",
        "tests/oci.rs, with a registry of its own",
    ),
    (
        "wasmhost submit --module oci-layout:images/tool:1.0",
        "tests/oci.rs, with a folder of its own",
    ),
    (
        "wasmhost module push report.js",
        "tests/scripts.rs, with the engines",
    ),
    (
        "wasmhost module build report.js --to report.wasm",
        "tests/scripts.rs, with the engines",
    ),
    ("cargo xtask bench", BENCH),
    ("cargo xtask bench --list", BENCH),
    ("cargo xtask bench latency throughput-array --runs 9", BENCH),
    (
        "cargo xtask peers",
        "installs other systems and measures them, for minutes: by hand",
    ),
    (
        "cargo install --locked --path ../wasmhost/host/wasmhost",
        "the binary that is tested is built from there, and found in PATH",
    ),
    ("cargo new --lib shout", "the crate is made from the page"),
    ("cd shout", "the crate is made from the page"),
    ("wasmhost library add tax.wat", LIBRARIES),
    ("wasmhost explain price.toml", LIBRARIES),
    ("wasmhost submit price.toml --wait", LIBRARIES),
    ("wasmhost library list", LIBRARIES),
    ("wasmhost library remove tax", LIBRARIES),
];

/// What stands for each command in running text and in the table of verbs.
pub(crate) const SPANS: &[(&str, &[&str])] = &[
    ("dev", &["dev --help"]), // a block runs it
    ("run-primary", &["run-primary --help"]),
    ("run-worker", &["run-worker --help"]),
    ("submit FILE", &["submit job.toml"]),
    ("wasmhost submit", &["submit job.toml"]),
    ("wasmhost check", &["check job.toml"]),
    ("wasmhost explain", &["explain job.toml"]),
    (
        "submit NAME",
        &["definition apply job.toml --name stored", "submit stored"],
    ),
    (
        "definition apply FILE",
        &["definition apply job.toml", "definition apply one.toml"],
    ),
    ("library add FILE", &["library add --help"]),
    ("history", &["definition history echo"]),
    ("diff", &["definition diff echo"]),
    ("submit --module M", &["submit --module echo --input x"]),
    ("--wait", &["submit job.toml --wait --quiet"]),
    ("check FILE", &["check job.toml"]),
    ("explain FILE", &["explain job.toml"]),
    ("request TASK", &["request --help"]),
    ("driver", &["driver"]),
    ("wasmhost request TASK", &["request --help"]),
    ("wasmhost request --withdraw KEY", &["request --help"]),
    ("wasmhost driver", &["driver"]),
    (
        "wasmhost run-primary --driver front",
        &["run-primary --help"],
    ),
    ("jobs", &["jobs"]),
    (
        "show JOB[.NODE][.INDEX]",
        &["show JOB", "show JOB.echo", "show JOB.1", "show JOB.echo.1"],
    ),
    ("status JOB", &["status JOB"]),
    ("watch JOB", &["watch JOB"]),
    ("outputs JOB [NAME]", &["outputs JOB"]),
    ("wasmhost outputs JOB", &["outputs JOB"]),
    ("wasmhost workers", &["workers"]),
    // xtask examples downloads it.
    ("wasmhost outputs latest regions.csv", &["outputs JOB"]),
    ("wasmhost watch JOB", &["watch JOB"]),
    ("wasmhost data watch tour best-32", &["data watch --help"]),
    // It draws on terminals alone; tests/watching.rs has what it says to programs.
    ("watch --all", &["watch --help"]),
    ("wasmhost watch --all", &["watch --help"]),
    (
        "wasmhost status JOB --max-age 500ms",
        &["status JOB --max-age 500ms"],
    ),
    ("wasmhost show TASK", &["show JOB.1"]),
    (
        "logs JOB[.NODE][.INDEX]",
        &["logs JOB", "logs JOB.echo", "logs JOB.1", "logs JOB.echo.1"],
    ),
    ("-f", &["logs -f JOB"]),
    (
        "result JOB[.NODE][.INDEX]",
        &["result ONE", "result JOB.1", "result JOB.echo.1"],
    ),
    ("--to FILE", &["result JOB.1 --to result.txt"]),
    ("cancel JOB", &["cancel LIVE"]),
    ("retry JOB", &["retry FAILED"]),
    ("workers", &["workers"]),
    ("drain WORKER", &["drain w1", "drain --off w1"]),
    ("module push", &["module push hello.wasm --name spare"]),
    ("module build", &["module build hello.wasm --to built.wasm"]),
    ("list", &["module list", "token list"]),
    ("show", &["module show spare"]),
    ("remove", &["module remove spare"]),
    (
        "data list",
        &["data set prices gold 7", "data list", "data list prices"],
    ),
    ("get", &["data get prices gold"]),
    ("set", &["data set prices gold 8"]),
    ("add", &["data add prices gold"]),
    ("watch", &["data watch prices gold --count 1"]),
    ("delete", &["data delete prices gold"]),
    ("secret list", &["secret list"]),
    ("token create", &["token create", "token create --worker"]),
    ("revoke", &["token revoke TOKEN"]),
    ("info", &["info"]),
    ("completions SHELL", &["completions bash"]),
    ("wasmhost --help", &["--help"]),
    ("wasmhost VERB --help", &["submit --help"]),
    ("wasmhost submit FILE", &["submit job.toml"]),
    (
        "wasmhost submit FILE FILE …",
        &[
            "submit job.toml job.toml",
            "submit job.toml job.toml --wait --quiet",
        ],
    ),
    ("wasmhost result JOB --wait", &["result ONE --wait"]),
    ("wasmhost check FILE", &["check job.toml"]),
    ("wasmhost explain FILE", &["explain job.toml"]),
    (
        "wasmhost submit --module M",
        &["submit --module echo", "submit --module hello.wasm"],
    ),
    (
        "wasmhost dev FILE…",
        &["--data-dir once dev --http 127.0.0.1:0 --listen 127.0.0.1:0 shout/job.toml"],
    ),
    ("wasmhost show", &["show latest"]),
    (
        "wasmhost definition apply FILE",
        &["definition apply job.toml"],
    ),
    ("wasmhost definition diff NAME", &["definition diff echo"]),
    (
        "wasmhost submit NAME",
        &["submit stored", "submit stored@1 --wait --quiet"],
    ),
    (
        "wasmhost submit NAME --help",
        &["submit stored --help", "submit job.toml --help"],
    ),
    (
        "wasmhost submit NAME -p top=10",
        &["submit asking.toml -p top=10"],
    ),
    ("wasmhost module show", &["module show echo"]),
    (
        "wasmhost submit job.toml --wait",
        &["submit shout/job.toml --wait | grep -F '{\"text\":\"HELLO!!!\"}'"],
    ),
];
