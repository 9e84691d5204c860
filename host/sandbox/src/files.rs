//! The files of an attempt: a folder of the machine that is the root of all that its guest
//! sees. Whoever makes the folder sees to its bounds; here it is opened, and looked at
//! when the guest has failed.

use crate::board::Feed;
use std::fs::File;
use std::path::PathBuf;
use wasmhost_proto::outcome::{Failure, FailureKind};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

/// Names the file in which a program says its status.
pub(crate) const STATUS_VARIABLE: &str = "WASMHOST_STATUS";
/// That file, as the program knows it.
pub(crate) const STATUS_FILE: &str = "/tmp/wasmhost-status";

/// What an attempt sees as `/`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Root {
    /// The folder.
    pub path: PathBuf,
    /// The bytes that fit in; none when nothing in it may be written.
    pub scratch: Option<u64>,
}

impl Root {
    /// Gives it to a guest.
    pub(crate) fn open(&self, builder: &mut WasiCtxBuilder) -> Result<(), Failure> {
        let perms = match self.scratch {
            Some(_) => FsPerms::ReadWrite,
            None => FsPerms::ReadOnly,
        };
        match builder.preopened_dir(&self.path, "/", perms) {
            Ok(_) => Ok(()),
            Err(error) => {
                let message = format!("cannot open {}: {error:#}", self.path.display());
                Err(Failure::new(FailureKind::HostFault, message))
            }
        }
    }

    /// The file in which a program may say its status, empty; none when it cannot write.
    pub(crate) fn status(&self) -> Result<Option<Feed>, Failure> {
        if self.scratch.is_none() {
            return Ok(None);
        }
        let path = self.path.join(STATUS_FILE.trim_start_matches('/'));
        let made = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        made.map(|file| Some(Feed::new(file))).map_err(|error| {
            let message = format!("cannot make {}: {error}", path.display());
            Failure::new(FailureKind::HostFault, message)
        })
    }

    /// What a guest failed of, now that it is known whether it had room to write.
    pub(crate) fn judge(&self, failure: Failure) -> Failure {
        let own = matches!(
            failure.kind,
            FailureKind::GuestError
                | FailureKind::GuestRetryable
                | FailureKind::ExitCode
                | FailureKind::Trap
        );
        match self.scratch {
            Some(bytes) if own && self.is_full() => {
                let message = format!(
                    "its scratch folder of {bytes} bytes was full: {}",
                    failure.message
                );
                Failure {
                    kind: FailureKind::ScratchLimit,
                    message,
                    ..failure
                }
            }
            _ => failure,
        }
    }

    /// Whether nothing more can be written, or no file made.
    fn is_full(&self) -> bool {
        let room = rustix::fs::statvfs(&self.path);
        room.is_ok_and(|room| room.f_bavail == 0 || room.f_ffree == 0)
    }
}
