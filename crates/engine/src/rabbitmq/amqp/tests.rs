//! Against a broker of a few recorded answers.

use super::*;
use std::net::TcpListener;
use std::thread;

fn frame(channel: u16, (class, method): Method, arguments: &[u8]) -> Vec<u8> {
    let mut frame = vec![METHOD];
    frame.extend(channel.to_be_bytes());
    frame.extend(u32::try_from(arguments.len() + 4).expect("short").to_be_bytes());
    frame.extend(class.to_be_bytes());
    frame.extend(method.to_be_bytes());
    frame.extend(arguments);
    frame.push(FRAME_END);
    frame
}

fn closed(code: u16, words: &str) -> Vec<u8> {
    let mut arguments = Arguments::default();
    arguments.number(code);
    arguments.short(words);
    arguments.number(0);
    arguments.number(0);
    arguments.0
}

/// A broker that says all of this at once, whatever it is asked, and keeps the connection open.
fn broker(answers: Vec<Vec<u8>>) -> (SocketAddr, thread::JoinHandle<TcpStream>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bound");
    let address = listener.local_addr().expect("an address");
    let kept = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.write_all(&answers.concat()).expect("sent");
        stream
    });
    (address, kept)
}

fn opened() -> Vec<Vec<u8>> {
    vec![
        frame(0, START, b"\0\x09"),
        // A heartbeat comes in between.
        vec![8, 0, 0, 0, 0, 0, 0, FRAME_END],
        frame(0, TUNE, &[0; 8]),
        frame(0, OPEN_OK, b"\0"),
        frame(1, CHANNEL_OPEN_OK, &[0; 4]),
    ]
}

fn ask(answers: Vec<Vec<u8>>, within: Duration) -> Result<Queue, AmqpError> {
    let (address, kept) = broker(answers);
    let asked = Client::open(address, "u", &"p".into(), within).and_then(|mut client| client.queue("q"));
    drop(kept.join());
    asked
}

const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_queue_is_counted_by_its_own_word() {
    let mut answers = opened();
    let mut counted = Arguments::default();
    counted.short("q");
    counted.0.extend([0, 0, 1, 2, 0, 0, 0, 3]);
    answers.push(frame(1, QUEUE_DECLARE_OK, &counted.0));
    let queue = ask(answers, LONG).expect("an answer");
    assert_eq!((queue.waiting, queue.consumers), (258, 3));
}

#[test]
fn what_a_broker_refuses_is_told_by_its_code() {
    let mut answers = opened();
    answers.push(frame(1, CHANNEL_CLOSE, &closed(404, "NOT_FOUND - no queue 'q'")));
    let missing = ask(answers, LONG).expect_err("missing");
    assert!(
        missing.is_not_found() && missing.to_string().contains("no queue"),
        "{missing}"
    );
    let mut answers = opened();
    let words = "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'q'";
    answers.push(frame(1, CHANNEL_CLOSE, &closed(406, words)));
    let another = ask(answers, LONG).expect_err("another");
    assert!(another.is_another() && !another.is_not_found(), "{another}");
    let refused = vec![frame(0, START, b""), frame(0, CLOSE, &closed(403, "ACCESS_REFUSED"))];
    let refused = ask(refused, LONG).expect_err("refused");
    assert!(refused.is_refused(), "{refused}");
}

#[test]
fn silence_and_another_protocol_end_at_the_deadline_or_at_once() {
    let silent = ask(vec![frame(0, START, b"")], Duration::from_millis(200)).expect_err("silent");
    assert!(
        matches!(&silent, AmqpError::Io(error) if error.kind() == io::ErrorKind::TimedOut),
        "{silent}"
    );
    let other = ask(vec![b"AMQP\0\x01\0\0".to_vec()], LONG).expect_err("another");
    assert!(other.to_string().contains("another version"), "{other}");
    let endless = vec![vec![1, 0, 0, 0xFF, 0, 0, 0]];
    assert!(
        ask(endless, LONG)
            .expect_err("endless")
            .to_string()
            .contains("too long")
    );
}
