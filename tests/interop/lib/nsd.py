"""nsd: the authoritative name server of all zones of the test."""

from harness.process import Process

ZONE_HEAD = """$TTL 60
@ SOA ns.sender.test. hostmaster.sender.test. 1 3600 900 86400 60
@ NS ns.sender.test.
"""


class Nsd:
    def __init__(self, directory, address, zones):
        """zones: name -> records in zone file syntax, without SOA and NS."""
        self.directory, self.address = directory, address
        lines = ["server:", f"  ip-address: {address}", '  username: ""', f'  zonesdir: "{directory}"',
                 f'  pidfile: "{directory}/nsd.pid"', f'  xfrdfile: "{directory}/xfrd.state"',
                 f'  zonelistfile: "{directory}/zone.list"', f'  xfrdir: "{directory}"',
                 f'  logfile: "{directory}/nsd.log"', "  server-count: 1", "  rrl-ratelimit: 0",
                 "remote-control:", "  control-enable: no"]
        for name, records in zones.items():
            (directory / f"{name}.zone").write_text(ZONE_HEAD + records)
            lines += ["zone:", f'  name: "{name}"', f'  zonefile: "{name}.zone"']
        (directory / "nsd.conf").write_text("\n".join(lines) + "\n")
        self.process = Process("nsd", ["nsd", "-d", "-c", directory / "nsd.conf"], directory)

    def start(self):
        self.process.start().wait_listening(self.address, 53)
        return self

    def stop(self):
        self.process.stop()
