//! Compiled modules: kept, checked, bounded, and refused with a reason.

use crate::executor::*;
use crate::*;
use std::path::Path;

/// A module that is unlike any other.
fn numbered(n: u32) -> Vec<u8> {
    wat::parse_str(format!(
        "(module (func (export \"_start\") (drop (i32.const {n}))))"
    ))
    .unwrap()
}

#[tokio::test]
async fn compiled_modules_are_kept_and_checked() {
    let place = Place::new();
    let cache = place.cache(1 << 30);
    let wasm = guest();
    let (one, two) = tokio::join!(place.get(&cache, &wasm), place.get(&cache, &wasm));
    let path = one.unwrap();
    assert_eq!(path, two.unwrap());
    assert_eq!(place.compiles(), 1, "one compile for all who ask");
    place.get(&cache, &wasm).await.unwrap();
    assert_eq!(place.compiles(), 0);

    place.get(&place.cache(1 << 30), &wasm).await.unwrap();
    assert_eq!(place.compiles(), 0, "kept over a restart");

    // Whatever another hand has touched is compiled again.
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let damages: [&dyn Fn(); 5] = [
        &|| flip(&path),
        &|| flip(&path.with_extension("mac")),
        &|| flip(&path.with_file_name("key")),
        &|| fs::remove_file(path.with_extension("mac")).unwrap(),
        &|| fs::write(&path, b"").unwrap(),
    ];
    for (i, damage) in damages.iter().enumerate() {
        damage();
        place.get(&place.cache(1 << 30), &wasm).await.unwrap();
        assert_eq!(place.compiles(), 1, "damage {i}");
    }
    // A good file under another module's name is as wrong.
    let other = place
        .get(&place.cache(1 << 30), &numbered(1))
        .await
        .unwrap();
    assert_eq!(place.compiles(), 1);
    for extension in ["code", "mac"] {
        fs::copy(
            other.with_extension(extension),
            path.with_extension(extension),
        )
        .unwrap();
    }
    place.get(&place.cache(1 << 30), &wasm).await.unwrap();
    assert_eq!(place.compiles(), 1);
}

#[tokio::test]
async fn the_cache_is_bounded() {
    let place = Place::new();
    let len = |path: &Path| fs::metadata(path).unwrap().len();
    let one = place
        .get(&place.cache(1 << 30), &numbered(1))
        .await
        .unwrap();
    let cache = place.cache(2 * len(&one) + len(&one) / 2);
    let two = place.get(&cache, &numbered(2)).await.unwrap();
    assert!(one.exists() && two.exists());
    place.get(&cache, &numbered(1)).await.unwrap();
    let three = place.get(&cache, &numbered(3)).await.unwrap();
    assert!(
        one.exists() && !two.exists() && three.exists(),
        "the longest unused goes"
    );
    fs::write(one.with_file_name("stray.tmp"), b"x").unwrap();
    let tiny = place.cache(1);
    assert!(!one.exists() && !three.exists() && !one.with_file_name("stray.tmp").exists());
    let four = place.get(&tiny, &numbered(4)).await.unwrap();
    assert!(
        four.exists(),
        "what was asked for is there whatever the bound"
    );
}

#[tokio::test]
async fn bad_modules_are_rejected_and_remembered() {
    let place = Place::new();
    let cache = place.cache(1 << 30);
    let unknown = "(module (import \"env\" \"system\" (func)) (func (export \"_start\")))";
    for (wasm, want) in [
        (b"\x7fELF".to_vec(), "magic"),
        (guest()[..100].to_vec(), ""),
        (wat::parse_str(unknown).unwrap(), "env::system"),
    ] {
        for compiles in [1, 0] {
            let failure = place.get(&cache, &wasm).await.unwrap_err();
            let CompileFailure::Rejected(reason) = failure else {
                panic!("{failure}");
            };
            assert!(reason.contains(want) && !reason.is_empty(), "{reason}");
            assert_eq!(place.compiles(), compiles);
        }
    }
    let missing = place.dir.path().join("missing");
    let failure = cache
        .get(&missing, digest(b""), KIND, || {})
        .await
        .unwrap_err();
    assert!(matches!(failure, CompileFailure::Fault(_)), "{failure}");
}
