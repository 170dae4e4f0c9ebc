# client.py ADDRESS: asks an echo server, and again when told to by files; writes what came of it into files.
import os, socket, sys, time


def told(name):
    end = time.time() + 120
    while not os.path.exists(name):
        if time.time() > end:
            sys.exit("never told: " + name)
        time.sleep(0.01)


def say(name, text):
    with open(name + ".new", "w") as file:
        file.write(text)
    os.rename(name + ".new", name)


def answer(limit, ask):
    connection.settimeout(limit)
    try:
        if ask:
            connection.sendall(b"x")
        return "answer" if connection.recv(1) else "closed"
    except (socket.timeout, TimeoutError):
        return "silence"
    except OSError as error:
        return repr(error)


connection = socket.create_connection((sys.argv[1], 7000), 60)
say("before", answer(60, True))
told("cut")
say("during", answer(2, True))
told("mended")
say("after", answer(120, False))
told("off")
say("lost", answer(2, True))
