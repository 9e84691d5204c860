//! Blobs: there, back, resumed, corrupt, slow.

use super::*;
use wasmhost_proto::limits::{MAX_BLOB, MAX_BLOB_STREAMS, STREAM_WINDOW};
use wasmhost_proto::wire::{FetchAnswer, Load, StreamRequest, ToPrimary};

#[tokio::test]
async fn blobs_go_both_ways() {
    let mut primary = Primary::start();
    let c = primary.connected().await;
    for len in [0, 1, 300_000, 3_000_000] {
        let bytes = noise(len as u64, len);
        let blob = primary.put(&bytes);
        let to = c.dir.path().join("fetched");
        c.uplink.fetch(&blob, &to).await.unwrap();
        assert!(read(&to) == bytes, "{len} bytes fetched");

        let bytes = noise(len as u64 + 1, len + 1);
        let (blob, from) = (blob_of(&bytes), c.dir.path().join("pushed"));
        std::fs::write(&from, &bytes).unwrap();
        for _ in 0..2 {
            c.uplink.push(&blob, &from).await.unwrap();
        }
        assert!(
            read(&primary.dir.path().join(blob.digest.hex())) == bytes,
            "{len} bytes pushed"
        );
    }
}

#[tokio::test]
async fn what_arrived_before_is_gone_on_with() {
    let mut primary = Primary::start();
    let c = primary.connected().await;
    let bytes = noise(5, 2_000_000);
    let blob = primary.put(&bytes);
    let (to, part) = (
        c.dir.path().join("module"),
        c.dir.path().join("module.part"),
    );
    // The bytes sent tell whether it went on or began anew.
    let sent = || c.handle.connection().stats().udp_tx.bytes;
    for (have, at_most) in [(1_900_000, 400_000), (bytes.len(), 100_000)] {
        std::fs::write(&part, &bytes[..have]).unwrap();
        let before = sent();
        c.uplink.fetch(&blob, &to).await.unwrap();
        assert!(read(&to) == bytes && !part.exists());
        assert!(
            sent() - before < at_most,
            "{} bytes for the rest after {have}",
            sent() - before
        );
        std::fs::remove_file(&to).unwrap();
    }
    // What is there is not the beginning of it: found out, thrown away, and right at the next call.
    std::fs::write(&part, vec![0; 1000]).unwrap();
    says(
        c.uplink.fetch(&blob, &to).await.unwrap_err(),
        "what the primary sent is not sha256:",
    );
    assert!(!part.exists() && !to.exists());
    c.uplink.fetch(&blob, &to).await.unwrap();
    // Longer than it should be: begun anew.
    std::fs::write(&part, vec![0; bytes.len() + 1]).unwrap();
    c.uplink.fetch(&blob, &to).await.unwrap();
    assert!(read(&to) == bytes);
}

#[tokio::test]
async fn a_broken_connection_keeps_what_came() {
    let mut primary = Primary::start();
    let c = primary.connected().await;
    let bytes = noise(9, 30_000_000);
    let blob = primary.put(&bytes);
    let (to, part) = (
        c.dir.path().join("module"),
        c.dir.path().join("module.part"),
    );
    let (uplink, handle, watched) = (c.uplink.clone(), c.handle.clone(), part.clone());
    let cut = async move {
        while std::fs::metadata(&watched).map_or(0, |m| m.len()) < 1_000_000 {
            tokio::task::yield_now().await;
        }
        handle.close("cut");
    };
    let (fetched, ()) = tokio::join!(uplink.fetch(&blob, &to), cut);
    let error = fetched.unwrap_err();
    assert!(error.is_transient(), "{error}");
    let kept = std::fs::metadata(&part).unwrap().len();
    assert!((1_000_000..30_000_000).contains(&kept), "{kept}");

    let link = WorkerLink::connect(&primary.address(), &c.identity)
        .await
        .unwrap();
    let _accepted = primary.listener.accept().await.unwrap();
    link.split().2.fetch(&blob, &to).await.unwrap();
    assert!(read(&to) == bytes);
}

#[tokio::test]
async fn what_is_missing_corrupt_or_too_large_is_named() {
    let mut primary = Primary::start();
    let c = primary.connected().await;
    let to = c.dir.path().join("x");
    let missing = blob_of(b"never there");
    says(
        c.uplink.fetch(&missing, &to).await.unwrap_err(),
        "the primary does not have sha256:",
    );

    let bytes = noise(1, 500_000);
    let blob = primary.put(&bytes);
    let mut flipped = bytes.clone();
    flipped[400_000] ^= 1;
    let kept = primary.dir.path().join(blob.digest.hex());
    for (content, want) in [
        (&flipped[..], "what the primary sent is not"),
        (&bytes[..9], "9 bytes instead of 500000"),
    ] {
        std::fs::write(&kept, content).unwrap();
        let error = c.uplink.fetch(&blob, &to).await.unwrap_err();
        says(&error, want);
        assert!(!error.is_transient() && !to.exists());
    }

    let from = c.dir.path().join("from");
    std::fs::write(&from, &flipped).unwrap();
    let wrong = BlobRef {
        digest: Digest([3; 32]),
        len: flipped.len() as u64,
    };
    says(
        c.uplink.push(&wrong, &from).await.unwrap_err(),
        "refused: it arrived as sha256:",
    );
    let short = BlobRef {
        len: 5,
        ..wrong.clone()
    };
    says(
        c.uplink.push(&short, &from).await.unwrap_err(),
        "the file has 500000 bytes instead of 5",
    );
    let sparse = std::fs::File::create(&from).unwrap();
    sparse.set_len(MAX_BLOB + 1).unwrap();
    let huge = BlobRef {
        len: MAX_BLOB + 1,
        ..wrong
    };
    says(
        c.uplink.push(&huge, &from).await.unwrap_err(),
        "over the limit of 1073741824",
    );
}

#[tokio::test]
async fn a_push_that_ends_early_or_runs_over_is_not_kept() {
    let mut primary = Primary::start();
    let c = primary.connected().await;
    let connection = c.to_primary.handle().connection().clone();
    let blob = blob_of(&[7; 1000]);
    for sent in [&[7; 999][..], &[7; 1001]] {
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        crate::request::send(&mut send, &StreamRequest::Push(blob.clone()))
            .await
            .unwrap();
        send.write_all(sent).await.unwrap();
        send.finish().unwrap();
        let _ = receive.read_to_end(1000).await;
        assert!(!primary.dir.path().join(blob.digest.hex()).exists());
    }
}

/// The regression of quinn 0.11.17: a large transfer to a slow reader. While
/// as many of them as there may be stand still, with every window full,
/// messages still flow both ways; then the reader takes all of it.
#[tokio::test]
async fn slow_readers_of_blobs_do_not_hold_up_messages() {
    const LEN: usize = 64 << 20;
    let mut primary = Primary::start();
    let mut c = primary.connected().await;
    let blob = primary.put(&noise(3, LEN));
    let connection = c.to_primary.handle().connection().clone();
    let mut slow = Vec::new();
    for _ in 0..MAX_BLOB_STREAMS {
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        let fetch = StreamRequest::Fetch {
            digest: blob.digest,
            offset: 0,
        };
        crate::request::send(&mut send, &fetch).await.unwrap();
        let answer: FetchAnswer = crate::request::receive(&mut receive, 10_000).await.unwrap();
        assert_eq!(answer, FetchAnswer::Found { len: LEN as u64 });
        slow.push((send, receive));
    }
    let full = MAX_BLOB_STREAMS as u64 * u64::from(STREAM_WINDOW);
    while connection.stats().udp_rx.bytes < full {
        tokio::task::yield_now().await;
    }
    for n in 0..200u32 {
        let beat = ToPrimary::Beat(Load {
            running: n,
            ..Load::default()
        });
        c.to_primary
            .send(&WorkerFrame {
                messages: vec![beat.clone()],
            })
            .await
            .unwrap();
        assert_eq!(c.from_worker.recv().await.unwrap().messages, [beat]);
        c.to_worker
            .send(&PrimaryFrame {
                term: n.into(),
                messages: Vec::new(),
            })
            .await
            .unwrap();
        assert_eq!(c.from_primary.recv().await.unwrap().term, u64::from(n));
    }
    let (_send, mut receive) = slow.swap_remove(0);
    drop(slow);
    let mut hash = Sha256::new();
    while let Some(chunk) = receive.read_chunk(256 << 10, true).await.unwrap() {
        hash.update(&chunk.bytes);
    }
    assert_eq!(Digest(hash.finalize().into()), blob.digest);
}
