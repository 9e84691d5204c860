//! What every verb is given: the settings, where to write, and a client when
//! it asks for one.

use crate::client::{Client, ClientError};
use crate::output::Out;
use crate::settings::Settings;

/// See the module.
pub(crate) struct Context {
    /// What holds for this run.
    pub(crate) settings: Settings,
    /// Where to write.
    pub(crate) out: Out,
}

impl Context {
    /// For these settings.
    pub(crate) fn new(settings: Settings) -> Context {
        let out = Out {
            format: settings.output,
            quiet: settings.quiet,
        };
        Context { settings, out }
    }

    /// A client of the primary that the settings name.
    pub(crate) async fn client(&self) -> Result<Client, ClientError> {
        Client::open(&self.settings).await
    }
}
