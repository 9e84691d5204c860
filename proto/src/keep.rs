//! What a task keeps with the primary beside its result: the checkpoint that one attempt
//! leaves to the next, and its outputs: named streams that clients download.

use crate::ids::{Lease, TaskId};
use crate::limits::{MAX_CHECKPOINT, MAX_OUTPUT_NAME, MAX_OUTPUT_PART};
use crate::wire::ResultData;
use serde::{Deserialize, Serialize};

/// What an attempt asks for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// To keep a checkpoint in the place of the one before. From an executor its bytes,
    /// those after all [`crate::executor::FromExecutor::Bulk`]; on the wire a large one is
    /// a blob, which [`checkpoint_head`] begins.
    Save(ResultData),
    /// The checkpoint that was saved last, by whatever attempt of the task.
    Load,
    /// To begin an output.
    Create {
        /// Which of the attempt's, from 0.
        output: u32,
        /// Its name.
        name: String,
        /// What it holds, as in HTTP.
        content_type: String,
    },
    /// To add bytes to an output: inline, or as a blob where they are many.
    Append {
        /// Which of the attempt's.
        output: u32,
        /// Which of its parts, from 0: a repetition does not count twice.
        part: u32,
        /// The bytes.
        content: ResultData,
    },
    /// To say that nothing more is added to an output.
    Close {
        /// Which of the attempt's.
        output: u32,
    },
}

/// What is wrong with the name of an output; none when nothing is. It becomes a file's.
pub fn output_name_fault(name: &str) -> Option<String> {
    let bad = |c: char| c.is_control() || matches!(c, '/' | '\\' | '"');
    let good = !name.is_empty()
        && name.len() <= MAX_OUTPUT_NAME
        && !name.starts_with('.')
        && !name.contains(bad);
    (!good).then(|| {
        format!(
            "the name of an output has 1 to {MAX_OUTPUT_NAME} bytes, no '/', '\\', '\"' and \
             control characters, and does not begin with a point"
        )
    })
}

/// What is wrong with a content type; none when nothing is.
pub fn content_type_fault(text: &str) -> Option<String> {
    let token = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "!#$&^_.+-".contains(c);
        !part.is_empty() && part.chars().all(plain)
    };
    let kind = text.split(';').next().unwrap_or_default().trim_end();
    let good = text.len() <= MAX_OUTPUT_NAME
        && text.chars().all(|c| c == ' ' || c.is_ascii_graphic())
        && kind
            .split_once('/')
            .is_some_and(|(a, b)| token(a) && token(b));
    (!good).then(|| {
        let shown: String = text.chars().take(40).filter(|c| !c.is_control()).collect();
        format!("'{shown}' is no content type such as 'text/html'")
    })
}

impl Keep {
    /// What is wrong with it; none when nothing is.
    pub fn fault(&self) -> Option<String> {
        match self {
            Keep::Save(ResultData::Inline(bytes)) if bytes.len() > MAX_CHECKPOINT => Some(format!(
                "the checkpoint has {} bytes, and may have {MAX_CHECKPOINT}",
                bytes.len()
            )),
            Keep::Create {
                name, content_type, ..
            } => output_name_fault(name).or_else(|| content_type_fault(content_type)),
            Keep::Append { content, .. } if content.len() > MAX_OUTPUT_PART as u64 => {
                Some(format!(
                    "a part of an output has {} bytes, and may have {MAX_OUTPUT_PART}",
                    content.len()
                ))
            }
            Keep::Save(_) | Keep::Load | Keep::Append { .. } | Keep::Close { .. } => None,
        }
    }

    /// What it brings.
    pub fn content_mut(&mut self) -> Option<&mut ResultData> {
        match self {
            Keep::Save(content) | Keep::Append { content, .. } => Some(content),
            Keep::Load | Keep::Create { .. } | Keep::Close { .. } => None,
        }
    }

    /// The bytes that it brings, where it has them itself.
    pub fn bytes_mut(&mut self) -> Option<&mut Vec<u8>> {
        match self.content_mut()? {
            ResultData::Inline(bytes) => Some(bytes),
            ResultData::Blob(_) => None,
        }
    }
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// It is durable.
    Saved,
    /// The checkpoint; none when there is none.
    Checkpoint(Option<ResultData>),
}

/// The first line of a checkpoint's blob. It tells whose it is, so that no two blobs are
/// the same and one that is superseded can be removed at once.
pub fn checkpoint_head(task: TaskId, lease: Lease, call: u64) -> String {
    let (term, attempt) = (lease.term, lease.attempt);
    format!("{}{term}.{attempt}.{call}\n", checkpoint_owner(task))
}

/// How the first line of each of a task's checkpoints begins.
pub fn checkpoint_owner(task: TaskId) -> String {
    format!("wasmhost checkpoint of {task}, call ")
}

/// What follows the first line of a checkpoint's blob; none when it is no such blob.
pub fn checkpoint_body(task: TaskId, blob: &[u8]) -> Option<&[u8]> {
    let rest = blob.strip_prefix(checkpoint_owner(task).as_bytes())?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some(&rest[end + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobId;

    #[test]
    fn names_and_types_of_outputs() {
        for name in ["a", "report.html", "a b (2).csv", "Übersicht.pdf"] {
            assert_eq!(output_name_fault(name), None, "{name}");
        }
        let long = "x".repeat(MAX_OUTPUT_NAME + 1);
        for name in [
            "", ".", "..", ".profile", "a/b", "a\\b", "a\nb", "a\"b", &long,
        ] {
            assert!(output_name_fault(name).is_some(), "{name}");
        }
        for text in ["text/html", "text/plain; charset=utf-8", "image/svg+xml"] {
            assert_eq!(content_type_fault(text), None, "{text}");
        }
        for text in [
            "",
            "text",
            "text/",
            "a/b/c",
            "text/html\r\nX: y",
            "té/xt",
            &long,
        ] {
            assert!(content_type_fault(text).is_some(), "{text}");
        }
    }

    #[test]
    fn a_checkpoint_is_its_tasks_own() {
        let task = |index| TaskId {
            job: JobId(7),
            node: 1,
            index,
        };
        let lease = Lease {
            term: 3,
            attempt: 2,
        };
        let blob = [checkpoint_head(task(1), lease, 9).as_bytes(), b"a\nb"].concat();
        assert_eq!(checkpoint_body(task(1), &blob), Some(&b"a\nb"[..]));
        assert_eq!(checkpoint_body(task(11), &blob), None);
        assert_eq!(checkpoint_body(task(1), b"a\nb"), None);
        assert_eq!(checkpoint_body(task(1), &blob[..20]), None);
    }
}
