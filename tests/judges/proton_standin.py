"""Apache Qpid Proton, an implementation of AMQP 1.0 of its own, as a client of the stand-in queue manager.

proton_standin.py HOST PORT USER QUEUE, with the password in MQAWS_TEST_PASSWORD. Ends with 0 when everything was as AMQP and
IBM MQ's AMQP service have it, and prints what was judged.
"""

import os
import sys

from proton import ConnectionException, Message, symbol, Timeout
from proton import Delivery
from proton.reactor import LinkOption
from proton.utils import BlockingConnection, ConnectionClosed, LinkDetached, SendException

HOST, PORT, USER, QUEUE = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4]
PASSWORD = os.environ["MQAWS_TEST_PASSWORD"]
LIMIT = 30


class AsksForQueue(LinkOption):
    """Puts the capability `queue` on the terminus that names the queue."""

    def apply(self, link):
        terminus = link.target if link.is_sender else link.source
        terminus.capabilities.put_object(symbol("queue"))


def connect(container, password=PASSWORD):
    return BlockingConnection(
        f"amqp://{HOST}:{PORT}",
        timeout=LIMIT,
        user=USER,
        password=password,
        allow_insecure_mechs=True,
        allowed_mechs="PLAIN",
        container_id=container,
        heartbeat=5,
    )


def judged(what):
    print(f"ok {what}", flush=True)


def refused(what, attempt, condition):
    try:
        attempt()
    except (LinkDetached, SendException, ConnectionException, ConnectionClosed) as error:
        assert condition in str(error) or condition in repr(getattr(error, "condition", "")), f"{what}: {error!r}"
        judged(what)
        return
    raise AssertionError(f"{what}: was not refused")


def main():
    refused("a wrong password is refused", lambda: connect("judge-0", "wrong"), "")

    connection = connect("judge-1")
    sender = connection.create_sender(QUEUE, name="sender", options=AsksForQueue())
    bodies = [f"text {n}" for n in range(20)]
    bodies += [b"\x00\xff bytes", {"a": [1, 2.5, None, True]}, ["x", {"y": -1}], "x" * 200_000]
    for n, body in enumerate(bodies):
        message = Message(body=body, id=f"id-{n}", durable=True, properties={"n": n, "kind": "judge"}, subject="s")
        delivery = sender.send(message, timeout=LIMIT)
        assert delivery.remote_state == Delivery.ACCEPTED, delivery.remote_state
    judged(f"{len(bodies)} messages of every kind of body are accepted")

    annotated = Message(body="a", id="annotated", durable=True, annotations={symbol("x-opt-a"): 1})
    refused("message annotations are rejected", lambda: sender.send(annotated, timeout=LIMIT), "")
    numbered = Message(body="a", id=7, durable=True)
    refused("a message id that is no string is rejected", lambda: sender.send(numbered, timeout=LIMIT), "")

    other = connect("judge-2")
    refused(
        "an unknown queue is amqp:not-found",
        lambda: other.create_sender("MQAWS.PROBE.NO.SUCH", options=AsksForQueue()).send(Message(body="x"), timeout=LIMIT),
        "not-found",
    )
    other.close()
    other = connect("judge-3")
    refused(
        "a link without the capability is no queue",
        lambda: other.create_sender(QUEUE).send(Message(body="x"), timeout=LIMIT),
        "not-implemented",
    )
    other.close()

    receiver = connection.create_receiver(QUEUE, name="receiver-1", credit=5, options=AsksForQueue())
    first = receiver.receive(timeout=LIMIT)
    assert (first.id, first.delivery_count) == ("id-0", 0), (first.id, first.delivery_count)
    receiver.fetcher.unsettled[0].local.failed = True
    receiver.release(delivered=True)
    receiver.close()
    judged("a message given back as failed")

    receiver = connection.create_receiver(QUEUE, name="receiver-2", credit=3, options=AsksForQueue())
    for n, body in enumerate(bodies):
        message = receiver.receive(timeout=LIMIT)
        got = bytes(message.body) if isinstance(message.body, memoryview) else message.body
        assert message.id == f"id-{n}", f"{message.id} in the place of id-{n}"
        assert got == body, f"body {n} differs"
        assert message.durable and message.subject == "s" and message.properties["n"] == n
        if n == 0:
            assert message.delivery_count == 1, message.delivery_count
        receiver.accept()
    judged("all come back in order, whole, the failed one with its count")
    try:
        extra = receiver.receive(timeout=1)
        raise AssertionError(f"one more: {extra}")
    except Timeout:
        judged("and none twice")
    receiver.close()

    again = connect("judge-1")
    again.create_sender(QUEUE, name="sender", options=AsksForQueue()).send(Message(body="x", id="last", durable=False), timeout=LIMIT)
    try:
        sender.send(Message(body="y", id="late"), timeout=LIMIT)
        raise AssertionError("the first connection still serves")
    except (ConnectionException, ConnectionClosed, LinkDetached, SendException):
        judged("a second connection with the same container id takes over")
    receiver = again.create_receiver(QUEUE, name="receiver-3", credit=1, options=AsksForQueue())
    assert receiver.receive(timeout=LIMIT).id == "last"
    receiver.accept()
    again.close()


main()
