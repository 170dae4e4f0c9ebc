//! The one thread that writes the log: it takes what has come in, writes it with one sync, then acknowledges it all.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    defect::Defect,
    log::Log,
    queue::{Message, Queue},
};

/// Bytes after which a batch is written although more has come in.
const BATCH: usize = 1 << 20;
/// How long [`Defect::AckEarly`] keeps an acknowledged record in memory.
const HELD_BACK: Duration = Duration::from_millis(200);
/// How many messages overtake one under [`Defect::Reorder`], and how long it waits for them.
const OVERTAKEN_BY: usize = 16;
const OVERTAKEN_FOR: Duration = Duration::from_millis(100);

/// Something to write.
#[derive(Debug)]
pub(crate) enum Job {
    /// A message; `done` is told when it is safe, or dropped when it never will be.
    Put {
        queue: Arc<Queue>,
        body: Arc<[u8]>,
        persistent: bool,
        done: oneshot::Sender<()>,
    },
    /// A persistent message was taken for good.
    Taken { queue: Arc<Queue>, sequence: u64 },
    /// Write everything up to here, then tell.
    Flush { done: mpsc::Sender<()> },
}

/// The way to the writer; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    jobs: mpsc::Sender<Job>,
}

impl Writer {
    /// Starts the thread; it calls `failed` once when the log cannot be written any more.
    pub(crate) fn start(
        log: Log,
        defect: Option<Defect>,
        failed: impl FnOnce(io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let (jobs, received) = mpsc::channel();
        let thread = Thread {
            log,
            defect,
            buffer: Vec::new(),
            waiting: Vec::new(),
            late: VecDeque::new(),
            puts: 0,
            overtaken: None,
        };
        std::thread::Builder::new().name("amqlog".to_owned()).spawn(move || {
            if let Err(error) = thread.run(&received) {
                failed(error);
            }
        })?;
        Ok(Self { jobs })
    }

    /// Hands over one job; false when the writer is gone.
    pub(crate) fn send(&self, job: Job) -> bool {
        self.jobs.send(job).is_ok()
    }

    /// Waits until everything handed over so far is safe; false when that did not happen in time.
    pub(crate) fn flush(&self, within: Duration) -> bool {
        let (done, waited) = mpsc::channel();
        self.send(Job::Flush { done }) && waited.recv_timeout(within).is_ok()
    }
}

/// A put that becomes visible once it is safe.
struct Waiting {
    queue: Arc<Queue>,
    message: Message,
    done: oneshot::Sender<()>,
}

struct Thread {
    log: Log,
    defect: Option<Defect>,
    buffer: Vec<u8>,
    waiting: Vec<Waiting>,
    /// Jobs that [`Defect::AckEarly`] keeps in memory, with the time at which each may be written.
    late: VecDeque<(Instant, Late)>,
    puts: u64,
    overtaken: Option<(Waiting, usize, Instant)>,
}

enum Late {
    Put {
        queue: String,
        sequence: u64,
        body: Arc<[u8]>,
    },
    Taken {
        queue: String,
        sequence: u64,
    },
}

impl Thread {
    fn run(mut self, jobs: &mpsc::Receiver<Job>) -> io::Result<()> {
        loop {
            let Some(first) = self.next_job(jobs)? else {
                return Ok(());
            };
            let mut flushes = Vec::new();
            self.take(first, &mut flushes);
            while self.buffer.len() < BATCH {
                match jobs.try_recv() {
                    Ok(job) => self.take(job, &mut flushes),
                    Err(_) => break,
                }
            }
            if !flushes.is_empty() {
                self.write_late(true)?;
                self.end_overtaking();
            }
            self.commit()?;
            for done in flushes {
                // Whoever asked may have given up waiting.
                let _ = done.send(());
            }
        }
    }

    /// The next job; meanwhile what is due by time is done. `None` when nobody can send any more.
    fn next_job(&mut self, jobs: &mpsc::Receiver<Job>) -> io::Result<Option<Job>> {
        loop {
            let due = self.late.front().map(|(at, _)| *at);
            let due = due
                .into_iter()
                .chain(self.overtaken.as_ref().map(|(_, _, at)| *at))
                .min();
            let Some(due) = due else { return Ok(jobs.recv().ok()) };
            match jobs.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(job) => return Ok(Some(job)),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(None),
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    self.write_late(false)?;
                    if self.overtaken.as_ref().is_some_and(|(_, _, at)| *at <= Instant::now()) {
                        self.end_overtaking();
                    }
                    self.commit()?;
                }
            }
        }
    }

    fn take(&mut self, job: Job, flushes: &mut Vec<mpsc::Sender<()>>) {
        match job {
            Job::Put {
                queue,
                body,
                persistent,
                done,
            } => self.put(queue, body, persistent, done),
            Job::Taken { queue, sequence } if self.defect == Some(Defect::AckEarly) => {
                self.late.push_back((
                    Instant::now() + HELD_BACK,
                    Late::Taken {
                        queue: queue.name.clone(),
                        sequence,
                    },
                ));
            }
            Job::Taken { queue, sequence } => self.log.taken(sequence, &queue.name, &mut self.buffer),
            Job::Flush { done } => flushes.push(done),
        }
    }

    fn put(&mut self, queue: Arc<Queue>, body: Arc<[u8]>, persistent: bool, done: oneshot::Sender<()>) {
        self.puts += 1;
        if self.defect == Some(Defect::Lose) && self.puts.is_multiple_of(97) {
            queue.let_go();
            let _ = done.send(());
            return;
        }
        if self.defect == Some(Defect::Duplicate) && self.puts.is_multiple_of(97) {
            let (twin, _) = oneshot::channel();
            // The twin needs a place of its own; when there is none the queue is full and the defect waits.
            if queue.hold().is_ok() {
                self.place(queue.clone(), body.clone(), persistent, twin);
            }
        }
        self.place(queue, body, persistent, done);
    }

    fn place(&mut self, queue: Arc<Queue>, body: Arc<[u8]>, persistent: bool, done: oneshot::Sender<()>) {
        let sequence = self.log.next_sequence();
        let message = Message {
            sequence,
            body: body.clone(),
            persistent,
            delivery_count: 0,
        };
        let waiting = Waiting { queue, message, done };
        match self.defect {
            Some(Defect::AckEarly) => {
                if persistent {
                    let late = Late::Put {
                        queue: waiting.queue.name.clone(),
                        sequence,
                        body,
                    };
                    self.late.push_back((Instant::now() + HELD_BACK, late));
                }
                complete(waiting);
            }
            Some(Defect::Reorder) if self.overtaken.is_none() && self.puts.is_multiple_of(50) => {
                self.overtaken = Some((waiting, OVERTAKEN_BY, Instant::now() + OVERTAKEN_FOR));
            }
            _ => {
                self.encode(&waiting);
                self.waiting.push(waiting);
                if let Some((_, left, _)) = &mut self.overtaken {
                    *left -= 1;
                    if *left == 0 {
                        self.end_overtaking();
                    }
                }
            }
        }
    }

    /// Puts the overtaken message behind those that overtook it, with a number that says so.
    fn end_overtaking(&mut self) {
        if let Some((mut waiting, _, _)) = self.overtaken.take() {
            waiting.message.sequence = self.log.next_sequence();
            self.encode(&waiting);
            self.waiting.push(waiting);
        }
    }

    fn encode(&mut self, waiting: &Waiting) {
        let message = &waiting.message;
        if message.persistent {
            self.log
                .put(message.sequence, &waiting.queue.name, &message.body, &mut self.buffer);
        }
    }

    fn write_late(&mut self, all: bool) -> io::Result<()> {
        let now = Instant::now();
        while self.late.front().is_some_and(|(at, _)| all || *at <= now) {
            match self.late.pop_front() {
                Some((_, Late::Put { queue, sequence, body })) => {
                    self.log.put(sequence, &queue, &body, &mut self.buffer);
                }
                Some((_, Late::Taken { queue, sequence })) => self.log.taken(sequence, &queue, &mut self.buffer),
                None => break,
            }
        }
        if !self.buffer.is_empty() {
            self.log.write(&self.buffer, true)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes the batch, and only then shows and acknowledges what is in it.
    fn commit(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            let puts = self.waiting.iter().any(|w| w.message.persistent);
            self.log.write(&self.buffer, puts)?;
            self.buffer.clear();
        }
        self.waiting.drain(..).for_each(complete);
        Ok(())
    }
}

fn complete(waiting: Waiting) {
    waiting.queue.put(waiting.message);
    // The link may be gone; the message is on the queue all the same.
    let _ = waiting.done.send(());
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn writer(directory: &Path, defect: Option<Defect>) -> Writer {
        let (log, _) = Log::open(directory, 1).unwrap();
        Writer::start(log, defect, |e| panic!("{e}")).unwrap()
    }

    fn put(writer: &Writer, queue: &Arc<Queue>, n: u32, persistent: bool) -> oneshot::Receiver<()> {
        queue.hold().unwrap();
        let (done, acknowledged) = oneshot::channel();
        let body = Arc::from(n.to_le_bytes());
        assert!(writer.send(Job::Put {
            queue: queue.clone(),
            body,
            persistent,
            done
        }));
        acknowledged
    }

    fn bodies(queue: &Queue) -> Vec<u32> {
        std::iter::from_fn(|| queue.take())
            .map(|m| u32::from_le_bytes(m.body[..].try_into().unwrap()))
            .collect()
    }

    fn on_disk(directory: &Path) -> usize {
        Log::open(directory, 2)
            .unwrap()
            .1
            .live
            .values()
            .map(std::collections::BTreeMap::len)
            .sum()
    }

    #[test]
    fn acknowledged_means_on_disk_in_the_order_of_the_queue() {
        let directory = tempfile::tempdir().unwrap();
        let queue = Arc::new(Queue::new("Q", 10_000));
        let writer = writer(directory.path(), None);
        for n in 0..500 {
            put(&writer, &queue, n, true).blocking_recv().unwrap();
            if n % 100 == 0 {
                assert_eq!(on_disk(directory.path()) as u32, n + 1);
            }
        }
        assert_eq!(bodies(&queue), (0..500).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_not_persistent_never_reaches_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let queue = Arc::new(Queue::new("Q", 10));
        let writer = writer(directory.path(), None);
        put(&writer, &queue, 1, false).blocking_recv().unwrap();
        assert!(writer.flush(Duration::from_secs(10)));
        assert_eq!((queue.depth(), on_disk(directory.path())), (1, 0));
    }

    #[test]
    fn each_defect_shows() {
        for (defect, expected) in [
            (Defect::Lose, (1..=200).filter(|n| n % 97 != 0).collect::<Vec<u32>>()),
            (
                Defect::Duplicate,
                (1..=200)
                    .flat_map(|n| vec![n; if n % 97 == 0 { 2 } else { 1 }])
                    .collect(),
            ),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let queue = Arc::new(Queue::new("Q", 10_000));
            let writer = writer(directory.path(), Some(defect));
            for n in 1..=200 {
                put(&writer, &queue, n, true).blocking_recv().unwrap();
            }
            assert_eq!(bodies(&queue), expected, "{defect:?}");
            assert_eq!(on_disk(directory.path()), expected.len(), "{defect:?}");
        }

        let directory = tempfile::tempdir().unwrap();
        let queue = Arc::new(Queue::new("Q", 10_000));
        let reordering = writer(directory.path(), Some(Defect::Reorder));
        let acknowledged: Vec<_> = (1..=100).map(|n| put(&reordering, &queue, n, true)).collect();
        assert!(reordering.flush(Duration::from_secs(10)));
        acknowledged.into_iter().for_each(|a| a.blocking_recv().unwrap());
        let order = bodies(&queue);
        assert_eq!(order.iter().position(|n| *n == 50), Some(65), "16 overtook it");
        assert_eq!(order.len(), 100);

        let directory = tempfile::tempdir().unwrap();
        let early = writer(directory.path(), Some(Defect::AckEarly));
        put(&early, &queue, 1, true).blocking_recv().unwrap();
        // A kill at this moment would lose an acknowledged message.
        assert_eq!(on_disk(directory.path()), 0);
        assert!(early.flush(Duration::from_secs(10)));
        assert_eq!(on_disk(directory.path()), 1);
    }
}
