//! Drivers and the tasks that they start.

use wasmhost_jobc::{ArraySource, parse};
use wasmhost_proto::limits::{DEFAULT_WALL_MS, MAX_WALL_MS};

const STEER: &str = "[tasks.steer]\nmodule = \"m\"\ndriver = true\n";
const WORK: &str = "[tasks.work]\nmodule = \"m\"\nspawned_by = \"steer\"\n";

#[test]
fn a_driver_comes_first_and_nobody_waits_for_it() {
    let text = format!(
        "{WORK}{STEER}[tasks.sum]\nmodule = \"m\"\ninput_from = \"work\"\nafter = [\"steer\"]\n"
    );
    let definition = parse(&text).unwrap_or_else(|e| panic!("{e:#?}"));
    let names: Vec<&str> = definition.nodes.iter().map(|n| n.name.as_str()).collect();
    assert_eq!(names, ["steer", "work", "sum"]);
    let [steer, work, sum] = &definition.nodes[..] else {
        panic!("{names:?}")
    };
    assert_eq!((steer.driver, steer.limits.wall_ms), (true, MAX_WALL_MS));
    let array = work.array.as_ref().map(|array| &array.value);
    assert_eq!(array, Some(&ArraySource::Spawned(0)));
    assert_eq!((&work.after[..], work.tolerate), (&[][..], u32::MAX));
    assert_eq!(work.limits.wall_ms, DEFAULT_WALL_MS);
    assert_eq!(sum.after, [0, 1]);
}

#[test]
fn what_is_said_stands() {
    let text = format!("{STEER}limits = {{ time = \"5m\" }}\n{WORK}tolerate = 3\n");
    let definition = parse(&text).unwrap_or_else(|e| panic!("{e:#?}"));
    assert_eq!(definition.nodes[0].limits.wall_ms, 300_000);
    assert_eq!(definition.nodes[1].tolerate, 3);
}

#[test]
fn bad_ones_are_told() {
    let check = |text: String, code: &str, says: &str| {
        let errors = parse(&text).expect_err(&text);
        let found = errors.iter().find(|e| e.code == code);
        let found = found.unwrap_or_else(|| panic!("{text}\n{errors:#?}"));
        assert!(found.message.contains(says), "{found:#?}");
        assert!(found.span.is_some(), "{found:#?}");
    };
    check(STEER.into(), "no-driver", "may start nothing");
    check(
        format!("[tasks.steer]\nmodule = \"m\"\n{WORK}"),
        "no-driver",
        "`steer` is no driver",
    );
    check(WORK.into(), "unknown-task", "no task `steer`");
    check(
        format!("{STEER}array = {{ range = \"0..2\" }}\n{WORK}"),
        "conflict",
        "a driver is a single task",
    );
    for key in [
        "input = 1",
        "input_file = \"a\"",
        "input_from = \"steer\"",
        "after = [\"steer\"]",
        "when = \"true\"",
        "array = { range = \"0..2\" }",
    ] {
        check(
            format!("{STEER}{WORK}{key}\n"),
            "conflict",
            "is decided by its driver",
        );
    }
    // The driver would wait for what it has to start.
    check(
        format!("{STEER}after = [\"work\"]\n{WORK}"),
        "cycle",
        "steer",
    );
    check(
        "[task]\nmodule = \"m\"\ndriver = true\n".into(),
        "unknown-key",
        "`driver`",
    );
}
