//! Named streams beside a task's result, which clients download, also while they grow.
//! Bounds are the platform's.

use crate::context::Context;
use crate::error::TaskError;
// Elsewhere the host is a trait object, whose methods need no import.
#[cfg(target_family = "wasm")]
use crate::keep::Keeper as _;
use std::io;

/// Where outputs are made: [`Context::outputs`].
pub struct Outputs<'a>(&'a Context);

/// An output of the task. Ends when it is dropped, or with the attempt.
pub struct OutputStream<'a> {
    context: &'a Context,
    number: u32,
    closed: bool,
}

impl Context {
    /// The outputs of this attempt.
    pub fn outputs(&self) -> Outputs<'_> {
        Outputs(self)
    }
}

impl<'a> Outputs<'a> {
    /// Begins an output: `ctx.outputs().create("report.html", "text/html")?`. It is an
    /// [`io::Write`]; what is written is sent once there is enough of it, or after a second.
    ///
    /// # Errors
    /// The name is none for a file, or there is such an output already, or there are 32.
    pub fn create(&self, name: &str, content_type: &str) -> Result<OutputStream<'a>, TaskError> {
        let created = self.0.host().output_create(name, content_type);
        Ok(OutputStream {
            context: self.0,
            number: created.map_err(TaskError::permanent)?,
            closed: false,
        })
    }
}

impl OutputStream<'_> {
    /// Ends it, and says whether all of it was kept.
    ///
    /// # Errors
    /// It could not be.
    pub fn close(mut self) -> Result<(), TaskError> {
        self.closed = true;
        let closed = self.context.host().output_close(self.number);
        closed.map_err(TaskError::retryable)
    }
}

impl io::Write for OutputStream<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let written = self.context.host().output_write(self.number, data);
        written.map(|()| data.len()).map_err(io::Error::other)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.context.host().output_flush(self.number);
        flushed.map_err(io::Error::other)
    }
}

impl Drop for OutputStream<'_> {
    fn drop(&mut self) {
        if !self.closed {
            // What is lost of it, the end of the attempt says.
            let _ = self.context.host().output_close(self.number);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::testing::Fake;
    use std::io::Write as _;

    #[test]
    fn what_is_written_is_there() {
        let fake = Fake::new();
        let ctx = fake.context();
        let mut report = ctx.outputs().create("report.html", "text/html").unwrap();
        write!(report, "<h1>{}</h1>", 7).unwrap();
        report.flush().unwrap();
        assert!(ctx.outputs().create("report.html", "text/html").is_err());
        assert!(ctx.outputs().create("a/b", "text/html").is_err());
        report.close().unwrap();
        assert_eq!(fake.output("report.html"), Some(b"<h1>7</h1>".to_vec()));
        assert_eq!(fake.output("other"), None);
    }
}
