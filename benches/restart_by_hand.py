"""Kills the RabbitMQ broker of a lab and starts it again as a person would, on the same data; prints the seconds until its queue answers.

The agent stands still meanwhile, and is told that this death is no sign of an unstable broker. The queue is asked in AMQP by the agent's
own user, whose password the new node reads from the same definitions.

  restart_by_hand.py LAB_DIRECTORY QUEUE USER
"""

import os
import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import time

PATIENCE = 60.0


def words(pid, name):
    return [word.decode() for word in pathlib.Path(f"/proc/{pid}/{name}").read_bytes().split(b"\0") if word]


def processes(root):
    """The processes of the instance below this root, by the mark in their environment."""
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"MQAWS_LAB_ROOT={root}" in words(entry.name, "environ"):
                    yield int(entry.name), words(entry.name, "cmdline")
            except OSError:
                continue


def lives(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def frame(channel, ids, arguments):
    payload = struct.pack(">HH", *ids) + arguments
    return struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce"


def short(text):
    return bytes([len(text)]) + text.encode()


def answers(address, user, password, queue):
    """Whether the broker knows the queue and can serve it."""
    try:
        with socket.create_connection((address, 5672), timeout=1) as connection:
            stream = connection.makefile("rb")

            def expect(*ids):
                while True:
                    head = stream.read(7)
                    if len(head) < 7:
                        raise OSError("the connection ended")
                    payload = stream.read(struct.unpack(">BHI", head)[2] + 1)
                    if head[0] == 1:
                        break
                if struct.unpack(">HH", payload[:4]) != ids:
                    raise OSError(f"another method than {ids}")

            connection.sendall(b"AMQP\x00\x00\x09\x01")
            expect(10, 10)
            plain = f"\0{user}\0{password}".encode()
            login = struct.pack(">I", 0) + short("PLAIN") + struct.pack(">I", len(plain)) + plain + short("en_US")
            connection.sendall(frame(0, (10, 11), login))
            expect(10, 30)
            connection.sendall(frame(0, (10, 31), struct.pack(">HIH", 1, 131072, 0)))
            connection.sendall(frame(0, (10, 40), short("/") + short("") + b"\0"))
            expect(10, 41)
            connection.sendall(frame(1, (20, 10), short("")))
            expect(20, 11)
            connection.sendall(frame(1, (50, 10), struct.pack(">H", 0) + short(queue) + b"\x01" + struct.pack(">I", 0)))
            expect(50, 11)
            return True
    except OSError:
        return False


def main():
    lab, queue, user = pathlib.Path(sys.argv[1]).resolve(), *sys.argv[2:]
    roots = [root for root in (lab / "i").iterdir() if (root / "var/lib/mqaws/rabbitmq/agent.password").exists()]
    found = [(root, pid, line) for root in roots for pid, line in processes(root) if line and "beam.smp" in line[0]]
    if len(found) != 1:
        sys.exit(f"{len(found)} brokers below {lab}; expected 1")
    root, beam, _ = found[0]
    agents = [pid for pid, line in processes(root) if line and line[0].endswith("mqaws-agent")]
    environment = dict(variable.partition("=")[::2] for variable in words(beam, "environ"))
    # The emulator puts its own programs before those that start it.
    own = environment.pop("BINDIR", "")
    environment["PATH"] = ":".join(part for part in environment["PATH"].split(":") if part != own)
    settings = root / "var/lib/mqaws/rabbitmq"
    manager = re.search(r"-mqaws_queue_manager\0([^\0]+)", pathlib.Path(f"/proc/{beam}/cmdline").read_text()).group(1)
    password = (settings / "agent.password").read_text()
    address = re.search(r"^listeners.tcp.1 = (.+):5672$", (settings / "rabbitmq.conf").read_text(), re.M).group(1)
    server = root / "usr/lib/rabbitmq/bin/rabbitmq-server"
    (root / "run/mqaws").mkdir(exist_ok=True)
    with open(root / "run/mqaws/ordered-deaths", "a") as ordered:
        ordered.write(f"{beam}\n")
    for agent in agents:
        os.kill(agent, signal.SIGSTOP)
    try:
        began = time.monotonic()
        os.kill(beam, signal.SIGKILL)
        while lives(beam):
            time.sleep(0.002)
        subprocess.run([server, "-detached", "-mqaws_queue_manager", manager], env=environment, check=True)
        while not answers(address, user, password, queue):
            if time.monotonic() - began > PATIENCE:
                sys.exit(f"the broker does not answer within {PATIENCE:.0f} s")
            time.sleep(0.02)
        print(f"{time.monotonic() - began:.3f}")
    finally:
        for agent in agents:
            os.kill(agent, signal.SIGCONT)


main()
