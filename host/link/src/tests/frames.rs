//! The control stream: messages both ways, and what is none.

use super::*;
use wasmhost_proto::wire::{Load, ToPrimary, ToWorker};

#[tokio::test]
async fn frames_go_both_ways_in_order() {
    let mut primary = Primary::start();
    let mut c = primary.connected().await;
    for n in 0..100u32 {
        let load = Load {
            running: n,
            ..Load::default()
        };
        c.to_primary
            .send(&WorkerFrame {
                messages: vec![ToPrimary::Beat(load)],
            })
            .await
            .unwrap();
        c.to_worker
            .send(&PrimaryFrame {
                term: 3,
                messages: vec![ToWorker::Ack { batch: n.into() }],
            })
            .await
            .unwrap();
    }
    for n in 0..100u32 {
        let got = c.from_worker.recv().await.unwrap();
        assert_eq!(
            got.messages,
            [ToPrimary::Beat(Load {
                running: n,
                ..Load::default()
            })]
        );
        let got = c.from_primary.recv().await.unwrap();
        assert_eq!(
            (got.term, got.messages),
            (3, vec![ToWorker::Ack { batch: n.into() }])
        );
    }
    c.handle.close("drained");
    says(
        c.from_primary.recv().await.unwrap_err(),
        "closed the connection: drained",
    );
}
