//! What a peer may send instead of a message: an error each time, at once, and
//! without much memory. A failure prints its case.
#![allow(clippy::unwrap_used)]

mod samples;

use proptest::prelude::*;
use serde::de::DeserializeOwned;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use wasmhost_proto::codec::{CodecError, HEADER, decode, encode, frame_len, write_frame};
use wasmhost_proto::executor::{FromExecutor, ToExecutor};
use wasmhost_proto::limits::{MAX_CBOR_DEPTH, MAX_FRAME};
use wasmhost_proto::wire::*;

/// Counts the bytes that the current thread asks for.
struct Counting;

thread_local! {
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator; the counter neither
// allocates nor panics.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ASKED.try_with(|asked| asked.set(asked.get().saturating_add(layout.size())));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: `at` came from `alloc` above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Decodes as a message; the memory asked for stays in proportion to the bytes
/// that came, whatever lengths they announce.
fn check<T: DeserializeOwned>(bytes: &[u8]) -> Option<CodecError> {
    let before = ASKED.get();
    let error = decode::<T>(bytes).err();
    let asked = ASKED.get() - before;
    // The largest element takes a few hundred bytes for one byte of CBOR, and
    // vectors grow by doubling; serde's first guess of a capacity is bounded.
    assert!(
        asked <= (1 << 20) + 2048 * bytes.len(),
        "{asked} bytes for {}",
        bytes.len()
    );
    error
}

fn check_all(bytes: &[u8]) {
    check::<WorkerFrame>(bytes);
    check::<PrimaryFrame>(bytes);
    check::<ToExecutor>(bytes);
    check::<FromExecutor>(bytes);
    check::<StreamRequest>(bytes);
    check::<FetchAnswer>(bytes);
    check::<PushAnswer>(bytes);
    check::<JoinRequest>(bytes);
    check::<CertificateAnswer>(bytes);
}

/// Every frame that the samples make.
fn frames() -> Vec<Vec<u8>> {
    let primary = samples::wire::to_worker().into_iter();
    let worker = samples::wire::to_primary().into_iter();
    let primary = primary.map(|(_, m)| {
        encode(&PrimaryFrame {
            term: 1,
            messages: vec![m],
        })
        .unwrap()
    });
    let worker = worker.map(|(_, m)| encode(&WorkerFrame { messages: vec![m] }).unwrap());
    let executor = samples::executor::from_executor()
        .into_iter()
        .map(|(_, m)| encode(&m).unwrap());
    primary.chain(worker).chain(executor).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_all(&bytes);
    }

    #[test]
    fn damaged_frames(
        pick in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let frames = frames();
        let mut bytes = frames[pick.index(frames.len())].clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        check_all(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        check_all(&bytes);
    }
}

#[test]
fn announced_lengths_cost_nothing() {
    // Arrays, maps, texts and byte strings of 2^32 and of 2^62 elements, in the
    // place of every part of a frame.
    let heads: [&[u8]; 8] = [
        &[0x9a, 0xff, 0xff, 0xff, 0xff],
        &[0x9b, 0x40, 0, 0, 0, 0, 0, 0, 0],
        &[0xba, 0xff, 0xff, 0xff, 0xff],
        &[0xbb, 0x40, 0, 0, 0, 0, 0, 0, 0],
        &[0x7a, 0xff, 0xff, 0xff, 0xff],
        &[0x7b, 0x40, 0, 0, 0, 0, 0, 0, 0],
        &[0x5a, 0xff, 0xff, 0xff, 0xff],
        &[0x5b, 0x40, 0, 0, 0, 0, 0, 0, 0],
    ];
    for head in heads {
        check_all(head);
        for frame in frames() {
            for at in 0..frame.len() {
                let mut bytes = frame[..at].to_vec();
                bytes.extend_from_slice(head);
                bytes.extend_from_slice(&frame[at + 1..]);
                check::<WorkerFrame>(&bytes);
                check::<PrimaryFrame>(&bytes);
                check::<FromExecutor>(&bytes);
            }
        }
    }
}

#[test]
fn cut_frames_are_no_messages() {
    for frame in frames() {
        for cut in 0..frame.len() {
            let bytes = &frame[..cut];
            assert!(decode::<PrimaryFrame>(bytes).is_err());
            assert!(decode::<WorkerFrame>(bytes).is_err());
            assert!(decode::<FromExecutor>(bytes).is_err());
        }
    }
}

#[test]
fn trailing_bytes_are_refused() {
    let mut bytes = encode(&samples::wire::worker_frame()).unwrap();
    bytes.extend_from_slice(b"\0\0");
    assert_eq!(decode::<WorkerFrame>(&bytes), Err(CodecError::Trailing(2)));
}

#[test]
fn deep_nesting_is_refused() {
    let depth = 500_000;
    let nests: [(&[u8], &str); 3] = [
        (&[0x81], "arrays"),
        (&[0xa1, 0x00], "maps"),
        (&[0xc1], "tags"),
    ];
    for (nest, what) in nests {
        let mut bytes = nest.repeat(depth);
        bytes.push(0x00);
        assert!(decode::<WorkerFrame>(&bytes).is_err(), "{what}");
        assert!(decode::<ciborium::Value>(&bytes).is_err(), "{what}");
        // In a field that is skipped because nobody knows it.
        let mut skipped = vec![0xa2, 0x61, b'x'];
        skipped.extend_from_slice(&bytes);
        assert!(decode::<WorkerFrame>(&skipped).is_err(), "{what}");
    }
    let mut fits = vec![0x81; MAX_CBOR_DEPTH - 1];
    fits.push(0x00);
    assert!(decode::<serde::de::IgnoredAny>(&fits).is_ok());
}

#[test]
fn frames_are_bounded() {
    let header = |len: usize| u32::try_from(len).unwrap().to_be_bytes();
    assert_eq!(frame_len(header(MAX_FRAME)), Ok(MAX_FRAME));
    assert_eq!(
        frame_len(header(MAX_FRAME + 1)),
        Err(CodecError::TooLarge(MAX_FRAME + 1))
    );
    assert_eq!(
        frame_len([0xff; HEADER]),
        Err(CodecError::TooLarge(u32::MAX as usize))
    );

    let chunk = |len: usize| ToExecutor::InputChunk {
        run: 0,
        bytes: vec![0; len],
        last: false,
    };
    let spare = encode(&chunk(MAX_FRAME)).unwrap().len() - MAX_FRAME;
    let mut out = b"before".to_vec();
    write_frame(&chunk(MAX_FRAME - spare), &mut out).unwrap();
    assert_eq!(out.len(), "before".len() + HEADER + MAX_FRAME);
    let before = out.clone();
    let error = write_frame(&chunk(MAX_FRAME - spare + 1), &mut out);
    assert_eq!(error, Err(CodecError::TooLarge(MAX_FRAME + 1)));
    assert_eq!(out, before, "as it was");
}
