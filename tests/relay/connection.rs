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

/// Credit that is kept back from the broker, for copies.
const SPARE: u32 = 10;

/// Settled messages are remembered this long.
const MEMORY: Duration = Duration::from_secs(60);

/// A connection between a client and the broker.
pub struct Connection {
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
    spare: u32,
    seen: u64,
    overtaken: Option<(Frame, usize)>,
    /// A transfer of this link, to make others of.
    sample: Option<Frame>,
}

impl Connection {
    pub fn begin(number: u64, client: TcpStream, broker: TcpStream, shared: &Arc<Shared>) {
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
                spare: 0,
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
    pub fn end(&self) -> bool {
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.broker.shutdown(Shutdown::Both);
        self.alive.swap(false, Ordering::SeqCst)
    }

    /// One frame from the client; false at the end.
    fn up(&self, shared: &Shared) -> std::io::Result<bool> {
        let Some(frame) = Frame::read(&mut &self.client)? else {
            return Ok(false);
        };
        shared.pass(self.consumer.load(Ordering::SeqCst));
        let frames = match frame.code() {
            Some(ATTACH) => {
                let attach: Attach = serde_amqp::from_slice(frame.parts().0).unwrap();
                self.consumer.store(attach.role == Role::Receiver, Ordering::SeqCst);
                vec![frame]
            }
            Some(FLOW) if self.consumer.load(Ordering::SeqCst) => vec![self.flow_up(&frame)],
            Some(DISPOSITION) if self.consumer.load(Ordering::SeqCst) => self.settle(&frame, shared),
            _ => vec![frame],
        };
        for frame in frames {
            (&self.broker).write_all(&frame.bytes)?;
        }
        Ok(true)
    }

    /// The client's counts without the copies, of which the broker knows nothing, and with some credit kept back.
    fn flow_up(&self, frame: &Frame) -> Frame {
        let mut downward = locked(&self.downward);
        let mut flow: Flow = serde_amqp::from_slice(frame.parts().0).unwrap();
        let copies = downward.copies;
        flow.next_incoming_id = flow.next_incoming_id.map(|id| id.wrapping_sub(copies));
        flow.delivery_count = flow.delivery_count.map(|count| count.wrapping_sub(copies));
        if let Some(credit) = flow.link_credit {
            downward.spare = SPARE.min(credit / 2);
            flow.link_credit = Some(credit - downward.spare);
        }
        frame.with(&serde_amqp::to_vec(&flow).unwrap(), &[])
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
        shared.pass(consumer);
        match frame.code() {
            Some(TRANSFER) if consumer => {
                self.carried.fetch_add(1, Ordering::SeqCst);
                self.transfer(frame, shared)?;
            }
            Some(FLOW) if consumer => {
                let mut downward = locked(&self.downward);
                let mut flow: Flow = serde_amqp::from_slice(frame.parts().0).unwrap();
                flow.next_outgoing_id = flow.next_outgoing_id.wrapping_add(downward.copies);
                flow.delivery_count = flow.delivery_count.map(|count| count.wrapping_add(downward.copies));
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
                downward.overtaken = Some((frame, by));
                return Ok(());
            }
            Lie::Overtake { flagged, .. } => {
                downward.deliver(&frame, None, shared)?;
                let Some((late, left)) = downward.overtaken.take() else {
                    return Ok(());
                };
                if left > 1 {
                    downward.overtaken = Some((late, left - 1));
                    return Ok(());
                }
                shared.lies.fetch_add(1, Ordering::SeqCst);
                let payload = flagged.then(|| delivered_before(late.parts().1, 1));
                downward.deliver(&late, payload.as_deref(), shared)?;
            }
            Lie::Repeat { every, flagged, how } => {
                downward.deliver(&frame, None, shared)?;
                let copy = |payload: &[u8]| delivered_before(payload, u32::from(flagged));
                match how {
                    How::Same if chosen(every, downward.seen) => {
                        downward.copy(&copy(frame.parts().1), shared)?;
                    }
                    How::Other if chosen(every, downward.seen) => {
                        drop(downward);
                        let copy = copy(frame.parts().1);
                        let mut others = shared.alive();
                        others.retain(|other| other.number != self.number && other.carries_messages());
                        if let Some(other) = others.first() {
                            locked(&other.downward).copy(&copy, shared)?;
                        }
                    }
                    How::AfterEnd { .. } if downward.spare > 0 && chosen(every, downward.seen) => {
                        let next = locked(&shared.returning).pop_front();
                        if let Some(payload) = next {
                            downward.copy(&copy(&payload), shared)?;
                        }
                    }
                    _ => {}
                }
            }
            Lie::None => downward.deliver(&frame, None, shared)?,
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
    /// Hands a message of the broker on, under the number that is next for the client.
    fn deliver(&mut self, frame: &Frame, payload: Option<&[u8]>, shared: &Shared) -> std::io::Result<()> {
        let transfer: Transfer = serde_amqp::from_slice(frame.parts().0).unwrap();
        let payload = payload.unwrap_or(frame.parts().1);
        let whole = !transfer.more;
        assert!(whole, "a message of the test fits a frame");
        let broker = transfer.delivery_id;
        self.write(frame, transfer, payload, broker, shared)
    }

    /// Delivers a copy; without credit to spare there is none.
    fn copy(&mut self, payload: &[u8], shared: &Shared) -> std::io::Result<()> {
        let Some(sample) = self.sample.take() else {
            return Ok(());
        };
        if self.spare > 0 {
            self.spare -= 1;
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
