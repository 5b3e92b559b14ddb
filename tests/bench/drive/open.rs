//! The open loop: requests are due at fixed times, whatever became of those before them. A latency counts from when its
//! request was due, so that a server that stalls is charged with all that waited (no coordinated omission).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::Lines;
use super::line::Line;
use super::shot::{Shot, Tally};
use crate::Outcome;
use crate::process::Server;

/// What comes before the measurement, at the same rate.
const WARM_UP: Duration = Duration::from_millis(300);

/// Requests at a rate.
pub(crate) struct Offer<'l> {
    pub(crate) lines: &'l mut Lines,
    pub(crate) per_second: f64,
}

/// Requests that are due and wait for a free connection.
struct Queue {
    due: Mutex<VecDeque<Instant>>,
    arrived: Semaphore,
}

impl Queue {
    fn new() -> Self {
        Self { due: Mutex::default(), arrived: Semaphore::new(0) }
    }

    fn push(&self, due: Instant) {
        self.due.lock().unwrap_or_else(PoisonError::into_inner).push_back(due);
        self.arrived.add_permits(1);
    }

    async fn next(&self) -> Option<Instant> {
        self.arrived.acquire().await.ok()?.forget();
        self.due.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Lets nothing out any more; answers how much was left.
    fn close(&self) -> u64 {
        self.arrived.close();
        self.due.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }
}

/// One offer under way.
struct Stream {
    queue: Arc<Queue>,
    tally: Tally,
    gap: Duration,
    next: Instant,
    tasks: Vec<tokio::task::JoinHandle<Outcome<Line>>>,
}

pub(super) async fn drive(offers: &mut [Offer<'_>], server: &Server, duration: Duration) -> Outcome<Vec<Shot>> {
    let began = Instant::now();
    let measured = began + WARM_UP;
    let mut streams =
        offers.iter_mut().map(|offer| Stream::start(offer, began, measured)).collect::<Outcome<Vec<_>>>()?;
    pace(&mut streams, measured, measured).await;
    let cpu = server.cpu_seconds()?;
    let before: Vec<_> = streams.iter().map(|stream| stream.tally.answers()).collect();
    pace(&mut streams, measured + duration, measured).await;
    let after: Vec<_> = streams.iter().map(|stream| stream.tally.answers()).collect();
    let seconds = measured.elapsed().as_secs_f64();
    let server_cpu_seconds = server.cpu_seconds()? - cpu;
    let mut shots = Vec::with_capacity(streams.len());
    for (((stream, offer), before), after) in streams.into_iter().zip(offers).zip(before).zip(after) {
        let (tally, unsent) = stream.end(offer.lines).await?;
        let answers = after.since(before);
        shots.push(Shot { seconds, answers, unsent, server_cpu_seconds, ..tally.take() });
    }
    Ok(shots)
}

/// Lets requests become due until `until`. It never sleeps: a timer's millisecond would make bursts of the rate.
async fn pace(streams: &mut [Stream], until: Instant, measured: Instant) {
    loop {
        let now = Instant::now();
        if now >= until {
            return;
        }
        for stream in &mut *streams {
            while stream.next <= now {
                if stream.next >= measured {
                    stream.tally.late(now.duration_since(stream.next));
                }
                stream.queue.push(stream.next);
                stream.next += stream.gap;
            }
        }
        tokio::task::yield_now().await;
    }
}

impl Stream {
    fn start(offer: &mut Offer<'_>, began: Instant, measured: Instant) -> Outcome<Self> {
        let (queue, tally) = (Arc::new(Queue::new()), Tally::new()?);
        let requests = Arc::new(offer.lines.requests.clone());
        let answer = |(index, line)| {
            tokio::task::spawn(answer_for(line, queue.clone(), requests.clone(), index, measured, tally.clone()))
        };
        let tasks = offer.lines.lines.drain(..).enumerate().map(answer).collect();
        let gap = Duration::from_secs_f64(1.0 / offer.per_second);
        Ok(Self { queue, tally, gap, next: began + gap, tasks })
    }

    async fn end(self, lines: &mut Lines) -> Outcome<(Tally, u64)> {
        let unsent = self.queue.close();
        for task in self.tasks {
            lines.lines.push(task.await??);
        }
        Ok((self.tally, unsent))
    }
}

async fn answer_for(
    mut line: Line,
    queue: Arc<Queue>,
    requests: Arc<Vec<Vec<u8>>>,
    index: usize,
    measured: Instant,
    tally: Tally,
) -> Outcome<Line> {
    for request in requests.iter().cycle().skip(index) {
        let Some(due) = queue.next().await else { break };
        let answer = line.ask(request).await?;
        tally.count((due >= measured).then(|| due.elapsed()), answer, &line);
    }
    Ok(line)
}
