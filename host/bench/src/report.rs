//! Figures as a table for people and as JSON for programs. Medians, never means:
//! one slow run of a shared machine is not the product's.

use crate::place::Place;
use crate::scenario::{Better, Figure, Group, Sample, Target};
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;

/// A figure with all its samples, at least one.
pub(crate) struct Measured<'a> {
    /// What was measured.
    pub(crate) figure: &'a Figure,
    /// One of each run.
    pub(crate) samples: Vec<Sample>,
}

/// The middle of some values; of an even number, between the two middle ones.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some((values[low] + values[high]) / 2.0)
}

/// The value below which `part` (0 to 1) of some values are; none of none.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    values.get((last as f64 * part).round() as usize).copied()
}

impl Measured<'_> {
    fn values(&self) -> impl Iterator<Item = f64> {
        self.samples.iter().map(|sample| sample.value)
    }

    fn median(&self) -> f64 {
        median(self.values()).unwrap_or(f64::NAN)
    }

    fn limit(&self) -> Option<f64> {
        median(self.samples.iter().filter_map(|sample| sample.limit))
    }

    fn ratio(&self) -> Option<f64> {
        median(self.samples.iter().filter_map(|sample| sample.ratio()))
    }

    /// Whether the target is met; none without one, or without what it speaks of.
    fn met(&self) -> Option<bool> {
        let (value, target) = match self.figure.target? {
            Target::Median(target) => (self.median(), target),
            Target::Ratio(target) => (self.ratio()?, target),
        };
        Some(match self.figure.better {
            Better::Higher => value >= target,
            Better::Lower => value <= target,
        })
    }

    fn json(&self) -> Value {
        let (target, target_of) = match self.figure.target {
            Some(Target::Median(target)) => (Some(target), Some("median")),
            Some(Target::Ratio(target)) => (Some(target), Some("ratio")),
            None => (None, None),
        };
        let better = match self.figure.better {
            Better::Higher => "higher",
            Better::Lower => "lower",
        };
        let sample = |s: &Sample| json!({ "value": s.value, "limit": s.limit });
        json!({
            "name": self.figure.name,
            "unit": self.figure.unit,
            "median": self.median(),
            "min": self.values().fold(f64::INFINITY, f64::min),
            "max": self.values().fold(f64::NEG_INFINITY, f64::max),
            "limit": self.limit(),
            "ratio": self.ratio(),
            "target": target,
            "met": self.met(),
            "better": better,
            "target_of": target_of,
            "samples": self.samples.iter().map(sample).collect::<Vec<_>>(),
        })
    }

    fn row(&self) -> [String; 7] {
        let number = |n: Option<f64>| n.map(short).unwrap_or_default();
        let values = || self.values();
        let (min, max) = (
            values().fold(f64::INFINITY, f64::min),
            values().fold(0.0, f64::max),
        );
        [
            self.figure.name.to_owned(),
            format!("{} {}", short(self.median()), self.figure.unit),
            format!("{}–{}", short(min), short(max)),
            number(self.limit()),
            number(self.ratio()),
            target(self.figure),
            match self.met() {
                Some(true) => "✓".into(),
                Some(false) => "✗".into(),
                None => String::new(),
            },
        ]
    }
}

/// What a figure is to reach, in a few characters.
fn target(figure: &Figure) -> String {
    let sign = match figure.better {
        Better::Higher => "≥",
        Better::Lower => "≤",
    };
    match figure.target {
        Some(Target::Median(target)) => format!("{sign} {}", short(target)),
        Some(Target::Ratio(target)) => format!("{sign} {} of limit", short(target)),
        None => String::new(),
    }
}

/// A number with three digits that matter, thousands apart.
pub(crate) fn short(number: f64) -> String {
    let size = number.abs();
    let digits = match size {
        _ if size >= 100.0 || size == 0.0 => 0,
        _ if size >= 10.0 => 1,
        _ if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{number:.digits$}");
    if size < 10_000.0 {
        return text;
    }
    let mut apart = String::new();
    for (at, digit) in text.chars().enumerate() {
        if at > 0 && (text.len() - at).is_multiple_of(3) {
            apart.push(',');
        }
        apart.push(digit);
    }
    apart
}

/// One sample, for the progress.
pub(crate) fn sample(figure: &Figure, sample: Sample) -> String {
    let mut text = format!("{} {}", short(sample.value), figure.unit);
    if let Some(limit) = sample.limit {
        let _ = write!(text, " (limit {})", short(limit));
    }
    text
}

/// The table of what was measured.
pub(crate) fn table(measured: &[Measured]) -> String {
    let head = [
        "scenario",
        "median",
        "min–max",
        "limit",
        "ratio",
        "target",
        "met",
    ];
    let rows = measured.iter().map(Measured::row);
    let rows: Vec<[String; 7]> = std::iter::once(head.map(str::to_owned))
        .chain(rows)
        .collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = rows.iter().map(|row| row[column].chars().count()).max();
            let _ = write!(line, "{cell:width$}  ", width = width.unwrap_or(0));
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

/// What there is to measure.
pub(crate) fn list(groups: &[&Group]) -> String {
    let mut text = String::new();
    for figure in groups.iter().flat_map(|group| group.figures) {
        let (name, unit, target) = (figure.name, figure.unit, target(figure));
        let _ = writeln!(text, "{name:22} {unit:10} {target:18} {}", figure.what);
    }
    text
}

/// Writes `latest.json`, whole or not at all.
pub(crate) fn write(place: &Place, measured: &[Measured]) -> Result<()> {
    let folder = place.results();
    let (file, new) = (folder.join("latest.json"), folder.join("latest.json.new"));
    let all: Vec<Value> = measured.iter().map(Measured::json).collect();
    let text = serde_json::to_string_pretty(&json!({ "scenarios": all }))?;
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&new, text + "\n"))
        .and_then(|()| fs::rename(&new, &file))
        .with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Figure = Figure {
        name: "rate",
        unit: "tasks/s",
        better: Better::Higher,
        target: Some(Target::Ratio(0.5)),
        what: "",
    };

    #[test]
    fn medians_and_quantiles() {
        assert_eq!(median([]), None);
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(quantile(&mut [], 0.5), None);
        let mut values: Vec<f64> = (0..=100).map(f64::from).rev().collect();
        assert_eq!(quantile(&mut values, 0.99), Some(99.0));
    }

    #[test]
    fn numbers_are_short() {
        let numbers = [
            (0.0, "0"),
            (0.1234, "0.123"),
            (5.0, "5.00"),
            (12.34, "12.3"),
        ];
        let large = [
            (1234.5, "1234"),
            (123_456.7, "123,457"),
            (1e7, "10,000,000"),
        ];
        for (number, want) in numbers.into_iter().chain(large) {
            assert_eq!(short(number), want);
        }
    }

    #[test]
    fn a_ratio_is_of_each_run_and_the_target_speaks_of_it() {
        let samples = [(10.0, 40.0), (30.0, 40.0), (30.0, 60.0)];
        let mut measured = Measured {
            figure: &RATE,
            samples: samples
                .map(|(value, limit)| Sample::new(value, limit))
                .to_vec(),
        };
        let json = measured.json();
        assert_eq!(
            (&json["median"], &json["limit"]),
            (&json!(30.0), &json!(40.0))
        );
        assert_eq!((&json["ratio"], &json["met"]), (&json!(0.5), &json!(true)));
        measured.samples.truncate(1);
        assert_eq!(measured.json()["met"], json!(false));
        measured.samples[0].limit = None;
        assert_eq!(measured.json()["met"], Value::Null);
    }
}
