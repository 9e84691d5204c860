//! Blobs on streams of their own: verified by SHA-256, in bounded pieces,
//! resumed where they broke off. Knows nothing of where a primary keeps them.

use crate::error::{BlobError, LinkError};
use crate::pieces::{blocking, keep_all, send_file};
use crate::request;
use quinn::{RecvStream, SendStream};
use sha2::{Digest as _, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasmhost_proto::Digest;
use wasmhost_proto::input::BlobRef;
use wasmhost_proto::limits::{BLOB_STALL_MS, MAX_BLOB};
use wasmhost_proto::wire::{FetchAnswer, PushAnswer, StreamRequest};

/// Where a primary keeps blobs. Called on threads that may block.
pub trait BlobHost: Send + Sync + 'static {
    /// The content and its length; none when it is not there.
    fn open(&self, digest: Digest) -> io::Result<Option<(File, u64)>>;
    /// Begins to take a content of `len` bytes.
    fn begin(&self, len: u64) -> io::Result<Box<dyn BlobUpload>>;
}

/// A blob being taken. Dropped unfinished it leaves nothing behind.
pub trait BlobUpload: Send {
    /// Adds bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Keeps the content, durable when this returns, under its digest.
    fn finish(self: Box<Self>) -> io::Result<BlobRef>;
}

// The primary.

/// Sends a blob from an offset on.
pub(crate) async fn serve_fetch(
    send: &mut SendStream,
    blobs: Arc<dyn BlobHost>,
    digest: Digest,
    offset: u64,
) -> Result<(), LinkError> {
    let opened = blocking(move || match blobs.open(digest)? {
        Some((mut file, len)) if offset <= len => {
            file.seek(SeekFrom::Start(offset))?;
            Ok(Some((file, len)))
        }
        Some((_, len)) => Err(io::Error::other(format!(
            "offset {offset} is past its {len} bytes"
        ))),
        None => Ok(None),
    });
    let (file, len) = match opened.await? {
        Ok(Some(found)) => found,
        Ok(None) => return request::send(send, &FetchAnswer::Missing).await,
        Err(error) => {
            tracing::warn!(%digest, "cannot send a blob: {error}");
            return request::send(
                send,
                &FetchAnswer::Refused(format!("cannot read {digest}: {error}")),
            )
            .await;
        }
    };
    request::send(send, &FetchAnswer::Found { len }).await?;
    send_file(send, file, len - offset).await
}

/// Takes a blob.
pub(crate) async fn serve_push(
    send: &mut SendStream,
    receive: &mut RecvStream,
    blobs: Arc<dyn BlobHost>,
    blob: BlobRef,
) -> Result<(), LinkError> {
    let answer = match take(send, receive, blobs, &blob).await {
        Ok(()) => PushAnswer::Stored,
        Err(BlobError::Link(error)) => return Err(error),
        Err(error) => {
            tracing::warn!(digest = %blob.digest, "did not take a blob: {error}");
            let _ = receive.stop(crate::transport::code::REFUSED);
            PushAnswer::Refused(error.to_string())
        }
    };
    request::send(send, &answer).await
}

async fn take(
    send: &mut SendStream,
    receive: &mut RecvStream,
    blobs: Arc<dyn BlobHost>,
    blob: &BlobRef,
) -> Result<(), BlobError> {
    if blob.len > MAX_BLOB {
        return Err(BlobError::Refused(format!(
            "{} bytes are over the limit of {MAX_BLOB}",
            blob.len
        )));
    }
    let at = |source| BlobError::File {
        path: PathBuf::from(blob.digest.to_string()),
        source,
    };
    let (digest, len) = (blob.digest, blob.len);
    let begun = blocking(move || match blobs.open(digest)? {
        Some(_) => Ok(None),
        None => blobs.begin(len).map(Some),
    });
    let Some(upload) = begun.await?.map_err(at)? else {
        return Ok(());
    };
    request::send(send, &PushAnswer::Send).await?;
    let write = |upload: &mut Box<dyn BlobUpload>, bytes: &[u8]| upload.write(bytes);
    let (upload, left) = keep_all(receive, blob.len, upload, write).await?;
    let upload = upload.map_err(at)?;
    if left > 0 {
        return Err(BlobError::Refused(format!(
            "it ended {left} bytes before its {} bytes",
            blob.len
        )));
    }
    let stored = blocking(move || upload.finish()).await?.map_err(at)?;
    if stored != *blob {
        // Kept under its true name, which no record will hold: collected later.
        return Err(BlobError::Refused(format!(
            "it arrived as {}",
            stored.digest
        )));
    }
    Ok(())
}

// The worker.

/// Fetches a blob into `destination`, through `destination` with `.part`
/// added, which is kept when the link fails and gone on with at the next call.
pub(crate) async fn fetch(
    mut send: SendStream,
    mut receive: RecvStream,
    blob: &BlobRef,
    destination: &Path,
) -> Result<(), BlobError> {
    let part = part_of(destination);
    let at = |source| BlobError::File {
        path: part.clone(),
        source,
    };
    let (path, len) = (part.clone(), blob.len);
    let sink = blocking(move || Sink::open(&path, len))
        .await?
        .map_err(at)?;
    request::send(
        &mut send,
        &StreamRequest::Fetch {
            digest: blob.digest,
            offset: sink.len,
        },
    )
    .await?;
    let _ = send.finish();
    match request::receive(&mut receive, BLOB_STALL_MS).await? {
        FetchAnswer::Found { len } if len == blob.len => {}
        FetchAnswer::Found { len } => {
            return Err(BlobError::Corrupt {
                want: blob.digest,
                got: format!("{len} bytes instead of {}", blob.len),
            });
        }
        FetchAnswer::Missing => return Err(BlobError::Missing(blob.digest)),
        FetchAnswer::Refused(why) => return Err(BlobError::Refused(why)),
    }
    let left = blob.len - sink.len;
    let (sink, left) = keep_all(&mut receive, left, sink, Sink::write).await?;
    let sink = sink.map_err(at)?;
    if left > 0 {
        return Err(LinkError::Lost(format!("{left} bytes of {} are missing", blob.digest)).into());
    }
    let (want, path, to) = (blob.digest, part.clone(), destination.to_owned());
    blocking(move || sink.finish(want, &path, &to))
        .await?
        .map_err(at)?
        .map_err(|got| BlobError::Corrupt {
            want: blob.digest,
            got: got.to_string(),
        })
}

/// Sends a file as a blob; returns once the primary has it durable.
pub(crate) async fn push(
    mut send: SendStream,
    mut receive: RecvStream,
    blob: &BlobRef,
    path: &Path,
) -> Result<(), BlobError> {
    let (from, len) = (path.to_owned(), blob.len);
    let opened = blocking(move || {
        let file = File::open(&from)?;
        match file.metadata()?.len() {
            found if found == len => Ok(file),
            found => Err(io::Error::other(format!(
                "the file has {found} bytes instead of {len}"
            ))),
        }
    });
    let file = opened.await?.map_err(|source| BlobError::File {
        path: path.to_owned(),
        source,
    })?;
    request::send(&mut send, &StreamRequest::Push(blob.clone())).await?;
    if let Some(done) = pushed(request::receive(&mut receive, BLOB_STALL_MS).await?) {
        return done;
    }
    let sent = send_file(&mut send, file, blob.len).await;
    let _ = send.finish();
    // A primary that refuses midway stops reading: its answer says why.
    let answer = request::receive(&mut receive, BLOB_STALL_MS).await;
    match (sent, answer) {
        (_, Ok(answer)) => pushed(answer).unwrap_or_else(|| {
            Err(LinkError::Protocol("it asks for the same content twice".into()).into())
        }),
        (Err(error), Err(_)) | (Ok(()), Err(error)) => Err(error.into()),
    }
}

fn pushed(answer: PushAnswer) -> Option<Result<(), BlobError>> {
    match answer {
        PushAnswer::Send => None,
        PushAnswer::Stored => Some(Ok(())),
        PushAnswer::Refused(why) => Some(Err(BlobError::Refused(why))),
    }
}

// Both.

fn part_of(destination: &Path) -> PathBuf {
    let mut name = destination.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// The file being fetched and the hash of what it holds.
struct Sink {
    file: File,
    hash: Sha256,
    len: u64,
}

impl Sink {
    /// Goes on with what is there, or begins anew when that is too long.
    fn open(path: &Path, max: u64) -> io::Result<Sink> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let (mut hash, mut len) = (Sha256::new(), file.metadata()?.len());
        if len > max {
            file.set_len(0)?;
            len = 0;
        }
        let hashed = io::copy(&mut (&mut file).take(len), &mut hash)?;
        debug_assert_eq!(hashed, len, "nobody else writes it");
        Ok(Sink { file, hash, len })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Renames the file into place, or removes it and says what it was. It need not
    /// be durable: a worker verifies what it finds in its folder before the first use.
    fn finish(
        self,
        want: Digest,
        part: &Path,
        destination: &Path,
    ) -> io::Result<Result<(), Digest>> {
        let got = Digest(self.hash.finalize().into());
        if got != want {
            std::fs::remove_file(part)?;
            return Ok(Err(got));
        }
        std::fs::rename(part, destination)?;
        Ok(Ok(()))
    }
}
