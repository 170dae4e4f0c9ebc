"""Apache Qpid Proton as a client over TLS: verifies chain and name, authenticates, opens a connection.

proton_tls.py ADDRESS NAME CAFILE, with user and password in two lines on standard input. Ends with 0 when it was let in.
"""

import sys

from proton import SSLDomain
from proton.handlers import MessagingHandler
from proton.reactor import Container


class Client(MessagingHandler):
    def __init__(self, address, name, authority, user, password):
        super().__init__()
        self.address, self.name, self.user, self.password = address, name, user, password
        self.domain = SSLDomain(SSLDomain.MODE_CLIENT)
        self.domain.set_trusted_ca_db(authority)
        self.domain.set_peer_authentication(SSLDomain.VERIFY_PEER_NAME)
        self.failed = "the connection was not opened"

    def on_start(self, event):
        # The name in the certificate is not the address; Proton compares it with the virtual host.
        event.container.connect(
            "amqps://" + self.address,
            user=self.user,
            password=self.password,
            ssl_domain=self.domain,
            virtual_host=self.name,
            allowed_mechs="PLAIN",
            reconnect=False,
        )

    def on_connection_opened(self, event):
        self.failed = None
        print("connected with TLS", event.transport.ssl().protocol_name())
        event.connection.close()

    def on_transport_error(self, event):
        self.failed = str(event.transport.condition)

    def on_connection_error(self, event):
        self.failed = str(event.connection.remote_condition)


address, name, authority = sys.argv[1:4]
user, password = sys.stdin.read().splitlines()
client = Client(address, name, authority, user, password)
Container(client).run()
if client.failed:
    sys.exit("failed: " + client.failed)
