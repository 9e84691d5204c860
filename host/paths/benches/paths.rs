//! Times of the hot paths: `cargo bench -p wasmhost-paths [NAME]`.

use criterion::{Criterion, Throughput};
use std::time::Duration;
use wasmhost_paths::{Meter, PATHS};

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    let mut group = criterion.benchmark_group("paths");
    for path in PATHS {
        let once = |times: u64| -> (Duration, u64) {
            let (mut meter, mut items) = (Meter::default(), 0);
            for _ in 0..times {
                match (path.run)(&mut meter) {
                    Ok(n) => items = n,
                    Err(error) => panic!("{}: {error:#}", path.name),
                }
            }
            (meter.spent(), items)
        };
        group.throughput(Throughput::Elements(once(1).1));
        group.bench_function(path.name, |bencher| {
            bencher.iter_custom(|times| once(times).0);
        });
    }
    group.finish();
    criterion.final_summary();
}
