"""What applications with Celery and pika lose and get twice when a load balancer forgets their connections, and with which settings they do not.

    rabbitmq_clients.py ADDRESS PORT USER      with MQAWS_TEST_PASSWORD

Between the clients and the broker is a relay that forgets connections as a load balancer does: it discards the next packet of one, and then
resets both sides. It does so at set messages and never at a set time. Prints `ok WHAT` lines; any other end than exit code 0 is a failure.
"""

import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

TASKS, EVERY, LIMIT = 60, 10, 20
CONFIRM = 3
# A word that every task of Celery has once, in its headers.
TASK = b"argsrepr"
# Which packet is discarded: that of the client, or the broker's next answer.
REQUEST, ANSWER = "request", "answer"


class Relay:
    """Carries bytes, and forgets or freezes the connections that it has when it is told to."""

    def __init__(self, broker):
        self.broker = broker
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Condition()
        self.flows = []
        # Tasks that were carried, or discarded with their connection reset.
        self.tasks = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            flow = Flow(self, client, socket.create_connection(self.broker))
            with self.lock:
                self.flows.append(flow)
            for which in (REQUEST, ANSWER):
                threading.Thread(target=flow.carry, args=(which,), daemon=True).start()

    def each(self, act):
        with self.lock:
            for flow in self.flows:
                act(flow)

    def handled(self, data):
        with self.lock:
            self.tasks += data.count(TASK)
            self.lock.notify_all()

    def after(self, send):
        """Sends a task and waits until it came through, or was discarded: who sends next meets a connection that was reset."""
        before = self.tasks
        send()
        with self.lock:
            if not self.lock.wait_for(lambda: self.tasks > before, LIMIT):
                sys.exit(f"the relay: nothing within {LIMIT} s")

    def forget(self, which):
        """From now on the next such packet of every connection is discarded, and the connection reset."""
        self.each(lambda flow: setattr(flow, "discards", which))

    def freeze(self):
        """From now on nothing is carried on any connection that there is, and none is reset."""
        self.each(lambda flow: setattr(flow, "frozen", True))

    def reset(self):
        self.each(Flow.reset)


class Flow:
    def __init__(self, relay, client, broker):
        self.relay = relay
        self.ends = {REQUEST: (client, broker), ANSWER: (broker, client)}
        self.discards = None
        self.frozen = False
        for end in self.ends[REQUEST]:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def carry(self, which):
        source, sink = self.ends[which]
        try:
            while data := source.recv(65536):
                if self.frozen:
                    continue
                if self.discards == which:
                    self.reset()
                    return self.relay.handled(data)
                sink.sendall(data)
                self.relay.handled(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self.reset()

    def reset(self):
        client, broker = self.ends[REQUEST]
        for end in (client, broker):
            try:
                # The broker reads first what came through before; a reset may take that from it.
                if end is client:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # Wakes whoever reads it, so that the close below is the last one.
                end.shutdown(socket.SHUT_RD)
                end.close()
            except OSError:
                pass


def check(what, good, seen):
    if not good:
        sys.exit(f"{what}: {seen}")
    print(f"ok {what}: {seen}", flush=True)


def until(what, true):
    deadline = time.monotonic() + LIMIT
    while not (found := true()):
        if time.monotonic() > deadline:
            sys.exit(f"{what}: not within {LIMIT} s")
        time.sleep(0.02)
    return found


# The application: as short as those in Celery's documentation.
APPLICATION = """
import os
from celery import Celery

app = Celery("tasks", broker=os.environ["BROKER"])
app.conf.update(task_default_queue=os.environ["QUEUE"], task_ignore_result=True, worker_enable_remote_control=False)


@app.task
def work(number):
    with open(os.environ["DONE"], "a") as done:
        done.write(f"{number}\\n")
"""


def celery(relay, broker, login, work):
    import celery as library

    with open(f"{work}/tasks.py", "w") as file:
        file.write(APPLICATION)

    def phase(name, options, forgets, **publish):
        """Sends tasks through the relay, which forgets its connections at some; returns what was reported, and what a worker did."""
        queue, done = f"celery.{name}.{os.getpid()}", f"{work}/{name}"
        direct = f"amqp://{login}@{broker[0]}:{broker[1]}//"
        environment = {**os.environ, "BROKER": direct, "QUEUE": queue, "DONE": done, "C_FORCE_ROOT": "1"}
        worker = [sys.executable, "-m", "celery", "--quiet", "-A", "tasks", "worker", "-P", "solo"]
        worker += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR"]
        process = subprocess.Popen(worker, cwd=work, env=environment)
        try:
            app = library.Celery("tasks", broker=f"amqp://{login}@127.0.0.1:{relay.port}//")
            app.conf.update(task_default_queue=queue, broker_transport_options=options, task_ignore_result=True)
            reported = 0
            for number in range(TASKS):
                if number % EVERY == EVERY // 2:
                    relay.forget(forgets[number // EVERY % len(forgets)])
                try:
                    relay.after(lambda: app.send_task("tasks.work", [number], **publish))
                except Exception as error:
                    print(f"   task {number}: {error!r}")
                    reported += 1
            # The last task comes another way: when it is done, all before it are.
            last = library.Celery("tasks", broker=direct)
            last.conf.update(task_default_queue=queue, broker_transport_options={"confirm_publish": True})
            last.send_task("tasks.work", ["last"])
            lines = until("the last task", lambda: os.path.exists(done) and (text := open(done).read()).endswith("last\n") and text)
        finally:
            process.kill()
            process.wait()
        counts = Counter(lines.split()[:-1])
        lost = [number for number in range(TASKS) if str(number) not in counts]
        return reported, lost, sum(count - 1 for count in counts.values())

    versions = f"Celery {library.__version__}"
    reported, lost, _ = phase("off", {}, [REQUEST])
    forgotten = TASKS // EVERY
    seen = f"{versions}, {TASKS} tasks, connections forgotten {forgotten} times: {len(lost)} lost, {reported} reported"
    # One each time; and the broker drops what it has read from a connection that ends and has not taken yet.
    check("tasks vanish without confirms", len(lost) >= forgotten and reported == 0, seen)

    confirmed = {"confirm_publish": True}
    reported, lost, twice = phase("on", confirmed, [REQUEST, ANSWER], confirm_timeout=CONFIRM)
    seen = f"{len(lost)} lost, {reported} reported, {twice} duplicates"
    check("with confirms none does, and some come twice", (lost, reported, twice) == ([], 0, forgotten // 2), seen)

    # A broker that answers nothing: only a limit of the call ends it; one among the transport's options is none.
    def frozen(options, **publish):
        app = library.Celery("tasks", broker=f"amqp://{login}@127.0.0.1:{relay.port}//")
        app.conf.update(task_default_queue=f"celery.frozen.{os.getpid()}", broker_transport_options=options, task_publish_retry=False)
        app.send_task("tasks.work", ["before"], **publish)
        relay.freeze()
        ended = []

        def send():
            try:
                app.send_task("tasks.work", ["frozen"], **publish)
                ended.append("sent")
            except Exception as error:
                ended.append(repr(error))

        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        thread.join(2 * CONFIRM if publish else CONFIRM)
        relay.reset()
        thread.join(LIMIT)
        return ended[0] if ended else None, not thread.is_alive()

    how, _ = frozen(confirmed, confirm_timeout=1)
    check("a frozen broker ends a publish with confirm_timeout", "timed out" in str(how), how)
    began = time.monotonic()
    how, _ = frozen({"confirm_publish": True, "confirm_timeout": 1})
    took = time.monotonic() - began
    check("confirm_timeout among the transport's options does not", took >= CONFIRM and "timed out" not in str(how), f"{how} after the reset")


def pika_client(relay, broker, user, password):
    import pika

    login = pika.PlainCredentials(user, password)

    def connect(port, host="127.0.0.1"):
        return pika.BlockingConnection(
            pika.ConnectionParameters(
                host, port, credentials=login, heartbeat=4, blocked_connection_timeout=5, stack_timeout=3
            )
        )

    direct = connect(broker[1], broker[0])
    own = direct.channel()
    own.queue_declare("pika", durable=True)
    sent = []
    connection = channel = None
    for number in range(TASKS):
        if number % EVERY == EVERY // 2:
            relay.forget((REQUEST, ANSWER)[number // EVERY % 2])
        while number not in sent:
            try:
                if channel is None:
                    connection = connect(relay.port)
                    channel = connection.channel()
                    channel.confirm_delivery()
                channel.basic_publish("", "pika", b"%d" % number, pika.BasicProperties(delivery_mode=2), mandatory=True)
                sent.append(number)
            except pika.exceptions.AMQPError:
                channel = None
    counts = Counter()
    while (got := own.basic_get("pika", auto_ack=True))[0]:
        counts[int(got[2])] += 1
    lost = [number for number in sent if not counts[number]]
    twice = sum(count - 1 for count in counts.values())
    seen = f"pika {pika.__version__}, {TASKS} messages: {len(lost)} lost, {twice} duplicates"
    check("pika with confirms loses none", (lost, twice) == ([], TASKS // EVERY // 2), seen)
    own.queue_delete("pika")
    direct.close()


def main():
    address, port, user = sys.argv[1:]
    password = os.environ["MQAWS_TEST_PASSWORD"]
    broker = (address, int(port))
    with tempfile.TemporaryDirectory() as work:
        pika_client(Relay(broker), broker, user, password)
        celery(Relay(broker), broker, f"{user}:{password}", work)


main()
