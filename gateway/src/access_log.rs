//! The access log: what failed authentication, and so has no audit record.
//! Anyone can cause its lines, so it never blocks a request, writes so many a second and no more, and keeps two files
//! of a bounded size. Knows nothing of audit; a line lost here is counted and no fault.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use serde::Serialize;

use crate::metrics::Metrics;

/// How long a text that a caller chose may be in a line, in characters.
const TEXT_LENGTH_MAX: usize = 256;

/// How much the log may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessLogLimits {
    /// Lines waiting to be written.
    pub queue_max: usize,
    pub lines_per_second_max: u32,
    /// Of each of the two files.
    pub file_bytes_max: u64,
}

impl Default for AccessLogLimits {
    fn default() -> Self {
        Self { queue_max: 1024, lines_per_second_max: 100, file_bytes_max: 16 << 20 }
    }
}

/// A request that was not believed. Texts are cut to a length when they are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// ISO 8601.
    pub event_time: String,
    #[serde(rename = "requestID")]
    pub request_id: String,
    pub source_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_id: Option<String>,
    /// As claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    pub error_code: String,
    pub error_message: String,
}

/// The log, open for entries from any thread. Dropping it writes what is queued.
#[derive(Debug)]
pub struct AccessLog {
    queue: Option<SyncSender<Entry>>,
    writer: Option<JoinHandle<()>>,
    lines_per_second_max: u32,
    /// The second now counted, above 32 bits of its count.
    window: AtomicU64,
    metrics: Arc<Metrics>,
}

impl AccessLog {
    /// Opens `path` for appending; the file before it is `path` with `.1` appended.
    pub fn open(path: &Path, limits: AccessLogLimits, metrics: Arc<Metrics>) -> io::Result<Self> {
        let files = Files::open(path, limits.file_bytes_max)?;
        let (queue, entries) = sync_channel(limits.queue_max.max(1));
        let counted = metrics.clone();
        let writer =
            thread::Builder::new().name("access log".to_owned()).spawn(move || write(entries, files, &counted))?;
        Ok(Self {
            queue: Some(queue),
            writer: Some(writer),
            lines_per_second_max: limits.lines_per_second_max,
            window: AtomicU64::new(0),
            metrics,
        })
    }

    /// Takes an entry, or counts it as dropped. `second` is the time in whole seconds. Never blocks.
    pub fn record(&self, second: u64, entry: Entry) {
        let is_taken = self.has_room(second) && self.queue.as_ref().is_some_and(|queue| queue.try_send(entry).is_ok());
        if !is_taken {
            self.metrics.access_log_dropped.increment();
        }
    }

    fn has_room(&self, second: u64) -> bool {
        let second = second & u64::from(u32::MAX);
        let counted = self.window.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |window| {
            let count = if window >> 32 == second { window & u64::from(u32::MAX) } else { 0 };
            (count < u64::from(self.lines_per_second_max)).then(|| second << 32 | (count + 1))
        });
        counted.is_ok()
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to write.
            let _ = writer.join();
        }
    }
}

fn write(entries: Receiver<Entry>, mut files: Files, metrics: &Metrics) {
    while let Ok(first) = entries.recv() {
        let mut next = Ok(first);
        // Flushed whenever nothing waits, so that a quiet log is complete and a busy one is cheap.
        loop {
            match next {
                Ok(entry) if files.append(&entry).is_err() => metrics.access_log_dropped.increment(),
                Ok(_) => {}
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
            next = entries.try_recv();
        }
        if files.current.flush().is_err() {
            metrics.access_log_dropped.increment();
        }
    }
}

struct Files {
    path: PathBuf,
    current: BufWriter<File>,
    bytes: u64,
    bytes_max: u64,
}

impl Files {
    fn open(path: &Path, bytes_max: u64) -> io::Result<Self> {
        let file = appending(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), current: BufWriter::new(file), bytes, bytes_max })
    }

    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(&shortened(entry))?;
        line.push(b'\n');
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.bytes > 0 && self.bytes.saturating_add(length) > self.bytes_max {
            self.rotate()?;
        }
        self.current.write_all(&line)?;
        self.bytes = self.bytes.saturating_add(length);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.current.flush()?;
        let mut before = self.path.clone().into_os_string();
        before.push(".1");
        fs::rename(&self.path, before)?;
        self.current = BufWriter::new(appending(&self.path)?);
        self.bytes = 0;
        Ok(())
    }
}

fn appending(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

fn shortened(entry: &Entry) -> Entry {
    let short = |text: &String| text.chars().take(TEXT_LENGTH_MAX).collect::<String>();
    Entry {
        event_time: short(&entry.event_time),
        request_id: short(&entry.request_id),
        source_address: short(&entry.source_address),
        vpc_endpoint_id: entry.vpc_endpoint_id.as_ref().map(short),
        access_key_id: entry.access_key_id.as_ref().map(short),
        event_name: entry.event_name.as_ref().map(short),
        user_agent: entry.user_agent.as_ref().map(short),
        error_code: short(&entry.error_code),
        error_message: short(&entry.error_message),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use super::*;

    fn entry(error_message: &str) -> Entry {
        Entry {
            event_time: "2026-11-23T22:20:00Z".to_owned(),
            request_id: "r".to_owned(),
            source_address: "127.0.0.1".to_owned(),
            vpc_endpoint_id: None,
            access_key_id: Some("AKIA\n".to_owned()),
            event_name: None,
            user_agent: None,
            error_code: "InvalidSignatureException".to_owned(),
            error_message: error_message.to_owned(),
        }
    }

    fn opened(limits: AccessLogLimits) -> (tempfile::TempDir, PathBuf, Arc<Metrics>, AccessLog) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.jsonl");
        let metrics = Arc::new(Metrics::default());
        let log = AccessLog::open(&path, limits, metrics.clone()).unwrap();
        (folder, path, metrics, log)
    }

    #[test]
    fn lines_are_json_and_short() {
        let (_folder, path, metrics, log) = opened(AccessLogLimits::default());
        log.record(1, entry(&"x".repeat(10_000)));
        log.record(1, entry("second"));
        drop(log);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["errorMessage"].as_str().unwrap().len(), TEXT_LENGTH_MAX);
        assert_eq!(lines[1]["accessKeyId"], "AKIA\n");
        assert_eq!(metrics.access_log_dropped.value(), 0);
    }

    #[test]
    fn so_many_a_second() {
        let (_folder, path, metrics, log) =
            opened(AccessLogLimits { lines_per_second_max: 3, ..AccessLogLimits::default() });
        for second in [7, 8] {
            for _ in 0..5 {
                log.record(second, entry("x"));
            }
        }
        drop(log);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 6);
        assert_eq!(metrics.access_log_dropped.value(), 4);
    }

    #[test]
    fn two_files_of_bounded_size() {
        let (_folder, path, metrics, log) =
            opened(AccessLogLimits { lines_per_second_max: u32::MAX, file_bytes_max: 1000, ..Default::default() });
        for _ in 0..100 {
            log.record(1, entry("x"));
        }
        drop(log);
        let before = path.with_file_name("access.jsonl.1");
        for path in [&path, &before] {
            assert!((1..=1000).contains(&fs::metadata(path).unwrap().len()));
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
        assert_eq!(metrics.access_log_dropped.value(), 0);
    }
}
