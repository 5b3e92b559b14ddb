//! Panics in the HSM while a region is at work: requests are answered all the same, and the slots come back.
//! Needs the cargo feature `faults`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::time::{Duration, Instant};

use kms_core::region::SlotState;
use kms_hsm::HsmError;
use kms_hsm::command::{Hang, Panic};
use serde_json::json;

use crate::harness::{Home, Live, Scene, encrypt, until};

const PANICS: usize = 3;
const REQUESTS: usize = 40;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn restarts(live: &Live) -> u64 {
    live.region.hsm_slots().iter().map(|slot| slot.restarts).sum()
}

async fn healthy(live: &Live) {
    let is_healthy = || live.region.hsm_slots().iter().all(|slot| slot.state == SlotState::Healthy);
    until("every slot is back", is_healthy).await;
}

#[test]
fn requests_are_answered_while_commands_panic() {
    Home::new().live(async |live| {
        let scene = Scene::new(&live.administrator()).await;
        for _ in 0..PANICS {
            let before = restarts(live);
            let ask = |number: usize| {
                let (client, blob) = (scene.owner.clone(), scene.blob.clone());
                let request = if number.is_multiple_of(2) {
                    ("Encrypt", encrypt(&scene.arn))
                } else {
                    ("Decrypt", json!({"CiphertextBlob": blob, "EncryptionContext": {"purpose": "scene"}}))
                };
                actix_rt::spawn(async move { client.ok(request.0, request.1).await })
            };
            let early: Vec<_> = (0..REQUESTS).map(ask).collect();
            let hsm = live.region.faulty_hsm().clone();
            let died = actix_rt::spawn(async move { hsm.run(Panic, soon()).await });
            let late: Vec<_> = (0..REQUESTS).map(ask).collect();
            for asked in early.into_iter().chain(late) {
                asked.await.unwrap();
            }
            // It was tried on a second slot and given up there: no crash loop.
            assert!(died.await.unwrap().is_err());
            healthy(live).await;
            assert_eq!(restarts(live), before + 2);
        }
        assert_eq!(live.region.ailment(), None);
        // The store's tags come from the HSM, too.
        scene.owner.ok("DisableKey", json!({"KeyId": scene.id})).await;
    });
}

#[test]
fn a_command_that_hangs_holds_up_nobody_else() {
    Home::new().live(async |live| {
        let scene = Scene::new(&live.administrator()).await;
        let hsm = live.region.faulty_hsm().clone();
        let hang = Hang { duration: Duration::from_secs(2) };
        let hanging = actix_rt::spawn(async move { hsm.run(hang, Instant::now() + Duration::from_millis(500)).await });
        let began = Instant::now();
        actix_rt::time::sleep(Duration::from_millis(20)).await;
        for _ in 0..20 {
            scene.owner.ok("Encrypt", encrypt(&scene.arn)).await;
        }
        assert!(began.elapsed() < Duration::from_millis(1900));
        assert!(matches!(hanging.await.unwrap(), Err(HsmError::Expired)));
    });
}
