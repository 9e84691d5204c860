//! The texts that a task's definition configures it with (`config = { rate = "1.5" }`).
//! Owns their reading as other types; what they mean is the author's.

use crate::context::{AnyHost, Context};
// Elsewhere the host is a trait object, whose methods need no import.
#[cfg(target_family = "wasm")]
use crate::context::Host as _;
use crate::error::TaskError;
use std::fmt::Display;
use std::str::FromStr;

/// What the task was configured with.
pub struct Config<'a>(&'a AnyHost);

impl Context {
    /// What the task's definition configures it with.
    ///
    /// ```
    /// # use wasmhost::{Context, TaskError, testing::Fake};
    /// fn price(ctx: &Context, net: f64) -> Result<f64, TaskError> {
    ///     let rate: f64 = ctx.config().need("rate")?;
    ///     let round: bool = ctx.config().get("round")?.unwrap_or(false);
    ///     let gross = net * (1.0 + rate);
    ///     Ok(if round { gross.round() } else { gross })
    /// }
    /// # let fake = Fake::new().config("rate", "0.19");
    /// # assert_eq!(price(&fake.context(), 100.0), Ok(119.0));
    /// ```
    pub fn config(&self) -> Config<'_> {
        Config(self.host())
    }
}

impl Config<'_> {
    /// The text of a key; none when there is no such key.
    pub fn text(&self, key: &str) -> Option<String> {
        self.0.config(key)
    }

    /// The value of a key, read as a number, a flag (`true` or `false`), or whatever else
    /// is read from text; none when there is no such key. A text that cannot be read so
    /// is a permanent error that names the key.
    pub fn get<T>(&self, key: &str) -> Result<Option<T>, TaskError>
    where
        T: FromStr<Err: Display>,
    {
        let Some(text) = self.text(key) else {
            return Ok(None);
        };
        text.trim().parse().map(Some).map_err(|error| {
            let kind = std::any::type_name::<T>();
            let kind = kind.rsplit("::").next().unwrap_or(kind);
            TaskError::permanent(format_args!(
                "config '{key}': '{text}' is no {kind}: {error}"
            ))
        })
    }

    /// The same for a key that must be there.
    pub fn need<T>(&self, key: &str) -> Result<T, TaskError>
    where
        T: FromStr<Err: Display>,
    {
        let missing = || {
            TaskError::permanent(format_args!(
                "config '{key}' is missing: write `config = {{ {key} = \"…\" }}` in the task's definition"
            ))
        };
        self.get(key)?.ok_or_else(missing)
    }

    /// All keys with their texts.
    pub fn all(&self) -> Vec<(String, String)> {
        self.0.config_all()
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Fake;

    #[test]
    fn texts_are_read_as_types() {
        let fake = Fake::new()
            .config("rate", " 1.5 ")
            .config("on", "true")
            .config("name", "a b");
        let ctx = fake.context();
        let config = ctx.config();
        assert_eq!(config.need::<f64>("rate"), Ok(1.5));
        assert_eq!(config.get::<bool>("on"), Ok(Some(true)));
        assert_eq!(config.need::<String>("name"), Ok("a b".to_owned()));
        assert_eq!(config.get::<u8>("none"), Ok(None));
        assert_eq!(config.text("none"), None);
        assert_eq!(config.all().len(), 3);
        let told = |error: crate::TaskError| error.message().to_owned();
        for (got, part) in [
            (
                config.get::<u8>("name").map(drop),
                "config 'name': 'a b' is no u8",
            ),
            (
                config.need::<u8>("none").map(drop),
                "config 'none' is missing",
            ),
        ] {
            let error = got.map_err(told).err().unwrap_or_default();
            assert!(error.contains(part), "{error}");
        }
        // The latest wins.
        let fake = fake.config("on", "false");
        assert_eq!(fake.context().config().need::<bool>("on"), Ok(false));
    }
}
