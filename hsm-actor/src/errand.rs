//! One command on its way to an HSM and back, and the bell by which a batch's callers hear that it is back.
//! Knows commands, answers and wakers; which slot a batch goes to, and what is done when it is lost, is the pool's.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Instant,
};

use actix::Message;
use arc_swap::ArcSwap;

use crate::{
    command::Command,
    error::HsmError,
    life::{Life, Ticket},
    vault::Vault,
};

/// What comes back. When nothing does, the command was lost before it ran, or its HSM was taken for dead.
pub(crate) enum Answer<R> {
    Done(Result<R, HsmError>),
    /// The command panicked and its HSM is over.
    Killed,
}

/// Whether the HSM may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    Fine,
    Panicked,
}

/// An errand, its command forgotten.
pub(crate) trait Work: Send + Sync {
    /// Runs the command in the HSM's thread and leaves the answer with the errand; rings no bell.
    fn run(&self, vault: &ArcSwap<Vault>, life: &Life) -> Ran;
}

/// A command, its permit, and the place for its answer.
struct Errand<C: Command> {
    command: Arc<C>,
    deadline: Instant,
    state: Mutex<State<C::Reply>>,
}

struct State<R> {
    ticket: Option<Ticket>,
    /// Whether anybody waits for the answer.
    awaited: bool,
    answer: Option<Answer<R>>,
}

impl<C: Command> Errand<C> {
    /// An answer that nobody waits for is dropped, and with it what it holds is wiped. The permit comes back before the
    /// answer is there: who takes the answer may send the next command at once.
    fn answer(&self, answer: Answer<C::Reply>) {
        let mut state = lock(&self.state);
        drop(state.ticket.take());
        if state.awaited {
            state.answer = Some(answer);
        }
    }
}

impl<C: Command> Work for Errand<C> {
    fn run(&self, vault: &ArcSwap<Vault>, life: &Life) -> Ran {
        if !lock(&self.state).awaited {
            drop(lock(&self.state).ticket.take());
            life.complete();
            return Ran::Fine;
        }
        if Instant::now() >= self.deadline {
            life.complete();
            self.answer(Answer::Done(Err(HsmError::Expired)));
            return Ran::Fine;
        }
        life.begin(Arc::as_ptr(&self.command).addr());
        let outcome = {
            let vault = vault.load();
            catch_unwind(AssertUnwindSafe(|| self.command.run(&vault)))
        };
        match outcome {
            Ok(reply) => {
                life.complete();
                self.answer(Answer::Done(reply));
                Ran::Fine
            }
            Err(_) => {
                tracing::error!(slot = life.slot, command = C::NAME, "a command panicked; its HSM ends");
                self.answer(Answer::Killed);
                Ran::Panicked
            }
        }
    }
}

/// The caller's end of an errand. Dropping it withdraws the command if it has not begun.
pub(crate) struct Awaited<C: Command> {
    errand: Arc<Errand<C>>,
    bell: Arc<Bell>,
    /// Which of the bell's listeners this is.
    number: usize,
}

impl<C: Command> Awaited<C> {
    /// As awaiting it, in a thread that may block. `None` when the time came first.
    pub(crate) fn wait(&mut self, until: Instant) -> Option<Option<Answer<C::Reply>>> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(answer) = Pin::new(&mut *self).poll(&mut cx) {
                return Some(answer);
            }
            let pause = until.saturating_duration_since(Instant::now());
            if pause.is_zero() {
                return None;
            }
            thread::park_timeout(pause);
        }
    }
}

impl<C: Command> Future for Awaited<C> {
    /// `None` when there will be no answer.
    type Output = Option<Answer<C::Reply>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // The bell comes first: an answer that is left after this look is announced by the bell.
        let rung = self.bell.listen(self.number, cx.waker());
        match lock(&self.errand.state).answer.take() {
            Some(answer) => Poll::Ready(Some(answer)),
            None if rung => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

impl<C: Command> Drop for Awaited<C> {
    fn drop(&mut self) {
        let mut state = lock(&self.errand.state);
        state.awaited = false;
        state.answer = None;
        drop(state);
        self.bell.leave(self.number);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Rung once, when a batch is done or lost.
///
/// Waking a task of another thread costs a system call, and on a busy core a change of threads. So whoever rings wakes
/// one listener alone, and this one wakes the others, on the thread that all of them are on.
#[derive(Default)]
pub(crate) struct Bell(Mutex<Rung>);

#[derive(Default)]
struct Rung {
    rung: bool,
    listeners: Vec<(usize, Waker)>,
}

impl Bell {
    pub(crate) fn ring(&self) {
        let first = {
            let mut state = lock(&self.0);
            state.rung = true;
            state.listeners.pop()
        };
        if let Some((_, waker)) = first {
            waker.wake();
        }
    }

    /// Whether it has rung; if not, the waker is woken when it does.
    fn listen(&self, number: usize, waker: &Waker) -> bool {
        let mut state = lock(&self.0);
        if state.rung {
            pass_on(state);
            return true;
        }
        match state.listeners.iter_mut().find(|(known, _)| *known == number) {
            Some((_, known)) => known.clone_from(waker),
            None => state.listeners.push((number, waker.clone())),
        }
        false
    }

    /// The listener goes away. It may be the one that was to wake the others.
    fn leave(&self, number: usize) {
        let mut state = lock(&self.0);
        if state.rung {
            pass_on(state);
        } else {
            state.listeners.retain(|(known, _)| *known != number);
        }
    }
}

fn pass_on(mut state: MutexGuard<'_, Rung>) {
    let others = std::mem::take(&mut state.listeners);
    drop(state);
    others.into_iter().for_each(|(_, waker)| waker.wake());
}

/// Commands that go to one HSM in one message, run in this order, and are answered together.
#[derive(Default)]
pub(crate) struct Parcel {
    works: Vec<Arc<dyn Work>>,
    bell: Arc<Bell>,
}

impl Parcel {
    pub(crate) fn len(&self) -> usize {
        self.works.len()
    }

    pub(crate) fn add<C: Command>(&mut self, command: Arc<C>, deadline: Instant, ticket: Ticket) -> Awaited<C> {
        let state = Mutex::new(State { ticket: Some(ticket), awaited: true, answer: None });
        let errand = Arc::new(Errand { command, deadline, state });
        let number = self.works.len();
        self.works.push(errand.clone());
        Awaited { errand, bell: Arc::clone(&self.bell), number }
    }

    /// The message for the HSM of this life.
    pub(crate) fn into_batch(self, life: Arc<Life>) -> Batch {
        life.sent(&self.bell);
        Batch { parcel: self, life }
    }
}

/// A parcel on its way. However it ends, its bell is rung.
pub(crate) struct Batch {
    parcel: Parcel,
    life: Arc<Life>,
}

impl Batch {
    pub(crate) fn works(&self) -> &[Arc<dyn Work>] {
        &self.parcel.works
    }
}

impl Message for Batch {
    type Result = ();
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.life.returned(&self.parcel.bell);
        self.parcel.bell.ring();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while these locks are held, but for what a dropped answer does; the state is sound all the same.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn listeners(bell: &Bell, count: usize) -> Vec<(Arc<Count>, Waker)> {
        let all: Vec<_> = (0..count)
            .map(|_| {
                let count = Arc::<Count>::default();
                (count.clone(), Waker::from(count))
            })
            .collect();
        for (number, (_, waker)) in all.iter().enumerate() {
            assert!(!bell.listen(number, waker));
            assert!(!bell.listen(number, waker), "to listen twice is to listen once");
        }
        all
    }

    fn woken(all: &[(Arc<Count>, Waker)]) -> Vec<usize> {
        all.iter().map(|(count, _)| count.0.load(Ordering::SeqCst)).collect()
    }

    #[test]
    fn who_rings_wakes_one_and_that_one_the_others() {
        let bell = Bell::default();
        let all = listeners(&bell, 3);
        bell.ring();
        assert_eq!(woken(&all), [0, 0, 1]);
        assert!(all.iter().enumerate().all(|(number, (_, waker))| bell.listen(number, waker)));
        assert_eq!(woken(&all), [1, 1, 1]);
    }

    #[test]
    fn a_listener_that_goes_away_leaves_nobody_asleep() {
        let bell = Bell::default();
        let all = listeners(&bell, 3);
        bell.leave(2);
        bell.ring();
        assert_eq!(woken(&all), [0, 1, 0], "one that had left before is not woken");
        bell.leave(1);
        assert_eq!(woken(&all), [1, 1, 0], "one that leaves when it was woken passes the word on");
    }
}
