//! Who gets in: workers by their tokens, one primary by its folder.

use super::worker::join_token;
use super::{Place, options, start};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use wasmhost_link::Identity;

#[tokio::test]
async fn a_join_token_is_used_once() {
    let place = Place::new().await;
    let token = join_token(&place.handle).await;
    let address = place.handle.worker_address();
    let [one, two] = ["one", "two"].map(|name| place.dir.path().join(name));
    let (first, second) = tokio::join!(
        Identity::join(&address, &token, "one", &one),
        Identity::join(&address, &token, "two", &two)
    );
    let refusal = match (&first, &second) {
        (Ok(_), Err(refusal)) | (Err(refusal), Ok(_)) => refusal.to_string(),
        both => panic!("{both:?}"),
    };
    assert!(refusal.contains("used already"), "{refusal}");
    let record = place.handle.store().token(token.id).unwrap().unwrap();
    assert!(record.used.is_some());
    assert_eq!(place.handle.store().workers().unwrap().len(), 1);
    place.shut_down().await;
}

#[tokio::test]
async fn a_data_directory_is_private_and_for_one() {
    let place = Place::new().await;
    let data = place.dir.path().join("primary");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let token_file = data.join("client.token");
    assert_eq!((mode(&data), mode(&token_file)), (0o700, 0o600));
    let token = std::fs::read_to_string(&token_file).unwrap();
    let tokens = place.handle.store().tokens().unwrap();
    assert_eq!(tokens.len(), 1);
    assert!(
        token.starts_with(&format!("wht_{}_", tokens[0].id)),
        "{token}"
    );

    let refusal = match start(options(place.dir.path())).await {
        Ok(_) => panic!("two primaries share a data directory"),
        Err(error) => format!("{error:#}"),
    };
    assert!(
        refusal.contains("another primary runs in the data directory"),
        "{refusal}"
    );
    let dir = place.shut_down().await;

    let place = Place::on(dir).await;
    let again = std::fs::read_to_string(&token_file).unwrap();
    assert_eq!(again, token, "made once");
    assert_eq!(place.handle.store().tokens().unwrap(), tokens);
    place.shut_down().await;
}
