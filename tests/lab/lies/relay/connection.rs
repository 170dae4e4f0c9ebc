//! One relayed connection: two threads, and the numbers that keep both conversations correct while copies come in between.

use super::frames::{ATTACH, DISPOSITION, FLOW, Frame, TRANSFER, delivered_before};
use super::{How, Lie, Settled, Shared, locked};
use fe2o3_amqp_types::definitions::Role;
use fe2o3_amqp_types::performatives::{Attach, Disposition, Flow, Transfer};
use std::collections::VecDeque;
use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A message that waits to be overtaken is handed on after this when no more come.
const PATIENCE: Duration = Duration::from_millis(500);

/// Settled messages are remembered this long.
const MEMORY: Duration = Duration::from_secs(60);

/// A connection between a client and the broker.
pub(super) struct Connection {
    pub number: u64,
    pub consumer: AtomicBool,
    pub alive: AtomicBool,
    /// Messages to a consumer, answers to a producer.
    pub carried: AtomicU64,
    client: TcpStream,
    broker: TcpStream,
    downward: Mutex<Downward>,
}

/// The way to the client, and what differs on it from what the broker sent.
struct Downward {
    client: TcpStream,
    /// The broker's number of each delivery by the number that the client knows; `None` for a copy.
    deliveries: Vec<Option<u32>>,
    /// Payloads of deliveries that the client has not settled, by its number; only kept when they may return.
    open: VecDeque<(u32, Vec<u8>)>,
    settled: VecDeque<Settled>,
    copies: u32,
    /// How many messages the client still takes; copies use it up, of which the broker knows nothing.
    room: u32,
    /// Messages of the broker for which copies left no room.
    waiting: VecDeque<(Frame, Option<Vec<u8>>)>,
    seen: u64,
    overtaken: Option<Overtaken>,
    /// A transfer of this link, to make others of.
    sample: Option<Frame>,
}

/// A message that waits until others went past it.
struct Overtaken {
    frame: Frame,
    left: usize,
    since: Instant,
}

impl Connection {
    pub(super) fn begin(number: u64, client: TcpStream, broker: TcpStream, shared: &Arc<Shared>) {
        for stream in [&client, &broker] {
            stream.set_nodelay(true).unwrap();
        }
        let connection = Arc::new(Self {
            number,
            consumer: AtomicBool::new(false),
            alive: AtomicBool::new(true),
            carried: AtomicU64::new(0),
            downward: Mutex::new(Downward {
                client: client.try_clone().unwrap(),
                deliveries: Vec::new(),
                open: VecDeque::new(),
                settled: VecDeque::new(),
                copies: 0,
                room: 0,
                waiting: VecDeque::new(),
                seen: 0,
                overtaken: None,
                sample: None,
            }),
            client,
            broker,
        });
        locked(&shared.connections).push(connection.clone());
        for up in [true, false] {
            let (connection, shared) = (connection.clone(), shared.clone());
            std::thread::spawn(move || {
                if up {
                    while connection.up(&shared).unwrap_or(false) {}
                } else {
                    while connection.down(&shared).unwrap_or(false) {}
                }
                if connection.end() {
                    connection.bequeath(&shared);
                }
            });
        }
    }

    /// Ends it; true for the first who does.
    pub(super) fn end(&self) -> bool {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.broker.shutdown(Shutdown::Both);
        self.alive.swap(false, Ordering::SeqCst)
    }

    /// One frame from the client; false at the end.
    fn up(&self, shared: &Shared) -> std::io::Result<bool> {
        let Some(frame) = Frame::read(&mut &self.client)? else {
            return Ok(false);
        };
        shared.pass(self.number, self.consumer.load(Ordering::SeqCst));
        let frames = match frame.code() {
            Some(ATTACH) => {
                let attach: Attach = serde_amqp::from_slice(frame.parts().0).unwrap();
                self.consumer.store(attach.role == Role::Receiver, Ordering::SeqCst);
                vec![frame]
            }
            Some(FLOW) if self.consumer.load(Ordering::SeqCst) => vec![self.flow_up(&frame, shared)?],
            Some(DISPOSITION) if self.consumer.load(Ordering::SeqCst) => self.settle(&frame, shared),
            _ => vec![frame],
        };
        for frame in frames {
            (&self.broker).write_all(&frame.bytes)?;
        }
        Ok(true)
    }

    /// The client's counts without the copies, of which the broker knows nothing.
    fn flow_up(&self, frame: &Frame, shared: &Shared) -> std::io::Result<Frame> {
        let mut downward = locked(&self.downward);
        let mut flow: Flow = serde_amqp::from_slice(frame.parts().0).unwrap();
        if let (Some(count), Some(credit)) = (flow.delivery_count, flow.link_credit) {
            // The broker counts a link's deliveries from 0, as it does those of the only session.
            let delivered = u32::try_from(downward.deliveries.len()).unwrap();
            downward.room = (count + credit).saturating_sub(delivered);
            downward.hand_on(shared)?;
        }
        let copies = downward.copies;
        flow.next_incoming_id = flow.next_incoming_id.map(|id| id.wrapping_sub(copies));
        flow.delivery_count = flow.delivery_count.map(|count| count.wrapping_sub(copies));
        Ok(frame.with(&serde_amqp::to_vec(&flow).unwrap(), &[]))
    }

    /// Hands on what waits in vain to be overtaken.
    pub(super) fn give_up_waiting(&self, shared: &Shared) {
        let mut downward = locked(&self.downward);
        if downward
            .overtaken
            .as_ref()
            .is_some_and(|one| one.since.elapsed() > PATIENCE)
            && let Some(one) = downward.overtaken.take()
        {
            // Some may have gone past it by now.
            let payload = shared.flagged().then(|| delivered_before(one.frame.parts().1, 1));
            // A connection that is gone shows where it is read.
            let _ = downward.deliver(one.frame, payload, shared);
        }
    }

    /// The client's word on deliveries, in the broker's numbers; on copies nobody is told.
    fn settle(&self, frame: &Frame, shared: &Shared) -> Vec<Frame> {
        let mut downward = locked(&self.downward);
        let told: Disposition = serde_amqp::from_slice(frame.parts().0).unwrap();
        let ids = told.first..=told.last.unwrap_or(told.first);
        let now = Instant::now();
        if matches!(
            shared.lie,
            Lie::Repeat {
                how: How::AfterEnd { .. },
                ..
            }
        ) {
            let (done, left) = std::mem::take(&mut downward.open)
                .into_iter()
                .partition(|(id, _)| ids.contains(id));
            downward.open = left;
            let done: VecDeque<(u32, Vec<u8>)> = done;
            downward
                .settled
                .extend(done.into_iter().map(|(_, payload)| Settled { at: now, payload }));
            while downward.settled.front().is_some_and(|first| now - first.at > MEMORY) {
                downward.settled.pop_front();
            }
        }
        ids.filter_map(|id| downward.deliveries[id as usize])
            .map(|id| {
                let one = Disposition {
                    first: id,
                    last: None,
                    ..told.clone()
                };
                frame.with(&serde_amqp::to_vec(&one).unwrap(), &[])
            })
            .collect()
    }

    /// One frame from the broker; false at the end.
    fn down(&self, shared: &Shared) -> std::io::Result<bool> {
        let Some(frame) = Frame::read(&mut &self.broker)? else {
            return Ok(false);
        };
        let consumer = self.consumer.load(Ordering::SeqCst);
        shared.pass(self.number, consumer);
        match frame.code() {
            Some(TRANSFER) if consumer => {
                self.carried.fetch_add(1, Ordering::SeqCst);
                self.transfer(frame, shared)?;
            }
            Some(FLOW) if consumer => {
                let mut downward = locked(&self.downward);
                let mut flow: Flow = serde_amqp::from_slice(frame.parts().0).unwrap();
                let ahead = downward.copies.wrapping_sub(downward.kept());
                flow.next_outgoing_id = flow.next_outgoing_id.wrapping_add(ahead);
                flow.delivery_count = flow.delivery_count.map(|count| count.wrapping_add(ahead));
                let frame = frame.with(&serde_amqp::to_vec(&flow).unwrap(), &[]);
                downward.client.write_all(&frame.bytes)?;
            }
            code => {
                if code == Some(DISPOSITION) {
                    self.carried.fetch_add(1, Ordering::SeqCst);
                }
                locked(&self.downward).client.write_all(&frame.bytes)?;
            }
        }
        Ok(true)
    }

    /// A message to the client, and the lie about it.
    fn transfer(&self, frame: Frame, shared: &Shared) -> std::io::Result<()> {
        let mut downward = locked(&self.downward);
        downward.seen += 1;
        let chosen = |every: u64, seen: u64| seen.is_multiple_of(every);
        match shared.lie {
            Lie::Overtake { every, by, .. } if chosen(every, downward.seen) && downward.overtaken.is_none() => {
                downward.overtaken = Some(Overtaken {
                    frame,
                    left: by,
                    since: Instant::now(),
                });
            }
            Lie::Overtake { flagged, .. } => {
                downward.deliver(frame, None, shared)?;
                let Some(mut late) = downward.overtaken.take() else {
                    return Ok(());
                };
                late.left -= 1;
                if late.left > 0 {
                    downward.overtaken = Some(late);
                    return Ok(());
                }
                shared.lies.fetch_add(1, Ordering::SeqCst);
                let payload = flagged.then(|| delivered_before(late.frame.parts().1, 1));
                downward.deliver(late.frame, payload, shared)?;
            }
            Lie::Repeat { every, flagged, how } => {
                let copy = |payload: &[u8]| delivered_before(payload, u32::from(flagged));
                let again = chosen(every, downward.seen).then(|| copy(frame.parts().1));
                downward.deliver(frame, None, shared)?;
                let Some(again) = again else { return Ok(()) };
                match how {
                    How::Same => downward.copy(&again, shared)?,
                    How::Other => {
                        drop(downward);
                        let mut others = shared.alive();
                        others.retain(|other| other.number != self.number && other.carries_messages());
                        if let Some(other) = others.first() {
                            locked(&other.downward).copy(&again, shared)?;
                        }
                    }
                    How::AfterEnd { .. } if downward.room > 0 => {
                        let next = locked(&shared.returning).pop_front();
                        if let Some(payload) = next {
                            downward.copy(&copy(&payload), shared)?;
                        }
                    }
                    How::AfterEnd { .. } => {}
                }
            }
            Lie::None => downward.deliver(frame, None, shared)?,
        }
        Ok(())
    }

    fn carries_messages(&self) -> bool {
        self.consumer.load(Ordering::SeqCst) && self.carried.load(Ordering::SeqCst) > 0
    }

    /// What was settled on this connection, long or shortly before its end, waits for the next ones.
    fn bequeath(&self, shared: &Shared) {
        let Lie::Repeat {
            how: How::AfterEnd { from, to },
            ..
        } = shared.lie
        else {
            return;
        };
        let now = Instant::now();
        let settled = std::mem::take(&mut locked(&self.downward).settled);
        let chosen = settled.into_iter().filter(|one| (from..to).contains(&(now - one.at)));
        locked(&shared.returning).extend(chosen.map(|one| one.payload));
    }
}

impl Downward {
    /// Messages of the broker that the client does not have yet.
    fn kept(&self) -> u32 {
        u32::try_from(self.waiting.len() + usize::from(self.overtaken.is_some())).unwrap()
    }

    /// Hands a message of the broker on when the client has room for it.
    fn deliver(&mut self, frame: Frame, payload: Option<Vec<u8>>, shared: &Shared) -> std::io::Result<()> {
        self.waiting.push_back((frame, payload));
        self.hand_on(shared)
    }

    /// Hands on what the client has room for, under the numbers that are next for it.
    fn hand_on(&mut self, shared: &Shared) -> std::io::Result<()> {
        while self.room > 0
            && let Some((frame, payload)) = self.waiting.pop_front()
        {
            let transfer: Transfer = serde_amqp::from_slice(frame.parts().0).unwrap();
            assert!(!transfer.more, "a message of the test fits a frame");
            let payload = payload.as_deref().unwrap_or(frame.parts().1);
            let broker = transfer.delivery_id;
            self.write(&frame, transfer, payload, broker, shared)?;
        }
        Ok(())
    }

    /// Delivers a copy; when the client has no room there is none.
    fn copy(&mut self, payload: &[u8], shared: &Shared) -> std::io::Result<()> {
        let Some(sample) = self.sample.take() else {
            return Ok(());
        };
        if self.room > 0 {
            self.copies += 1;
            shared.lies.fetch_add(1, Ordering::SeqCst);
            let transfer: Transfer = serde_amqp::from_slice(sample.parts().0).unwrap();
            self.write(&sample, transfer, payload, None, shared)?;
        }
        self.sample.get_or_insert(sample);
        Ok(())
    }

    fn write(
        &mut self,
        frame: &Frame,
        mut transfer: Transfer,
        payload: &[u8],
        broker: Option<u32>,
        shared: &Shared,
    ) -> std::io::Result<()> {
        let number = u32::try_from(self.deliveries.len()).unwrap();
        self.room -= 1;
        self.deliveries.push(broker);
        transfer.delivery_id = Some(number);
        transfer.delivery_tag = Some(number.to_be_bytes().to_vec().into());
        let frame = frame.with(&serde_amqp::to_vec(&transfer).unwrap(), payload);
        if matches!(
            shared.lie,
            Lie::Repeat {
                how: How::AfterEnd { .. },
                ..
            }
        ) && broker.is_some()
        {
            self.open.push_back((number, payload.to_vec()));
        }
        shared.messages.fetch_add(1, Ordering::SeqCst);
        self.client.write_all(&frame.bytes)?;
        self.sample = Some(frame);
        Ok(())
    }
}
