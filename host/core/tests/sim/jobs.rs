//! Random plans, and what their guests do.

use super::data::SPACE;
use crate::rng::Rng;
use crate::{drivers, graphs};
use wasmhost_proto::Digest;
use wasmhost_proto::input::{Array, Input, Item};
use wasmhost_proto::outcome::FailureKind;
use wasmhost_proto::plan::{JobPlan, NodeInput, NodePlan, OnFailure, RetryPolicy};
use wasmhost_proto::wire::AttemptLimits;

/// The module that no worker can compile.
pub(crate) const BAD_MODULE: Digest = Digest([0xbb; 32]);

pub(crate) fn plan(rng: &mut Rng) -> JobPlan {
    JobPlan {
        publishes: vec![SPACE.into()],
        ..any(rng)
    }
}

fn any(rng: &mut Rng) -> JobPlan {
    match rng.range(0, 20) {
        0..8 => return graphs::plan(rng),
        8..10 => return drivers::plan(rng),
        _ => {}
    }
    let count = rng.range(1, 40) as u32;
    let array = match rng.range(0, 4) {
        0 => Array::Single,
        1 => Array::Items((0..count).map(|n| Item::Json(n.to_string())).collect()),
        _ => Array::Range {
            start: 5,
            step: -2,
            count,
        },
    };
    let mut nodes = vec![node(
        rng,
        "map",
        array,
        NodeInput::Given(Input::Item),
        vec![],
    )];
    if rng.percent(40) {
        let input = match rng.percent(70) {
            true => NodeInput::Gather(0),
            false => NodeInput::Given(Input::Item),
        };
        nodes.push(node(rng, "reduce", Array::Single, input, vec![0]));
    }
    JobPlan {
        name: "simulated".into(),
        priority: rng.range(0, 3) as i32,
        queue_ms: rng.percent(5).then(|| rng.range(50, 20_000)),
        total_ms: rng.percent(5).then(|| rng.range(50, 20_000)),
        on_failure: rng.pick(&[OnFailure::Stop, OnFailure::Continue]),
        nodes,
        ..JobPlan::default()
    }
}

pub(crate) fn node(
    rng: &mut Rng,
    name: &str,
    array: Array,
    input: NodeInput,
    after: Vec<u16>,
) -> NodePlan {
    let module = match rng.percent(4) {
        true => BAD_MODULE,
        false => Digest([rng.range(0, 3) as u8; 32]),
    };
    NodePlan {
        name: name.into(),
        module,
        module_len: 1000,
        array,
        input,
        args: vec!["${index}".into()],
        limits: AttemptLimits {
            memory: match rng.percent(10) {
                true => LARGE_MEMORY,
                false => 1 << 20,
            },
            wall_ms: 4_000,
            output: 1 << 20,
        },
        retry: RetryPolicy {
            guest: rng.range(0, 4) as u32,
            infrastructure: rng.range(0, 8) as u32,
            backoff_ms: rng.range(0, 300),
            max_backoff_ms: 1_000,
            kinds: match rng.percent(30) {
                true => vec![(FailureKind::Trap, 2), (FailureKind::LostExecutor, 1)],
                false => Vec::new(),
            },
        },
        after,
        ..NodePlan::default()
    }
}

/// What some nodes ask for, and some workers do not offer.
pub(crate) const LARGE_MEMORY: u64 = 64 << 20;

/// What an attempt does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Behaviour {
    pub lasts_ms: u64,
    /// None: it succeeds.
    pub fails: Option<FailureKind>,
    /// It looks at its cancel flag.
    pub heeds_cancel: bool,
}

pub(crate) fn behaviour(rng: &mut Rng, reliable: bool) -> Behaviour {
    let lasts_ms = match rng.range(0, 20) {
        0 => rng.range(1_000, 4_000),
        1..5 => rng.range(20, 300),
        _ => rng.range(0, 20),
    };
    let kinds = [
        FailureKind::GuestRetryable,
        FailureKind::GuestRetryable,
        FailureKind::ExitCode,
        FailureKind::LostExecutor,
        FailureKind::LostExecutor,
        FailureKind::Trap,
        FailureKind::GuestError,
        FailureKind::MemoryLimit,
        FailureKind::HostFault,
    ];
    let fails = (!reliable && rng.percent(6)).then(|| rng.pick(&kinds));
    let overruns = lasts_ms >= 3_800;
    Behaviour {
        lasts_ms,
        fails: if overruns {
            Some(FailureKind::TimeLimit)
        } else {
            fails
        },
        heeds_cancel: rng.percent(50),
    }
}
