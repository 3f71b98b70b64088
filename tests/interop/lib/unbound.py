"""unbound: a resolver. The sender's side and the gateway each have one, so that only one can be down."""

from harness.process import Process


class Unbound:
    def __init__(self, name, directory, address, zones, authority):
        """Asks `authority` for each of `zones`, and nobody for anything else."""
        self.address = address
        lines = ["server:", f"  interface: {address}", "  access-control: 0.0.0.0/0 allow", '  username: ""',
                 '  chroot: ""', f'  directory: "{directory}"', f'  pidfile: "{directory}/{name}.pid"',
                 f'  logfile: "{directory}/{name}.log"', "  use-syslog: no", "  num-threads: 1", "  do-ip6: no",
                 '  module-config: "iterator"', '  local-zone: "." static']
        lines += [f'  local-zone: "{zone}." transparent' for zone in zones]
        for zone in zones:
            lines += ["stub-zone:", f'  name: "{zone}"', f"  stub-addr: {authority}"]
        lines += ["remote-control:", "  control-enable: no"]
        (directory / f"{name}.conf").write_text("\n".join(lines) + "\n")
        self.process = Process(name, ["unbound", "-d", "-c", directory / f"{name}.conf"], directory)

    def start(self):
        self.process.start().wait_listening(self.address, 53)
        return self

    def stop(self):
        self.process.stop()
