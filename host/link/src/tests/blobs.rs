//! Blobs: there, back, resumed, corrupt, slow.

use super::*;

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
