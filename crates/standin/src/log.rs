//! The log of a queue manager: an append-only file in segments, `log/NNNNNNNNNN.log` in its data directory.
//!
//! A new owner goes on in the last segment, and never begins a new one: should an earlier owner still write, both are seen
//! side by side in one file, which is what the audit looks for. A torn tail is cut off before the first write. The oldest
//! segment is deleted when nothing in it is live; before that, one line in `epochs.log` says whose records it held.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    audit,
    record::{self, Kind, Next, Record},
};

/// Size after which a segment is closed.
const SEGMENT: u64 = 8 << 20;
/// Size of the whole log above which live messages of the oldest segment are copied to its end.
const COMPACT: u64 = 64 << 20;

/// An open log.
#[derive(Debug)]
pub(crate) struct Log {
    directory: PathBuf,
    epoch: u64,
    file: File,
    number: u64,
    size: u64,
    segment_size: u64,
    compact_size: u64,
    /// Every segment with the live messages that it holds.
    segments: BTreeMap<u64, Segment>,
    /// Where each live message is.
    places: BTreeMap<u64, u64>,
    next_sequence: u64,
}

#[derive(Debug, Default)]
struct Segment {
    live: BTreeSet<u64>,
    size: u64,
}

/// Live messages by queue and sequence.
pub(crate) type Live = BTreeMap<String, BTreeMap<u64, Arc<[u8]>>>;

/// What was in the log when it was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// Live messages by queue and sequence.
    pub(crate) live: Live,
    /// Records read.
    pub(crate) records: u64,
    /// Bytes cut off the end.
    pub(crate) torn: u64,
}

/// The numbers of all segments, in order.
pub(crate) fn segments(directory: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let number = path
            .file_name()
            .and_then(|n| n.to_str()?.strip_suffix(".log")?.parse().ok());
        if let Some(number) = number {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:010}.log"))
}

impl Log {
    /// Opens or creates the log in that directory and replays it.
    ///
    /// # Errors
    /// When it cannot be read or written, or when a record other than the last ones is damaged.
    pub(crate) fn open(directory: &Path, epoch: u64) -> io::Result<(Self, Replayed)> {
        Self::open_sized(directory, epoch, SEGMENT, COMPACT)
    }

    fn open_sized(directory: &Path, epoch: u64, segment_size: u64, compact_size: u64) -> io::Result<(Self, Replayed)> {
        fs::create_dir_all(directory)?;
        let found = segments(directory)?;
        let mut replayed = Replayed::default();
        let mut all = BTreeMap::new();
        let mut places = BTreeMap::new();
        let mut next_sequence = 1;
        for (index, (number, path)) in found.iter().enumerate() {
            let mut bytes = Vec::new();
            File::open(path)?.read_to_end(&mut bytes)?;
            let mut at = 0;
            loop {
                match record::next(&bytes[at..]) {
                    Next::Record(record, length) => {
                        at += length;
                        replayed.records += 1;
                        apply(&record, *number, &mut replayed, &mut places, &mut next_sequence);
                    }
                    Next::End => break,
                    Next::Torn if index + 1 == found.len() => {
                        replayed.torn = (bytes.len() - at) as u64;
                        let file = OpenOptions::new().write(true).open(path)?;
                        file.set_len(at as u64)?;
                        file.sync_all()?;
                        break;
                    }
                    Next::Torn => {
                        return Err(io::Error::new(
                            io::ErrorKind::InvalidData,
                            format!("{} is damaged at byte {at}", path.display()),
                        ));
                    }
                }
            }
            all.insert(
                *number,
                Segment {
                    live: BTreeSet::new(),
                    size: at as u64,
                },
            );
        }
        for (sequence, number) in &places {
            if let Some(segment) = all.get_mut(number) {
                segment.live.insert(*sequence);
            }
        }
        let number = found.last().map_or(1, |(number, _)| *number);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(segment_path(directory, number))?;
        let size = all.entry(number).or_default().size;
        let mut log = Self {
            directory: directory.to_owned(),
            epoch,
            file,
            number,
            size,
            segment_size,
            compact_size,
            segments: all,
            places,
            next_sequence,
        };
        log.begin()?;
        Ok((log, replayed))
    }

    /// Marks the beginning of an owner or of a segment, and makes the file itself safe.
    fn begin(&mut self) -> io::Result<()> {
        let mut bytes = Vec::new();
        let (epoch, sequence) = (self.epoch, self.next_sequence);
        Record {
            kind: Kind::Start,
            epoch,
            sequence,
            queue: "",
            body: &[],
        }
        .encode(&mut bytes);
        self.append(&bytes)?;
        self.file.sync_all()?;
        File::open(&self.directory)?.sync_all()
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.size += bytes.len() as u64;
        self.segments.entry(self.number).or_default().size = self.size;
        Ok(())
    }

    /// A sequence number that was never used.
    pub(crate) fn next_sequence(&mut self) -> u64 {
        self.next_sequence += 1;
        self.next_sequence - 1
    }

    /// Encodes a put; [`Self::write`] must follow.
    pub(crate) fn put(&mut self, sequence: u64, queue: &str, body: &[u8], buffer: &mut Vec<u8>) {
        Record {
            kind: Kind::Put,
            epoch: self.epoch,
            sequence,
            queue,
            body,
        }
        .encode(buffer);
        self.segments.entry(self.number).or_default().live.insert(sequence);
        self.places.insert(sequence, self.number);
    }

    /// Encodes that a message was taken; [`Self::write`] must follow.
    pub(crate) fn taken(&mut self, sequence: u64, queue: &str, buffer: &mut Vec<u8>) {
        Record {
            kind: Kind::Taken,
            epoch: self.epoch,
            sequence,
            queue,
            body: &[],
        }
        .encode(buffer);
        if let Some(number) = self.places.remove(&sequence)
            && let Some(segment) = self.segments.get_mut(&number)
        {
            segment.live.remove(&sequence);
        }
    }

    /// Writes encoded records, and with `sync` makes them safe before it returns.
    pub(crate) fn write(&mut self, bytes: &[u8], sync: bool) -> io::Result<()> {
        self.append(bytes)?;
        if sync {
            self.file.sync_data()?;
        }
        if self.size >= self.segment_size {
            self.roll()?;
        }
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        // What says that messages were taken must be safe before the segments that held them go.
        self.file.sync_data()?;
        self.number += 1;
        self.size = 0;
        self.file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(segment_path(&self.directory, self.number))?;
        self.begin()?;
        if self.segments.values().map(|s| s.size).sum::<u64>() > self.compact_size {
            self.move_oldest()?;
        }
        while let Some((&number, segment)) = self.segments.iter().next() {
            if number == self.number || !segment.live.is_empty() {
                break;
            }
            let path = segment_path(&self.directory, number);
            audit::summarise(&self.directory, &path)?;
            fs::remove_file(&path)?;
            self.segments.remove(&number);
        }
        Ok(())
    }

    /// Copies the live messages of the oldest segment to the end, under their old sequence numbers.
    fn move_oldest(&mut self) -> io::Result<()> {
        let Some((&number, segment)) = self.segments.iter().next() else {
            return Ok(());
        };
        if number == self.number || segment.live.is_empty() {
            return Ok(());
        }
        let bytes = fs::read(segment_path(&self.directory, number))?;
        let mut at = 0;
        let mut copy = Vec::new();
        while let Next::Record(record, length) = record::next(&bytes[at..]) {
            at += length;
            if record.kind == Kind::Put && self.places.get(&record.sequence) == Some(&number) {
                self.put(record.sequence, record.queue, record.body, &mut copy);
            }
        }
        self.append(&copy)?;
        self.file.sync_data()?;
        if let Some(segment) = self.segments.get_mut(&number) {
            segment.live.clear();
        }
        Ok(())
    }
}

fn apply(
    record: &Record<'_>,
    number: u64,
    replayed: &mut Replayed,
    places: &mut BTreeMap<u64, u64>,
    next_sequence: &mut u64,
) {
    match record.kind {
        Kind::Start => *next_sequence = (*next_sequence).max(record.sequence),
        Kind::Put => {
            *next_sequence = (*next_sequence).max(record.sequence + 1);
            places.insert(record.sequence, number);
            let queue = match replayed.live.get_mut(record.queue) {
                Some(queue) => queue,
                None => replayed.live.entry(record.queue.to_owned()).or_default(),
            };
            queue.insert(record.sequence, Arc::from(record.body));
        }
        Kind::Taken => {
            places.remove(&record.sequence);
            if let Some(queue) = replayed.live.get_mut(record.queue) {
                queue.remove(&record.sequence);
            }
        }
    }
}

#[cfg(test)]
mod tests;
