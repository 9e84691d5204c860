//! Settings: flags over environment over a TOML file over defaults.
