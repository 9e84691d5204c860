//! The timeline of a task on the screen: what happened when, progress as a bar.

use super::attempt::{bare, progress, value};
use super::human::{count, duration, line};
use super::style::{Tone, dim};
use std::fmt::Write;
use wasmhost_proto::Timestamp;
use wasmhost_proto::api::{Happening, Moment};
use wasmhost_proto::limits::MAX_NAME;
use wasmhost_proto::status::Progress;

/// Moments that fit on a screen beside the rest of a story.
const SHOWN: usize = 24;
/// Cells of a bar.
const BAR: u64 = 12;

/// The latest moments, or all of them. Empty when there is nothing but a start and an end.
pub(crate) fn timeline(moments: &[Moment], all: bool) -> String {
    let mut out = String::new();
    let plain = |m: &Moment| matches!(m.what, Happening::Started { .. } | Happening::Ended { .. });
    let told_above = moments.iter().all(plain) && moments.len() <= 2;
    let Some(first) = moments.first().filter(|_| all || !told_above) else {
        return out;
    };
    put!(out, "{}", dim("timeline"));
    let hidden = match all {
        true => 0,
        false => moments.len().saturating_sub(SHOWN),
    };
    if hidden > 0 {
        put!(
            out,
            "  {}",
            dim(format!(
                "{} before these; see --timeline",
                count(hidden as u64, "moment")
            ))
        );
    }
    for moment in &moments[hidden..] {
        put!(out, "  {}", told(moment, first.at));
    }
    out
}

fn told(moment: &Moment, first: Timestamp) -> String {
    let after = format!("+{}", duration(moment.at.since(first)));
    let what = match &moment.what {
        Happening::Started { worker } => {
            format!("attempt {} on {}", moment.attempt, line(worker, MAX_NAME))
        }
        Happening::Progress(p) => format!("{}{}", bar(p), progress(p)),
        Happening::Value(named) => value(named),
        Happening::Event { name, value } => {
            let said = value.as_ref().map(|v| format!(": {}", bare(v)));
            let name = Tone::Busy.paint(format!("● {}", line(name, MAX_NAME)));
            format!("{name}{}", said.unwrap_or_default())
        }
        Happening::Ended { failure: None } => Tone::Good.paint("succeeded"),
        Happening::Ended {
            failure: Some(kind),
        } => Tone::Bad.paint(kind.name()),
    };
    format!("{} {what}", dim(format!("{after:>9}")))
}

/// A bar of a progress whose total is known.
pub(crate) fn bar(progress: &Progress) -> String {
    let Some(total) = progress.total.filter(|total| *total > 0) else {
        return String::new();
    };
    let done = u128::from(progress.done.min(total)) * u128::from(BAR) / u128::from(total);
    let full = "━".repeat(done as usize);
    format!("{full}{} ", dim("─".repeat((BAR as usize) - done as usize)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmhost_proto::outcome::FailureKind;

    fn moments(between: usize) -> Vec<Moment> {
        let at = |n: u64, what| Moment {
            at: Timestamp(1_000 + 250 * n),
            attempt: 1,
            what,
        };
        let started = Happening::Started { worker: "w".into() };
        let progress = |n| {
            Happening::Progress(Progress {
                done: n,
                total: Some(between as u64),
                message: None,
            })
        };
        let mut all = vec![at(0, started)];
        all.extend((1..=between as u64).map(|n| at(n, progress(n))));
        let failure = Some(FailureKind::Trap);
        all.push(at(between as u64 + 1, Happening::Ended { failure }));
        all
    }

    #[test]
    fn the_latest_moments_fit_on_a_screen() {
        for (between, all, lines, has) in [
            (0, false, 0, ""),
            (0, true, 3, "+250 ms trap"),
            (2, false, 5, "━━━━━━────── 1/2 (50%)"),
            (100, false, SHOWN + 2, "78 moments before these"),
            (100, true, 103, "100/100 (100%)"),
        ] {
            let text = timeline(&moments(between), all);
            let text = anstream::adapter::strip_str(&text).to_string();
            assert_eq!(text.lines().count(), lines, "{text}");
            assert!(text.contains(has), "{text}");
        }
    }
}
