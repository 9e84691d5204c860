//! An input that is being put together: in memory while it is small, else in a file.

use super::PrepareError;
use super::results::{Found, Results};
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _};
use wasmhost_core::record::StoredResult;
use wasmhost_proto::limits::{BLOB_CHUNK, MAX_BLOB, MAX_PREPARED_INLINE};
use wasmhost_store::{BlobWriter, Blobs};

pub(super) struct Draft<'a> {
    blobs: &'a Blobs,
    small: Vec<u8>,
    large: Option<BlobWriter>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(blobs: &'a Blobs) -> Draft<'a> {
        Draft {
            blobs,
            small: Vec::new(),
            large: None,
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), PrepareError> {
        if let Some(large) = &mut self.large {
            return Ok(large.write(bytes)?);
        }
        if self.small.len() + bytes.len() <= MAX_PREPARED_INLINE {
            self.small.extend_from_slice(bytes);
            return Ok(());
        }
        let mut large = self.blobs.begin(MAX_BLOB)?;
        large.write(&std::mem::take(&mut self.small))?;
        large.write(bytes)?;
        self.large = Some(large);
        Ok(())
    }

    /// Durable when it is given.
    pub(super) fn finish(self) -> Result<StoredResult, PrepareError> {
        Ok(match self.large {
            Some(large) => StoredResult::Blob(large.finish()?),
            None => StoredResult::Inline(self.small),
        })
    }

    /// A result as it is.
    pub(super) fn copy(&mut self, results: &Results, found: &Found) -> Result<(), PrepareError> {
        match (&found.result, results.open(found)?) {
            (_, Some((file, _))) => self.copy_file(file),
            (StoredResult::Inline(bytes), None) => self.write(bytes),
            (StoredResult::Blob(_), None) => Ok(()),
        }
    }

    fn copy_file(&mut self, mut file: File) -> Result<(), PrepareError> {
        let mut chunk = vec![0; BLOB_CHUNK];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(()),
                n => self.write(&chunk[..n])?,
            }
        }
    }

    /// A result as a JSON value: itself if it is well-formed JSON, else its text.
    pub(super) fn json(&mut self, results: &Results, found: &Found) -> Result<(), PrepareError> {
        let not_text = || PrepareError::NotText(results.name(found.task));
        match (&found.result, results.open(found)?) {
            (_, Some((mut file, _))) => {
                let json: Result<serde::de::IgnoredAny, _> =
                    serde_json::from_reader(BufReader::new(&file));
                file.rewind()?;
                match json {
                    Ok(_) => self.copy_file(file),
                    Err(_) => self.quote(file, not_text),
                }
            }
            (StoredResult::Inline(bytes), None) => {
                match serde_json::from_slice::<serde::de::IgnoredAny>(bytes) {
                    Ok(_) => self.write(bytes),
                    Err(_) => {
                        let text = std::str::from_utf8(bytes).map_err(|_| not_text())?;
                        self.write(serde_json::Value::from(text).to_string().as_bytes())
                    }
                }
            }
            (StoredResult::Blob(_), None) => Ok(()),
        }
    }

    /// The text of a file as a JSON text, piece by piece.
    fn quote(
        &mut self,
        mut file: File,
        not_text: impl Fn() -> PrepareError,
    ) -> Result<(), PrepareError> {
        self.write(b"\"")?;
        let mut chunk = vec![0; BLOB_CHUNK];
        let mut kept = 0;
        loop {
            let n = file.read(&mut chunk[kept..])?;
            let bytes = &chunk[..kept + n];
            // A character may be cut by the end of the piece.
            let whole = match std::str::from_utf8(bytes) {
                Ok(text) => text.len(),
                Err(e) if e.error_len().is_none() && n > 0 => e.valid_up_to(),
                Err(_) => return Err(not_text()),
            };
            let text = std::str::from_utf8(&bytes[..whole]).map_err(|_| not_text())?;
            let quoted = serde_json::Value::from(text).to_string();
            self.write(&quoted.as_bytes()[1..quoted.len() - 1])?;
            let len = bytes.len();
            chunk.copy_within(whole..len, 0);
            kept = len - whole;
            if n == 0 {
                return self.write(b"\"");
            }
        }
    }
}
