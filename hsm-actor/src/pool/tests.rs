#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
use std::{
    sync::{
        Barrier,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use super::*;
use crate::{
    command::{Authenticate, Decrypt, Encrypt, GenerateMaterial, GenerateRandom, Hang, Panic, Purpose},
    context::EncryptionContext,
    secret::Plaintext,
    testing,
};

fn config(slots: usize) -> PoolConfig {
    PoolConfig {
        slots,
        queue_max: 64,
        slow_max: 2,
        silence_max: Duration::from_millis(200),
        slow_silence_max: Duration::from_secs(30),
        restarts_max: 20,
        restarts_window: Duration::from_secs(60),
    }
}

fn pool(config: PoolConfig) -> HsmPool {
    HsmPool::start(config, testing::ring()).unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn in_ms(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let patience = soon();
    while !is_so() {
        assert!(Instant::now() < patience, "in vain: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn all_healthy(pool: &HsmPool) -> bool {
    pool.slots().iter().all(|slot| slot.state == SlotState::Healthy)
}

/// Counts its runs, meets the test at a barrier, and then panics if told to.
struct Probe<const SLOW: bool> {
    runs: Arc<AtomicU32>,
    meet: Option<Arc<Barrier>>,
    panics: u32,
}

impl<const SLOW: bool> Probe<SLOW> {
    fn new(runs: &Arc<AtomicU32>) -> Self {
        Self { runs: Arc::clone(runs), meet: None, panics: 0 }
    }
}

impl<const SLOW: bool> Command for Probe<SLOW> {
    type Reply = String;
    const NAME: &'static str = "Probe";
    const CLASS: Class = if SLOW { Class::Slow } else { Class::Quick };

    /// The name of the thread that ran it.
    fn run(&self, _vault: &Vault) -> Result<String, HsmError> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst);
        if let Some(meet) = &self.meet {
            meet.wait();
        }
        assert!(run >= self.panics, "told to");
        Ok(thread::current().name().unwrap().to_owned())
    }
}

/// A pool whose slot works on a probe until the returned barrier is met once more.
fn occupied<const SLOW: bool>(pool: &HsmPool) -> (Arc<Barrier>, thread::JoinHandle<Result<String, HsmError>>) {
    let meet = Arc::new(Barrier::new(2));
    let before: usize = pool.slots().iter().map(|slot| slot.in_flight).sum();
    let probe = Probe::<SLOW> { meet: Some(Arc::clone(&meet)), ..Probe::new(&Arc::default()) };
    let running = thread::spawn({
        let pool = pool.clone();
        move || pool.run_blocking(probe, soon())
    });
    wait_until("in flight", || pool.slots().iter().map(|slot| slot.in_flight).sum::<usize>() > before);
    (meet, running)
}

#[test]
fn commands_run_from_threads_tokio_and_actix() {
    let pool = pool(config(2));
    assert_eq!(pool.run_blocking(GenerateRandom { length: 9 }, soon()).unwrap().len(), 9);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(pool.run(GenerateRandom { length: 8 }, soon())).unwrap().len(), 8);
    let system = actix::System::new();
    assert_eq!(system.block_on(pool.run(GenerateRandom { length: 7 }, soon())).unwrap().len(), 7);
    assert_eq!(system.block_on(pool.self_test(soon())), Ok(()));
    assert_eq!(pool.run_blocking(GenerateRandom { length: 0 }, soon()).err(), Some(HsmError::TooLarge));
}

#[test]
fn many_threads_encrypt_and_decrypt_at_once() {
    let pool = pool(config(2));
    let key = Arc::new(pool.run_blocking(GenerateMaterial { label: testing::label("key") }, soon()).unwrap());
    thread::scope(|scope| {
        for thread in 0..8_u8 {
            let (pool, key) = (&pool, &key);
            scope.spawn(move || {
                for turn in 0..50_u8 {
                    let (key, context) = (Arc::clone(key), EncryptionContext::default());
                    let plaintext = Plaintext::new(vec![thread, turn]);
                    let encrypt = Encrypt { key: Arc::clone(&key), plaintext, cipher: context.clone().into() };
                    let blob = pool.run_blocking(encrypt, soon()).unwrap().blob;
                    let decrypted = pool.run_blocking(Decrypt { key, blob, cipher: context.into() }, soon()).unwrap();
                    assert_eq!(decrypted.plaintext.expose(), [thread, turn]);
                }
            });
        }
    });
    assert!(pool.slots().iter().all(|slot| slot.restarts == 0 && slot.in_flight == 0), "{pool:?}");
}

#[test]
fn a_command_that_panics_once_succeeds_on_another_slot() {
    let pool = pool(config(2));
    let runs = Arc::default();
    let name = pool.run_blocking(Probe::<false> { panics: 1, ..Probe::new(&runs) }, soon()).unwrap();
    assert_eq!((name.as_str(), runs.load(Ordering::SeqCst)), ("hsm-1.1", 2));
    wait_until("restarted", || all_healthy(&pool));
    let slots = pool.slots();
    assert_eq!((slots[0].incarnation, slots[0].restarts), (2, 1));
    assert_eq!((slots[1].incarnation, slots[1].restarts), (1, 0));
    let name = pool.run_blocking(Probe::<false>::new(&runs), soon()).unwrap();
    assert_eq!(name, "hsm-0.2", "the new incarnation takes work, on a new thread");
}

#[test]
fn a_command_that_kills_two_slots_is_an_error_and_the_pool_recovers() {
    let pool = pool(config(2));
    let runs = Arc::default();
    let poison = Probe::<false> { panics: u32::MAX, ..Probe::new(&runs) };
    assert_eq!(pool.run_blocking(poison, soon()).err(), Some(HsmError::Fault));
    assert_eq!(runs.load(Ordering::SeqCst), 2, "no third attempt");
    assert!(pool.run_blocking(GenerateRandom { length: 1 }, soon()).is_ok(), "one waits for a slot to come back");
    wait_until("restarted", || all_healthy(&pool));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(pool.run(Panic, soon())), Err(HsmError::Fault));
}

/// Runs all of these in one turn of an event loop.
fn in_one_turn(pool: &HsmPool, probes: Vec<Probe<false>>) -> Vec<Result<String, HsmError>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let calls: Vec<_> = probes
        .into_iter()
        .map(|probe| {
            let pool = pool.clone();
            local.spawn_local(async move { pool.run(probe, soon()).await })
        })
        .collect();
    runtime.block_on(local.run_until(async {
        let mut outcomes = Vec::new();
        for call in calls {
            outcomes.push(call.await.unwrap());
        }
        outcomes
    }))
}

#[test]
fn commands_of_one_turn_go_to_a_slot_together() {
    let pool = pool(config(2));
    let probes = (0..20).map(|_| Probe::new(&Arc::default())).collect();
    let names: Vec<_> = in_one_turn(&pool, probes).into_iter().map(Result::unwrap).collect();
    assert_eq!(names.iter().filter(|name| *name == "hsm-0.1").count(), 16, "a parcel's worth: {names:?}");
    assert_eq!(names.iter().filter(|name| *name == "hsm-1.1").count(), 4, "and the rest: {names:?}");
    assert!(pool.slots().iter().all(|slot| slot.in_flight == 0), "{pool:?}");
}

#[test]
fn who_shares_a_parcel_with_a_panic_is_answered_all_the_same() {
    let pool = pool(config(2));
    let runs: Vec<Arc<AtomicU32>> = (0..10).map(|_| Arc::default()).collect();
    let probes = runs.iter().enumerate();
    let probes = probes.map(|(at, runs)| Probe { panics: u32::from(at == 4), ..Probe::new(runs) }).collect();
    let names: Vec<_> = in_one_turn(&pool, probes).into_iter().map(Result::unwrap).collect();
    let runs: Vec<_> = runs.iter().map(|runs| runs.load(Ordering::SeqCst)).collect();
    assert_eq!(runs, [1, 1, 1, 1, 2, 1, 1, 1, 1, 1], "only the one that panicked ran twice");
    assert!(names.iter().take(4).all(|name| name == "hsm-0.1"), "{names:?}");
    assert!(names.iter().skip(4).all(|name| name == "hsm-1.1"), "{names:?}");
}

#[test]
fn a_parcel_is_sent_also_when_the_first_of_its_callers_goes_away() {
    let pool = pool(config(2));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let local = tokio::task::LocalSet::new();
    let outcome = runtime.block_on(local.run_until(async {
        let first = local.spawn_local({
            let pool = pool.clone();
            async move { pool.run(Probe::<false>::new(&Arc::default()), soon()).await }
        });
        let second = local.spawn_local({
            let pool = pool.clone();
            async move { pool.run(Probe::<false>::new(&Arc::default()), soon()).await }
        });
        tokio::task::yield_now().await;
        first.abort();
        second.await.unwrap()
    }));
    assert_eq!(outcome.unwrap(), "hsm-0.1");
}

#[test]
fn a_single_slot_tries_again_in_its_next_incarnation() {
    let pool = pool(config(1));
    let name = pool.run_blocking(Probe::<false> { panics: 1, ..Probe::new(&Arc::default()) }, soon()).unwrap();
    assert_eq!(name, "hsm-0.2");
}

#[test]
fn commands_queued_behind_a_panic_are_not_lost() {
    let pool = pool(config(2));
    let meets: Vec<_> = (0..2).map(|_| occupied::<false>(&pool)).collect();
    let meet = Arc::new(Barrier::new(2));
    let probe = Probe::<false> { meet: Some(Arc::clone(&meet)), panics: 1, ..Probe::new(&Arc::default()) };
    let poison = thread::spawn({
        let pool = pool.clone();
        move || pool.run_blocking(probe, soon())
    });
    wait_until("poison waits", || pool.slots().iter().map(|slot| slot.in_flight).sum::<usize>() == 3);
    let queued: Vec<_> = (0..6)
        .map(|_| {
            let pool = pool.clone();
            thread::spawn(move || pool.run_blocking(GenerateRandom { length: 1 }, soon()).map(|bytes| bytes.len()))
        })
        .collect();
    wait_until("all queued", || pool.slots().iter().map(|slot| slot.in_flight).sum::<usize>() == 9);
    for (meet, running) in meets {
        meet.wait();
        running.join().unwrap().unwrap();
    }
    meet.wait();
    meet.wait();
    assert!(poison.join().unwrap().is_ok());
    for queued in queued {
        assert_eq!(queued.join().unwrap(), Ok(1));
    }
}

#[test]
fn a_silent_slot_is_replaced_and_its_queue_served_elsewhere() {
    let pool = pool(config(2));
    let hang = |ms| Hang { duration: Duration::from_millis(ms) };
    let began = Instant::now();
    let hung = thread::spawn({
        let pool = pool.clone();
        move || pool.run_blocking(hang(1500), soon())
    });
    wait_until("hanging", || pool.slots()[0].in_flight == 1);
    let (meet, running) = occupied::<false>(&pool);
    let queued = thread::spawn({
        let pool = pool.clone();
        move || pool.run_blocking(Probe::<false>::new(&Arc::default()), soon())
    });
    wait_until("queued", || pool.slots().iter().any(|slot| slot.in_flight == 2));
    meet.wait();
    assert!(running.join().unwrap().is_ok());
    assert!(queued.join().unwrap().is_ok());
    assert_eq!(hung.join().unwrap(), Err(HsmError::Fault), "it silenced two slots");
    assert!(began.elapsed() < Duration::from_millis(1400), "nobody waited for the sleeper");
    wait_until("replaced", || all_healthy(&pool));
    assert!(pool.slots().iter().all(|slot| slot.incarnation >= 2), "{pool:?}");
}

#[test]
fn a_busy_slot_is_not_a_silent_one() {
    let pool = pool(config(1));
    let hang = |ms| Hang { duration: Duration::from_millis(ms) };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| pool.run_blocking(hang(60), soon()).unwrap());
        }
    });
    assert_eq!(pool.slots()[0].restarts, 0, "480 ms of work, but an answer every 60");
}

#[test]
fn expired_commands_never_run() {
    let pool = pool(PoolConfig { silence_max: Duration::from_secs(5), ..config(1) });
    let runs = Arc::default();
    let late = pool.run_blocking(Probe::<false>::new(&runs), Instant::now());
    assert_eq!(late, Err(HsmError::Expired));
    let (meet, running) = occupied::<false>(&pool);
    let began = Instant::now();
    assert_eq!(pool.run_blocking(Probe::<false>::new(&runs), in_ms(50)), Err(HsmError::Expired));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(pool.run(Probe::<false>::new(&runs), in_ms(50))), Err(HsmError::Expired));
    assert!(began.elapsed() < Duration::from_secs(2));
    meet.wait();
    running.join().unwrap().unwrap();
    wait_until("drained", || pool.slots()[0].in_flight == 0);
    assert_eq!(runs.load(Ordering::SeqCst), 0);
}

#[test]
fn a_full_slot_says_busy_at_once() {
    let pool = pool(PoolConfig { queue_max: 1, silence_max: Duration::from_secs(5), ..config(2) });
    let both: Vec<_> = (0..2).map(|_| occupied::<false>(&pool)).collect();
    assert_eq!(pool.run_blocking(GenerateRandom { length: 1 }, soon()).err(), Some(HsmError::Busy));
    for (meet, running) in both {
        meet.wait();
        running.join().unwrap().unwrap();
    }
    for _ in 0..100 {
        assert!(pool.run_blocking(GenerateRandom { length: 1 }, soon()).is_ok(), "a permit is back before its answer");
    }
}

#[test]
fn slow_work_leaves_a_slot_to_quick_work() {
    let pool = pool(PoolConfig { slow_max: 3, silence_max: Duration::from_secs(5), ..config(2) });
    let (meet, running) = occupied::<true>(&pool);
    let (next_meet, next) = occupied::<true>(&pool);
    let in_flight: Vec<_> = pool.slots().iter().map(|slot| slot.in_flight).collect();
    assert_eq!(in_flight, [2, 0], "the second slow command waits behind the first");
    for _ in 0..20 {
        let name = pool.run_blocking(Probe::<false>::new(&Arc::default()), soon()).unwrap();
        assert_eq!(name, "hsm-1.1");
    }
    let (last_meet, last) = occupied::<true>(&pool);
    assert_eq!(pool.run_blocking(Probe::<true>::new(&Arc::default()), soon()), Err(HsmError::Busy));
    for (meet, running) in [(meet, running), (next_meet, next), (last_meet, last)] {
        meet.wait();
        assert_eq!(running.join().unwrap().unwrap(), "hsm-0.1");
    }
}

#[test]
fn slow_work_waits_for_what_is_quick_and_nothing_quick_waits_for_it() {
    let pool = pool(PoolConfig { silence_max: Duration::from_secs(5), ..config(2) });
    let in_flight = |pool: &HsmPool| pool.slots().iter().map(|slot| slot.in_flight).collect::<Vec<_>>();
    let [(meet_0, running_0), (meet_1, running_1)] = [occupied::<false>(&pool), occupied::<false>(&pool)];
    let runs = Arc::default();
    let slow = thread::spawn({
        let (pool, probe) = (pool.clone(), Probe::<true>::new(&runs));
        move || pool.run_blocking(probe, soon())
    });
    wait_until("a slot is picked for slow work", || in_flight(&pool) == [2, 1]);
    let quick: Vec<_> = (0..5)
        .map(|_| {
            let (pool, probe) = (pool.clone(), Probe::<false>::new(&Arc::default()));
            thread::spawn(move || pool.run_blocking(probe, soon()))
        })
        .collect();
    wait_until("quick work is at the other slot", || in_flight(&pool) == [2, 6]);
    meet_1.wait();
    running_1.join().unwrap().unwrap();
    for quick in quick {
        assert_eq!(quick.join().unwrap().unwrap(), "hsm-1.1");
    }
    assert_eq!(runs.load(Ordering::SeqCst), 0, "something quick is at work there");
    meet_0.wait();
    assert_eq!(running_0.join().unwrap().unwrap(), "hsm-0.1");
    assert_eq!(slow.join().unwrap().unwrap(), "hsm-0.1");
}

#[test]
fn a_slot_that_is_full_of_quick_work_does_not_send_it_behind_slow_work() {
    let pool = pool(PoolConfig { queue_max: 1, silence_max: Duration::from_secs(5), ..config(2) });
    let (slow_meet, slow) = occupied::<true>(&pool);
    let (meet, running) = occupied::<false>(&pool);
    assert_eq!(pool.run_blocking(GenerateRandom { length: 1 }, soon()).err(), Some(HsmError::Busy));
    for (meet, running) in [(slow_meet, slow), (meet, running)] {
        meet.wait();
        running.join().unwrap().unwrap();
    }
}

#[test]
fn slow_work_may_be_silent_for_longer() {
    let pool = pool(config(2));
    let (meet, running) = occupied::<true>(&pool);
    let hang = Hang { duration: Duration::from_secs(2) };
    assert!(pool.run_blocking(hang, in_ms(600)).is_err());
    wait_until("the slot that was silent for less long is replaced", || pool.slots()[1].restarts == 1);
    assert_eq!(pool.slots()[0].restarts, 0);
    meet.wait();
    assert_eq!(running.join().unwrap().unwrap(), "hsm-0.1");
}

#[test]
fn restarts_are_bounded_and_then_the_slot_has_failed() {
    let pool = pool(PoolConfig { restarts_max: 2, ..config(2) });
    let rounds = (0..10).map(|_| pool.run_blocking(Panic, soon()).err().unwrap());
    let errors: Vec<_> = rounds.collect();
    assert_eq!(errors.last(), Some(&HsmError::Unavailable), "{errors:?}");
    wait_until("failed", || pool.slots().iter().all(|slot| slot.state == SlotState::Failed));
    assert!(pool.slots().iter().all(|slot| slot.restarts == 2 && slot.incarnation == 0));
    let began = Instant::now();
    assert_eq!(pool.run_blocking(GenerateRandom { length: 1 }, soon()).err(), Some(HsmError::Unavailable));
    assert!(began.elapsed() < Duration::from_millis(50), "no waiting for what does not come back");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    assert_eq!(runtime.block_on(pool.self_test(soon())), Err(HsmError::Unavailable));
}

#[test]
fn an_installed_ring_serves_the_next_command() {
    let (ring, sealed) = testing::ring_and_sealed();
    let rotated = ring.rotated(&sealed, 2000).unwrap().0;
    let pool = HsmPool::start(config(2), ring).unwrap();
    let generate = || pool.run_blocking(GenerateMaterial { label: testing::label("key") }, soon()).unwrap();
    let key = Arc::new(generate());
    pool.install(rotated).unwrap();
    assert_eq!((key.wrapped.domain(), generate().wrapped.domain()), (1, 2));
    let encrypt = Encrypt { key, plaintext: Plaintext::new(vec![1]), cipher: EncryptionContext::default().into() };
    assert_eq!(pool.run_blocking(encrypt, soon()).unwrap().rewrapped.unwrap().domain(), 2);
}

#[test]
fn thousands_of_codes_are_one_command() {
    let pool = pool(config(1));
    let messages: Vec<_> = (0..5000_u32).map(|number| number.to_be_bytes().repeat(64)).collect();
    let tags = pool.run_blocking(Authenticate { purpose: Purpose::Row, messages }, soon()).unwrap();
    assert_eq!(tags.len(), 5000);
}

#[test]
fn a_dropped_pool_ends_its_threads_and_wipes_its_keys() {
    let pool = pool(config(2));
    let vault = Arc::downgrade(&pool.0.workshop.vault);
    let other = pool.clone();
    drop(pool);
    assert!(other.run_blocking(GenerateRandom { length: 1 }, soon()).is_ok());
    drop(other);
    wait_until("every actor let go of the vault", || vault.strong_count() == 0);
}

#[test]
fn a_caller_that_goes_away_frees_its_permit() {
    let pool = pool(PoolConfig { silence_max: Duration::from_secs(5), ..config(1) });
    let runs = Arc::default();
    let (meet, running) = occupied::<false>(&pool);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let gone = runtime.block_on(async {
        let call = pool.run(Probe::<false>::new(&runs), soon());
        tokio::time::timeout(Duration::from_millis(20), call).await
    });
    assert!(gone.is_err());
    meet.wait();
    running.join().unwrap().unwrap();
    wait_until("drained", || pool.slots()[0].in_flight == 0);
    assert_eq!(runs.load(Ordering::SeqCst), 0, "nobody waits for it");
}
