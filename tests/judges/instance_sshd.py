"""A double of the instance that Packer provisions: an sshd on loopback that runs nothing.

Arguments: a directory that stands for the instance's root, and a file for the record. Prints its port. It lets everybody in,
keeps what is uploaded below the root, makes the directories that a script makes by `mkdir -p`, and answers success to
everything else. Scripts are known by their content, which lies among the uploads; each is written to the record with its
environment. The file `behave.json` in the root says what is to happen instead: {"fail": NAME} or {"hang": NAME}.
"""
import asyncio
import json
import pathlib
import re
import shlex
import sys

import asyncssh

ROOT, RECORD = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
PROVISION = ROOT / "tmp/mqaws-provision"


class Everybody(asyncssh.SSHServer):
    def begin_auth(self, username):
        return False


def script_of(command):
    """Path of the script that a command line runs, as Packer writes it; None when it only prepares or removes one."""
    found = re.search(r"/tmp/script_\d+\.sh", command)
    runs = found and not re.match(r"\s*(chmod [^;]*|rm [^;]*)$", command)
    return ROOT / found.group()[1:] if runs else None


def name_of(script):
    text = script.read_bytes()
    same = [p.name for p in sorted(PROVISION.glob("*.sh")) if p.read_bytes() == text]
    return same[0].removesuffix(".sh") if same else "inline"


def make_directories(script):
    for line in script.read_text().splitlines():
        words = shlex.split(line, comments=True)
        if words[:2] == ["mkdir", "-p"]:
            (ROOT / words[-1].lstrip("/")).mkdir(parents=True, exist_ok=True)


def record(**entry):
    with RECORD.open("a") as file:
        file.write(json.dumps(entry) + "\n")


async def handle(process):
    script = script_of(process.command or "")
    if script is None:
        record(command=process.command)
        process.exit(0)
        return
    name = name_of(script)
    words = shlex.split(process.command)
    record(script=name, environment=dict(w.split("=", 1) for w in words if re.match(r"[A-Z0-9_]+=", w)))
    behave = ROOT / "behave.json"
    behave = json.loads(behave.read_text()) if behave.exists() else {}
    if name == "inline":
        make_directories(script)
    process.stdout.write(f"mqaws: {name}: recorded, not run\n")
    if behave.get("hang") == name:
        await process.stdin.read()
        await asyncio.sleep(600)
    if behave.get("fail") == name:
        process.stderr.write("error: the double was told to fail here, with a comma\nhint: let it succeed\n")
        process.exit(1)
        return
    process.exit(0)


async def main():
    (ROOT / "tmp").mkdir(parents=True, exist_ok=True)
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Everybody,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        process_factory=handle,
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(ROOT).encode()),
        allow_scp=True,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
