# An echo server on every address of its host.
import socket, threading

listener = socket.create_server(("", 7000))
open("listening", "w").close()
while True:
    connection, _ = listener.accept()
    echo = lambda c=connection: [c.sendall(data) for data in iter(lambda: c.recv(100), b"")]
    threading.Thread(target=echo, daemon=True).start()
