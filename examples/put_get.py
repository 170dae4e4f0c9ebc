"""Puts a persistent message to a queue and gets it again, by AMQP 1.0.

    MQ_USER=… MQ_PASSWORD=… python3 put_get.py amqp://HOST:5672 APP.ORDERS

Requires python-qpid-proton. Verified with the stand-in queue manager of the local cloud.
"""

import os
import sys

from proton import Message, symbol
from proton.reactor import LinkOption
from proton.utils import BlockingConnection


class Queue(LinkOption):
    """IBM MQ takes an address without this capability for a topic."""

    def apply(self, link):
        terminus = link.target if link.is_sender else link.source
        terminus.capabilities.put_object(symbol("queue"))


url, queue = sys.argv[1:]
connection = BlockingConnection(
    url,
    timeout=10,
    user=os.environ["MQ_USER"],
    password=os.environ["MQ_PASSWORD"],
    allowed_mechs="PLAIN",
    allow_insecure_mechs=True,  # without TLS; remove it for amqps://
)
try:
    sender = connection.create_sender(queue, name="orders-out", options=Queue())
    # Without `durable`, a message does not outlive the queue manager.
    sender.send(Message(body="order 1", durable=True))
    receiver = connection.create_receiver(queue, name="orders-in", options=Queue())
    message = receiver.receive(timeout=10)
    receiver.accept()
    print(f"put to {queue} and got again: {message.body}")
finally:
    connection.close()
