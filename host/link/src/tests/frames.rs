//! The control stream: messages both ways, and what is none.

use super::*;
use crate::authority::SERVER_NAME;
use wasmhost_proto::codec;
use wasmhost_proto::handshake::{self, ANSWER_LEN};
use wasmhost_proto::limits::{MAX_FRAME, MAX_PENDING_PER_ADDRESS};
use wasmhost_proto::wire::{Load, ToPrimary, ToWorker};

fn beat(running: u32) -> WorkerFrame {
    let load = Load {
        running,
        ..Load::default()
    };
    WorkerFrame {
        messages: vec![ToPrimary::Beat(load)],
    }
}

#[tokio::test]
async fn frames_go_both_ways_in_order_and_a_close_says_why() {
    let mut primary = Primary::start();
    let mut c = primary.connected().await;
    for n in 0..100u32 {
        c.to_primary.send(&beat(n)).await.unwrap();
        let ack = ToWorker::Ack { batch: n.into() };
        c.to_worker
            .send(&PrimaryFrame {
                term: 3,
                messages: vec![ack],
            })
            .await
            .unwrap();
    }
    for n in 0..100u32 {
        assert_eq!(c.from_worker.recv().await.unwrap(), beat(n));
        let got = c.from_primary.recv().await.unwrap();
        assert_eq!(
            (got.term, got.messages),
            (3, vec![ToWorker::Ack { batch: n.into() }])
        );
    }
    c.handle
        .close(&format!("drained\u{1b}[2J{}", "ü".repeat(400)));
    let end = c.from_primary.recv().await.unwrap_err();
    says(&end, "closed the connection: drained [2Jü");
    assert!(end.to_string().len() < 600);
}

#[tokio::test]
async fn a_frame_over_the_limit_is_not_sent_and_does_no_harm() {
    let mut primary = Primary::start();
    let mut c = primary.connected().await;
    let large = ToPrimary::Module {
        digest: Digest([0; 32]),
        state: wasmhost_proto::wire::ModuleState::Rejected("x".repeat(MAX_FRAME)),
    };
    let error = c
        .to_primary
        .send(&WorkerFrame {
            messages: vec![large],
        })
        .await
        .unwrap_err();
    assert!(matches!(error, LinkError::TooLarge(len) if len > MAX_FRAME));
    c.to_primary.send(&beat(1)).await.unwrap();
    assert_eq!(c.from_worker.recv().await.unwrap(), beat(1));
}

#[tokio::test]
async fn the_last_frames_arrive_when_a_sender_finishes() {
    let mut primary = Primary::start();
    let mut c = primary.connected().await;
    let reader = tokio::spawn(async move {
        let mut frames = 0;
        while c.from_worker.recv().await.is_ok() {
            frames += 1;
        }
        frames
    });
    for n in 0..1000 {
        c.to_primary.send(&beat(n)).await.unwrap();
    }
    c.to_primary.finish().await;
    c.uplink.close("bye").await;
    assert_eq!(reader.await.unwrap(), 1000);
}

#[tokio::test]
async fn dropping_every_half_closes_the_connection() {
    let mut primary = Primary::start();
    let mut c = primary.connected().await;
    drop((c.to_worker, c.from_worker, c.handle));
    says(
        c.from_primary.recv().await.unwrap_err(),
        "closed the connection: done",
    );
}

/// A peer with the right certificate that writes bytes of its own.
struct Raw {
    connection: quinn::Connection,
    _endpoint: quinn::Endpoint,
}

impl Raw {
    async fn connect(primary: &Primary, identity: &Identity) -> Raw {
        let config = crate::transport::client(crate::tls::client(identity).unwrap());
        let endpoint = crate::transport::client_endpoint(local()).unwrap();
        let connecting = endpoint
            .connect_with(config, primary.listener.local_addr(), SERVER_NAME)
            .unwrap();
        Raw {
            connection: connecting.await.unwrap(),
            _endpoint: endpoint,
        }
    }

    async fn closed(&self) -> String {
        LinkError::from(self.connection.closed().await).to_string()
    }
}

#[tokio::test]
async fn what_is_no_greeting_is_refused() {
    let primary = Primary::start();
    let (_dir, identity) = primary.worker().await;
    for (greeting, want) in [
        (&b"GET / HTTP/1"[..], "does not speak wasmhost's protocol"),
        (
            b"wasmhost\0\x07\0\x09",
            "speaks protocol versions 7 to 9, this one 1 to 1; update the older",
        ),
        (b"wasm", "no greeting"),
    ] {
        let raw = Raw::connect(&primary, &identity).await;
        let (mut send, mut receive) = raw.connection.open_bi().await.unwrap();
        send.write_all(greeting).await.unwrap();
        send.finish().unwrap();
        if greeting.len() == handshake::HELLO_LEN {
            let mut answer = [0; ANSWER_LEN];
            receive.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, handshake::answer(None));
        }
        drop((send, receive));
        says(raw.closed().await, want);
    }
}

#[tokio::test]
async fn a_peer_that_never_greets_is_let_go() {
    let primary = Primary::start();
    let (_dir, identity) = primary.worker().await;
    let raw = Raw::connect(&primary, &identity).await;
    says(raw.closed().await, "no greeting within 2000 ms");
}

#[tokio::test]
async fn an_older_primary_is_named_to_the_worker() {
    let identity_home = Primary::start();
    let (_dir, identity) = identity_home.worker().await;
    // A primary of the same cluster that speaks none of our versions.
    let server = identity_home.authority.server_identity(&[]).unwrap();
    let crypto = crate::tls::server(identity_home.authority.certificate(), server).unwrap();
    let endpoint =
        crate::transport::server_endpoint(local(), crate::transport::server(crypto), &[7; 32])
            .unwrap();
    let address = endpoint.local_addr().unwrap().to_string();
    let serve = async {
        let connection = endpoint.accept().await.unwrap().await.unwrap();
        let (mut send, _receive) = connection.accept_bi().await.unwrap();
        send.write_all(&handshake::answer(None)).await.unwrap();
        connection.closed().await
    };
    let (error, _) = tokio::join!(
        async {
            WorkerLink::connect(&address, &identity)
                .await
                .err()
                .unwrap()
        },
        serve
    );
    says(
        &error,
        "speaks none of the protocol versions 1 to 1; update the older of the two",
    );
    assert!(error.is_refusal());
}

#[tokio::test]
async fn what_is_no_frame_closes_the_connection_with_a_reason() {
    let mut primary = Primary::start();
    let (_dir, identity) = primary.worker().await;
    let frame = |payload: &[u8]| [&(payload.len() as u32).to_be_bytes()[..], payload].concat();
    let mut trailing = codec::encode(&beat(1)).unwrap();
    trailing.push(0);
    for (bytes, want) in [
        (
            u32::MAX.to_be_bytes().to_vec(),
            "a frame of 4294967295 bytes is over the limit",
        ),
        (
            ((MAX_FRAME + 1) as u32).to_be_bytes().to_vec(),
            "is over the limit of 1048576",
        ),
        (frame(&noise(7, 1000)), "malformed message"),
        (frame(&trailing), "1 bytes follow the message"),
        (
            frame(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            "malformed message",
        ),
        (frame(&[0x81; 2000]), "malformed message"),
        (frame(b""), "malformed message"),
    ] {
        let raw = Raw::connect(&primary, &identity).await;
        let (mut send, mut receive) = raw.connection.open_bi().await.unwrap();
        send.write_all(&handshake::hello()).await.unwrap();
        let mut link = primary.listener.accept().await.unwrap().split();
        send.write_all(&bytes).await.unwrap();
        says(link.1.recv().await.unwrap_err(), want);
        assert!(receive.read_to_end(64).await.is_err());
        says(raw.closed().await, want);
    }
}

#[tokio::test]
async fn what_is_no_request_ends_its_stream_alone() {
    let mut primary = Primary::start();
    let mut c = primary.connected().await;
    let connection = c.to_primary.handle().connection().clone();
    for bytes in [&b"\0\0\0\x04abcd"[..], b"\xff\xff\xff\xff", b"\0", b""] {
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(bytes).await.unwrap();
        send.finish().unwrap();
        let answer = receive.read_to_end(64).await;
        assert!(answer.is_err(), "{bytes:?} was answered: {answer:?}");
    }
    c.to_primary.send(&beat(1)).await.unwrap();
    assert_eq!(c.from_worker.recv().await.unwrap(), beat(1));
}

#[tokio::test]
async fn a_storm_of_connections_is_bounded_and_passes() {
    let mut primary = Primary::start();
    let (_dir, identity) = primary.worker().await;
    // Twice as many as may be pending from one address, none of which greets.
    let mut storm = tokio::task::JoinSet::new();
    for _ in 0..2 * MAX_PENDING_PER_ADDRESS {
        let config = crate::transport::client(crate::tls::client(&identity).unwrap());
        let address = primary.listener.local_addr();
        storm.spawn(async move {
            let endpoint = crate::transport::client_endpoint(local()).unwrap();
            let reason = match endpoint
                .connect_with(config, address, SERVER_NAME)
                .unwrap()
                .await
            {
                Ok(connection) => connection.closed().await,
                Err(error) => error,
            };
            match reason {
                quinn::ConnectionError::ConnectionClosed(c)
                    if c.error_code == quinn::TransportErrorCode::CONNECTION_REFUSED =>
                {
                    true
                }
                quinn::ConnectionError::ApplicationClosed(_) => false,
                other => panic!("{other}"),
            }
        });
    }
    let refused = storm
        .join_all()
        .await
        .into_iter()
        .filter(|refused| *refused)
        .count();
    assert!(refused >= 1, "more were pending than may be");
    let link = WorkerLink::connect(&primary.address(), &identity)
        .await
        .unwrap();
    assert_eq!(
        primary.listener.accept().await.unwrap().worker,
        identity.worker()
    );
    drop(link);
    tokio::select! {
        biased;
        _ = primary.listener.accept() => panic!("one of the storm came through"),
        () = std::future::ready(()) => {}
    }
}
