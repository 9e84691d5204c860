//! Guests that compute: the same code in our sandbox and compiled for this
//! machine, on one thread each, in processor time.

use crate::place::Place;
use crate::sandbox::Ours;
use crate::scenario::{Figure, Group, Run, Sample};
use anyhow::{Result, anyhow};
use std::hint::black_box;
use wasmhost::TaskError;
use wasmhost::testing::Fake;
use wasmhost_paths::processor_time;
use wasmhost_proto::module::ModuleKind;

pub(crate) const GROUPS: &[Group] = &[
    group(&[MANDELBROT], |place| {
        let picture = br#"{"width":400,"height":300,"iterations":1000}"#;
        against_native(place, "mandelbrot", picture, |fake, input| {
            done(fake.call(task_mandelbrot::tile, input))
        })
    }),
    group(&[MEMORY], |place| {
        let work = br#"{"mebibytes":32,"steps":1000000,"sums":10}"#;
        against_native(place, "fixtures/kernel", work, |fake, input| {
            done(fake.call(task_kernel::kernel, input))
        })
    }),
];

const MANDELBROT: Figure = Figure::ms(
    "compute-mandelbrot",
    "a tile of the Mandelbrot set in the sandbox; limit: the same code native",
);
const MEMORY: Figure = Figure::ms(
    "compute-memory",
    "walks and sums over 32 MiB in the sandbox; limit: the same code native",
);

const fn group(figures: &'static [Figure], set_up: fn(&Place) -> Result<Run>) -> Group {
    Group {
        figures,
        runs: 5,
        set_up,
    }
}

type Native = fn(&Fake, &[u8]) -> Result<()>;

fn against_native(place: &Place, name: &str, input: &[u8], native: Native) -> Result<Run> {
    let ours = Ours::new(place, &place.guest(name)?, ModuleKind::Task)?;
    let input = input.to_vec();
    ours.run(&input, 1)?;
    Ok(Box::new(move || {
        let value = ours.run(&input, 1)?;
        let begin = processor_time();
        native(&Fake::new().index(0).count(1), black_box(&input))?;
        let limit = processor_time() - begin;
        Ok(vec![Sample::new(
            value.as_secs_f64() * 1e3,
            limit.as_secs_f64() * 1e3,
        )])
    }))
}

fn done<T>(result: Result<T, TaskError>) -> Result<()> {
    result.map(drop).map_err(|error| anyhow!("{error}"))
}
