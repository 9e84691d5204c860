//! What a scenario is: its figures, and how one run of it is made.

use crate::place::Place;
use anyhow::Result;

/// Which way a figure gets better.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Better {
    /// More is better: a rate.
    Higher,
    /// Less is better: a time, a size.
    Lower,
}

/// What a figure is to reach.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Target {
    /// Its median, in its unit.
    Median(f64),
    /// The median of its ratio to the limit.
    Ratio(f64),
}

/// One figure of the table.
pub(crate) struct Figure {
    /// Its name: `throughput-array`.
    pub(crate) name: &'static str,
    /// Of its values and limits: `tasks/s`.
    pub(crate) unit: &'static str,
    /// Which way it gets better.
    pub(crate) better: Better,
    /// What it is to reach, when anybody has said so.
    pub(crate) target: Option<Target>,
    /// What it measures, and what its limit is, in a line.
    pub(crate) what: &'static str,
}

impl Figure {
    /// A time in milliseconds that has no target.
    pub(crate) const fn ms(name: &'static str, what: &'static str) -> Figure {
        Figure {
            name,
            unit: "ms",
            better: Better::Lower,
            target: None,
            what,
        }
    }
}

/// One measurement of one figure.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Sample {
    /// Of the product, in the figure's unit.
    pub(crate) value: f64,
    /// What the machine allows, measured in the same run, in the same unit.
    pub(crate) limit: Option<f64>,
}

/// Makes one run: a sample for each figure of the group, in their order.
pub(crate) type Run = Box<dyn FnMut() -> Result<Vec<Sample>>>;

/// Figures that one set-up yields together.
pub(crate) struct Group {
    /// Its figures.
    pub(crate) figures: &'static [Figure],
    /// Runs, unless the caller says otherwise; five or more.
    pub(crate) runs: usize,
    /// Prepares what the runs share.
    pub(crate) set_up: fn(&Place) -> Result<Run>,
}

impl Group {
    /// The names of its figures.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.figures.iter().map(|figure| figure.name).collect();
        names.join(", ")
    }
}

impl Sample {
    /// A value with its limit.
    pub(crate) fn new(value: f64, limit: f64) -> Sample {
        Sample {
            value,
            limit: Some(limit),
        }
    }

    /// A value that has no limit to be held against.
    pub(crate) fn alone(value: f64) -> Sample {
        Sample { value, limit: None }
    }

    /// The value as a part or multiple of its limit.
    pub(crate) fn ratio(self) -> Option<f64> {
        self.limit
            .filter(|limit| *limit > 0.0)
            .map(|limit| self.value / limit)
    }
}
