//! The conversions and the table that `build/` makes from the WIT.
#![allow(
    clippy::all,
    unused_imports,
    unused_variables,
    unused_mut,
    reason = "generated: not every kind of type and parameter occurs"
)]

use crate::convert::{Fit, FromValue, IntoValue, member, result};
use crate::host::{Function, Param};
use crate::value::Value;

include!(concat!(env!("OUT_DIR"), "/glue.rs"));
