//! A relay that forges confirms, a test double: it keeps some messages for itself and tells their producer that the broker has them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// One message of so many on a connection is kept.
const EVERY: u64 = 50;
/// Frames of AMQP 0-9-1.
const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const END: u8 = 0xCE;
/// Class and method of `basic.publish` and `basic.ack`.
const PUBLISH: [u8; 4] = [0, 60, 0, 40];
const ACK: [u8; 4] = [0, 60, 0, 80];
/// What a client sends first.
const PREFACE: usize = 8;

/// The relay; its threads end with the connections, its listener with the process.
pub(super) struct Forger {
    address: SocketAddr,
    forged: Arc<AtomicU64>,
}

/// A frame, whole.
struct Frame {
    kind: u8,
    channel: [u8; 2],
    bytes: Vec<u8>,
}

impl Frame {
    fn read(from: &mut TcpStream) -> Option<Self> {
        let mut head = [0; 7];
        from.read_exact(&mut head).ok()?;
        let size = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
        let mut bytes = head.to_vec();
        bytes.resize(7 + size + 1, 0);
        from.read_exact(&mut bytes[7..]).ok()?;
        Some(Self {
            kind: head[0],
            channel: [head[1], head[2]],
            bytes,
        })
    }

    fn is(&self, method: [u8; 4]) -> bool {
        self.kind == METHOD && self.bytes[7..].starts_with(&method)
    }
}

/// The numbers that confirms have for a producer, by those that they have for the broker, which never saw what was kept.
#[derive(Default)]
struct Numbers {
    published: u64,
    passed: Vec<u64>,
}

impl Forger {
    pub(super) fn to(broker: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let forger = Self {
            address: listener.local_addr().unwrap(),
            forged: Arc::default(),
        };
        let forged = forger.forged.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A broker that is not there drops its clients; so does the relay.
                if let Ok(broker) = TcpStream::connect(broker) {
                    carry(client, broker, forged.clone());
                }
            }
        });
        forger
    }

    /// For `--amqp-url`.
    pub(super) fn url(&self) -> String {
        format!("amqp://{}", self.address)
    }

    /// How many confirms were forged.
    pub(super) fn forged(&self) -> u64 {
        self.forged.load(Ordering::SeqCst)
    }
}

fn carry(mut client: TcpStream, mut broker: TcpStream, forged: Arc<AtomicU64>) {
    for stream in [&client, &broker] {
        stream.set_nodelay(true).unwrap();
    }
    let numbers = Arc::new(Mutex::new(Numbers::default()));
    let answers = Arc::new(Mutex::new(client.try_clone().unwrap()));
    let (mut from_broker, to_client, known) = (broker.try_clone().unwrap(), answers.clone(), numbers.clone());
    std::thread::spawn(move || {
        while let Some(mut frame) = Frame::read(&mut from_broker) {
            if frame.is(ACK) {
                let number = u64::from_be_bytes(frame.bytes[11..19].try_into().unwrap());
                let theirs = known.lock().unwrap().passed[number as usize - 1];
                frame.bytes[11..19].copy_from_slice(&theirs.to_be_bytes());
            }
            if to_client.lock().unwrap().write_all(&frame.bytes).is_err() {
                break;
            }
        }
        let _ = to_client.lock().unwrap().shutdown(std::net::Shutdown::Both);
    });
    std::thread::spawn(move || {
        let mut preface = [0; PREFACE];
        if client.read_exact(&mut preface).is_err() || broker.write_all(&preface).is_err() {
            return;
        }
        let mut kept = false;
        while let Some(frame) = Frame::read(&mut client) {
            if frame.is(PUBLISH) {
                let mut numbers = numbers.lock().unwrap();
                numbers.published += 1;
                let number = numbers.published;
                kept = number.is_multiple_of(EVERY);
                if kept {
                    forged.fetch_add(1, Ordering::SeqCst);
                    let _ = answers.lock().unwrap().write_all(&ack(frame.channel, number));
                } else {
                    numbers.passed.push(number);
                }
            }
            let of_message = frame.is(PUBLISH) || [HEADER, BODY].contains(&frame.kind);
            if !(kept && of_message) && broker.write_all(&frame.bytes).is_err() {
                break;
            }
        }
        let _ = broker.shutdown(std::net::Shutdown::Both);
    });
}

fn ack(channel: [u8; 2], number: u64) -> Vec<u8> {
    let mut payload = ACK.to_vec();
    payload.extend(number.to_be_bytes());
    // Of this one alone.
    payload.push(0);
    let mut bytes = vec![METHOD];
    bytes.extend(channel);
    bytes.extend((payload.len() as u32).to_be_bytes());
    bytes.extend(payload);
    bytes.push(END);
    bytes
}
