//! Who may join and connect, and what the others are told.

use super::*;
use crate::certificate;
use crate::identity::new_key;
use rcgen::PublicKeyData;
use std::os::unix::fs::PermissionsExt;
use wasmhost_proto::Timestamp;

#[tokio::test]
async fn a_token_joins_one_worker_and_the_files_are_private() {
    let mut primary = Primary::start();
    let token = primary.token();
    let dir = TempDir::new().unwrap();
    let identity = Identity::join(&primary.address(), &token, "one", dir.path())
        .await
        .unwrap();
    assert_eq!(identity.cluster(), primary.authority.fingerprint());
    assert!(identity.renew_at() < identity.expires());
    let again = Identity::load(dir.path()).unwrap().unwrap();
    assert_eq!(
        (again.worker(), again.expires()),
        (identity.worker(), identity.expires())
    );
    for (path, mode) in [
        (dir.path().join("identity"), 0o700),
        (dir.path().join("identity/identity.pem"), 0o600),
        (primary.dir.path().join("ca"), 0o700),
        (primary.dir.path().join("ca/authority.pem"), 0o600),
    ] {
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            mode,
            "{path:?}"
        );
    }

    let _link = WorkerLink::connect(&primary.address(), &again)
        .await
        .unwrap();
    assert_eq!(
        primary.listener.accept().await.unwrap().worker,
        identity.worker()
    );

    let second = Identity::join(&primary.address(), &token, "two", dir.path())
        .await
        .unwrap_err();
    says(second, "was used already");
}

#[tokio::test]
async fn an_authority_survives_a_restart_and_damage_is_named() {
    let dir = TempDir::new().unwrap();
    let first = Authority::load_or_create(dir.path()).unwrap().fingerprint();
    assert_eq!(
        Authority::load_or_create(dir.path()).unwrap().fingerprint(),
        first
    );
    std::fs::write(dir.path().join("ca/authority.pem"), "-----BEGIN").unwrap();
    let damaged = Authority::load_or_create(dir.path()).err().unwrap();
    says(damaged, "restore it from a backup");
    std::fs::create_dir(dir.path().join("identity")).unwrap();
    std::fs::write(dir.path().join("identity/identity.pem"), "").unwrap();
    says(
        Identity::load(dir.path()).unwrap_err(),
        "remove it and join again",
    );
}

#[tokio::test]
async fn bad_tokens_are_refused_and_the_secret_goes_to_nobody_else() {
    let primary = Primary::start();
    let dir = TempDir::new().unwrap();
    let good = primary.token();
    let wrong_secret = JoinToken {
        secret: [7; 32],
        ..good.clone()
    };
    let unknown = JoinToken {
        id: TokenId(5),
        ..good.clone()
    };
    let elsewhere = JoinToken {
        fingerprint: Digest([1; 32]),
        ..good.clone()
    };
    for (token, name, want) in [
        (
            &wrong_secret,
            "w",
            "refused the join token: the token's secret is wrong",
        ),
        (
            &unknown,
            "w",
            "refused the join token: there is no token 0000000005",
        ),
        (
            &elsewhere,
            "w",
            "is not the one that the join token was made for",
        ),
        (&good, "", "a worker's name has 1 to 64 characters"),
    ] {
        says(
            Identity::join(&primary.address(), token, name, dir.path())
                .await
                .unwrap_err(),
            want,
        );
    }
    assert!(Identity::load(dir.path()).unwrap().is_none());
    // None of them used the token up.
    Identity::join(&primary.address(), &good, "w", dir.path())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_worker_does_not_speak_to_another_cluster() {
    let (ours, theirs) = (Primary::start(), Primary::start());
    let (_dir, identity) = ours.worker().await;
    let error = WorkerLink::connect(&theirs.address(), &identity)
        .await
        .err()
        .unwrap();
    says(&error, "belongs to another cluster");
    assert!(error.is_refusal());
}

/// A worker with a key of its own and whatever certificate `sign` gives it,
/// which believes `primary`.
fn forged(
    primary: &Primary,
    sign: impl FnOnce(&[u8]) -> rustls_pki_types::CertificateDer<'static>,
) -> Identity {
    let (key, _) = new_key().unwrap();
    let certificate = sign(&key.subject_public_key_info());
    Identity::new(
        "/nowhere".into(),
        key,
        certificate,
        primary.authority.certificate().clone(),
    )
    .unwrap()
}

#[tokio::test]
async fn a_primary_refuses_what_it_did_not_sign_or_what_has_expired() {
    let (primary, other) = (Primary::start(), Primary::start());
    let now = certificate::now();
    let ago = |ms: u64| Timestamp(now.0 - ms);
    let stranger = forged(&primary, |key| other.authority.sign_worker(key).unwrap());
    let expired = forged(&primary, |key| {
        primary
            .authority
            .sign_worker_between(key, ago(100_000), ago(50_000))
            .unwrap()
    });
    for (identity, want) in [
        (
            stranger,
            "it did not issue this worker's certificate".to_owned(),
        ),
        (
            expired,
            format!(
                "certificate expired at {}",
                Timestamp(ago(50_000).0 / 1000 * 1000)
            ),
        ),
    ] {
        let error = WorkerLink::connect(&primary.address(), &identity)
            .await
            .err()
            .unwrap();
        says(&error, &want);
        says(&error, "with a token");
        assert!(error.is_refusal());
    }
}

#[tokio::test]
async fn a_worker_without_a_certificate_may_only_join() {
    let primary = Primary::start();
    let crypto = crate::tls::anonymous(primary.authority.certificate()).unwrap();
    let endpoint = crate::transport::client_endpoint(local()).unwrap();
    let config = crate::transport::client(crypto);
    let connecting = endpoint.connect_with(
        config,
        primary.listener.local_addr(),
        crate::authority::SERVER_NAME,
    );
    let connection = connecting.unwrap().await.unwrap();
    let reason = LinkError::from(connection.closed().await);
    says(
        reason,
        "a worker without a certificate is not accepted; join this cluster with a token",
    );
}

#[tokio::test]
async fn nobody_there_and_no_such_address_are_told_apart() {
    let primary = Primary::start();
    let (_dir, identity) = primary.worker().await;
    let address = primary.address();
    primary.listener.close("test").await;
    says(
        WorkerLink::connect(&address, &identity)
            .await
            .err()
            .unwrap(),
        "no primary answers at 127.0.0.1:",
    );
    says(
        WorkerLink::connect("nowhere", &identity)
            .await
            .err()
            .unwrap(),
        "expected HOST:PORT",
    );
}

#[tokio::test]
async fn certificates_renew_for_the_same_key() {
    let mut primary = Primary::start();
    let connected = primary.connected().await;
    let renewed = connected.uplink.renew(&connected.identity).await.unwrap();
    assert_eq!(renewed.worker(), connected.identity.worker());
    assert!(renewed.expires() >= connected.identity.expires());
    let kept = Identity::load(connected.dir.path()).unwrap().unwrap();
    assert_eq!(kept.certificate(), renewed.certificate());
    assert_ne!(kept.certificate(), connected.identity.certificate());
    let _link = WorkerLink::connect(&primary.address(), &kept)
        .await
        .unwrap();
    assert_eq!(
        primary.listener.accept().await.unwrap().worker,
        renewed.worker()
    );
}
