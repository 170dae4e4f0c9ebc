//! Clients over a pipe, against a queue manager in this process.

use std::{sync::Arc, time::Duration};

use fe2o3_amqp::{
    Connection, Receiver, Session, connection::ConnectionHandle, link::receiver::CreditMode, sasl_profile::SaslProfile,
    session::SessionHandle,
};
use fe2o3_amqp_types::{
    messaging::{Body, Data, Message as AmqpMessage, Source, message::__private::Serializable},
    performatives::Open,
    primitives::{Binary, Symbol},
    sasl::SaslInit,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf},
    time::timeout,
};

use super::{connection::IDLE_MILLIS, incoming::Content, serve};
use crate::{
    lab_accounts::Accounts,
    standin::{
        broker::Broker,
        log::Log,
        mqsc,
        objects::Objects,
        queue::{Message, Queue},
        writer::Writer,
    },
};

const LIMIT: Duration = Duration::from_secs(120);

struct Fixture {
    broker: Arc<Broker>,
    queue: Arc<Queue>,
    _directory: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut accounts = Accounts::default();
        accounts.set("mqapp", "a long and random one").unwrap();
        accounts.write(directory.path()).unwrap();
        let objects = Objects::defaults(directory.path(), "QM1", None);
        let (log, replayed) = Log::open(&directory.path().join("log"), 1).unwrap();
        let writer = Writer::start(log, None, |e| panic!("{e}")).unwrap();
        let runtime = tokio::runtime::Handle::current();
        let broker = Broker::new("QM1", directory.path(), None, objects, replayed, writer, runtime);
        let (printed, code) = mqsc::run(
            &broker,
            "DEFINE QLOCAL(Q)\n\
             SET AUTHREC OBJTYPE(QMGR) PRINCIPAL('mqapp') AUTHADD(CONNECT)\n\
             SET AUTHREC OBJTYPE(QUEUE) PROFILE(Q) PRINCIPAL('mqapp') AUTHADD(GET)",
        );
        assert_eq!(code, 0, "{printed}");
        Self {
            queue: broker.queue("Q").unwrap(),
            broker,
            _directory: directory,
        }
    }

    /// The client's end of a connection; the pipe takes so many bytes at a time.
    fn pipe(&self, bytes: usize) -> DuplexStream {
        let (here, there) = tokio::io::duplex(bytes);
        tokio::spawn(serve(self.broker.clone(), "SYSTEM.DEF.AMQP".to_owned(), None, there));
        here
    }

    fn put(&self, sequence: u64, length: usize) {
        let mut data = sequence.to_be_bytes().to_vec();
        data.resize(length, b'x');
        let message: AmqpMessage<Content> = AmqpMessage::builder()
            .body(Body::Data(vec![Data(Binary::from(data))].into()))
            .build();
        self.queue.hold().unwrap();
        self.queue.put(Message {
            sequence,
            body: Arc::from(serde_amqp::to_vec(&Serializable(message)).unwrap()),
            persistent: false,
            delivery_count: 0,
        });
    }

    async fn consumer(&self, name: &str, frame: u32) -> Consumer {
        let opening = async {
            let mut connection = Connection::builder()
                .container_id(name)
                .max_frame_size(frame)
                .sasl_profile(SaslProfile::Plain {
                    username: "mqapp".to_owned(),
                    password: "a long and random one".to_owned(),
                })
                .open_with_stream(self.pipe(1 << 16))
                .await
                .unwrap();
            let mut session = Session::begin(&mut connection).await.unwrap();
            let source = Source::builder().address("Q").capabilities(vec![Symbol::from("queue")]);
            let receiver = Receiver::builder()
                .name("g")
                .source(source.build())
                .credit_mode(CreditMode::Manual)
                .attach(&mut session)
                .await
                .unwrap();
            Consumer {
                receiver,
                _session: session,
                _connection: connection,
            }
        };
        timeout(LIMIT, opening).await.unwrap()
    }
}

struct Consumer {
    receiver: Receiver,
    _session: SessionHandle<()>,
    _connection: ConnectionHandle<()>,
}

impl Consumer {
    /// Gives credit for so many messages and accepts them; sequence and length of each.
    async fn get(&mut self, count: u32) -> Vec<(u64, usize)> {
        self.receiver.set_credit(count).await.unwrap();
        let mut got = Vec::new();
        for _ in 0..count {
            let delivery = timeout(LIMIT, self.receiver.recv::<Content>()).await;
            let delivery = delivery.unwrap_or_else(|_| panic!("only {got:?} of {count}")).unwrap();
            let Body::Data(data) = delivery.body() else {
                panic!("{delivery:?}")
            };
            let data: Vec<u8> = data.iter().flat_map(|d| d.0.iter().copied()).collect();
            got.push((u64::from_be_bytes(*data.first_chunk().unwrap()), data.len()));
            self.receiver.accept(&delivery).await.unwrap();
        }
        got
    }
}

/// A message of more frames than a task may send without a pause, and than wait in a channel of the usual size.
#[tokio::test]
async fn a_long_message_goes_out_whole() {
    let fixture = Fixture::new();
    let mut consumer = fixture.consumer("c", 512).await;
    for (sequence, length) in [(1, 100_000), (2, 34_000_000), (3, 10)] {
        fixture.put(sequence, length);
    }
    assert_eq!(consumer.get(3).await, [(1, 100_000), (2, 34_000_000), (3, 10)]);
}

/// Whoever has credit gets the next messages, each once, however often they were offered to others.
#[tokio::test]
async fn credit_alone_decides_who_gets_the_next_messages() {
    let fixture = Fixture::new();
    let mut consumers = Vec::new();
    for n in 0..5 {
        consumers.push(fixture.consumer(&format!("c{n}"), 65_536).await);
    }
    let (mut put, mut got) = (0, 0);
    for turn in 0..200_u32 {
        let count = turn * 7 % 11 + 1;
        for _ in 0..count {
            fixture.put(put, 600);
            put += 1;
        }
        let consumer = &mut consumers[(turn * 13 % 5) as usize];
        let wanted: Vec<(u64, usize)> = (got..).map(|s| (s, 600)).take(count as usize).collect();
        assert_eq!(consumer.get(count).await, wanted);
        got += u64::from(count);
    }
    assert_eq!(fixture.queue.take(), None);
}

/// Otherwise a client whose heartbeats come at just the time it was told is dropped when one is late.
#[tokio::test]
async fn a_client_is_told_half_of_the_time_after_which_it_is_dropped() {
    let fixture = Fixture::new();
    for bytes in [3, 40, 4096] {
        let mut pipe = fixture.pipe(bytes);
        let told = timeout(LIMIT, told(&mut pipe)).await.unwrap();
        assert_eq!(told, Some(IDLE_MILLIS / 2));
    }
}

/// The idle time-out of the other side's open frame.
async fn told(pipe: &mut DuplexStream) -> Option<u32> {
    let init = SaslInit {
        mechanism: Symbol::from("PLAIN"),
        initial_response: Some(Binary::from(b"\0mqapp\0a long and random one".to_vec())),
        hostname: None,
    };
    let open = Open {
        container_id: "c".to_owned(),
        hostname: None,
        max_frame_size: 65_536.into(),
        channel_max: 10.into(),
        idle_time_out: None,
        outgoing_locales: None,
        incoming_locales: None,
        offered_capabilities: None,
        desired_capabilities: None,
        properties: None,
    };
    let said = [
        b"AMQP\x03\x01\x00\x00".to_vec(),
        framed(1, &serde_amqp::to_vec(&init).unwrap()),
        b"AMQP\x00\x01\x00\x00".to_vec(),
        framed(0, &serde_amqp::to_vec(&open).unwrap()),
    ]
    .concat();
    let (mut from, mut to) = tokio::io::split(pipe);
    let answers = async {
        let mut header = [0; 8];
        from.read_exact(&mut header).await.unwrap();
        let _mechanisms = frame(&mut from).await;
        let _outcome = frame(&mut from).await;
        from.read_exact(&mut header).await.unwrap();
        frame(&mut from).await
    };
    let (written, answer) = tokio::join!(to.write_all(&said), answers);
    written.unwrap();
    let answer: Open = serde_amqp::from_slice(&answer).unwrap();
    assert_eq!(answer.container_id, "QM1");
    answer.idle_time_out
}

fn framed(kind: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes()[..], &[2, kind, 0, 0], body].concat()
}

/// The body of the next frame.
async fn frame(from: &mut ReadHalf<&mut DuplexStream>) -> Vec<u8> {
    let size = from.read_u32().await.unwrap() as usize;
    let mut rest = vec![0; size - 4];
    from.read_exact(&mut rest).await.unwrap();
    rest.split_off(4)
}
