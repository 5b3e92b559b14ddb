//! The closed loop: each connection asks again as soon as it was answered. Shows the most that a server does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Lines;
use super::line::Line;
use super::shot::{Shot, Tally};
use crate::Outcome;
use crate::process::Server;

pub(super) async fn drive(lines: &mut Lines, server: &Server, duration: Duration) -> Outcome<Shot> {
    let requests = Arc::new(std::mem::take(&mut lines.requests));
    let tally = Tally::new()?;
    let cpu = server.cpu_seconds()?;
    let began = Instant::now();
    let until = began + duration;
    let tasks: Vec<_> = lines
        .lines
        .drain(..)
        .enumerate()
        .map(|(index, line)| tokio::task::spawn(keep_busy(line, requests.clone(), index, until, tally.clone())))
        .collect();
    // Keeps this core from idling: to wake it up would cost the server's thread some microseconds for each answer, which
    // a client on another machine does not.
    while Instant::now() < until {
        tokio::task::yield_now().await;
    }
    for task in tasks {
        lines.lines.push(task.await??);
    }
    lines.requests = Arc::try_unwrap(requests).unwrap_or_else(|shared| (*shared).clone());
    let seconds = began.elapsed().as_secs_f64();
    let server_cpu_seconds = server.cpu_seconds()? - cpu;
    Ok(Shot { seconds, server_cpu_seconds, ..tally.take() })
}

async fn keep_busy(
    mut line: Line,
    requests: Arc<Vec<Vec<u8>>>,
    index: usize,
    until: Instant,
    tally: Tally,
) -> Outcome<Line> {
    let mut now = Instant::now();
    for request in requests.iter().cycle().skip(index) {
        if now >= until {
            break;
        }
        let answer = line.ask(request).await?;
        let answered = Instant::now();
        tally.count(Some(answered.duration_since(now)), answer, &line);
        now = answered;
    }
    Ok(line)
}
